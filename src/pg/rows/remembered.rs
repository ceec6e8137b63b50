//! A value that a session has made of rows, and keeps for as long as Postgres tells of no change of their relations.
//!
//! What must stay true: what is kept was made after the session had taken in all that it was told before, so a change that
//! comes while it is being made makes it old.

use std::cell::RefCell;
use std::ffi::CStr;
use std::rc::Rc;

use super::relations::{self, Matter, Relation};
use crate::error::Error;

/// A value, with what it depends on.
pub struct Remembered<T> {
    /// The matter for which changes of the relations are counted.
    matter: Matter,
    /// The relations of schema hftok_private that it is made of.
    names: &'static [&'static CStr],
    /// The value, and the generation that it is true for.
    kept: RefCell<Option<(u64, Rc<T>)>>,
}

impl<T> Remembered<T> {
    /// Nothing yet. No two values share a matter.
    pub const fn new(matter: Matter, names: &'static [&'static CStr]) -> Self {
        Self { matter, names, kept: RefCell::new(None) }
    }

    /// The value as it is now; made anew when a relation may have changed. `make` is given the relations in the order of their
    /// names.
    pub fn now(&self, make: impl FnOnce(&[Relation]) -> Result<T, Error>) -> Result<Rc<T>, Error> {
        self.at(relations::generation(self.matter), make)
    }

    /// The same, for whoever has locked one of the relations since anything was asked, and so has taken in what was told of it.
    pub fn under_lock(&self, make: impl FnOnce(&[Relation]) -> Result<T, Error>) -> Result<Rc<T>, Error> {
        self.at(relations::generation_told(self.matter), make)
    }

    /// Whether the value is kept, by what this session has taken in already.
    #[inline]
    pub fn is_kept(&self) -> bool {
        let told = relations::generation_told(self.matter);
        self.kept.borrow().as_ref().is_some_and(|(generation, _)| *generation == told)
    }

    /// Seldom made, often asked for.
    #[inline]
    fn at(
        &self,
        generation: u64,
        make: impl FnOnce(&[Relation]) -> Result<T, Error>,
    ) -> Result<Rc<T>, Error> {
        match &*self.kept.borrow() {
            Some((kept_for, value)) if *kept_for == generation => return Ok(Rc::clone(value)),
            _ => {}
        }
        self.made(make)
    }

    /// Nothing is borrowed while it is made, which asks the database.
    #[cold]
    fn made(&self, make: impl FnOnce(&[Relation]) -> Result<T, Error>) -> Result<Rc<T>, Error> {
        let relations = relations::watch(self.matter, self.names)
            .ok_or(Error::Internal("a table of hftok does not exist"))?;
        // Read before what follows: a change that comes meanwhile makes it old.
        let generation = relations::generation(self.matter);
        let value = Rc::new(make(&relations)?);
        self.kept.replace(Some((generation, Rc::clone(&value))));
        Ok(value)
    }
}
