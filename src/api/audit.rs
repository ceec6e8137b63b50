//! The audit, for those who read it, and for functions in SQL that have something to record.

use hftok_core::audit::checkpoint::Note;
use hftok_core::audit::event::{Event, Kind, Object};
use hftok_core::audit::mac::Mac;
use hftok_core::audit::record::Scratch;
use hftok_core::audit::usage::Usage;
use pgrx::datum::{TimestampWithTimeZone, Uuid};
use serde_json::json;

use super::identity::is_administrator;
use super::input::required;
use crate::audit::pending::Pending;
use crate::audit::{self, changes, export, proofs, purge, usage, verifier};
use crate::error::Error;
use crate::pg::call::composite::Composite;
use crate::pg::call::entry::{Bounded, export};
use crate::pg::rows::row_set::{Filling, RowSet};
use crate::pg::server::audit_queue;
use crate::pg::server::memory::{self, copy_of_bytes};
use crate::pg::who::as_owner::AsOwner;
use crate::pg::who::caller::Caller;
use crate::pg::who::session::database;
use crate::pg::who::{request, session};
use crate::settings;

export!(
    verify_audit,
    audit_head,
    audit_public_key,
    audit_proof,
    audit_consistency,
    audit_tiles,
    purge_audit,
    report_usage,
    record_change,
    record_refusal,
    record_verify,
    pending_event,
    audit_state
);

/// Verifies the log from one event to another, and against a head that was kept elsewhere.
fn verify_audit(p_from: Option<i64>, p_to: Option<i64>, p_head: Option<&str>) -> Result<Composite, Error> {
    let caller = audit_reader()?;
    let head = p_head.map(parse_head).transpose()?;
    let _owner = AsOwner::switch(&caller)?;
    audit::settle();
    let verdict = verifier::verify(p_from, p_to, head.as_ref())?;
    let is_ok = match (&verdict.first_bad, verdict.checked) {
        (Some(_), _) => Some(false),
        // Where nothing was looked at nothing is right either.
        (None, 0) => None,
        (None, _) => Some(true),
    };
    let outcome = if is_ok == Some(false) { "bad" } else { "ok" };
    audit::record(Kind::Audit, outcome, Object::default())?;
    let (number, reason) = verdict.first_bad.unzip();
    let reason = reason.or(verdict.continued);
    Composite::new("hftok.verified_audit")?
        .set("checked", verdict.checked)?
        .set("unprotected", verdict.unprotected)?
        .set("ok", is_ok)?
        .set("first_bad", number)?
        .set("reason", reason)
}

/// A checkpoint that somebody kept. A shell takes the end of the last line away.
fn parse_head(text: &str) -> Result<Note, Error> {
    Note::parse(&format!("{}\n", text.trim())).ok_or(Error::BadInput("p_head is not what audit_head() gave"))
}

/// The newest checkpoint: a signed text.
fn audit_head() -> Result<Option<String>, Error> {
    let caller = audit_reader()?;
    let _owner = AsOwner::switch(&caller)?;
    audit::settle();
    proofs::head()
}

/// The key that checkpoints are checked with, and the name of the log.
fn audit_public_key() -> Result<Option<String>, Error> {
    let caller = audit_reader()?;
    let _owner = AsOwner::switch(&caller)?;
    audit::settle();
    proofs::public_key()
}

/// One event, and the proof that it is in the log.
fn audit_proof(p_id: Option<i64>) -> Result<String, Error> {
    let caller = audit_reader()?;
    let number = required(p_id, "p_id must not be null")?;
    let _owner = AsOwner::switch(&caller)?;
    audit::settle();
    proofs::inclusion(number)
}

/// The proof that the log has only grown since a checkpoint.
fn audit_consistency(p_head: Option<&str>) -> Result<String, Error> {
    let caller = audit_reader()?;
    let old = parse_head(required(p_head, "p_head must not be null")?)?;
    let _owner = AsOwner::switch(&caller)?;
    audit::settle();
    proofs::consistency(&old)
}

/// The log as files, from those that cover an event on.
fn audit_tiles(p_from: Option<i64>) -> Result<RowSet, Error> {
    let caller = audit_reader()?;
    let _owner = AsOwner::switch(&caller)?;
    audit::settle();
    let rows = Filling::begin()?;
    export::files(p_from.unwrap_or_default(), |path, content| {
        rows.put_fresh(|| [path.into(), content.into()]);
        memory::admit()
    })?;
    Ok(rows.done())
}

/// The caller, if they may read the whole audit. Users may call because some of them are administrators.
pub fn audit_reader() -> Result<Caller, Error> {
    let caller = Caller::current();
    let is_reader = ["hftok_admin", "hftok_auditor"].iter().any(|group| caller.is_in(group));
    if is_reader || !caller.is_in("hftok_user") || is_administrator(&caller)? {
        return Ok(caller);
    }
    Err(Error::NotAllowed(
        "the whole audit is for hftok_admin, hftok_auditor and the application's administrators",
    ))
}

/// Removes the oldest events.
fn purge_audit(p_before: Option<TimestampWithTimeZone>) -> Result<i64, Error> {
    let before = required(p_before, "p_before must not be null")?;
    let caller = Caller::current();
    let _owner = AsOwner::switch(&caller)?;
    audit::settle();
    purge::purge(before)
}

/// Has usage counted.
#[expect(clippy::too_many_arguments, reason = "as many as sql/ declares")]
fn report_usage(
    p_secret_id: Option<Uuid>,
    p_scope: Option<&str>,
    p_owner: Option<&str>,
    p_provider: Option<&str>,
    p_requests: Option<i64>,
    p_units: Option<i64>,
    p_cost: Option<&str>,
    p_currency: Option<&str>,
) -> Result<(), Error> {
    // A link that somebody follows counts nothing: no transaction that is read-only would stop it.
    request::refuse_get()?;
    let Some(id) = p_secret_id else { return Ok(()) };
    usage::report(Usage {
        at: session::now(),
        secret_id: *id.as_bytes(),
        scope: p_scope.unwrap_or_default(),
        owner: p_owner.unwrap_or_default(),
        provider: p_provider.unwrap_or_default(),
        requests: p_requests.unwrap_or(1),
        units: p_units.unwrap_or(0),
        cost: p_cost.unwrap_or("0"),
        currency: p_currency.unwrap_or("USD"),
    })
}

/// Records a change that was made in SQL.
#[expect(clippy::too_many_arguments, reason = "as many as sql/ declares")]
fn record_change(
    p_action: Option<&str>,
    p_object: Option<Uuid>,
    p_version: Option<i32>,
    p_digest: Option<&[u8]>,
    p_scope: Option<&str>,
    p_owner: Option<&str>,
    p_provider: Option<&str>,
    p_level: Option<&str>,
    p_subject: Option<&str>,
) -> Result<(), Error> {
    let object = Object {
        id: p_object.map(|id| *id.as_bytes()),
        version: p_version,
        digest: p_digest,
        level: p_level,
        subject: p_subject,
        ..Object::owned(
            p_scope.unwrap_or_default(),
            p_owner.unwrap_or_default(),
            p_provider.unwrap_or_default(),
        )
    };
    changes::record_as(Kind::Change, required(p_action, "an action must not be null")?, 1, object)
}

/// Records that a function in SQL refuses.
fn record_refusal(
    p_action: Option<&str>,
    p_outcome: Option<&str>,
    p_object: Option<Uuid>,
) -> Result<(), Error> {
    let object = Object { id: p_object.map(|id| *id.as_bytes()), ..Object::default() };
    audit::refused_in_sql(
        required(p_action, "an action must not be null")?,
        required(p_outcome, "an outcome must not be null")?,
        object,
    );
    Ok(())
}

/// Records that the whole of what is stored is being verified.
fn record_verify() -> Result<bool, Error> {
    // Earlier events are written first, so that the verification meets them in the log and not in the queue.
    audit::settle();
    audit::record(Kind::Audit, "done", Object::default()).map(|()| true)
}

/// An event that is not written yet, as JSON; NULL unless it is protected for the transaction that put it there.
fn pending_event(
    p_event: Option<Bounded<'_, { Event::MAX }>>,
    p_protection: Option<Bounded<'_, { size_of::<Mac>() }>>,
    p_transaction: Option<i64>,
) -> Result<Option<String>, Error> {
    let (Some(Bounded(event)), Some(transaction)) = (p_event, p_transaction) else { return Ok(None) };
    let pending = Pending::new(copy_of_bytes(event)?, p_protection.map(|Bounded(bytes)| bytes), transaction);
    if !pending.is_protected()? {
        return Ok(None);
    }
    let mut scratch = Scratch::default();
    Ok(Event::decode(&pending.event, &mut scratch).map(|event| audit::line(database(), &event)))
}

/// The state of this database's audit, as JSON. Times are microseconds since 2000.
fn audit_state() -> Result<String, Error> {
    let state = audit_queue::with(|queue| {
        let found = queue.header.lane(database());
        found.map(|at| {
            let lane = queue.header.lanes[at];
            let writer = match lane.writer {
                // The launcher counts the start of a writer as one until its first round is written.
                _ if lane.failures > 1 => "failing",
                0 if lane.has_work() => "starting",
                0 => "idle",
                _ if lane.is_blocked => "blocked",
                _ => "running",
            };
            let is_held_up = lane.is_blocked || lane.failures > 0;
            let age = queue.oldest(at).map(|oldest| session::steady() - oldest);
            (writer, lane.waiting(), age, is_held_up, lane.writer)
        })
    });
    let (writer, waiting, age, is_held_up, process) = match state {
        None => ("none", 0, None, false, 0),
        Some(None) => ("idle", 0, None, false, 0),
        Some(Some(state)) => state,
    };
    Ok(json!({
        "mode": if settings::audit_is_sync() { "sync" } else { "async" },
        "writer": if session::is_standby() { "log" } else { writer },
        "waiting": waiting,
        "oldest_age": age,
        "held_up": is_held_up,
        "process": process,
    })
    .to_string())
}
