//! Settings of the keyring and of the rotation of keys.

use std::ffi::CString;

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};

use super::text::text;

/// `hftok.key_file`
static KEY_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
/// `hftok.key_command`
static KEY_COMMAND: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
/// `hftok.org_key_lifetime`
static ORG_KEY_LIFETIME: GucSetting<i32> = GucSetting::<i32>::new(5 * 60);
/// `hftok.reseal_rate`
static RESEAL_RATE: GucSetting<i32> = GucSetting::<i32>::new(0);
/// `hftok.data_key_max_age`
static DATA_KEY_MAX_AGE: GucSetting<i32> = GucSetting::<i32>::new(365 * 24 * 60 * 60);

/// The place of the keyring: paths and commands of the server, which superusers alone may read.
pub fn init() {
    init_rotation();
    GucRegistry::define_string_guc(
        c"hftok.key_file",
        c"Path of the keyring file.",
        c"Refused when group or others can read or change it.",
        &KEY_FILE,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_string_guc(
        c"hftok.key_command",
        c"Command that prints the keyring, used when hftok.key_file is empty; with an organisation's id after it, that organisation's own key.",
        c"Run by a server process of hftok with a time limit of 30 seconds, or of 5 for an organisation.",
        &KEY_COMMAND,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_int_guc(
        c"hftok.org_key_lifetime",
        c"Time after which an organisation's own key is asked for again.",
        c"What it has unwrapped is wiped from memory then.",
        &ORG_KEY_LIFETIME,
        1,
        24 * 60 * 60,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
}

/// The rotation of data keys.
fn init_rotation() {
    GucRegistry::define_int_guc(
        c"hftok.reseal_rate",
        c"Most values a second that are sealed anew after a rotation, in each database.",
        c"0 for as many as can be.",
        &RESEAL_RATE,
        0,
        1_000_000,
        GucContext::Sighup,
        GucFlags::empty(),
    );
    GucRegistry::define_int_guc(
        c"hftok.data_key_max_age",
        c"Age at which data keys are rotated by themselves.",
        c"0 leaves it to rotate_data_key().",
        &DATA_KEY_MAX_AGE,
        0,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
}

/// Values a second that are sealed anew; `None` for as many as can be.
pub fn reseal_rate() -> Option<u32> {
    Some(RESEAL_RATE.get().unsigned_abs()).filter(|rate| *rate > 0)
}

/// The age in seconds at which data keys are rotated by themselves; `None` for none.
pub fn data_key_max_age() -> Option<i32> {
    Some(DATA_KEY_MAX_AGE.get()).filter(|age| *age > 0)
}

/// The path of the keyring file.
pub fn key_file() -> Option<String> {
    text(&KEY_FILE)
}

/// The time in microseconds after which an organisation's own key is asked for again.
pub fn org_key_lifetime() -> i64 {
    i64::from(ORG_KEY_LIFETIME.get()) * 1_000_000
}

/// The command that prints the keyring, and, asked with an id, the key of an organisation.
pub fn key_command() -> Option<String> {
    text(&KEY_COMMAND)
}
