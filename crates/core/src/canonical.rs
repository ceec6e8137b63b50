//! The one way in which fields become bytes before they are authenticated or hashed.
//!
//! What must stay true: two different lists of fields never give the same bytes. Every text carries its length,
//! absent is not the same as empty, numbers have a fixed width, all big-endian, and every encoding opens with a
//! label that says what it is for, so that bytes made for one purpose never serve for another.

/// The length that says that a field is absent.
const ABSENT: u32 = u32::MAX;

/// Fields written one after the other.
pub struct Canonical(Vec<u8>);

impl Canonical {
    /// Opens an encoding made for the purpose that `label` names.
    pub fn new(label: &str) -> Self {
        let mut bytes = Vec::with_capacity(256);
        put(&mut bytes, label.as_bytes());
        Self(bytes)
    }

    /// Text or bytes of any length.
    #[must_use]
    pub fn field(mut self, value: impl AsRef<[u8]>) -> Self {
        put(&mut self.0, value.as_ref());
        self
    }

    /// A single byte.
    #[must_use]
    pub fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    /// A number of 32 bits.
    #[must_use]
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A number of 64 bits without a sign.
    #[must_use]
    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A number of 64 bits.
    #[must_use]
    pub fn i64(mut self, value: i64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Bytes whose number is part of the format.
    #[must_use]
    pub fn fixed<const N: usize>(mut self, value: &[u8; N]) -> Self {
        self.0.extend_from_slice(value);
        self
    }

    /// A list that may be absent, which is not the same as empty.
    #[must_use]
    pub fn list<T: AsRef<str>>(mut self, values: Option<&[T]>) -> Self {
        match values {
            None => self.u32(ABSENT),
            Some(values) => {
                self = self.u32(length(values.len()));
                for value in values {
                    put(&mut self.0, value.as_ref().as_bytes());
                }
                self
            }
        }
    }

    /// A number of 64 bits that may be absent.
    #[must_use]
    pub fn optional_i64(self, value: Option<i64>) -> Self {
        match value {
            None => self.byte(0),
            Some(value) => self.byte(1).i64(value),
        }
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// A length before each value keeps two different lists from having the same bytes.
fn put(bytes: &mut Vec<u8>, value: &[u8]) {
    bytes.extend_from_slice(&length(value.len()).to_be_bytes());
    bytes.extend_from_slice(value);
}

/// Postgres holds no value of a gigabyte or more, so a length always fits; were one ever larger, it would be
/// written as one that no real value has, and opening would fail rather than succeed wrongly.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(ABSENT - 1)
}

#[cfg(test)]
mod tests {
    use super::Canonical;

    #[test]
    fn moving_a_boundary_changes_the_bytes() {
        let one = Canonical::new("t").field("ab").field("c").finish();
        let two = Canonical::new("t").field("a").field("bc").finish();
        assert_ne!(one, two);
    }

    #[test]
    fn absent_is_not_empty() {
        let absent = Canonical::new("t").list::<&str>(None).finish();
        let empty = Canonical::new("t").list::<&str>(Some(&[])).finish();
        let blank = Canonical::new("t").list(Some(&[""])).finish();
        assert_ne!(absent, empty);
        assert_ne!(empty, blank);
    }

    #[test]
    fn the_encoding_is_the_documented_one() {
        let bytes = Canonical::new("hi").byte(7).u32(258).list(Some(&["x"])).optional_i64(Some(-1)).finish();
        assert_eq!(
            bytes,
            [&[0, 0, 0, 2][..], b"hi", &[7], &[0, 0, 1, 2], &[0, 0, 0, 1, 0, 0, 0, 1], b"x", &[1], &[255; 8]]
                .concat()
        );
    }
}
