//! `hftok completions`: what a shell completes by.

use std::process::ExitCode;

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::Shell;

use crate::command::Line;
use crate::failure::Failure;
use crate::screen::Screen;

/// Print the completions of a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hftok completions bash >/usr/share/bash-completion/completions/hftok
  hftok completions zsh >/usr/share/zsh/site-functions/_hftok
  hftok completions fish >~/.config/fish/completions/hftok.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Known,
}

/// Shells whose completions are tested.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Known {
    /// bash with bash-completion.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

impl Completions {
    /// Carries it out.
    pub fn run(self, screen: &Screen) -> Result<ExitCode, Failure> {
        let shell = match self.shell {
            Known::Bash => Shell::Bash,
            Known::Zsh => Shell::Zsh,
            Known::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Line::command(), "hftok", &mut script);
        let script = String::from_utf8_lossy(&script).into_owned();
        screen.answer(&serde_json::json!({ "script": script }), || script.clone())?;
        Ok(ExitCode::SUCCESS)
    }
}
