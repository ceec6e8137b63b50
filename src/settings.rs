//! `hftok.*` in postgresql.conf. Defined only when preloaded; otherwise the defaults hold, and nobody can change them.

mod keys;
mod text;

use std::ffi::CString;
use std::time::Duration;

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};

use crate::pg::server::guc::{AuditMode, RequireUser};
use text::text;

pub use keys::{data_key_max_age, key_command, key_file, org_key_lifetime, reseal_rate};

/// `hftok.gateways`
static GATEWAYS: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
/// `hftok.version_history`
static VERSION_HISTORY: GucSetting<i32> = GucSetting::<i32>::new(10);
/// `hftok.max_credentials_per_user`
static MAX_CREDENTIALS: GucSetting<i32> = GucSetting::<i32>::new(1000);
/// `hftok.max_credentials_per_org`
static MAX_ORG_CREDENTIALS: GucSetting<i32> = GucSetting::<i32>::new(1000);
/// `hftok.max_integrations_per_user`
static MAX_INTEGRATIONS: GucSetting<i32> = GucSetting::<i32>::new(100);
/// `hftok.max_members_per_org`
static MAX_MEMBERS: GucSetting<i32> = GucSetting::<i32>::new(10_000);
/// `hftok.max_guesses_per_minute`
static MAX_GUESSES: GucSetting<i32> = GucSetting::<i32>::new(100);
/// `hftok.max_bytes_per_user`
static MAX_BYTES: GucSetting<i32> = GucSetting::<i32>::new(10 * 1024 * 1024);
/// `hftok.overlap`
static OVERLAP: GucSetting<i32> = GucSetting::<i32>::new(24 * 60 * 60);
/// `hftok.environment`
static ENVIRONMENT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(
    c"huggingface=HF_TOKEN|HUGGING_FACE_HUB_TOKEN|HUGGING_FACE_ACCESS_TOKEN",
));
/// `hftok.require_user`
static REQUIRE_USER: GucSetting<RequireUser> = GucSetting::<RequireUser>::new(RequireUser::Integrations);
/// `hftok.audit`
static AUDIT: GucSetting<AuditMode> = GucSetting::<AuditMode>::new(AuditMode::Async);
/// `hftok.audit_flush_interval`
static AUDIT_FLUSH_INTERVAL: GucSetting<i32> = GucSetting::<i32>::new(200);
/// `hftok.audit_queue_size`
static AUDIT_QUEUE_SIZE: GucSetting<i32> = GucSetting::<i32>::new(8192);
/// `hftok.audit_timeout`
static AUDIT_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(5000);
/// `hftok.audit_retention`
static AUDIT_RETENTION: GucSetting<i32> = GucSetting::<i32>::new(90 * 24 * 60 * 60);
/// `hftok.shortcut_memory`
static SHORTCUT_MEMORY: GucSetting<i32> = GucSetting::<i32>::new(32 * 1024);
/// `hftok.check_absence`, for tests
static CHECK_ABSENCE: GucSetting<bool> = GucSetting::<bool>::new(cfg!(debug_assertions));
/// `hftok.max_secret_size`
static MAX_SECRET_SIZE: GucSetting<i32> = GucSetting::<i32>::new(1024 * 1024);

/// Defines the settings; from `_PG_init`, while preloading.
pub fn init() {
    keys::init();
    init_callers();
    init_values();
    init_walk();
    init_quotas();
    init_audit();
    crate::pg::call::init::reserve_setting_prefix();
}

/// The logins that are believed, and the calls in which the backend must name somebody.
fn init_callers() {
    GucRegistry::define_string_guc(
        c"hftok.gateways",
        c"Login roles, separated by commas, under which request.jwt.claims is believed.",
        c"Only roles that cannot run free SQL: any other login can set that variable to anything. enable_rpc() records them in each database.",
        &GATEWAYS,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_enum_guc(
        c"hftok.require_user",
        c"Whom the backend must name: a user for integrations; always: a user, an organisation or levels for walks too; never: nobody.",
        c"With always, a user that a client forgot to pass is an error and not a walk to the installation's credential.",
        &REQUIRE_USER,
        GucContext::Sighup,
        GucFlags::empty(),
    );
}

/// The size of a value, and the life of its previous versions.
fn init_values() {
    GucRegistry::define_int_guc(
        c"hftok.max_secret_size",
        c"Largest secret that is stored.",
        c"",
        &MAX_SECRET_SIZE,
        1024,
        256 * 1024 * 1024,
        GucContext::Sighup,
        GucFlags::UNIT_BYTE,
    );
    GucRegistry::define_int_guc(
        c"hftok.version_history",
        c"Previous versions kept of each secret.",
        c"",
        &VERSION_HISTORY,
        0,
        10_000,
        GucContext::Sighup,
        GucFlags::empty(),
    );
    GucRegistry::define_int_guc(
        c"hftok.overlap",
        c"How long the previous version of a credential can still be read by the backend.",
        c"",
        &OVERLAP,
        0,
        365 * 24 * 60 * 60,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
}

/// The walk: its last level, and the memory that makes it short.
fn init_walk() {
    GucRegistry::define_string_guc(
        c"hftok.environment",
        c"Variables of the server's environment that serve as the last level.",
        c"provider=VARIABLE|VARIABLE, separated by semicolons; empty turns the level off.",
        &ENVIRONMENT,
        GucContext::Postmaster,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_int_guc(
        c"hftok.shortcut_memory",
        c"Memory of the server for finding credentials again without their index.",
        c"64 bytes for each that is read, there or not, are enough. Part of Postgres' shared memory. 0 turns it off.",
        &SHORTCUT_MEMORY,
        0,
        4 * 1024 * 1024,
        GucContext::Postmaster,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_bool_guc(
        c"hftok.check_absence",
        c"Looks into the index although it is proved that there is nothing.",
        c"For tests of hftok: a proof that was wrong is an error.",
        &CHECK_ABSENCE,
        GucContext::Suset,
        GucFlags::NO_SHOW_ALL,
    );
}

/// Limits for each user and organisation.
fn init_quotas() {
    let counts = [
        (c"hftok.max_credentials_per_user", c"Most credentials that a user can have.", &MAX_CREDENTIALS),
        (
            c"hftok.max_credentials_per_org",
            c"Most credentials that an organisation can have.",
            &MAX_ORG_CREDENTIALS,
        ),
        (
            c"hftok.max_integrations_per_user",
            c"Most integrations that a user or an organisation can have.",
            &MAX_INTEGRATIONS,
        ),
        (c"hftok.max_members_per_org", c"Most members that an organisation can have.", &MAX_MEMBERS),
        (
            c"hftok.max_guesses_per_minute",
            c"Most values that a login can look for in a minute with find_secret().",
            &MAX_GUESSES,
        ),
    ];
    for (name, meaning, setting) in counts {
        GucRegistry::define_int_guc(
            name,
            meaning,
            c"",
            setting,
            1,
            1_000_000,
            GucContext::Sighup,
            GucFlags::empty(),
        );
    }
    GucRegistry::define_int_guc(
        c"hftok.max_bytes_per_user",
        c"Most bytes that all values of a user or an organisation can have, with their previous versions.",
        c"",
        &MAX_BYTES,
        64 * 1024,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_BYTE,
    );
}

/// Settings of the audit.
fn init_audit() {
    GucRegistry::define_enum_guc(
        c"hftok.audit",
        c"Whether a secret is handed out when its event is accepted (async) or when it is on disk (sync).",
        c"sync also waits for standbys, as synchronous_commit has it. On a standby, where rows cannot be written, events go to the server log, and sync hands out nothing.",
        &AUDIT,
        GucContext::Suset,
        GucFlags::empty(),
    );
    GucRegistry::define_int_guc(
        c"hftok.audit_flush_interval",
        c"How long an accepted event may wait until it is on disk.",
        c"",
        &AUDIT_FLUSH_INTERVAL,
        1,
        60_000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"hftok.audit_queue_size",
        c"How many events of each database may wait until they are written.",
        c"",
        &AUDIT_QUEUE_SIZE,
        256,
        1_000_000,
        GucContext::Postmaster,
        GucFlags::empty(),
    );
    GucRegistry::define_int_guc(
        c"hftok.audit_timeout",
        c"How long a call waits for the audit before it is refused.",
        c"",
        &AUDIT_TIMEOUT,
        1,
        600_000,
        GucContext::Suset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"hftok.audit_retention",
        c"Age below which purge_audit() removes nothing.",
        c"0 leaves it to whoever calls purge_audit(), but for their own reveals; by itself hftok never removes an event.",
        &AUDIT_RETENTION,
        0,
        i32::MAX,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
}

/// The user or owner that the backend must name.
pub fn require_user() -> RequireUser {
    REQUIRE_USER.get()
}

/// Whether a value waits until its event is on disk.
pub fn audit_is_sync() -> bool {
    AUDIT.get() == AuditMode::Sync
}

/// The longest that an accepted event may wait until it is on disk.
pub fn audit_flush_interval() -> Duration {
    milliseconds(&AUDIT_FLUSH_INTERVAL)
}

/// The age of the oldest waiting event up to which others are accepted: events that a crash can take are younger.
pub fn audit_bound() -> Duration {
    (5 * audit_flush_interval()).max(Duration::from_secs(1))
}

/// Events of each database that may wait.
pub fn audit_queue_size() -> u32 {
    AUDIT_QUEUE_SIZE.get().unsigned_abs()
}

/// The longest that a call waits for the audit.
pub fn audit_timeout() -> Duration {
    milliseconds(&AUDIT_TIMEOUT)
}

/// The age in seconds that an event must have to be removed.
pub fn audit_retention() -> i32 {
    AUDIT_RETENTION.get()
}

/// A setting in milliseconds, which is never negative.
fn milliseconds(setting: &GucSetting<i32>) -> Duration {
    Duration::from_millis(setting.get().unsigned_abs().into())
}

/// The login roles whose claims are believed, where they are on record.
pub fn gateways() -> Vec<String> {
    let names = text(&GATEWAYS).unwrap_or_default();
    names
        .split(',')
        .map(|name| name.trim().trim_matches('"').to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

/// Previous versions of a secret that are kept.
pub fn version_history() -> i32 {
    VERSION_HISTORY.get()
}

/// Bytes for shortcuts.
pub fn shortcut_memory() -> usize {
    usize::try_from(SHORTCUT_MEMORY.get()).unwrap_or_default() * 1024
}

/// Whether the index is asked although absence is proved.
pub fn check_absence() -> bool {
    CHECK_ABSENCE.get()
}

/// The size in bytes of the largest secret.
pub fn max_secret_size() -> usize {
    usize::try_from(MAX_SECRET_SIZE.get()).unwrap_or_default()
}

/// Credentials that an organisation can have.
pub fn max_credentials_per_org() -> i32 {
    MAX_ORG_CREDENTIALS.get()
}

/// Integrations that a user can have.
pub fn max_integrations_per_user() -> i32 {
    MAX_INTEGRATIONS.get()
}

/// Members that an organisation can have.
pub fn max_members_per_org() -> i32 {
    MAX_MEMBERS.get()
}

/// Values that a login can look for in a minute.
pub fn max_guesses_per_minute() -> u32 {
    MAX_GUESSES.get().unsigned_abs()
}

/// Bytes that an owner's values can have, with their previous versions.
pub fn max_bytes_per_user() -> i64 {
    MAX_BYTES.get().into()
}

/// Credentials that a user can have.
pub fn max_credentials_per_user() -> i32 {
    MAX_CREDENTIALS.get()
}

/// The time in which a previous version can still be read, in seconds.
pub fn overlap() -> i32 {
    OVERLAP.get()
}

/// The variables of the server's environment that hold a credential of this provider, in order.
pub fn environment(provider: &str) -> Vec<String> {
    let entries = text(&ENVIRONMENT).unwrap_or_default();
    let entry = entries
        .split(';')
        .filter_map(|entry| entry.split_once('='))
        .find(|(name, _)| name.trim() == provider);
    let names = entry.map(|(_, names)| names).unwrap_or_default();
    names.split('|').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}
