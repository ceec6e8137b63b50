//! Functions of the triggers in `sql/again/levels.sql`: they tell sessions that remembered facts have changed.

use hftok_core::binding::Scope;

use crate::error::Error;
use crate::pg::call::entry::export;
use crate::pg::call::trigger::{AsItCame, Trigger};
use crate::pg::rows::relations;
use crate::store::levels;

export!(note_kind, note_change);

/// Notes the first secret of its kind, and has sessions told.
fn note_kind() -> Result<AsItCame, Error> {
    let trigger = Trigger::current()?;
    let scope = trigger.text(c"scope").and_then(|word| Scope::parse(&word));
    let has_model = trigger.text(c"model").is_some_and(|model| !model.is_empty());
    let has_slot = trigger.text(c"slot").is_some_and(|slot| !slot.is_empty());
    if let Some(scope) = scope {
        levels::note(trigger.table(), scope, has_model, has_slot)?;
    }
    Ok(trigger.as_it_came())
}

/// Tells that a table has changed.
fn note_change() -> Result<AsItCame, Error> {
    let trigger = Trigger::current()?;
    relations::touch(trigger.table());
    Ok(trigger.as_it_came())
}
