//! What the triggers of `sql/26_known.sql` call: sessions are told that what they know has changed.

use hftok_core::binding::Scope;

use crate::pg::entry::entry;
use crate::pg::relations;
use crate::pg::trigger::{AsItCame, Trigger};
use crate::store::known;

entry! {
    /// Tells of the first secret of its kind.
    fn note_kind() -> AsItCame {
        let trigger = Trigger::current()?;
        let scope = trigger.text(c"scope").and_then(|word| Scope::parse(&word));
        let has_model = trigger.text(c"model").is_some_and(|model| !model.is_empty());
        if scope.is_some_and(|scope| known::is_new(scope, has_model)) {
            relations::touch(trigger.table());
        }
        Ok(trigger.as_it_came())
    }

    /// Tells that a table has changed.
    fn note_change() -> AsItCame {
        let trigger = Trigger::current()?;
        relations::touch(trigger.table());
        Ok(trigger.as_it_came())
    }
}
