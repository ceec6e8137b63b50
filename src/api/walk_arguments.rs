//! The arguments of the walk, and what they say before any of them is checked.

use hftok_core::binding::{Binding, Scope};
use hftok_core::walk::Level;

use super::input::texts;
use crate::error::Error;
use crate::pg::call::entry::{Arguments, Parameter};
use crate::store::lookup::Likely;

/// The arguments that all functions of the walk share, as SQL hands them over.
pub struct WalkArguments<'a> {
    /// `p_user_id`.
    pub user: Option<&'a str>,
    /// `p_org_id`.
    pub org: Option<&'a str>,
    /// `p_model`.
    pub model: Option<&'a str>,
    /// `p_host`.
    pub host: Option<&'a str>,
    /// `p_levels`.
    pub levels: Option<Vec<String>>,
}

impl<'a> WalkArguments<'a> {
    /// The credential that most walks end with: the user's own, where no model is named. For the very beginning of a call.
    pub fn likely(&self, provider: Option<&'a str>, slot: Option<&'a str>) -> Option<Likely<'a>> {
        let is_likely = self.model.is_none_or(str::is_empty)
            && self
                .levels
                .as_ref()
                .is_none_or(|levels| levels.iter().any(|level| level == Level::User.as_str()));
        let (scope_id, provider) = self.user.zip(provider).filter(|_| is_likely)?;
        let slot = slot.unwrap_or_default();
        Likely::soon(Binding { scope: Scope::User, scope_id, provider, model: "", name: "", slot })
    }
}

impl Parameter for WalkArguments<'_> {
    const COUNT: usize = 5;

    #[inline(always)]
    fn take(arguments: &mut Arguments) -> Result<Self, Error> {
        Ok(Self {
            user: arguments.next()?,
            org: arguments.next()?,
            model: arguments.next()?,
            host: arguments.next()?,
            levels: texts(arguments.next()?)?,
        })
    }
}
