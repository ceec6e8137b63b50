//! A value that somebody typed on the line: what is wrong with the line is told without it.
//!
//! What must stay true: no error of the line repeats what looks like a credential, because errors are kept in logs where the
//! line is not.

use std::process::ExitCode;

use clap::Parser;
use hftok_core::{provider, runner_token};

use crate::screen;

/// Shorter words are no credentials.
const LEAST: usize = 16;

/// What is told in place of clap's words.
const TOLD: &str = "hftok: a value has no place on the line, where everybody on this machine can read it and the shell's history keeps it\n  \
     Revoke this one. `hftok set` asks for a value, or reads it from standard input or --value-file.";

/// The line; or, where it is wrong or asks for help, the exit code once that was told.
pub fn parsed<T: Parser>() -> Result<T, ExitCode> {
    T::try_parse().map_err(|error| {
        if error.use_stderr() && has_credential(&error.to_string()) {
            screen::word(TOLD);
        } else {
            // Where nobody reads there is nobody to tell.
            let _ = error.print();
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

/// Whether a text has a word that begins as credentials of a provider do, or as runner tokens.
fn has_credential(text: &str) -> bool {
    let mut words =
        text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '-');
    words.any(|word| {
        let mut prefixes = provider::prefixes().iter().copied().chain([runner_token::PREFIX]);
        word.len() >= LEAST && prefixes.any(|prefix| word.starts_with(prefix))
    })
}

#[cfg(test)]
mod tests {
    use super::has_credential;

    #[test]
    fn a_credential_is_recognised_among_other_words() {
        assert!(has_credential("unexpected argument 'hf_aliceAliceAliceAliceAliceAlice0001' found"));
        assert!(has_credential("HF_TOKEN=hf_aliceAliceAliceAliceAliceAlice0001"));
        assert!(has_credential("'sk-ant-api03-aliceAliceAliceAlice'"));
        assert!(!has_credential("unexpected argument '--value-files' found; tip: '--value-file'"));
        assert!(!has_credential("Usage: hftok set [OPTIONS]"));
    }
}
