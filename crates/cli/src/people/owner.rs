//! Whose a credential is: the caller's own, or another user's, an organisation's, the installation's.

use clap::Args;

use crate::connection::{Argument, Server};
use crate::failure::Failure;

/// Whose credential is meant. Without any of these, the caller's own.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Owner")]
pub struct Owner {
    /// This user's
    #[arg(long, value_name = "ID", conflicts_with_all = ["org", "global"])]
    pub user: Option<String>,
    /// This organisation's
    #[arg(long, value_name = "ID", conflicts_with = "global")]
    pub org: Option<String>,
    /// The installation's: everybody uses it
    #[arg(long)]
    pub global: bool,
}

impl Owner {
    /// As functions of hftok take it.
    pub fn arguments(&self) -> [Argument<'_>; 3] {
        [
            Argument::text("p_user_id", self.user.as_deref()),
            Argument::text("p_org_id", self.org.as_deref()),
            Argument::flag("p_global", self.global),
        ]
    }

    /// As view `credentials` names it: the scope, and the id within it. None where nobody is named.
    pub fn named(&self) -> Option<(&'static str, String)> {
        // An id that is a UUID is kept in lower case.
        let kept = |id: &String| if hftok_core::is_uuid(id) { id.to_ascii_lowercase() } else { id.clone() };
        match (&self.user, &self.org, self.global) {
            (Some(user), _, _) => Some(("user", kept(user))),
            (_, Some(org), _) => Some(("org", kept(org))),
            (_, _, true) => Some(("global", String::new())),
            _ => None,
        }
    }

    /// The owner that is named, or whoever asks.
    pub fn or_caller(&self, server: &mut Server) -> Result<(&'static str, String), Failure> {
        match self.named() {
            Some(named) => Ok(named),
            None => match server.call::<Option<String>>("whoami", &[])? {
                Some(caller) => Ok(("user", caller)),
                None => Err(Failure::Usage("say whose it is: --user, --org or --global".to_owned())),
            },
        }
    }
}
