//! Words and numbers as they are stored: each comes back as what it was, and anything else is none.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;

use hftok_core::audit::event::Object;
use hftok_core::binding::{Binding, Scope};
use hftok_core::data_key::{DataKeyId, Purpose};
use hftok_core::is_uuid;

const ID: &str = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
const BYTES: [u8; 16] =
    [0x6f, 0x96, 0x19, 0xff, 0x8b, 0x86, 0xd0, 0x11, 0xb4, 0x2d, 0, 0xc0, 0x4f, 0xc9, 0x64, 0xff];

#[test]
fn scopes_and_purposes_are_known_by_their_words() {
    let scopes =
        [Scope::Vault, Scope::User, Scope::Org, Scope::Global, Scope::Integration, Scope::OrgIntegration];
    let words = ["vault", "user", "org", "global", "integration", "org_integration"];
    assert_eq!(scopes.map(Scope::as_str), words);
    assert_eq!(words.map(Scope::parse), scopes.map(Some));
    assert_eq!(Scope::parse("User"), None);
    let purposes = [Purpose::Values, Purpose::Fingerprints, Purpose::Audit];
    let words = ["values", "fingerprints", "audit"];
    assert_eq!(purposes.map(Purpose::as_str), words);
    assert_eq!(words.map(Purpose::parse), purposes.map(Some));
    assert_eq!(Purpose::parse(""), None);
}

/// A vault row with a name and a credential are found by what they are for; a nameless one and an integration's by their id.
#[test]
fn a_binding_that_is_no_address_is_told_apart_by_the_id() {
    let of =
        |scope, name| Binding { scope, scope_id: "alice", provider: "openai", model: "", name, slot: "" };
    let bindings =
        [of(Scope::Vault, "stripe"), of(Scope::User, ""), of(Scope::Org, ""), of(Scope::Global, "")];
    for binding in bindings {
        assert_eq!(binding.key(&[1; 16]), binding.key(&[2; 16]), "{binding:?}");
    }
    for binding in
        [of(Scope::Vault, ""), of(Scope::Integration, ""), of(Scope::OrgIntegration, ""), Binding::vault("")]
    {
        assert_ne!(binding.key(&[1; 16]), binding.key(&[2; 16]), "{binding:?}");
    }
    let spare = Binding { slot: "spare", ..of(Scope::User, "") };
    assert_eq!(spare.key(&[1; 16]), spare.key(&[2; 16]));
    assert_ne!(spare.key(&[1; 16]), of(Scope::User, "").key(&[1; 16]));
    let keys: BTreeSet<_> = bindings.iter().map(|binding| binding.key(&[1; 16])).collect();
    assert_eq!(keys.len(), bindings.len());
}

#[test]
fn data_keys_have_positive_ids_that_scatter() {
    for id in [0, -1, i32::MIN] {
        assert_eq!(DataKeyId::new(id), None);
    }
    let drawn: BTreeSet<DataKeyId> = (0..500).map(|_| DataKeyId::random().unwrap()).collect();
    assert!(drawn.len() > 490 && drawn.iter().all(|id| id.get() > 0));
    // Every bit but the sign is drawn.
    assert_eq!(drawn.iter().fold(0, |bits, id| bits | id.get()), i32::MAX);
    assert_eq!(drawn.iter().fold(i32::MAX, |bits, id| bits & id.get()), 0);
    let id = DataKeyId::new(29).unwrap();
    assert_eq!((id.place(8), id.place(29), id.place(1), id.place(0)), (5, 0, 0, 0));
}

#[test]
fn uuids_are_known_in_either_case_and_nothing_else_is_one() {
    assert!(is_uuid(ID) && is_uuid(&ID.to_uppercase()));
    for wrong in [
        "",
        "6f9619ff-8b86-d011-b42d-00c04fc964f",
        "6f9619ff-8b86-d011-b42d-00c04fc964fff",
        "6f9619ff08b86-d011-b42d-00c04fc964ff",
        "6f9619f--8b86-d011-b42d-00c04fc964ff",
        "6f9619fg-8b86-d011-b42d-00c04fc964ff",
        "{6f9619f-8b86-d011-b42d-00c04fc964f}",
    ] {
        assert!(!is_uuid(wrong), "{wrong}");
    }
    // An integration that is read names its secret as the subject, and that secret's use is counted.
    let object = |subject| Object { id: Some([7; 16]), subject, ..Object::default() };
    assert_eq!(object(Some(ID)).used(), Some(BYTES));
    assert_eq!(object(Some("alice")).used(), Some([7; 16]));
    assert_eq!(object(None).used(), Some([7; 16]));
}
