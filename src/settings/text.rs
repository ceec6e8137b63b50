//! Settings that are texts.

use std::ffi::CString;

use pgrx::guc::GucSetting;

/// The text of a setting; `None` where it is empty or not set.
pub fn text(setting: &GucSetting<Option<CString>>) -> Option<String> {
    let text = setting.get()?.to_string_lossy().into_owned();
    (!text.is_empty()).then_some(text)
}
