//! The HTTP request as PostgREST describes it, and the answer that PostgREST is to give: settings local to the
//! transaction.

use std::cell::Cell;
use std::ffi::{CStr, CString};

use pgrx::pg_sys;
use serde_json::{Value, json};

use super::setting::{Lasts, is_absent, set};
use crate::error::Error;

/// Fails when plaintext is asked for by a method that caches, logs and link previews repeat.
pub fn refuse_get() -> Result<(), Error> {
    thread_local!(static GAP: Cell<usize> = const { Cell::new(0) });
    // Asked by every call that gives plaintext, most of which are no HTTP request.
    if GAP.with(|gap| is_absent(c"request.method", gap)) {
        return Ok(());
    }
    match setting(c"request.method").as_deref() {
        Some("GET" | "HEAD") => Err(Error::MethodNotAllowed),
        Some(_) => {
            forbid_caching();
            Ok(())
        }
        None => Ok(()),
    }
}

/// The claims of the JWT that came with the request, if there are any.
pub fn claims() -> Option<String> {
    setting(c"request.jwt.claims")
}

/// The id that the HTTP request came with, if it looks like one: its sender decides what it says.
pub fn request_id() -> Option<String> {
    let headers: Value = serde_json::from_str(&setting(c"request.headers")?).ok()?;
    let id = headers.get("x-request-id")?.as_str()?;
    let is_plain = id.len() <= 128
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'));
    is_plain.then(|| id.to_owned())
}

/// Adds `Cache-Control: no-store` to the headers of the answer. Others that are there stay, if they are in the form that
/// PostgREST understands.
fn forbid_caching() {
    let headers = setting(c"response.headers").and_then(|text| serde_json::from_str(&text).ok());
    let mut headers = match headers {
        Some(Value::Array(headers)) => headers,
        _ => Vec::new(),
    };
    let is_cache_control = |header: &Value| {
        header
            .as_object()
            .is_some_and(|names| names.keys().any(|name| name.eq_ignore_ascii_case("cache-control")))
    };
    headers.retain(|header| !is_cache_control(header));
    headers.push(json!({"Cache-Control": "no-store"}));
    set_local(c"response.headers", &Value::Array(headers).to_string());
}

/// Anybody can make a setting as long as they like. A setting that was cut is no JSON any more, and none of the words
/// that are looked for.
const SETTING_BYTES_MAX: usize = 64 * 1024;

/// A setting that is there and not empty.
pub(in crate::pg) fn setting(name: &CStr) -> Option<String> {
    // SAFETY: a look-up by a valid C string; the answer is null or a C string that the next change may free, and
    // is copied before that.
    let text = unsafe {
        let text = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!text.is_null()).then(|| {
            let bytes = CStr::from_ptr(text).to_bytes();
            String::from_utf8_lossy(&bytes[..bytes.len().min(SETTING_BYTES_MAX)]).into_owned()
        })
    };
    text.filter(|text| !text.is_empty())
}

/// A text with a zero byte cannot be a setting, and is left out.
fn set_local(name: &CStr, value: &str) {
    let Ok(value) = CString::new(value) else { return };
    set(name, &value, Lasts::Transaction);
}
