//! A row before it is compared with anything: blank, rejected, or usable.
//!
//! Must stay true: a row is called blank only where its column holds nothing that could be a value, because nothing is remembered
//! of a blank one; and a value that was not judged by itself is never remembered as one that may be discarded.

/// All that decides about a row before hftok's secrets are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// Why the row is nobody's, if it is.
    pub address_fault: Option<&'a str>,
    /// Why its value is no credential, if it is none.
    pub value_fault: Option<&'a str>,
    /// Whether the value is empty, also by the check of its provider.
    pub is_empty: bool,
    /// Whether the fault lies in what the column itself holds, and not in what that opened to.
    pub is_judged: bool,
    /// Whether a `Bearer` stood in front.
    pub has_bearer: bool,
    /// Whether the column holds the value itself.
    pub is_plain: bool,
    /// Whether the column holds nothing but white space.
    pub is_column_empty: bool,
}

/// The decision about such a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding<'a> {
    /// It holds nothing.
    Blank,
    /// It is not imported.
    Rejected {
        /// Why.
        reason: &'a str,
        /// It is known again by what its column holds, and may be discarded.
        is_remembered: bool,
        /// An import that is remembered of the same column is forgotten: it opens to something else now.
        is_forgotten: bool,
    },
    /// Its value is compared with what hftok has.
    Usable,
}

impl<'a> Given<'a> {
    /// Decides. An empty column is blank whoever's it is; the fault of an address goes before that of a value.
    pub fn judge(&self) -> Finding<'a> {
        if self.is_empty && !self.has_bearer && (self.is_column_empty || self.is_plain) {
            return Finding::Blank;
        }
        // The column holds something: what opens it failed without saying so.
        let empty = self.is_empty.then_some("it opens to nothing");
        match self.address_fault.or(self.value_fault).or(empty) {
            None => Finding::Usable,
            Some(reason) => Finding::Rejected {
                reason,
                is_remembered: self.is_judged && !self.is_empty,
                is_forgotten: !self.is_plain,
            },
        }
    }
}
