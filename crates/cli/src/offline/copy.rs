//! `hftok copy`: what one database has into another, or what an export has.
//!
//! What must stay true: values go from one server's answer into the other's question, and nowhere else.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::age_file::Identities;
use super::databases::{Clear, Given};
use super::export_lines::{self, Line};
use super::holdings::{self, Kind, Revealer};
use super::target::{Copied, Target};
use crate::connection::ConnectionOptions;
use crate::failure::Failure;
use crate::progress::{Bar, Interrupt};
use crate::screen::Screen;

/// Copy what one database has, or an export, into another database
#[derive(Debug, Args)]
#[command(after_help = "\
Copied are named secrets, credentials of users, organisations and the installation, and integrations of users, as they are
now; with --people members and administrators too. Not copied are previous versions, usage, the audit, registered providers, and what has no name. What the other database has already stays
as it is: repeat the command, or go on after ^C, as often as you like. Each value is an event in both audits. Needs the service's rights, and for
administrators an operator's, in both. Passwords are in ~/.pgpass or a service file, never here.

Examples:
  hftok copy --from service=old --to service=new --dry-run
  hftok copy --from service=old --to service=new --people --yes
  hftok copy --from-export backup.age --identity key.txt --to service=new")]
pub struct Copy {
    /// The database to copy from [default: the one of --database, or as psql]
    #[arg(long, value_name = "URL", conflicts_with = "from_export")]
    from: Option<String>,
    /// An export of hftok to copy from; - is standard input
    #[arg(long, value_name = "FILE")]
    from_export: Option<PathBuf>,
    /// Who opens the export.
    #[command(flatten)]
    identities: Identities,
    /// The database to copy into
    #[arg(long, value_name = "URL")]
    to: String,
    /// Only these
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    only: Vec<Kind>,
    /// Members and administrators too: who runs the database that they come from decides who they are
    #[arg(long, conflicts_with = "from_export")]
    people: bool,
    /// Say what would be copied, and copy nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    yes: bool,
}

impl Copy {
    /// Carries it out.
    pub fn run(self, connection: ConnectionOptions, screen: &Screen) -> Result<ExitCode, Failure> {
        let kinds = if self.only.is_empty() { Kind::ALL.to_vec() } else { self.only.clone() };
        let target = Target::new(at(&self.to).postgres()?, &kinds)?;
        let copied = match &self.from_export {
            Some(file) => {
                let given = Given { file: file.clone(), identities: self.identities.clone() };
                self.of_export(given, target, &kinds, screen)?
            }
            None => {
                let source = self.from.as_deref().map_or(connection, at);
                self.of_database(&source, target, &kinds, screen)?
            }
        };
        let Some(copied) = copied else { return Ok(ExitCode::SUCCESS) };
        for left in &copied.left_out {
            screen.note(&format!("left out: {}: {}", left.what, left.reason));
        }
        screen.answer(&copied, || told(&copied))?;
        Ok(ExitCode::from(u8::from(!copied.left_out.is_empty())))
    }

    /// Copies from a database; none where only a look was wanted.
    fn of_database(
        &self,
        source: &ConnectionOptions,
        mut target: Target,
        kinds: &[Kind],
        screen: &Screen,
    ) -> Result<Option<Copied>, Failure> {
        let mut source = source.postgres()?;
        let all = holdings::list(&mut source, kinds)?;
        let new = all.iter().filter(|one| !target.has(one)).count();
        let people = if self.people { target.new_people(&mut source)? } else { Vec::new() };
        let administrators = people.iter().filter(|person| person.is_administrator()).count();
        screen.note(&format!(
            "not there yet: {new} of {} values, {} members, {administrators} administrators",
            all.len(),
            people.len() - administrators
        ));
        if self.dry_run
            || (!self.yes && !screen.confirmed("Copy them?", "--yes copies without a question")?)
        {
            return Ok(None);
        }
        let interrupt = Interrupt::watch()?;
        let bar = Bar::new("copy", Some(all.len() as u64));
        let revealer = Revealer::new(source.client())?;
        for (done, one) in (1..).zip(&all) {
            admit(&interrupt)?;
            target.take(one, || revealer.reveal(source.client(), one))?;
            bar.done(done);
        }
        drop(bar);
        people.iter().try_for_each(|person| target.add(person))?;
        Ok(Some(target.copied))
    }

    /// Copies from an export; none where only a look was wanted.
    fn of_export(
        &self,
        given: Given,
        mut target: Target,
        kinds: &[Kind],
        screen: &Screen,
    ) -> Result<Option<Copied>, Failure> {
        let Clear::Export(stream, name) = given.open(screen)? else {
            return Err(super::unfit(
                given.name(),
                "it is a dump",
                "Restore it with psql or pg_restore: values lie in it sealed.",
            ));
        };
        if self.dry_run {
            let mut new = 0_u64;
            let tail = export_lines::read(stream, &name, &mut |line| {
                if let Line::One(one, _) = line {
                    new += u64::from(kinds.contains(&one.kind) && !target.has(&one));
                }
                Ok(())
            })?;
            screen.note(&format!("{new} are not there yet, of {}", export_lines::counted(&tail)));
            return Ok(None);
        }
        if !self.yes && !screen.confirmed("Copy what it holds?", "--yes copies without a question")? {
            return Ok(None);
        }
        let interrupt = Interrupt::watch()?;
        let bar = Bar::new("copy", None);
        let mut done = 0;
        export_lines::read(stream, &name, &mut |line| {
            admit(&interrupt)?;
            if let Line::One(one, line) = line
                && kinds.contains(&one.kind)
            {
                target.take(&one, || Ok(Some(Ok(export_lines::value(line)?))))?;
                done += 1;
                bar.done(done);
            }
            Ok(())
        })?;
        Ok(Some(target.copied))
    }
}

/// The options that name this database.
fn at(url: &str) -> ConnectionOptions {
    ConnectionOptions { database: Some(url.to_owned()), api: None, jwt_file: None }
}

/// Stops where somebody wants that.
fn admit(interrupt: &Interrupt) -> Result<(), Failure> {
    if interrupt.is_wanted() {
        return Err(Failure::Stopped("what was copied is there; the same command goes on".to_owned()));
    }
    Ok(())
}

/// What became of things, for people.
fn told(copied: &Copied) -> String {
    format!(
        "copied {} named secrets, {} credentials, {} integrations, {} members, {} administrators; {} were there, {} left out",
        copied.secrets,
        copied.credentials,
        copied.integrations,
        copied.members,
        copied.administrators,
        copied.there_already,
        copied.left_out.len()
    )
}
