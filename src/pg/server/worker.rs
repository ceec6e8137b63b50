//! Background workers: one without a database that runs from the postmaster's start to its end, and those that it starts
//! in a database for as long as there is something to do.

use std::ffi::CStr;
use std::time::Duration;

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, BgWorkerStartTime, SignalWakeFlags};
use pgrx::{PgMemoryContexts, pg_sys};

/// The news that a worker gets when it wakes up.
pub struct Wakeup {
    /// The configuration was read again.
    pub reloaded: bool,
}

/// Registers the worker whose entry point is exported under `function`; from `_PG_init`, while preloading.
pub fn register(name: &str, function: &str) {
    BackgroundWorkerBuilder::new(name)
        .set_type(name)
        .set_library("hftok")
        .set_function(function)
        .set_start_time(BgWorkerStartTime::PostmasterStart)
        .set_restart_time(Some(Duration::from_secs(1)))
        .enable_shmem_access(None)
        .load();
}

/// Starts a worker for a database, whose entry point is exported under `function` and takes `argument`; `false` when there is no place
/// for another. It is not started again by itself.
pub fn launch(name: &str, kind: &str, function: &str, argument: u64) -> bool {
    let worker = once(name, kind, function, argument);
    load(worker.set_start_time(BgWorkerStartTime::RecoveryFinished).enable_spi_access())
}

/// The same with one that needs no database, also on a standby.
pub fn launch_apart(name: &str, function: &str, argument: u64) -> bool {
    let worker = once(name, name, function, argument);
    load(worker.set_start_time(BgWorkerStartTime::PostmasterStart).enable_shmem_access(None))
}

/// A worker that is started once.
fn once(name: &str, kind: &str, function: &str, argument: u64) -> BackgroundWorkerBuilder {
    let argument = usize::try_from(argument).unwrap_or_default();
    BackgroundWorkerBuilder::new(name)
        .set_type(kind)
        .set_library("hftok")
        .set_function(function)
        .set_argument(Some(pg_sys::Datum::from(argument)))
        .set_restart_time(None)
}

/// Hands it to the postmaster, if that has a place for it.
fn load(worker: BackgroundWorkerBuilder) -> bool {
    let mut context = PgMemoryContexts::new("hftok launch");
    // SAFETY: Postgres leaves a handle of the new worker in the current memory context, and nobody frees it. It is not used, and
    // goes with this context.
    unsafe { context.switch_to(|_| worker.load_dynamic().is_ok()) }
}

/// Connects the calling worker to a database, or, for 0, to the catalogs that all databases share. Its own settings come
/// before those of the database, which are made for clients. Does not return when there is no such database.
pub fn connect(database: u32, settings: &[(&CStr, &CStr)]) {
    // SAFETY: once in the life of a worker that asked for a database; as the bootstrap superuser, and also where clients may
    // not connect. The settings are valid C strings.
    unsafe {
        pg_sys::BackgroundWorkerInitializeConnectionByOid(
            pg_sys::Oid::from(database),
            pg_sys::InvalidOid,
            pg_sys::BGWORKER_BYPASS_ALLOWCONN,
        );
        for (name, value) in settings {
            pg_sys::SetConfigOption(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_OVERRIDE,
            );
        }
    }
}

/// The settings of every worker that writes, whatever the database's own are, and those that this one has beside them.
pub fn settings_to_write(own: &[(&'static CStr, &'static CStr)]) -> Vec<(&'static CStr, &'static CStr)> {
    const ALL: &[(&CStr, &CStr)] = &[
        (c"statement_timeout", c"0"),
        (c"idle_in_transaction_session_timeout", c"0"),
        (c"default_transaction_read_only", c"off"),
        (c"default_transaction_isolation", c"read committed"),
        (c"default_transaction_deferrable", c"off"),
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        (c"transaction_timeout", c"0"),
        (c"session_replication_role", c"origin"),
        (c"log_statement", c"none"),
        (c"log_min_duration_statement", c"-1"),
    ];
    [ALL, own].concat()
}

/// Says in pg_stat_activity what the calling worker does.
pub fn show(activity: &CStr) {
    // SAFETY: copies a valid C string.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, activity.as_ptr()) };
}

/// Whether a database exists. For a worker that is connected to the shared catalogs.
pub fn database_exists(database: u32) -> bool {
    // SAFETY: a look-up by id, in a transaction of its own.
    unsafe {
        pg_sys::StartTransactionCommand();
        let name = pg_sys::get_database_name(pg_sys::Oid::from(database));
        let exists = !name.is_null();
        pg_sys::CommitTransactionCommand();
        exists
    }
}

/// Whether pg_upgrade runs this server, and moves its files: nothing is to be written by itself.
pub fn is_upgrading() -> bool {
    // SAFETY: a variable that the postmaster sets before it starts any process.
    unsafe { pg_sys::IsBinaryUpgrade }
}

/// The number of sessions of clients in a database.
pub fn sessions(database: u32) -> i32 {
    // SAFETY: asks shared memory.
    unsafe { pg_sys::CountDBConnections(pg_sys::Oid::from(database)) }
}

/// The number of processes that could still have an event recorded: sessions of clients, and workers in a database except
/// those given.
pub fn others_in_databases(but: &[i32]) -> usize {
    // SAFETY: copies what shared memory says of all processes into memory of this one, and looks at the copy; the first call drops
    // the copy that was made before.
    unsafe {
        pg_sys::pgstat_clear_backend_activity_snapshot();
        (1..=pg_sys::pgstat_fetch_stat_numbackends())
            .filter_map(|at| {
                #[cfg(feature = "pg15")]
                let entry = pg_sys::pgstat_fetch_stat_local_beentry(at);
                #[cfg(not(feature = "pg15"))]
                let entry = pg_sys::pgstat_get_local_beentry_by_index(at);
                entry.as_ref()
            })
            .map(|entry| &entry.backendStatus)
            .filter(|entry| {
                use pg_sys::BackendType::{B_BACKEND, B_BG_WORKER};
                // A walsender stays until all others are gone.
                matches!(entry.st_backendType, B_BACKEND | B_BG_WORKER)
                    && entry.st_databaseid != pg_sys::InvalidOid
                    && !but.contains(&entry.st_procpid)
            })
            .count()
    }
}

/// Defines the function that Postgres starts a worker with; its argument, if it takes one, is handed on.
macro_rules! worker_main {
    ($name:ident, $main:path, argument) => {
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        #[pgrx::pg_guard]
        extern "C-unwind" fn $name(argument: pgrx::pg_sys::Datum) {
            $crate::pg::server::worker::attach();
            $main(argument.value() as u64);
        }
    };
    ($name:ident, $main:path) => {
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        #[pgrx::pg_guard]
        extern "C-unwind" fn $name(_argument: pgrx::pg_sys::Datum) {
            $crate::pg::server::worker::attach();
            $main();
            $crate::pg::server::worker::end();
        }
    };
}
pub(crate) use worker_main;

/// Takes signals: reload wakes the worker, an orderly shutdown ends it.
pub fn attach() {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
}

/// Waits until woken, at most as long as given; `None` when the worker is to end.
pub fn wait(time: Option<Duration>) -> Option<Wakeup> {
    if !BackgroundWorker::wait_latch(time) {
        return None;
    }
    Some(Wakeup { reloaded: read_configuration() })
}

/// Reads the configuration again if the worker was told to. In no transaction; for a worker that may be too busy to wait.
pub fn read_configuration() -> bool {
    let reloaded = BackgroundWorker::sighup_received();
    if reloaded {
        // SAFETY: as the main loop of every server process does on SIGHUP; errors in the file are logged.
        unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
    }
    reloaded
}

/// Ends the worker so that the postmaster starts it again, unless the server is shutting down: an orderly end would
/// be taken as "never again", and pg_terminate_backend() would leave the server without its worker.
pub fn end() -> ! {
    // SAFETY: called by the outermost frame, which owns nothing.
    unsafe { pg_sys::proc_exit(1) };
    #[allow(unreachable_code, reason = "the binding does not say that it never returns")]
    {
        unreachable!("proc_exit returned")
    }
}

/// Whether the worker was told to end, or the postmaster is gone. Does not take the message away: `wait` will still
/// see it.
pub fn is_ending() -> bool {
    // SAFETY: a flag of this process that its signal handler sets; the postmaster's id, set once; and the id of the
    // parent, which is the postmaster's as long as that lives.
    unsafe {
        (&raw const pg_sys::ShutdownRequestPending).read_volatile() != 0
            || libc::getppid() != pg_sys::PostmasterPid
    }
}
