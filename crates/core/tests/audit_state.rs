//! The hash over the state of a secret is the one that `hftok_private.state_of()` computes in SQL.

use hftok_core::audit::state::SecretState;

/// A state with nothing in it that need not be.
const PLAIN: SecretState<'_> = SecretState {
    binding_key: [7; 16],
    version: 1,
    oldest_version: 1,
    position: 0,
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
    assert_eq!(hex(&PLAIN), "383300fe451828c0949ee9ec08f8d72f628d4ac5a4368e24a1dfe7e88c40643c");
    let hosts = ["api.openai.com".to_owned(), "a\"b".to_owned()];
    let full = SecretState {
        version: 258,
        oldest_version: 3,
        position: -2,
        is_enabled: false,
        expires_at: Some(-1),
        on_unusable: "continue",
        allowed_hosts: Some(&hosts),
        verdict: Some("invalid"),
        label: "tab\t \u{8}\u{c} \u{1} \u{7f} ü 😀",
        description: "quote\" back\\ line\n return\r </b>",
        ..PLAIN
    };
    assert_eq!(hex(&full), "3587cb4d35d20b91c231e84892310651b6e3ca39222ec520ccac09473d96fa48");
    let empty = SecretState { allowed_hosts: Some(&[]), ..PLAIN };
    assert_eq!(hex(&empty), "07e057182f5a2932c008083295220d75e8f263acbd9bac497b578853a390c99b");
}
