//! The declaration of a statement: name, parameters and text in one place, by [`statement!`](statement).
//!
//! What must stay true: a text is a constant, and a text whose parameters have names names each of them and no other. The
//! compiler refuses any other text.

/// Declares statements. Few parameters are written as types in the order of `$1`, `$2`, and so on:
///
/// ```ignore
/// statement! {
///     /// The role of a member.
///     FIND_ROLE(TEXT, TEXT) = "SELECT m.role FROM hftok_private.members m WHERE m.org_id = $1 AND m.user_id = $2";
/// }
/// FIND_ROLE.read_one(&[org_id.into(), user_id.into()], |row| row.next())
/// ```
///
/// Many have names instead, in the text and in a structure of their own, so that no list is matched with another by eye:
///
/// ```ignore
/// statement! {
///     /// Lets a previous version go.
///     DROP: Drop { secret_id: UUID, version: INT4 } =
///         "DELETE FROM hftok_private.secret_versions v WHERE v.secret_id = $secret_id AND v.version = $version";
/// }
/// DROP.execute(&Drop { version: 3.into(), secret_id: id.into() }.in_order())
/// ```
///
/// A text may have several parts, which are put together as `concat!` does it. Before a name stands `planned_anew` where the best
/// plan hangs on which values are NULL, and `shared_out` where parallel workers are to take a part of the work: with `_if_large` only
/// where they would of any other statement.
macro_rules! statement {
    () => {};
    ($(#[doc = $about:literal])+ shared_out $($declared:tt)+) => {
        $crate::pg::rows::declared::statement! { @shared_out [$(#[doc = $about])+] $($declared)+ }
    };
    ($(#[doc = $about:literal])+ shared_out_if_large $($declared:tt)+) => {
        $crate::pg::rows::declared::statement! { @shared_out_if_large [$(#[doc = $about])+] $($declared)+ }
    };
    ($(#[doc = $about:literal])+ planned_anew $($declared:tt)+) => {
        $crate::pg::rows::declared::statement! { @planned_anew [$(#[doc = $about])+] $($declared)+ }
    };
    ($(#[doc = $about:literal])+ $name:ident $($declared:tt)+) => {
        $crate::pg::rows::declared::statement! { @declared [$(#[doc = $about])+] $name $($declared)+ }
    };
    (@$make:ident [$($about:tt)+] $name:ident($($kind:ident),*) = $($part:expr),+; $($more:tt)*) => {
        $crate::pg::rows::declared::statement! { @$make [$($about)+] $name [$($kind),*] {
            match std::ffi::CStr::from_bytes_with_nul(concat!($($part,)+ "\0").as_bytes()) {
                Ok(text) => text,
                Err(_) => unreachable!(),
            }
        } }
        $crate::pg::rows::declared::statement! { $($more)* }
    };
    (
        @$make:ident [$($about:tt)+]
        $name:ident: $given:ident { $($field:ident: $kind:ident),+ $(,)? } = $($part:expr),+; $($more:tt)*
    ) => {
        #[doc = concat!("The parameters of [`", stringify!($name), "`].")]
        struct $given {
            $(#[doc = concat!("`$", stringify!($field), "`")] $field: $crate::pg::rows::sql::Parameter,)+
        }

        impl $given {
            /// The parameters in the order of their declaration.
            fn in_order(self) -> [$crate::pg::rows::sql::Parameter; [$(stringify!($field)),+].len()] {
                [$(self.$field),+]
            }
        }

        $crate::pg::rows::declared::statement! { @$make [$($about)+] $name [$($kind),+] {
            const NAMED: &str = concat!($($part),+);
            const TEXT: [u8; NAMED.len() + 1] =
                $crate::pg::rows::declared::numbered(NAMED, &[$(stringify!($field)),+]);
            match std::ffi::CStr::from_bytes_until_nul(&TEXT) {
                Ok(text) => text,
                Err(_) => unreachable!(),
            }
        } }
        $crate::pg::rows::declared::statement! { $($more)* }
    };
    (@$make:ident [$($about:tt)+] $name:ident [$($kind:ident),*] $text:block) => {
        thread_local! {
            $($about)+
            static $name: $crate::pg::rows::sql::Statement = const {
                $crate::pg::rows::sql::Statement::$make(
                    concat!(module_path!(), "::", stringify!($name)),
                    $text,
                    &[$($crate::pg::rows::declared::kinds::$kind),*],
                )
            };
        }
    };
}
pub(crate) use statement;

/// The types of parameters, by their names in SQL.
pub mod kinds {
    pub use pgrx::pg_sys::{
        BOOLOID as BOOL, BYTEAARRAYOID as BYTEAARRAY, BYTEAOID as BYTEA, INT2OID as INT2,
        INT4ARRAYOID as INT4ARRAY, INT4OID as INT4, INT8ARRAYOID as INT8ARRAY, INT8OID as INT8,
        JSONBOID as JSONB, OIDOID as OID, TEXTARRAYOID as TEXTARRAY, TEXTOID as TEXT,
        TIMESTAMPTZARRAYOID as TIMESTAMPTZARRAY, TIMESTAMPTZOID as TIMESTAMPTZ, UUIDARRAYOID as UUIDARRAY,
        UUIDOID as UUID,
    };
}

/// A text with numbers in the place of its parameters' names, and zero bytes after it. A number is no longer than a name.
/// Only the compiler runs this: an assertion that fails is an error of the build.
pub const fn numbered<const LENGTH: usize>(text: &str, names: &[&str]) -> [u8; LENGTH] {
    assert!(names.len() < 100, "numbers have two digits at most");
    let text = text.as_bytes();
    let mut made = [0; LENGTH];
    let mut is_used = [false; 100];
    let (mut from, mut to) = (0, 0);
    while from < text.len() {
        made[to] = text[from];
        from += 1;
        to += 1;
        if text[from - 1] != b'$' {
            continue;
        }
        let end = end_of_name(text, from);
        let place = place_of(text, from, end, names);
        is_used[place] = true;
        let number = place + 1;
        if number > 9 {
            assert!(end - from > 1, "a name of one letter is shorter than its number");
            made[to] = digit(number / 10);
            to += 1;
        }
        made[to] = digit(number % 10);
        to += 1;
        from = end;
    }
    let mut place = 0;
    while place < names.len() {
        assert!(is_used[place], "a parameter is declared that the text does not name");
        place += 1;
    }
    made
}

/// The end of the name that begins here.
const fn end_of_name(text: &[u8], begin: usize) -> usize {
    let mut end = begin;
    while end < text.len() && (text[end].is_ascii_alphanumeric() || text[end] == b'_') {
        end += 1;
    }
    end
}

/// The place of a part of the text among the names.
const fn place_of(text: &[u8], begin: usize, end: usize, names: &[&str]) -> usize {
    let mut place = 0;
    while place < names.len() {
        let name = names[place].as_bytes();
        let mut same = 0;
        while same < name.len() && begin + same < end && name[same] == text[begin + same] {
            same += 1;
        }
        if same == name.len() && begin + same == end {
            return place;
        }
        place += 1;
    }
    assert!(place < names.len(), "the text names a parameter that is not declared");
    place
}

/// A number below ten as it is written.
const fn digit(number: usize) -> u8 {
    b"0123456789"[number]
}
