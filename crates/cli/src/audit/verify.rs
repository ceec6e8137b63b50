//! `hftok audit verify`: the log against its signature, and against the pins that were kept elsewhere. It believes the public key
//! alone.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Args;
use hftok_core::audit::checkpoint::Note;
use hftok_core::audit::tree::{TILE, empty_root};
use serde::Serialize;

use super::finding::{Finding, Sort, events, lines};
use super::key::TrustedKeys;
use super::pins::{self, Head, PlaceOptions};
use super::source::{Folder, Served};
use super::walk::{Walk, Walked};
use super::when;
use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::screen::Screen;

/// Hold the whole log against its signature and against pins: finds events that were cut off, replaced or forked
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hftok audit verify --folder /mnt/worm/hftok
  hftok audit verify --log export --git ~/pins/production --every 1h
  hftok audit verify --log export --key 'hftok/…+0b1c2d3e+AQ…' --json

Without --log the log is read from the server, which is not believed either. Exit code 1: something was found.")]
pub struct Verify {
    /// A folder that hftok audit export wrote
    #[arg(long, value_name = "FOLDER")]
    log: Option<PathBuf>,
    /// The public key, or a file with it [default: the one beside the pins]
    #[arg(long, value_name = "KEY|FILE")]
    key: Vec<String>,
    /// Where pins are kept.
    #[command(flatten)]
    place: PlaceOptions,
    /// There must be a pin so often: 1h, 1d
    #[arg(long, value_name = "SPAN", value_parser = when::span)]
    every: Option<Duration>,
    /// Only pins from this time on: 90d ago, or 2026-11-30T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = when::own_time)]
    pins_since: Option<SystemTime>,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether nothing is wrong.
    ok: bool,
    /// The name of the log.
    origin: Option<String>,
    /// The number of events of its checkpoint.
    events: u64,
    /// The first event that is there: those before were purged.
    first: Option<u64>,
    /// The number of pins that the log continues.
    pins: usize,
    /// What is wrong.
    findings: Vec<Finding>,
}

impl Verify {
    /// Carries it out.
    pub fn run(self, connection: &ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let place = self.place.place();
        let mut pins = place.as_ref().map_or(Ok(Vec::new()), |place| place.all())?;
        pins.retain(|pin| self.pins_since.is_none_or(|since| pin.at >= since));
        let keys = match (self.key.is_empty(), &place) {
            (true, Some(place)) => place.keys()?,
            _ => TrustedKeys::given(&self.key)?,
        };
        if keys.is_empty() {
            return Err(Failure::Usage(KEY_NEEDED.to_owned()));
        }
        let (heads, mut findings) = pins::heads(&pins, &keys);
        match (self.every, &place) {
            (Some(every), Some(_)) => findings.extend(pins::missing(&pins, every, SystemTime::now())),
            (Some(_), None) => {
                return Err(Failure::Usage("--every needs the place of the pins".to_owned()));
            }
            (None, _) => {}
        }
        let report = match self.walked(connection, &heads)? {
            Some((note, walked)) => judged(&note, walked, &keys, &heads, findings),
            None => {
                findings.push(empty(&heads));
                Report { ok: false, origin: None, events: 0, first: None, pins: 0, findings }
            }
        };
        screen.answer(&report, || text(&report))?;
        if heads.is_empty() {
            screen.note(
                "Without a pin nobody sees that the newest events were cut off: hftok audit pin keeps them.",
            );
        }
        Ok(ExitCode::from(u8::from(!report.ok)))
    }

    /// Walks along the log. `None`: it has no checkpoint.
    fn walked(
        &self,
        connection: &ConnectionOptions,
        heads: &[Head],
    ) -> Result<Option<(Note, Walked)>, Failure> {
        let sizes = || heads.iter().map(|head| head.note.checkpoint.size);
        if let Some(path) = &self.log {
            let (folder, note) = Folder::open(path)?;
            let mut walk = Walk::begin(&note.checkpoint, sizes());
            folder.walk(&mut walk)?;
            let walked = walk.finish();
            return Ok(Some((note, walked)));
        }
        let mut database = connection.postgres()?;
        let Some((served, note)) = Served::open(&mut database)? else { return Ok(None) };
        let mut walk = Walk::begin(&note.checkpoint, sizes());
        served.walk(&mut walk)?;
        let walked = walk.finish();
        Ok(Some((note, walked)))
    }
}

/// Without a key nothing can be believed.
const KEY_NEEDED: &str = "which key is trusted? --key names it, or the place of the pins has it. hftok.audit_public_key() gives it; \
     keep it elsewhere than the log, because whoever can forge a log can forge a key";

/// What a walk along a log means, once it is held against signature and pins.
fn judged(
    note: &Note,
    walked: Walked,
    keys: &TrustedKeys,
    heads: &[Head],
    mut findings: Vec<Finding>,
) -> Report {
    let checkpoint = &note.checkpoint;
    let is_signed = keys.have_signed(note);
    if !is_signed {
        let what = format!("the log's checkpoint is not signed by the key of {}", keys.origins());
        findings.push(Finding::new(Sort::NotSigned, what));
    }
    let root_at = |size: u64| match size {
        0 => Some(empty_root()),
        _ => walked.roots.get(&size).copied(),
    };
    let (mut held, mut differing) = (Vec::new(), Vec::new());
    for head in heads.iter().filter(|head| head.note.checkpoint.size <= walked.reached) {
        let Note { checkpoint: pinned, .. } = &head.note;
        if root_at(pinned.size) == Some(pinned.root) { held.push(head) } else { differing.push(head) }
    }
    let held_below = |size: u64| {
        held.iter().map(|head| head.note.checkpoint.size).filter(|held| *held < size).max().unwrap_or(0) + 1
    };
    let is_as_signed = is_signed && walked.root == Some(checkpoint.root);
    let is_told = walked.findings.iter().any(|found| found.finding != Sort::Damaged);
    if is_signed && !is_told && walked.root.is_some_and(|root| root != checkpoint.root) {
        let first = held_below(checkpoint.size);
        let tile = (checkpoint.size / TILE * TILE + 1).max(first);
        let (these, what) =
            (events(tile, checkpoint.size), "or the hashes of those before, are not what was signed");
        findings.push(Finding::at(Sort::Replaced, tile, format!("replaced: {these}, {what}")));
    }
    findings.extend(walked.findings);
    if let Some(head) = differing.iter().min_by_key(|head| head.note.checkpoint.size) {
        let size = head.note.checkpoint.size;
        let first = held_below(size);
        let these = events(first, size);
        let these = format!("{these} are not those of pin {}", head.name);
        if is_as_signed {
            let what = format!("forked: {these}, and the same key has signed both");
            findings.push(Finding::at(Sort::Forked, first, what).by(&head.name));
        } else if findings.iter().all(|found| found.finding != Sort::Replaced) {
            findings.push(Finding::at(Sort::Replaced, first, format!("replaced: {these}")).by(&head.name));
        }
    }
    findings.extend(cut_off(checkpoint.size, heads));
    let (ok, events, first) = (findings.is_empty(), checkpoint.size, walked.first);
    Report { ok, origin: Some(checkpoint.origin.clone()), events, first, pins: held.len(), findings }
}

/// The finding that a log ends before a pin does.
fn cut_off(size: u64, heads: &[Head]) -> Option<Finding> {
    let longest = heads.iter().max_by_key(|head| head.note.checkpoint.size)?;
    let pinned = longest.note.checkpoint.size;
    let what =
        || format!("cut off: {} are missing, and pin {} has them", events(size + 1, pinned), longest.name);
    (pinned > size).then(|| Finding::at(Sort::CutOff, size + 1, what()).by(&longest.name))
}

/// The finding that a log has no checkpoint.
fn empty(heads: &[Head]) -> Finding {
    cut_off(0, heads).unwrap_or_else(|| Finding::new(Sort::Missing, "the log has no checkpoint"))
}

/// A report for people.
fn text(report: &Report) -> String {
    if !report.ok {
        return lines(&report.findings);
    }
    let from = report.first.filter(|first| *first > 1).map(|first| format!(" from {first} on"));
    format!(
        "OK: {} events{} of {}; pins that hold: {}",
        report.events,
        from.unwrap_or_default(),
        report.origin.as_deref().unwrap_or_default(),
        report.pins
    )
}
