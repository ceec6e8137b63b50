//! Calls from SQL to Rust: [`export!`](export) makes a C function of the version-1 calling convention out of a
//! [`Function`], and [`enter`] stands between it and Postgres.
//!
//! The declarations in `sql/` are written by hand (SQL owns the shape), so the number of arguments is checked on
//! every call; their types are pinned by a test that calls every function with every argument.
//!
//! Nothing here runs inside a security-restricted operation (ANALYZE of an index expression, REFRESH MATERIALIZED VIEW and
//! the like): there code of a table's owner runs on somebody else's behalf, and plaintext would be written to disk.
//!
//! What must stay true: an exported function returns or unwinds, and everything it owned is dropped before an error is
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
use crate::pg::who::caller::refuse_in_restricted_operation;
use crate::pg::who::roles::is_operator;

/// Exports functions to SQL: each gets its C symbol `hftok_<name>`, and the audit knows it by its name. Each refuses inside a
/// security-restricted operation, unless it is listed after `anywhere:`, for functions that give nothing away there. After
/// `guarded:` stand names for which there is no function here: one in SQL does their work ([`super::guarded`]).
macro_rules! export {
    (anywhere: $($name:ident),+ $(,)?) => {
        $($crate::pg::call::entry::export!(
            @ $name, |arguments| $crate::pg::call::entry::Function::call($name, arguments)
        );)+
    };
    (guarded: $($(#[doc = $doc:literal])+ $name:ident),+ $(,)?) => {
        $($crate::pg::call::entry::export!(
            @ $name, |_| $crate::pg::call::guarded::call(concat!(stringify!($name), "_as_owner\0")), $($doc)+
        );)+
    };
    (@ $name:ident, $body:expr $(, $($doc:literal)+)?) => {
        #[allow(unsafe_code)]
        const _: () = {
            #[unsafe(export_name = concat!("pg_finfo_hftok_", stringify!($name)))]
            extern "C" fn finfo() -> &'static pgrx::pg_sys::Pg_finfo_record {
                &$crate::pg::call::entry::VERSION_1
            }

            $($(#[doc = $doc])+)?
            #[unsafe(export_name = concat!("hftok_", stringify!($name)))]
            extern "C-unwind" fn call(fcinfo: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
                // SAFETY: Postgres passes a valid call, and sql/ declares the function with the types that it takes here.
                unsafe { $crate::pg::call::entry::enter(fcinfo, stringify!($name), $body) }
            }
        };
    };
    ($($name:ident),+ $(,)?) => {
        $($crate::pg::call::entry::export!(
            @ $name, |arguments| $crate::pg::call::entry::call_unless_restricted($name, arguments)
        );)+
    };
}
pub(crate) use export;

/// A plain function that SQL can call. Each argument is an `Option`, because each can be NULL; several can be a struct.
pub trait Function<Taken> {
    /// The answer, unless it is NULL or an error.
    type Answer: IntoDatum;

    /// Takes the arguments and calls the function.
    fn call(self, arguments: &mut Arguments) -> Result<Self::Answer, Error>;
}

/// A parameter of such a function: one argument, or several that belong together.
pub trait Parameter: Sized {
    /// The number of arguments that it is.
    const COUNT: usize;

    /// Takes them, in the order in which `sql/` declares them.
    fn take(arguments: &mut Arguments) -> Result<Self, Error>;
}

impl<T: Argument> Parameter for Option<T> {
    const COUNT: usize = 1;

    #[inline]
    fn take(arguments: &mut Arguments) -> Result<Self, Error> {
        arguments.next()
    }
}

/// Makes functions of as many parameters as are listed, and of fewer, what SQL can call.
macro_rules! functions_of_up_to {
    ($($first:ident $($rest:ident)*)?) => {
        impl<Body, Answer, $($first, $($rest,)*)?> Function<($($first, $($rest,)*)?)> for Body
        where
            Body: FnOnce($($first, $($rest),*)?) -> Result<Answer, Error>,
            Answer: IntoDatum,
            $($first: Parameter, $($rest: Parameter,)*)?
        {
            type Answer = Answer;

            #[inline]
            fn call(self, arguments: &mut Arguments) -> Result<Answer, Error> {
                arguments.admit(0 $(+ $first::COUNT $(+ $rest::COUNT)*)?)?;
                self($($first::take(arguments)?, $($rest::take(arguments)?),*)?)
            }
        }

        $(functions_of_up_to!($($rest)*);)?
    };
}

functions_of_up_to!(A B C D E F G H I J K L M);

/// Calls a function that does nothing inside a security-restricted operation.
#[inline]
pub fn call_unless_restricted<Taken, Body: Function<Taken>>(
    function: Body,
    arguments: &mut Arguments,
) -> Result<Body::Answer, Error> {
    refuse_in_restricted_operation()?;
    function.call(arguments)
}

/// The function that is told of refusals.
static REFUSALS: OnceLock<fn(&Error)> = OnceLock::new();
/// The function that knows the size of the largest value.
static VALUE_MAX: OnceLock<fn() -> usize> = OnceLock::new();

/// Has a function told of every error that a call ends with; from `_PG_init`.
pub fn tell_refusals(listener: fn(&Error)) {
    // A second call would hand in the same function.
    let _ = REFUSALS.set(listener);
}

/// Hands in how long a value may be, in bytes; from `_PG_init`.
pub fn limit_values(most: fn() -> usize) {
    // A second call would hand in the same function.
    let _ = VALUE_MAX.set(most);
}

/// Tells of an error that a call ends with.
fn refused(error: &Error) {
    if let Some(listener) = REFUSALS.get() {
        listener(error);
    }
}

/// The calling convention of every exported function.
pub static VERSION_1: pg_sys::Pg_finfo_record = pg_sys::Pg_finfo_record { api_version: 1 };

/// The arguments of a call, taken one after the other.
pub struct Arguments {
    /// Postgres' own structure for the running call.
    fcinfo: pg_sys::FunctionCallInfo,
    /// The argument that is taken next.
    at: usize,
    /// The number of arguments that the call has.
    count: usize,
}

/// The complaint when `sql/` and Rust disagree.
const OTHER_NUMBER: Error = Error::Internal("the function was declared with another number of arguments");

impl Arguments {
    /// Fails unless the call has as many.
    #[inline]
    fn admit(&self, taken: usize) -> Result<(), Error> {
        if self.count == taken { Ok(()) } else { Err(OTHER_NUMBER) }
    }

    /// The next argument, `None` when it is NULL.
    #[inline]
    pub fn next<T: Argument>(&mut self) -> Result<Option<T>, Error> {
        let at = self.at;
        if at >= self.count {
            return Err(OTHER_NUMBER);
        }
        self.at += 1;
        // SAFETY: the call has so many arguments, and the declaration in sql/ gives each the type that the function names. The
        // memory of an argument outlives the call.
        unsafe {
            let Some(given) = pgrx::fcinfo::pg_getarg_datum(self.fcinfo, at) else { return Ok(None) };
            // Types of any length, and bounded ones, are all of variable length.
            if T::HAS_ANY_LENGTH {
                let length = length(given);
                if length > BESIDE_VALUE {
                    admit_long(length)?;
                }
            }
            if let Some(most) = T::MOST
                && length(given) > most + pg_sys::VARHDRSZ
            {
                return Ok(None);
            }
            Ok(T::lying(given).or_else(|| pgrx::fcinfo::pg_getarg(self.fcinfo, at)))
        }
    }
}

/// Refuses an argument that is longer than anything that is stored, before it is looked at.
#[cold]
fn admit_long(given: usize) -> Result<(), Error> {
    let most = VALUE_MAX.get().map_or(0, |most| most()) + BESIDE_VALUE;
    if given > most { Err(Error::TooLarge { what: "An argument", most }) } else { Ok(()) }
}

/// The number of bytes that may surround a stored value of the largest size: white space, the other fields of a document.
const BESIDE_VALUE: usize = 64 * 1024;

/// A type that an argument can have. No argument whose length the caller chooses may be copied while it is taken.
pub trait Argument: FromDatum {
    /// Whether the caller chooses how long it is.
    const HAS_ANY_LENGTH: bool;
    /// The bytes beyond which a value counts as NULL; `None` for a type that has no such bound.
    const MOST: Option<usize> = None;

    /// The value, if it lies there as it is; any other way to it goes through Postgres.
    ///
    /// # Safety
    /// The value is no NULL, of the type that `Self` stands for, and in memory that outlives the call.
    #[inline]
    unsafe fn lying(_value: pg_sys::Datum) -> Option<Self> {
        None
    }
}

/// Types that are taken as Postgres hands them over.
macro_rules! argument {
    ($has_any_length:literal: $($kind:ty),*) => {
        $(impl Argument for $kind { const HAS_ANY_LENGTH: bool = $has_any_length; })*
    };
}

argument!(false: bool, i32, i64, pg_sys::Oid, Uuid, TimestampWithTimeZone);
argument!(true: Array<'_, &str>, Array<'_, Uuid>, Jsonb);
// A value that was stored while `hftok.max_secret_size` was larger is still read, and is looked at where it lies.
argument!(false: Texts);

impl Argument for &str {
    const HAS_ANY_LENGTH: bool = true;

    #[inline]
    unsafe fn lying(value: pg_sys::Datum) -> Option<Self> {
        // SAFETY: the caller gives a text that is no NULL, and whose memory outlives the call.
        unsafe { bytes(value) }.and_then(|bytes| std::str::from_utf8(bytes).ok())
    }
}

impl Argument for &[u8] {
    const HAS_ANY_LENGTH: bool = false;

    #[inline]
    unsafe fn lying(value: pg_sys::Datum) -> Option<Self> {
        // SAFETY: the caller gives a bytea that is no NULL, and whose memory outlives the call.
        unsafe { bytes(value) }
    }
}

impl Argument for StoredText<'_> {
    const HAS_ANY_LENGTH: bool = false;

    #[inline]
    unsafe fn lying(value: pg_sys::Datum) -> Option<Self> {
        // SAFETY: the caller gives a text that is no NULL, and whose memory outlives the call.
        unsafe { <&str>::lying(value) }.map(Self)
    }
}

impl<const MOST: usize> Argument for Bounded<'_, MOST> {
    const HAS_ANY_LENGTH: bool = false;
    const MOST: Option<usize> = Some(MOST);

    #[inline]
    unsafe fn lying(value: pg_sys::Datum) -> Option<Self> {
        // SAFETY: the caller gives a bytea that is no NULL, and whose memory outlives the call.
        unsafe { bytes(value) }.map(Self)
    }
}

/// Bytes out of a row of ours that are no longer than any that hftok writes. Longer ones are somebody else's: they are taken for
/// NULL, and not even put together.
pub struct Bounded<'a, const MOST: usize>(pub &'a [u8]);

impl<const MOST: usize> FromDatum for Bounded<'_, MOST> {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, kind: pg_sys::Oid) -> Option<Self> {
        // SAFETY: the caller keeps to `FromDatum`: unless `is_null` says so, this is a value of type bytea, in memory that outlives
        // the answer.
        unsafe { <&[u8]>::from_polymorphic_datum(datum, is_null, kind) }.map(Self)
    }
}

/// A text out of a row of ours, however long somebody made it.
pub struct StoredText<'a>(pub &'a str);

impl FromDatum for StoredText<'_> {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, kind: pg_sys::Oid) -> Option<Self> {
        // SAFETY: the caller keeps to `FromDatum`: unless `is_null` says so, this is a value of type text, in memory that outlives
        // the answer.
        unsafe { <&str>::from_polymorphic_datum(datum, is_null, kind) }.map(Self)
    }
}

/// The length of a value of variable length once it is detoasted, found without doing so.
///
/// # Safety
/// The value is no NULL, and its type is of variable length: `typlen` is -1.
#[inline]
unsafe fn length(value: pg_sys::Datum) -> usize {
    let header = value.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: the caller gives a pointer to a varlena. Its first byte says whether the header has one byte, has four, or is that of a
    // value that is compressed or stored elsewhere; only the header that is there is read.
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

/// The bytes of a value of variable length, unless it is compressed or stored elsewhere.
///
/// # Safety
/// The value is no NULL, its type is of variable length, and its memory outlives the answer.
#[inline]
unsafe fn bytes<'a>(value: pg_sys::Datum) -> Option<&'a [u8]> {
    let header = value.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: the caller gives a pointer to a varlena. Its first byte says which header it has; with one byte, or with four and not
    // compressed, the bytes follow the header, and it has their number.
    unsafe {
        let is_short = varlena::varatt_is_1b(header) && !varlena::varatt_is_1b_e(header);
        (is_short || varlena::varatt_is_4b_u(header)).then(|| varlena::varlena_to_byte_slice(header))
    }
}

/// Runs the body of an exported function: hands over the arguments, takes back a value, NULL or an error.
///
/// # Safety
/// `fcinfo` is the call that Postgres is making, and its arguments have the types that `body` takes.
#[inline]
pub unsafe fn enter<T: IntoDatum>(
    fcinfo: pg_sys::FunctionCallInfo,
    name: &'static str,
    body: impl FnOnce(&mut Arguments) -> Result<T, Error>,
) -> pg_sys::Datum {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _call = InCall::enter(name, fcinfo);
        overhearing(|| {
            // SAFETY: Postgres passes a valid call.
            let given = unsafe { (*fcinfo).nargs };
            let mut arguments = Arguments { fcinfo, at: 0, count: usize::try_from(given).unwrap_or(0) };
            let answer = body(&mut arguments).inspect_err(refused);
            // An answer that is given up in Postgres' memory would not be wiped: whoever got no memory is told before it is there, and
            // so is whoever cancelled (again when a plaintext is written).
            pgrx::check_for_interrupts!();
            let answer = memory::admit().and(answer).map(IntoDatum::into_datum);
            // Whatever the reserve gave since then sufficed, and the next call need not be told.
            let _ = memory::admit();
            answer
        })
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
