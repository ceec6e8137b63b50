//! Whether an import is tried, and who says that it is done.

use clap::Args;

use crate::failure::Failure;
use crate::screen::Screen;

/// What is asked before anything is saved.
#[derive(Debug, Args)]
pub struct Asking {
    /// Say what would be imported, and save nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Import without trying first, and without a question
    #[arg(long, short = 'y')]
    pub yes: bool,
}

impl Asking {
    /// Refuses at the start what could only be refused after the trial.
    pub fn admit(&self) -> Result<(), Failure> {
        use std::io::IsTerminal as _;
        if self.dry_run || self.yes || std::io::stdin().is_terminal() {
            return Ok(());
        }
        Err(Failure::Usage(
            "nobody is there to be asked: --dry-run says what would be imported, --yes imports".to_owned(),
        ))
    }

    /// Whether to go on after the trial.
    pub fn goes_on(&self, screen: &Screen, question: &str) -> Result<bool, Failure> {
        let goes_on = screen.confirmed(question, "--yes imports without a question")?;
        if !goes_on {
            screen.note("Nothing was imported.");
        }
        Ok(goes_on)
    }
}
