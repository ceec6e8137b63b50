//! How SQL calls Rust: the `entry!` macro defines a C function of the version-1 calling convention, and [`enter`]
//! stands between it and Postgres.
//!
//! The declarations in `sql/` are written by hand (SQL owns the shape), so the number of arguments is checked on
//! every call; their types are pinned by a test that calls every function with every argument.
//!
//! Nothing here runs inside a security-restricted operation (ANALYZE of an index expression, REFRESH MATERIALIZED VIEW and
//! the like): there code of a table's owner runs on somebody else's behalf, and plaintext would be written to disk.
//!
//! What must stay true: an entry's body returns or unwinds, and everything it owned is dropped before an error is
//! raised. There is no other way from Rust to a Postgres error. Nobody chooses how much memory a call takes: an argument is
//! refused by its length before it is detoasted or copied.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use pgrx::datum::{Array, TimestampWithTimeZone, Uuid};
use pgrx::{FromDatum, IntoDatum, pg_sys, varlena};

use super::json::Jsonb;
use super::raise::{overhearing, raise, report_of};
use super::statement::InCall;
use crate::error::Error;
use crate::pg::rows::texts::Texts;
use crate::pg::server::memory;
use crate::pg::who::roles::is_operator;

/// Defines functions that SQL can call. Every argument is an `Option`, because every argument can be NULL. `anywhere:` is for
/// functions that answer inside a security-restricted operation as well, and give nothing away there.
macro_rules! entry {
    (anywhere: $($functions:tt)+) => { $crate::pg::call::entry::entry!(@ Ok(()); $($functions)+); };
    (@ $admitted:expr; $($(#[doc = $doc:literal])+ fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $return:ty $body:block)+) => {
        $(
            $(#[doc = $doc])+
            #[allow(clippy::too_many_arguments, reason = "a row of a view has as many columns as it has")]
            fn $name($($arg: Option<$type>),*) -> Result<$return, $crate::error::Error> $body

            #[allow(unsafe_code)]
            const _: () = {
                #[unsafe(export_name = concat!("pg_finfo_hftok_", stringify!($name)))]
                extern "C" fn finfo() -> &'static pgrx::pg_sys::Pg_finfo_record {
                    &$crate::pg::call::entry::VERSION_1
                }

                #[unsafe(export_name = concat!("hftok_", stringify!($name)))]
                extern "C-unwind" fn call(fcinfo: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
                    const NAMES: &[&str] = &[$(stringify!($arg)),*];
                    // SAFETY: Postgres passes a valid call, and sql/ declares the function with these types.
                    unsafe {
                        $crate::pg::call::entry::enter(fcinfo, stringify!($name), Some(NAMES.len()), |_arguments| {
                            $admitted
                                .and_then(|()| {
                                    $(let $arg = _arguments.next()?;)*
                                    $name($($arg),*)
                                })
                                .inspect_err($crate::pg::call::entry::refused)
                        })
                    }
                }
            };
        )+
    };
    ($($functions:tt)+) => {
        $crate::pg::call::entry::entry!(@ $crate::pg::who::caller::refuse_in_restricted_operation(); $($functions)+);
    };
}
pub(crate) use entry;

/// The function that is told of refusals.
static REFUSALS: OnceLock<fn(&Error)> = OnceLock::new();
/// Where the size of the largest value is asked for.
static VALUE_MAX: OnceLock<fn() -> usize> = OnceLock::new();

/// Has a function told of every error that a call ends with; from `_PG_init`.
pub fn tell_refusals(listener: fn(&Error)) {
    // Should one be there by now, it is the same.
    let _ = REFUSALS.set(listener);
}

/// Hands in how long a value may be, in bytes; from `_PG_init`.
pub fn limit_values(most: fn() -> usize) {
    // Should it be there by now, it is the same.
    let _ = VALUE_MAX.set(most);
}

/// Tells of an error that a call ends with.
pub fn refused(error: &Error) {
    if let Some(listener) = REFUSALS.get() {
        listener(error);
    }
}

/// The calling convention of every entry.
pub static VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };

/// The arguments of a call, taken one after the other.
pub struct Arguments {
    /// Postgres' own structure for the running call.
    fcinfo: pg_sys::FunctionCallInfo,
    /// The argument that is taken next.
    at: usize,
}

impl Arguments {
    /// The next argument, `None` when it is NULL.
    #[inline]
    pub fn next<T: Argument>(&mut self) -> Result<Option<T>, Error> {
        let at = self.at;
        self.at += 1;
        // SAFETY: `enter` checked that the call has as many arguments as the entry takes, and the declaration in
        // sql/ gives each the type that the entry names. The memory of an argument outlives the call.
        unsafe {
            if T::HAS_ANY_LENGTH {
                let given = pgrx::fcinfo::pg_getarg_datum(self.fcinfo, at).map_or(0, |given| length(given));
                if given > BESIDE_VALUE {
                    admit_long(given)?;
                }
            }
            Ok(pgrx::fcinfo::pg_getarg(self.fcinfo, at))
        }
    }
}

/// Refuses an argument that is longer than anything that is stored, before it is looked at.
#[cold]
fn admit_long(given: usize) -> Result<(), Error> {
    let most = VALUE_MAX.get().map_or(0, |most| most()) + BESIDE_VALUE;
    if given > most { Err(Error::TooLarge { what: "An argument", most }) } else { Ok(()) }
}

/// So many bytes may surround a value of the largest size that is stored: white space, the other fields of a document.
const BESIDE_VALUE: usize = 64 * 1024;

/// What an argument can be. Nothing that is as long as its caller likes may be copied while it is taken.
pub trait Argument: FromDatum {
    /// Whether the caller chooses how long it is.
    const HAS_ANY_LENGTH: bool;
}

/// Types that are taken as Postgres hands them over.
macro_rules! argument {
    ($has_any_length:literal: $($kind:ty),*) => {
        $(impl Argument for $kind { const HAS_ANY_LENGTH: bool = $has_any_length; })*
    };
}

argument!(false: bool, i32, i64, pg_sys::Oid, Uuid, TimestampWithTimeZone);
argument!(true: &str, Array<'_, &str>, Jsonb);
// What hftok stored when `hftok.max_secret_size` was larger is still read, and looked at where it lies.
argument!(false: &[u8], Stored<'_>, Texts);

/// A text out of a row of ours, however long somebody made it.
pub struct Stored<'a>(pub &'a str);

impl FromDatum for Stored<'_> {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, kind: pg_sys::Oid) -> Option<Self> {
        // SAFETY: the caller's.
        unsafe { <&str>::from_polymorphic_datum(datum, is_null, kind) }.map(Self)
    }
}

/// The length of a value of variable length once it is detoasted, found without doing so.
#[inline]
unsafe fn length(value: pg_sys::Datum) -> usize {
    let header = value.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: the caller's: such a value begins with a header that says how it is stored.
    unsafe {
        if varlena::varatt_is_1b(header) && !varlena::varatt_is_1b_e(header) {
            varlena::varsize_1b(header)
        } else if varlena::varatt_is_4b_u(header) {
            varlena::varsize_4b(header)
        } else {
            pg_sys::toast_raw_datum_size(value)
        }
    }
}

/// Runs the body of an entry: hands over the arguments, takes back a value, NULL or an error. `arguments` is how many the body
/// takes; `None` when it takes whatever there are.
///
/// # Safety
/// `fcinfo` is the call that Postgres is making, and its arguments have the types that `body` takes.
pub unsafe fn enter<T: IntoDatum>(
    fcinfo: pg_sys::FunctionCallInfo,
    name: &'static str,
    arguments: Option<usize>,
    body: impl FnOnce(&mut Arguments) -> Result<T, Error>,
) -> pg_sys::Datum {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: Postgres passes a valid call.
        let given = unsafe { (*fcinfo).nargs };
        if arguments.is_some() && usize::try_from(given).ok() != arguments {
            return Err(Error::Internal("the function was declared with another number of arguments"));
        }
        let _call = InCall::enter(name, fcinfo);
        let answer = overhearing(|| body(&mut Arguments { fcinfo, at: 0 }).map(IntoDatum::into_datum));
        memory::admit().and(answer)
    }));
    let report = match outcome {
        Ok(Ok(Some(datum))) => return datum,
        Ok(Ok(None)) => {
            // SAFETY: Postgres passes a valid call, and `isnull` is there for this.
            unsafe { (*fcinfo).isnull = true };
            return pg_sys::Datum::null();
        }
        Ok(Err(error)) => error.report(is_operator),
        Err(payload) => {
            // Told by this error, whatever it is.
            let _ = memory::admit();
            report_of(payload)
        }
    };
    raise(report)
}
