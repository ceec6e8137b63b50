//! Whose a credential is: the caller's own, or another user's, an organisation's, the installation's.

use clap::Args;

use crate::connection::Argument;

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
}
