//! Fields of a record: how a text or a number becomes bytes, and is read again.
//!
//! Must stay true: a field has one shortest form, and nothing that is read is longer than the bytes that are there.

/// The length that says that a text of the shape is absent.
const ABSENT: u16 = u16::MAX;
/// A field of the own part begins with one of these, or with `SHORT` and its length added.
pub(super) mod tag {
    /// No field.
    pub const NULL: u8 = 0;
    /// Sixteen bytes: a UUID in lower case, or an id.
    pub const UUID: u8 = 1;
    /// Sixteen bytes: 32 hexadecimal digits in lower case.
    pub const HEX: u8 = 2;
    /// A length of two bytes follows.
    pub const LONG: u8 = 3;
    /// No bytes; each greater number is one byte more.
    pub const SHORT: u8 = 4;
}

/// A field of the own part, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// No field.
    Absent,
    /// A UUID.
    Uuid(&'a [u8; 16]),
    /// 32 hexadecimal digits.
    Hex(&'a [u8; 16]),
    /// The owner. No byte of its own stands for it.
    Owner,
    /// `role:` and the role of the shape. No byte of its own stands for it.
    Role,
    /// Anything else.
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    /// The byte that such a field begins with.
    pub(super) fn tag(self) -> u8 {
        match self {
            Self::Absent | Self::Owner | Self::Role => tag::NULL,
            Self::Uuid(_) => tag::UUID,
            Self::Hex(_) => tag::HEX,
            Self::Bytes(bytes) => short(bytes.len()).unwrap_or(tag::LONG),
        }
    }

    /// The text of a field that stands for itself; `None` when it can be none.
    pub(super) fn text(self, scratch: &'a mut String) -> Option<Option<&'a str>> {
        Some(match self {
            Self::Absent => None,
            Self::Bytes(bytes) => Some(std::str::from_utf8(bytes).ok()?),
            Self::Uuid(bytes) | Self::Hex(bytes) => {
                scratch.clear();
                for (at, byte) in bytes.iter().enumerate() {
                    if matches!(self, Self::Uuid(_)) && matches!(at, 4 | 6 | 8 | 10) {
                        scratch.push('-');
                    }
                    scratch
                        .extend([byte >> 4, byte & 15].map(|digit| char::from(DIGITS[usize::from(digit)])));
                }
                Some(scratch.as_str())
            }
            Self::Owner | Self::Role => return None,
        })
    }
}

/// Digits of packed texts.
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Adds a text of the own part, in its shortest form.
pub(super) fn put_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    match text {
        None => bytes.push(tag::NULL),
        Some(text) => match (text.len(), packed(text)) {
            (36, Some(uuid)) => put_sixteen(bytes, tag::UUID, &uuid),
            (_, Some(hex)) => put_sixteen(bytes, tag::HEX, &hex),
            _ => put_bytes(bytes, text.as_bytes()),
        },
    }
}

/// The bytes that a text of hexadecimal digits stands for, if it is a UUID or 32 digits, in lower case.
pub(super) fn packed(text: &str) -> Option<[u8; 16]> {
    let text = text.as_bytes();
    let is_uuid = text.len() == 36;
    if !is_uuid && text.len() != 32 {
        return None;
    }
    let mut packed = [0; 16];
    let mut digits = 0;
    for (at, byte) in text.iter().enumerate() {
        if is_uuid && matches!(at, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        // At most 32 digits are left of either form.
        packed[digits / 2] |= if digits % 2 == 0 { digit << 4 } else { digit };
        digits += 1;
    }
    Some(packed)
}

/// Adds sixteen bytes with their tag.
pub(super) fn put_sixteen(bytes: &mut Vec<u8>, tag: u8, sixteen: &[u8; 16]) {
    bytes.push(tag);
    bytes.extend_from_slice(sixteen);
}

/// Adds bytes with their length.
pub(super) fn put_bytes(bytes: &mut Vec<u8>, field: &[u8]) {
    match short(field.len()) {
        Some(tag) => bytes.push(tag),
        None => {
            // Texts and digests were cut before, so a length always fits.
            bytes.push(tag::LONG);
            bytes.extend_from_slice(&u16::try_from(field.len()).unwrap_or(ABSENT).to_be_bytes());
        }
    }
    bytes.extend_from_slice(field);
}

/// The tag that says the length, if one byte can.
fn short(length: usize) -> Option<u8> {
    u8::try_from(length).ok().and_then(|length| tag::SHORT.checked_add(length))
}

/// Adds a number, seven bits a byte, the lowest first; the last byte has no high bit.
pub(super) fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        bytes.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return;
        }
    }
}

/// A length before each field keeps two different events from having the same bytes.
pub(super) fn put(bytes: &mut Vec<u8>, field: Option<&[u8]>) {
    // Texts are cut before, ids and digests are short: a length always fits.
    let fits = |field: &&[u8]| u16::try_from(field.len()).is_ok_and(|length| length != ABSENT);
    let field = field.filter(fits);
    let length = field.map_or(ABSENT, |field| u16::try_from(field.len()).unwrap_or(ABSENT));
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(field.unwrap_or_default());
}

/// Reads in the order in which was written; None once the bytes do not fit.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// Bytes of a fixed number.
    #[inline]
    pub(super) fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(taken)
    }

    /// Bytes of a number that was read.
    #[inline]
    pub(super) fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A field of the shape, which may be absent.
    pub(super) fn field(&mut self) -> Option<Option<&'a [u8]>> {
        let length = u16::from_be_bytes(*self.take::<2>()?);
        if length == ABSENT { Some(None) } else { self.slice(length.into()).map(Some) }
    }

    /// A field that must be text.
    pub(super) fn text(&mut self) -> Option<Option<&'a str>> {
        self.field()?.map(std::str::from_utf8).transpose().ok()
    }

    /// Fields that must be text.
    pub(super) fn texts<const N: usize>(&mut self) -> Option<[Option<&'a str>; N]> {
        let mut texts = [None; N];
        for text in &mut texts {
            *text = self.text()?;
        }
        Some(texts)
    }

    /// A field of the own part.
    #[inline]
    pub(super) fn own(&mut self) -> Option<Field<'a>> {
        let [tag] = *self.take()?;
        Some(match tag {
            tag::NULL => Field::Absent,
            tag::UUID => Field::Uuid(self.take()?),
            tag::HEX => Field::Hex(self.take()?),
            tag::LONG => {
                let length = u16::from_be_bytes(*self.take()?);
                Field::Bytes(self.slice(length.into())?)
            }
            short => Field::Bytes(self.slice((short - tag::SHORT).into())?),
        })
    }

    /// A number of at most 64 bits.
    #[inline]
    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = *self.take()?;
            let low = u64::from(byte & 0x7f);
            number |= low.checked_shl(shift).filter(|shifted| shifted >> shift == low)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}
