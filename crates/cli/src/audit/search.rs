//! `hftok audit search`: the events that somebody asks for.

use std::process::ExitCode;

use clap::Args;

use super::event::{self, MANY_MAX, Wanted};
use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::screen::Screen;

/// Find events: of somebody, about an object, by a role, between two times
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hftok audit search --user alice --since 7d
  hftok audit search --object 6f9619ff-8b86-d011-b42d-00c04fc964ff --kind reveal
  hftok audit search --kind refusal --since '2026-11-01' --until '2026-12-01' --newest 1000 --json")]
pub struct Search {
    /// Which events.
    #[command(flatten)]
    wanted: Wanted,
    /// No more than so many: the newest of them
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=MANY_MAX))]
    newest: i64,
}

impl Search {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let found = self.wanted.newest(&mut connection.open()?, self.newest)?;
        screen.rows(&found, "no events", || event::table(&found))?;
        if i64::try_from(found.len()) == Ok(self.newest) {
            screen.note(&format!("These are the newest {}; --newest asks for more.", self.newest));
        }
        Ok(ExitCode::SUCCESS)
    }
}
