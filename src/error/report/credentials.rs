//! Reports on credentials that are there and cannot be used. The detail is JSON, so that a client can tell its user which one.

use hftok_core::provider::Rejection;
use hftok_core::walk::{Level, Outcome};
use pgrx::datum::Uuid;
use serde_json::{Value, json};

use super::{Report, bad_input, report};

/// A value that is no credential of its provider. A form is told which field is at fault, where there are several.
pub fn rejected(rejection: &Rejection) -> Report {
    let report = bad_input(rejection);
    match rejection.field() {
        Some(field) => report.detail(json!({ "field": field }).to_string()),
        None => report,
    }
}

/// A provider that is in no catalogue. The name that was given is not repeated: it may be a key in the wrong parameter.
pub fn unknown_provider(nearest: Option<String>) -> Report {
    let unknown = report(b"22023", "there is no provider of this name").hint(
        "View hftok.providers lists them: custom takes any key. An operator, or an administrator of the application, adds one by hftok.register_provider().",
    );
    match nearest {
        Some(name) => unknown.detail(format!("The nearest name is \"{name}\".")),
        None => unknown,
    }
}

/// A provider that is switched off for the application.
pub fn switched_off(provider: &str) -> Report {
    unprocessable(&json!({
        "level": "catalogue",
        "outcome": "disabled",
        "secret_id": null,
        "provider": provider,
    }))
    .hint("This provider is switched off. An administrator of the application or an operator calls switch_provider().")
}

/// A provider whose registration was changed outside hftok, or can no longer be one.
pub fn not_vouched_for(provider: &str, reason: &str) -> Report {
    unprocessable(&json!({
        "level": "catalogue",
        "outcome": "not_vouched_for",
        "secret_id": null,
        "provider": provider,
        "reason": reason,
    }))
    .hint("An operator registers the provider again, or calls unregister_provider(). hftok.verify() lists all such providers.")
}

/// A credential that a level of the walk has.
pub fn unusable(
    level: Level,
    outcome: Outcome,
    secret_id: Option<Uuid>,
    has_own_hosts: bool,
    retry_after: Option<i64>,
) -> Report {
    let mut detail = json!({
        "level": level.as_str(),
        "outcome": outcome.as_str(),
        "secret_id": secret_id.map(|id| id.to_string()),
    });
    if let Some(seconds) = retry_after {
        detail["retry_after"] = seconds.into();
    }
    unprocessable(&detail).hint(way_out(level, outcome, has_own_hosts))
}

/// A credential that was switched off.
pub fn disabled(secret_id: Uuid, level: &str, by_backend: bool) -> Report {
    unprocessable(&json!({
        "level": level,
        "outcome": "disabled",
        "secret_id": secret_id.to_string(),
        "by": if by_backend { "backend" } else { "owner" },
    }))
    .hint(if by_backend {
        "The backend switched it off; another status by update_integration_status() switches it on."
    } else {
        "Its owner switched it off, and can switch it on."
    })
}

/// A credential that does not open.
pub fn damaged(secret_id: Uuid, version: i32, scope: &str) -> Report {
    unprocessable(&json!({
        "level": scope,
        "outcome": "decrypt_failed",
        "secret_id": secret_id.to_string(),
        "version": version,
    }))
    .hint("It, or what it is bound to, was changed outside hftok. hftok.verify() lists all such secrets.")
}

/// The message that they share.
fn unprocessable(detail: &Value) -> Report {
    report(b"PT422", "Unprocessable Entity").detail(detail.to_string())
}

/// The remedy for a credential that cannot be used, and who has it.
fn way_out(level: Level, outcome: Outcome, has_own_hosts: bool) -> &'static str {
    match outcome {
        // A variable has no owner who could do anything.
        _ if level == Level::Environment => {
            "A variable of the server's environment is sent to hosts of the catalogue only (view providers). explain_token() shows the whole walk."
        }
        Outcome::DecryptFailed => {
            "It, or what it is bound to, was changed outside hftok: the walk stops, whatever on_unusable says, until it is saved anew or deleted. An operator's verify() lists all such secrets."
        }
        Outcome::NotMember => {
            "The user does not belong to the organisation: name another one, or none, or make them a member. explain_token() shows the whole walk."
        }
        Outcome::HostRefused if !has_own_hosts => {
            "The catalogue (view providers) does not name this host. The owner of a credential can allow it others. explain_token() shows the whole walk."
        }
        Outcome::RateLimited => {
            "Its provider asked for a rest of so many seconds (retry_after). Its owner can save a further key for the same use under another p_slot. explain_token() shows the whole walk."
        }
        Outcome::Sealed => {
            "One of the organisation's owners, or an operator, calls unseal_org(); or the organisation gives the key again that it holds itself. explain_token() shows the whole walk, and which it is."
        }
        _ if matches!(level, Level::Global | Level::GlobalModel) => {
            "An administrator of the application, or an operator, can repair it, delete it, or set on_unusable to continue. explain_token() shows the whole walk."
        }
        _ => {
            "Its owner can repair it, delete it, or set on_unusable to continue. explain_token() shows the whole walk."
        }
    }
}
