//! The hftok command: credentials for people at a terminal, for CI jobs, and for workers that need a token.
//!
//! What must stay true: a value is in no argument, no line that is printed unasked, no error and no core; every command has
//! `--json`; colours and bars are for terminals only.
//!
//! | room | what is in it |
//! |---|---|
//! | [`connection`] | Postgres as libpq finds it, or PostgREST with a JWT: one [`connection::Server`] for both |
//! | [`people`] | commands for those who have credentials: set, list, delete, explain … |
//! | [`run`] | `hftok run`: a command with credentials in its environment |
//! | [`audit`] | commands for auditors: tail, search, verify, pin, export |
//! | [`offline`] | exports, and dumps with their keyring: what works without the server that sealed the values |
//! | [`runner`] | workers on a private network: tokens, a server, a push |
//! | [`manual`] | completions of shells, and pages of `man` |
//! | [`moving_in`] | import: tables, a Supabase Vault, the environment, files |
//! | [`keys`] | keyrings and rotations, for those who run the server |
//! | [`doctor`] | what is wrong with a server, each finding with lines that mend it |
//! | [`failure`] | every way to fail, and the exit code of each |
//! | [`screen`] | answers, for people and as JSON |
//! | [`shown`] | text of others, as a terminal may show it |
//! | [`slip`] | a value that was typed on the line by mistake, and is not repeated |
//! | [`pem`] | certificates and their keys, in files |
//! | [`value`] | how a value comes in: prompt, standard input, file |
//! | [`progress`] | the bar of long work, and ^C during it |
//! | [`process`] | what this process allows others to see of it |

mod audit;
mod command;
mod connection;
mod doctor;
mod failure;
mod keys;
mod manual;
mod moving_in;
mod offline;
mod pem;
mod people;
mod process;
mod progress;
mod run;
mod runner;
mod screen;
mod shown;
mod slip;
mod value;

use std::process::ExitCode;

fn main() -> ExitCode {
    process::keep_to_itself();
    slip::parsed().map_or_else(|told| told, command::run)
}
