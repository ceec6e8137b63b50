//! A sealed value opens where it was sealed and nowhere else: any flipped, cut or added byte and any changed field of
//! what it is bound to makes opening fail, and no byte string makes parsing panic.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use hftok_core::binding::{Binding, Context, Kind, Scope};
use hftok_core::data_key::{DataKey, DataKeyId, Purpose};
use hftok_core::envelope::{Envelope, OpenError};
use hftok_core::identity::{Identity, NOBODY};
use hftok_core::keyring::Keyring;
use hftok_core::plaintext::MASK;
use hftok_core::plaintext::PlaintextRef;
use hftok_core::preview::{WIDTH, preview};
use proptest::prelude::*;

const HERE: Identity = [3; 32];

/// The fields of a context, owned, so that they can be drawn and changed.
#[derive(Debug, Clone, PartialEq)]
struct Fields {
    secret_id: [u8; 16],
    version: u32,
    texts: [String; 5],
    hosts: Option<Vec<String>>,
    expires_at: Option<i64>,
}

impl Fields {
    fn context(&self) -> Context<'_> {
        let [scope_id, provider, model, name, slot] = &self.texts;
        Context {
            secret_id: self.secret_id,
            version: self.version,
            binding: Binding { scope: Scope::Vault, scope_id, provider, model, name, slot },
            kind: Kind::Static,
            allowed_hosts: self.hosts.as_deref(),
            expires_at: self.expires_at,
        }
    }
}

prop_compose! {
    fn fields()(
        secret_id in any::<[u8; 16]>(),
        version in 1..u32::MAX,
        texts in any::<[String; 5]>(),
        hosts in proptest::option::of(proptest::collection::vec("[a-z.]{0,12}", 0..4)),
        expires_at in any::<Option<i64>>(),
    ) -> Fields {
        Fields { secret_id, version, texts, hosts, expires_at }
    }
}

fn value_key(id: i32) -> Box<DataKey> {
    DataKey::random(DataKeyId::new(id).unwrap(), Purpose::Values).unwrap()
}

fn seal(key: &DataKey, value: &str, fields: &Fields) -> Vec<u8> {
    key.for_values().unwrap().seal(&PlaintextRef::new(value), &fields.context()).unwrap()
}

fn open(key: &DataKey, sealed: &[u8], fields: &Fields) -> Result<Vec<u8>, OpenError> {
    let envelope = Envelope::parse(sealed)?;
    let opened = key.for_values().unwrap().open(&envelope, &fields.context())?;
    Ok(opened.expose().to_vec())
}

proptest! {
    #[test]
    fn opens_where_it_was_sealed(value: String, fields in fields()) {
        let key = value_key(9);
        let sealed = seal(&key, &value, &fields);
        prop_assert_eq!(open(&key, &sealed, &fields).unwrap(), value.as_bytes());
        let again = seal(&key, &value, &fields);
        prop_assert_ne!(sealed, again);
    }

    #[test]
    fn any_changed_byte_shuts_it(value: String, fields in fields(), flip in 1..=255u8, extra: u8) {
        let key = value_key(9);
        let sealed = seal(&key, &value, &fields);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= flip;
            prop_assert!(open(&key, &changed, &fields).is_err(), "byte {}", at);
            prop_assert!(open(&key, &sealed[..at], &fields).is_err(), "cut at {}", at);
            let mut longer = sealed.clone();
            longer.insert(at, extra);
            prop_assert!(open(&key, &longer, &fields).is_err(), "added at {}", at);
        }
        let mut longer = sealed.clone();
        longer.push(extra);
        prop_assert!(open(&key, &longer, &fields).is_err());
    }

    #[test]
    fn any_changed_field_shuts_it(value: String, fields in fields(), other in fields(), bit in 0..128usize) {
        let key = value_key(9);
        let sealed = seal(&key, &value, &fields);
        let mut changed = vec![fields.clone(); 12];
        changed[0].secret_id[bit / 8] ^= 1 << (bit % 8);
        changed[1].version = changed[1].version.wrapping_add(1);
        changed[2].texts[0].push('x');
        changed[3].texts[1].push('x');
        changed[4].texts[2].push('x');
        changed[5].texts[3].push('x');
        changed[6].hosts = fields.hosts.clone().map_or(Some(vec![]), |_| None);
        changed[7].hosts.get_or_insert_default().push(String::new());
        changed[8].expires_at = fields.expires_at.map_or(Some(0), |_| None);
        changed[9].expires_at = Some(fields.expires_at.unwrap_or(0) ^ 1);
        changed[10] = other;
        changed[11].texts[4].push('x');
        for (which, changed) in changed.iter().enumerate() {
            if *changed != fields {
                prop_assert!(open(&key, &sealed, changed).is_err(), "field {}", which);
            }
        }
        // A character moved from one field to the next.
        let mut shifted = fields.clone();
        if let Some(last) = shifted.texts[0].pop() {
            shifted.texts[1].insert(0, last);
            prop_assert!(open(&key, &sealed, &shifted).is_err());
        }
    }

    #[test]
    fn another_key_does_not_open_it(value: String, fields in fields()) {
        let sealed = seal(&value_key(9), &value, &fields);
        prop_assert!(open(&value_key(9), &sealed, &fields).is_err());
        prop_assert!(open(&value_key(8), &sealed, &fields).is_err());
    }

    #[test]
    fn parsing_is_total(bytes: Vec<u8>, fields in fields()) {
        prop_assert!(open(&value_key(1), &bytes, &fields).is_err());
        let _ = Keyring::parse(&bytes);
    }

    #[test]
    fn previews_are_as_wide_as_each_other(value: String) {
        let text = preview(&PlaintextRef::new(&value));
        prop_assert_eq!(text.chars().count(), WIDTH);
        prop_assert!(text.contains(MASK));
    }
}

#[test]
fn a_wrapped_key_opens_only_for_its_id_purpose_owner_root_and_database() {
    let ring = |digits: &str| Keyring::parse(format!("1:{}", digits.repeat(32)).as_bytes()).unwrap();
    let (ours, theirs) = (ring("a1"), ring("b2"));
    let (ours, theirs) = (ours.primary().unwrap(), theirs.primary().unwrap());
    let id = |id| DataKeyId::new(id).unwrap();
    let wrapped = ours.wrap(&value_key(5), "", &HERE).unwrap();
    let mut place = DataKey::EMPTY;
    assert!(ours.unwrap(&wrapped, id(6), Purpose::Values, "", &HERE, &mut place).is_err());
    assert!(ours.unwrap(&wrapped, id(5), Purpose::Fingerprints, "", &HERE, &mut place).is_err());
    assert!(theirs.unwrap(&wrapped, id(5), Purpose::Values, "", &HERE, &mut place).is_err());
    assert!(ours.unwrap(&wrapped, id(5), Purpose::Values, "acme", &HERE, &mut place).is_err());
    for other in [NOBODY, [7; 32]] {
        assert!(ours.unwrap(&wrapped, id(5), Purpose::Values, "", &other, &mut place).is_err());
    }
    assert!(!theirs.fingerprint().fits(ours.fingerprint().as_bytes()));
    assert!(ours.unwrap(&wrapped, id(5), Purpose::Values, "", &HERE, &mut place).is_ok());
    assert_eq!(place.id(), id(5));
    assert_eq!(place.identity(), &HERE);
}

#[test]
fn a_key_comes_out_as_it_went_in() {
    let ring = Keyring::parse(format!("1:{}", "c3".repeat(32)).as_bytes()).unwrap();
    let key = value_key(5);
    let fields = no_fields();
    let sealed = seal(&key, "hf_value", &fields);
    let mut place = DataKey::EMPTY;
    let root = ring.primary().unwrap();
    root.unwrap(&root.wrap(&key, "", &HERE).unwrap(), key.id(), Purpose::Values, "", &HERE, &mut place)
        .unwrap();
    assert_eq!(open(&place, &sealed, &fields).unwrap(), b"hf_value");
}

#[test]
fn a_key_serves_one_purpose() {
    assert!(value_key(1).for_fingerprints().is_none());
    let key = DataKey::random(DataKeyId::new(2).unwrap(), Purpose::Fingerprints).unwrap();
    assert!(key.for_values().is_none());
    let key = key.for_fingerprints().unwrap();
    let print = key.fingerprint(&PlaintextRef::new("a"));
    assert!(key.fits(&print, &PlaintextRef::new("a")));
    assert!(!key.fits(&print, &PlaintextRef::new("b")));
    assert!(!key.fits(&print[..19], &PlaintextRef::new("a")));
}

#[test]
fn nothing_prints_a_secret() {
    let value = PlaintextRef::new("hf_shown_nowhere");
    let key = value_key(3);
    let fields = no_fields();
    let sealed = seal(&key, "hf_shown_nowhere", &fields);
    let values = key.for_values().unwrap();
    let opened = values.open(&Envelope::parse(&sealed).unwrap(), &fields.context()).unwrap();
    assert_eq!(format!("{value:?} {opened:?} {key:?}"), "PlaintextRef(..) Plaintext(..) DataKey(3, ..)");
}

fn no_fields() -> Fields {
    Fields { secret_id: [0; 16], version: 1, texts: Default::default(), hosts: None, expires_at: None }
}
