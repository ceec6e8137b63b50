//! `hftok export`: the values of a database, inside the age format.
//!
//! What must stay true: a value goes from the server's answer into the cipher, and nowhere else; the file appears when it is
//! whole. Each value is revealed by itself, so that the audit names it.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::age_file::{self, Recipients};
use super::export_lines::{self, Head, LeftOut, Tail};
use super::files::PrivateFile;
use super::holdings::{self, Kind, Revealer};
use crate::connection::{ConnectionOptions, Database, database_failure as failure};
use crate::failure::Failure;
use crate::progress::{Bar, Interrupt};
use crate::screen::Screen;

/// Write the values of a database into a file that only its recipients open
#[derive(Debug, Args)]
#[command(after_help = "\
The file is in the age format: hftok open reads it, and so does age. Values are in no other file on the way. Needs the service's rights or a
superuser's; each value is an event in the audit. What hftok does not give out (expired, disabled, damaged) is named and left out, and then
the exit code is 1. A dump with its keyring has those too.

Examples:
  age-keygen -o key.txt                      # keep it elsewhere; it prints the recipient
  hftok export --to age1… --output backup.age
  hftok export --passphrase --only secrets --output secrets.age
  hftok export --to age1… | ssh vault 'cat > backup.age'")]
pub struct Export {
    /// Who opens it.
    #[command(flatten)]
    recipients: Recipients,
    /// The file, of mode 0600 [default: standard output]
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace the file
    #[arg(long, requires = "output")]
    force: bool,
    /// Only these
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    only: Vec<Kind>,
}

impl Export {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let encryptor = self.recipients.read()?;
        let mut database = connection.postgres()?;
        let interrupt = Interrupt::watch()?;
        let tail = match &self.output {
            Some(path) => {
                let file = BufWriter::new(PrivateFile::create(path, self.force)?);
                let mut age = self
                    .recipients
                    .begin(encryptor, file)
                    .map_err(Failure::io(path.display().to_string()))?;
                let tail = self.write(&mut database, &mut age, &interrupt, screen)?;
                let file =
                    age.finish().and_then(|file| file.into_inner().map_err(io::IntoInnerError::into_error));
                file.map_err(Failure::io(path.display().to_string()))?.complete(self.force)?;
                tail
            }
            None => {
                age_file::admit_on_output(&self.recipients)?;
                let output = BufWriter::new(io::stdout());
                let mut age =
                    self.recipients.begin(encryptor, output).map_err(Failure::io("standard output"))?;
                let tail = self.write(&mut database, &mut age, &interrupt, screen)?;
                age.finish().and_then(|mut output| output.flush()).map_err(Failure::io("standard output"))?;
                tail
            }
        };
        if self.output.is_some() {
            screen.answer(&tail, || export_lines::counted(&tail))?;
        } else {
            screen.note(&export_lines::counted(&tail));
        }
        Ok(ExitCode::from(u8::from(tail.left_out_in_all > 0)))
    }

    /// Reveals one thing after the other into the cipher.
    fn write(
        &self,
        database: &mut Database,
        output: &mut dyn Write,
        interrupt: &Interrupt,
        screen: &Screen,
    ) -> Result<Tail, Failure> {
        let kinds = if self.only.is_empty() { &Kind::ALL[..] } else { &self.only };
        export_lines::write(output, &head(database)?)?;
        let all = holdings::list(database, kinds)?;
        let bar = Bar::new("export", Some(all.len() as u64));
        let client = database.client();
        let revealer = Revealer::new(client)?;
        let mut tail = Tail::default();
        let mut left_out = Vec::new();
        for (done, one) in (1..).zip(all) {
            if interrupt.is_wanted() {
                return Err(Failure::Stopped(
                    "nothing was written; what was revealed is in the audit".to_owned(),
                ));
            }
            match revealer.reveal(client, &one)? {
                Some(Ok(value)) => {
                    export_lines::write_value(output, &one, &value)?;
                    tail.count(one.kind);
                }
                Some(Err(reason)) => left_out.push(LeftOut { left_out: one, reason }),
                // Deleted since it was listed.
                None => {}
            }
            bar.done(done);
        }
        drop(bar);
        for left in &left_out {
            export_lines::write(output, left)?;
            tail.left_out_in_all += 1;
            screen.note(&format!("left out: {}: {}", left.left_out.title(), left.reason));
        }
        export_lines::write(output, &tail)?;
        Ok(tail)
    }
}

/// The first line, of this database and moment.
fn head(database: &mut Database) -> Result<Head, Failure> {
    let query = "SELECT pg_catalog.current_database()::text, pg_catalog.to_jsonb(pg_catalog.now()) #>> '{}'";
    let row = database.client().query_one(query, &[]).map_err(failure)?;
    let text = |at| row.try_get(at).map_err(|_| Failure::Answer { function: "current_database" });
    Ok(Head { hftok_export: Head::FORM, database: text(0)?, at: text(1)? })
}
