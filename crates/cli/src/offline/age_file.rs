//! Files in the age format: to recipients or a passphrase, and back.
//!
//! What must stay true: a passphrase comes by a prompt or a file, never by an argument; a file that was cut off is an error when
//! its end is read, never a short answer.

use std::io::{BufReader, Write};
use std::iter;
use std::path::{Path, PathBuf};

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::secrecy::SecretString;
use age::stream::StreamWriter;
use age::{Decryptor, Encryptor, IdentityFile, Recipient, scrypt, x25519};
use clap::Args;
use rustix::stdio;
use rustix::termios::isatty;
use zeroize::Zeroizing;

use super::databases::Stream;
use super::files;
use crate::failure::Failure;
use crate::offline::unfit;
use crate::screen::Screen;

/// More than any file with identities, recipients or a passphrase has.
const LARGEST: usize = 1024 * 1024;
/// 2^22 rounds of scrypt: some 16 seconds, and 4 GiB. The tool itself takes 2^18.
const MOST_WORK: u8 = 22;

/// Who may open an age file.
#[derive(Debug, Clone, Args)]
pub struct Identities {
    /// A file with identities, as age-keygen writes it; may be given several times
    #[arg(long = "identity", short = 'i', value_name = "FILE")]
    identities: Vec<PathBuf>,
    /// A file with the passphrase; without it the terminal is asked
    #[arg(long, value_name = "FILE", conflicts_with = "identities")]
    passphrase_file: Option<PathBuf>,
}

/// For whom an age file is made.
#[derive(Debug, Args)]
pub struct Recipients {
    /// A recipient (age1…); may be given several times
    #[arg(long = "to", value_name = "RECIPIENT")]
    to: Vec<String>,
    /// A file with recipients, one a line
    #[arg(long = "recipients-file", short = 'R', value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A passphrase, asked for at the terminal
    #[arg(long, conflicts_with_all = ["to", "files"])]
    passphrase: bool,
    /// A file with the passphrase
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "files", "passphrase"])]
    passphrase_file: Option<PathBuf>,
    /// Write text instead of bytes
    #[arg(long)]
    armor: bool,
}

impl Identities {
    /// What an age file holds.
    pub fn decrypt(&self, stream: Stream, name: &str, screen: &Screen) -> Result<Stream, Failure> {
        let wrong = |error| refused(name, error);
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(stream)).map_err(wrong)?;
        let clear = if decryptor.is_scrypt() {
            let mut identity = scrypt::Identity::new(passphrase(self.passphrase_file.as_deref(), false)?);
            identity.set_max_work_factor(MOST_WORK);
            decryptor.decrypt(iter::once(&identity as &dyn age::Identity)).map_err(wrong)?
        } else {
            let identities = self.read(name, screen)?;
            decryptor.decrypt(identities.iter().map(|identity| &**identity)).map_err(wrong)?
        };
        Ok(Box::new(BufReader::new(clear)))
    }

    /// The identities of all files given.
    fn read(&self, name: &str, screen: &Screen) -> Result<Vec<Box<dyn age::Identity>>, Failure> {
        if self.identities.is_empty() {
            return Err(Failure::Usage(format!(
                "{name} is for recipients: give the identity of one by --identity FILE"
            )));
        }
        let mut all = Vec::new();
        for path in &self.identities {
            let text = files::whole(path, LARGEST)?;
            let none = || {
                unfit(
                    path.display().to_string(),
                    "it holds no identity",
                    "It holds AGE-SECRET-KEY-1…, as age-keygen writes it; one that is encrypted itself has to be decrypted before.",
                )
            };
            if files::is_open_to_others(path) {
                screen.note(&format!("{} may be read by others: chmod 600", path.display()));
            }
            let read = IdentityFile::from_buffer(text.as_slice()).map_err(|_| none())?;
            let identities = read.into_identities().map_err(|_| none())?;
            if identities.is_empty() {
                return Err(none());
            }
            all.extend(identities);
        }
        Ok(all)
    }
}

/// Writes an age file into another stream. What was written is complete once `finish` says so.
pub struct AgeWriter<W: Write>(StreamWriter<ArmoredWriter<W>>);

impl Recipients {
    /// Whether the output can be shown on a terminal.
    pub fn is_text(&self) -> bool {
        self.armor
    }

    /// Who it is for, read before anything is revealed.
    pub fn read(&self) -> Result<Encryptor, Failure> {
        if self.passphrase || self.passphrase_file.is_some() {
            let passphrase = passphrase(self.passphrase_file.as_deref(), true)?;
            return Ok(Encryptor::with_user_passphrase(passphrase));
        }
        let mut lines = self.to.clone();
        for path in &self.files {
            let text = files::whole(path, LARGEST)?;
            let not_text =
                |_| unfit(path.display().to_string(), "it is not text", "Write the file as UTF-8.");
            let text = str::from_utf8(&text).map_err(not_text)?;
            let named = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            lines.extend(named.map(str::to_owned));
        }
        let recipients = lines.iter().map(|line| recipient(line)).collect::<Result<Vec<_>, Failure>>()?;
        Encryptor::with_recipients(recipients.iter().map(|one| one as &dyn Recipient)).map_err(|_| {
            Failure::Usage(
                "for whom? name a recipient by --to or --recipients-file, or take --passphrase".to_owned(),
            )
        })
    }

    /// Begins the file.
    pub fn begin<W: Write>(&self, encryptor: Encryptor, output: W) -> std::io::Result<AgeWriter<W>> {
        let format = if self.armor { Format::AsciiArmor } else { Format::Binary };
        Ok(AgeWriter(encryptor.wrap_output(ArmoredWriter::wrap_output(output, format)?)?))
    }
}

impl<W: Write> AgeWriter<W> {
    /// Writes the end, without which nobody takes the file for whole.
    pub fn finish(self) -> std::io::Result<W> {
        self.0.finish()?.finish()
    }
}

impl<W: Write> Write for AgeWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// A recipient of a line.
fn recipient(text: &str) -> Result<x25519::Recipient, Failure> {
    text.parse().map_err(|_| {
        let hint = if text.to_ascii_uppercase().contains("AGE-SECRET-KEY-") {
            // Not shown: it is what must stay with its owner.
            return Failure::Usage(
                "that is an identity, which stays with its owner: name its recipient (age-keygen -y)"
                    .to_owned(),
            );
        } else if text.starts_with("ssh-") {
            "keys of ssh are none here: age-keygen makes one"
        } else {
            "it begins with age1, as age-keygen prints it"
        };
        Failure::Usage(format!("{text} is no recipient: {hint}"))
    })
}

/// A passphrase of a file, or of the terminal; a new one is asked for twice.
fn passphrase(file: Option<&Path>, is_new: bool) -> Result<SecretString, Failure> {
    let given = match file {
        Some(path) => {
            let bytes = files::whole(path, LARGEST)?;
            let not_text =
                |_| unfit(path.display().to_string(), "it is not text", "Write the file as UTF-8.");
            let text = str::from_utf8(&bytes).map_err(not_text)?;
            Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        None => asked(is_new)?,
    };
    if given.is_empty() {
        return Err(Failure::Usage("the passphrase is empty".to_owned()));
    }
    Ok(SecretString::from(given.as_str()))
}

/// What is typed at the terminal, unseen.
fn asked(is_new: bool) -> Result<Zeroizing<String>, Failure> {
    let ask = |prompt| {
        let said = rpassword::prompt_password(prompt)
            .map_err(Failure::io("the terminal, which is asked for the passphrase"));
        said.map(Zeroizing::new)
    };
    let given = ask("Passphrase: ")?;
    if is_new && *ask("Passphrase, once more: ")? != *given {
        return Err(Failure::Usage("the two passphrases differ".to_owned()));
    }
    Ok(given)
}

/// Refuses bytes on a terminal.
pub fn admit_on_output(recipients: &Recipients) -> Result<(), Failure> {
    if !recipients.is_text() && isatty(stdio::stdout()) {
        return Err(Failure::Usage(
            "bytes are nothing for a terminal: name a file by --output, or take --armor".to_owned(),
        ));
    }
    Ok(())
}

/// Why an age file does not open, without the library's words for what people get wrong.
fn refused(name: &str, error: age::DecryptError) -> Failure {
    let (fault, remedy) = match error {
        age::DecryptError::NoMatchingKeys => (
            "it is for none of the identities given".to_owned(),
            "Name the file of another one by --identity.",
        ),
        age::DecryptError::DecryptionFailed | age::DecryptError::KeyDecryptionFailed => (
            "it does not open".to_owned(),
            "The passphrase or identity is another one, or the file was changed: take another copy.",
        ),
        other => (other.to_string(), "Take another copy of the file."),
    };
    unfit(name, &fault, remedy)
}
