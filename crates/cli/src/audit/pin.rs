//! `hftok audit pin`: keeps the newest checkpoint elsewhere, once it is proven to continue the one before.
//!
//! What must stay true: nothing is kept that does not continue what was kept; a pin that no longer fits is told and stays.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use clap::Args;
use hftok_core::audit::checkpoint::Note;
use hftok_core::audit::proof::continued;
use serde::Serialize;

use super::finding::{Finding, Sort, events, lines};
use super::key::TrustedKeys;
use super::pins::{self, Place, PlaceOptions};
use super::when;
use crate::connection::{Argument, ConnectionOptions, Server};
use crate::failure::Failure;
use crate::screen::Screen;

/// Keep the newest checkpoint elsewhere, once it is proven to continue the one before
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hftok audit pin --folder /mnt/worm/hftok --every 1h
  hftok audit pin --git ~/pins/production --push
  hftok audit pin --file checkpoint --key key

The first pin keeps the public key beside it. Later ones are held against that key, and so is hftok audit verify:
compare it once with what SELECT hftok.audit_public_key() gives.")]
pub struct Pin {
    /// Where pins are kept.
    #[command(flatten)]
    place: PlaceOptions,
    /// The public key, or a file with it [default: the one beside the pins]
    #[arg(long, value_name = "KEY|FILE")]
    key: Vec<String>,
    /// Push to the remote after the commit
    #[arg(long, requires = "git")]
    push: bool,
    /// Go on, with a pin so often: 1h, 15m. One that is missing is told of
    #[arg(long, value_name = "SPAN", value_parser = when::span)]
    every: Option<Duration>,
}

/// A pin that was written.
#[derive(Debug, Serialize)]
struct Pinned {
    /// Where it is.
    pinned: String,
    /// The name of the log.
    origin: String,
    /// The number of events.
    events: u64,
    /// The number of events of the pin that it continues.
    continues: Option<u64>,
    /// The checkpoint.
    #[serde(skip)]
    text: String,
}

/// What was pinned, or what is wrong.
type Outcome = Result<Pinned, Finding>;

impl Pin {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let named = || Failure::Usage("where to? --file, --folder or --git names a place".to_owned());
        let place = self.place.place().ok_or_else(named)?;
        let mut written: Option<pins::Pin> = None;
        loop {
            let outcome = self.once(&place, written.as_ref(), connection, screen);
            let pause = match (outcome, self.every) {
                (Ok(Ok(pinned)), every) => {
                    let Pinned { pinned: at, events, .. } = &pinned;
                    screen.answer(&pinned, || format!("{events} events pinned: {at}"))?;
                    // Somebody may have changed the place since.
                    written = place.newest()?.filter(|pin| pin.text == pinned.text);
                    if written.is_none() {
                        return not_ok(gone(), screen);
                    }
                    every
                }
                (Ok(Err(finding)), _) => return not_ok(finding, screen),
                // What fails at first is a mistake in the line; later it is a server that is away.
                (Err(failure), Some(every)) if written.is_some() => {
                    screen.failure(&failure);
                    Some((every / 10).clamp(Duration::from_secs(1), Duration::from_secs(60)))
                }
                (Err(failure), _) => return Err(failure),
            };
            let Some(pause) = pause else { return Ok(ExitCode::SUCCESS) };
            sleep(pause);
        }
    }

    /// Writes one pin.
    fn once(
        &self,
        place: &Place,
        written: Option<&pins::Pin>,
        connection: &ConnectionOptions,
        screen: &Screen,
    ) -> Result<Outcome, Failure> {
        let previous = place.newest()?;
        if written.is_some() && previous.as_ref() != written {
            return Ok(Err(gone()));
        }
        if let (Some(every), Some(pin)) = (self.every, &previous) {
            for finding in pins::missing(std::slice::from_ref(pin), every, SystemTime::now()) {
                screen.note(&format!("NOT OK: {}", finding.what));
            }
        }
        let mut server = connection.open()?;
        let kept = place.keys()?;
        let keys = self.keys(&kept, &mut server, previous.is_some(), screen)?;
        let head = match proven(&mut server, previous.as_ref(), &keys)? {
            Ok(head) => head,
            Err(finding) => return Ok(Err(finding)),
        };
        let first_key = keys.iter().find(|key| head.note.is_signed_by(key)).filter(|_| kept.is_empty());
        let first_key = first_key.map(ToString::to_string);
        let checkpoint = &head.note.checkpoint;
        let pinned = place.add(&head.text, SystemTime::now(), checkpoint.size, first_key.as_deref())?;
        if self.push {
            place.push()?;
        }
        let (origin, events, continues) = (checkpoint.origin.clone(), checkpoint.size, head.continues);
        Ok(Ok(Pinned { pinned, origin, events, continues, text: head.text }))
    }

    /// The keys that a checkpoint may be signed with. The server is believed once: for the first pin.
    fn keys(
        &self,
        kept: &TrustedKeys,
        server: &mut Server,
        is_continued: bool,
        screen: &Screen,
    ) -> Result<TrustedKeys, Failure> {
        if !self.key.is_empty() {
            return TrustedKeys::given(&self.key);
        }
        if !kept.is_empty() {
            return Ok(kept.clone());
        }
        if is_continued {
            return Err(Failure::Usage("there are pins but no key beside them: name it by --key".to_owned()));
        }
        let Some(key): Option<String> = server.call("audit_public_key", &[])? else {
            return Ok(TrustedKeys::default());
        };
        screen.note(&format!("This key is trusted from now on: {key}"));
        TrustedKeys::parse(&key, "audit_public_key()")
    }
}

/// The pin that we wrote is not the newest.
fn gone() -> Finding {
    let what = "the pin that was written last is no longer there: somebody has changed the place";
    Finding::new(Sort::PinMissing, what)
}

/// Says what is wrong, which ends the work.
fn not_ok(finding: Finding, screen: &Screen) -> Result<ExitCode, Failure> {
    let findings = [finding];
    screen.answer(&Unpinned { findings: &findings }, || lines(&findings))?;
    Ok(ExitCode::FAILURE)
}

/// Why nothing was pinned.
#[derive(Debug, Serialize)]
struct Unpinned<'a> {
    /// What is wrong.
    findings: &'a [Finding],
}

/// The newest checkpoint.
struct Newest {
    /// The checkpoint.
    note: Note,
    /// Its text.
    text: String,
    /// The number of events of the pin that it continues.
    continues: Option<u64>,
}

/// The newest checkpoint of the server, proven to continue the previous pin; or what is wrong.
fn proven(
    server: &mut Server,
    previous: Option<&pins::Pin>,
    keys: &TrustedKeys,
) -> Result<Result<Newest, Finding>, Failure> {
    let Some(text): Option<String> = server.call("audit_head", &[])? else {
        let what = "the log has no checkpoint";
        return Ok(Err(match previous {
            Some(pin) => Finding::at(Sort::CutOff, 1, format!("cut off: {what}, and pin {} has", pin.name)),
            None => Finding::new(Sort::Missing, format!("{what} yet: nothing was ever written to it")),
        }));
    };
    let note = match signed(&text, keys) {
        Some(note) => note,
        None => {
            let what = format!(
                "the log's checkpoint is not signed by the key of {}; a database that was adopted has another key: pin it to another place",
                keys.origins()
            );
            return Ok(Err(Finding::new(Sort::NotSigned, what)));
        }
    };
    let Some(pin) = previous else { return Ok(Ok(Newest { note, text, continues: None })) };
    let Some(old) = signed(&pin.text, keys) else {
        let what = format!("pin {} is not signed by the key of {}", pin.name, keys.origins());
        return Ok(Err(Finding::new(Sort::NotSigned, what).by(&pin.name)));
    };
    let (was, is) = (old.checkpoint.size, note.checkpoint.size);
    if is < was {
        let what = format!("cut off: {} are missing, and pin {} has them", events(is + 1, was), pin.name);
        return Ok(Err(Finding::at(Sort::CutOff, is + 1, what).by(&pin.name)));
    }
    let forked = |why: &str| {
        let what = format!("forked: the log does not continue pin {}, of {was} events{why}", pin.name);
        Finding::at(Sort::Forked, was, what).by(&pin.name)
    };
    let proof: String = match server.call("audit_consistency", &[Argument::text("p_head", Some(&pin.text))]) {
        Ok(proof) => proof,
        // The server has given its checkpoint to this role: what it refuses now is the proof.
        Err(Failure::Refused(refusal)) if refusal.code.starts_with("22") || refusal.code == "42501" => {
            return Ok(Err(forked(&format!(": {}", refusal.message))));
        }
        Err(failure) => return Err(failure),
    };
    let newest = keys.iter().find_map(|key| continued(&proof, &old, key));
    let Some((note, (_, text))) = newest.zip(proof.split_once("\n\n")) else { return Ok(Err(forked(""))) };
    Ok(Ok(Newest { note, text: text.to_owned(), continues: Some(was) }))
}

/// The checkpoint of a text, if a trusted key has signed it.
fn signed(text: &str, keys: &TrustedKeys) -> Option<Note> {
    Note::parse(text).filter(|note| keys.have_signed(note))
}
