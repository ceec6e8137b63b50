//! The hash over the state of a secret is the one that `hftok_private.state_of()` computes in SQL.

use hftok_core::audit::state::SecretState;

/// A state with nothing in it that need not be.
const PLAIN: SecretState<'_> = SecretState {
    binding_key: [7; 16],
    version: 1,
    oldest_version: 1,
    is_enabled: true,
    expires_at: None,
    on_unusable: "stop",
    allowed_hosts: None,
    verdict: None,
    label: "",
    description: "",
};

/// The hash in hexadecimal digits.
fn hex(state: &SecretState<'_>) -> String {
    state.digest().iter().flatten().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_hash_is_that_of_sql() {
    assert_eq!(hex(&PLAIN), "72f6c494391a32f8256ad1f8ed19b0c232a4b7c5f94292b6ca8139528b690a42");
    let hosts = ["api.openai.com".to_owned(), "a\"b".to_owned()];
    let full = SecretState {
        version: 258,
        oldest_version: 3,
        is_enabled: false,
        expires_at: Some(-1),
        on_unusable: "continue",
        allowed_hosts: Some(&hosts),
        verdict: Some("invalid"),
        label: "tab\t \u{8}\u{c} \u{1} \u{7f} ü 😀",
        description: "quote\" back\\ line\n return\r </b>",
        ..PLAIN
    };
    assert_eq!(hex(&full), "164bf74cbc0a4230127ceeffb530c5bf8de59cf12ff8a7af23d636bf97eeb50e");
    let empty = SecretState { allowed_hosts: Some(&[]), ..PLAIN };
    assert_eq!(hex(&empty), "96d3d441b6292c08affd33d8686ff26694fcfbfe904223fc3fdd0da1f844c9c8");
}
