//! `hftok man`: a page for `man` of each command.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};

use crate::command::Line;
use crate::failure::Failure;
use crate::screen::Screen;

/// Write the pages of `man` into a folder
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  hftok man /usr/local/share/man/man1 && man hftok-run")]
pub struct Man {
    /// The folder, which is made where it is not there
    folder: PathBuf,
}

impl Man {
    /// Carries it out.
    pub fn run(self, screen: &Screen) -> Result<ExitCode, Failure> {
        let named = |error| Failure::io(self.folder.display().to_string())(error);
        fs::create_dir_all(&self.folder).map_err(named)?;
        clap_mangen::generate_to(Line::command(), &self.folder).map_err(named)?;
        let folder = self.folder.display().to_string();
        screen.answer(&serde_json::json!({ "folder": folder }), || format!("the pages are in {folder}"))?;
        Ok(ExitCode::SUCCESS)
    }
}
