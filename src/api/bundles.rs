//! Bundles of the audit, for SQL that reads them.

use hftok_core::audit::bundle::{self, Events, FullTile};
use hftok_core::audit::event::Event;
use hftok_core::audit::filter::{self, FilterKey, Key};
use hftok_core::audit::leaf::Hash;
use hftok_core::audit::record::Scratch;
use hftok_core::audit::wanted::{Sieve, Wanted};
use hftok_core::hex;
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use super::audit::audit_reader;
use super::input::required;
use crate::error::Error;
use crate::pg::call::entry::{Bounded, export};
use crate::pg::rows::declared::statement;
use crate::pg::rows::row_set::{Cells, Filling, HandOn, RowSet};
use crate::pg::server::memory;
use crate::pg::who::as_owner::AsOwner;

// Those of the first line work on their arguments alone, also in a parallel worker, which knows nothing of the client.
export!(anywhere: unpacked, may_hold, tile_of_bundle);
export!(find_audit_events, audit_activity);

/// Events of the audit by what is asked most often.
fn find_audit_events(
    p_from: Option<TimestampWithTimeZone>,
    p_to: Option<TimestampWithTimeZone>,
    p_user: Option<&str>,
    p_object_id: Option<Uuid>,
    p_role: Option<&str>,
    p_kind: Option<&str>,
    p_newest: Option<i32>,
) -> Result<RowSet, Error> {
    let caller = audit_reader()?;
    if p_newest.is_some_and(|newest| newest < 0) {
        return Err(Error::BadInput("p_newest must not be negative"));
    }
    let _owner = AsOwner::switch(&caller)?;
    let [from, to] = [p_from, p_to].map(Into::into);
    let (user, object_id, role, kind) = (p_user.into(), p_object_id.into(), p_role.into(), p_kind.into());
    match p_newest.map(Into::into) {
        None => FIND_EVENTS.hand_on_all(&Asked { from, to, user, object_id, role, kind }.in_order()),
        Some(newest) => {
            let asked = AskedForNewest { from, to, user, object_id, role, kind, newest };
            FIND_NEWEST.hand_on_all(&asked.in_order())
        }
    }
}

/// The number of such events by their kind and time.
fn audit_activity(
    p_from: Option<TimestampWithTimeZone>,
    p_to: Option<TimestampWithTimeZone>,
    p_seconds: Option<i32>,
    p_user: Option<&str>,
    p_object_id: Option<Uuid>,
    p_role: Option<&str>,
    p_kind: Option<&str>,
) -> Result<RowSet, Error> {
    let caller = audit_reader()?;
    let from = required(p_from, "p_from must not be null")?.into();
    let seconds = required(p_seconds, "p_seconds must not be null")?;
    if seconds < 1 {
        return Err(Error::BadInput("p_seconds must be 1 or more"));
    }
    let _owner = AsOwner::switch(&caller)?;
    let (to, seconds, user, object_id) = (p_to.into(), seconds.into(), p_user.into(), p_object_id.into());
    let (role, kind) = (p_role.into(), p_kind.into());
    COUNT_EVENTS.hand_on_all(&Counted { from, to, seconds, user, object_id, role, kind }.in_order())
}

/// Whether a bundle may hold what is looked for.
fn may_hold(
    p_filter_key: Option<Bounded<'_, { size_of::<FilterKey>() }>>,
    p_filter: Option<Bounded<'_, { filter::LENGTH_MAX }>>,
    p_sort: Option<&str>,
    p_value: Option<&str>,
) -> Result<Option<bool>, Error> {
    let (Some(sort), Some(value)) = (p_sort, p_value) else { return Ok(None) };
    // A filter that is none says nothing, so the bundle is read.
    let (Some(Bounded(key)), Some(Bounded(filter))) = (p_filter_key, p_filter) else { return Ok(Some(true)) };
    let Ok(filter_key) = <&FilterKey>::try_from(key) else { return Ok(Some(true)) };
    let id = hftok_core::uuid(value);
    let key = match (sort, &id) {
        ("who", _) => Key::Who(value),
        ("role", _) => Key::Role(value),
        ("kind", _) => Key::Kind(value),
        ("object", Some(id)) => Key::Object(id),
        _ => return Err(Error::Internal("a filter was asked for what it does not know")),
    };
    Ok(Some(filter::may_hold(filter, key.hash(filter_key))))
}

/// The tile that the events of a bundle are, if they fill one.
fn tile_of_bundle(p_body: Option<Bounded<'_, { bundle::BODY_MAX }>>) -> Result<Option<Vec<u8>>, Error> {
    Ok(p_body.and_then(|Bounded(body)| FullTile::of(body)).map(|tile| tile.encode().to_vec()))
}

/// The events of a bundle that are wanted.
fn unpacked(
    p_last_id: Option<i64>,
    p_count: Option<i32>,
    p_body: Option<Bounded<'_, { bundle::BODY_MAX }>>,
    p_kind: Option<&str>,
    p_who: Option<&str>,
    p_object_id: Option<Uuid>,
    p_role: Option<&str>,
) -> Result<RowSet, Error> {
    let rows = Filling::begin()?;
    let (Some(last), Some(count), Some(Bounded(body))) = (p_last_id, p_count, p_body) else {
        return Ok(rows.done());
    };
    let wanted =
        Wanted { kind: p_kind, who: p_who, object: p_object_id.map(|id| *id.as_bytes()), role: p_role };
    // What is damaged cannot be shown; verify_audit() names it.
    let Some(mut events) = Events::of(body) else { return Ok(rows.done()) };
    let sieve = Sieve::new(&wanted, &events);
    if sieve.is_empty() {
        return Ok(rows.done());
    }
    let mut number = last.saturating_sub(count.into());
    while let Some(entry) = events.next() {
        number = number.saturating_add(1);
        if !sieve.lets_through(&entry) {
            continue;
        }
        let mut scratch = Scratch::default();
        let Some(event) = Event::of(entry.record, &mut scratch) else { continue };
        rows.put(cells(number, &event, &events.leaf(&entry)));
        memory::admit()?;
    }
    Ok(rows.done())
}

/// The row of an event, with the columns of `hftok_private.audit_event`.
fn cells(number: i64, event: &Event<'_>, leaf: &Hash) -> Cells<23> {
    let Event { object, who, .. } = event;
    Cells::of([
        number.into(),
        TimestampWithTimeZone::try_from(event.at).ok().into(),
        who.role.into(),
        who.outer.into(),
        who.login.into(),
        who.user.into(),
        event.kind.as_str().into(),
        event.action.into(),
        object.id.map(Uuid::from_bytes).into(),
        object.version.into(),
        object.scope.into(),
        object.owner.into(),
        object.provider.into(),
        object.level.into(),
        object.subject.into(),
        event.outcome.into(),
        event.count.into(),
        event.is_protected.into(),
        who.address.into(),
        who.application.into(),
        who.request.into(),
        object.digest.map(hex).into(),
        hex(leaf).into(),
    ])
}

statement! {
    /// Events that fit every condition that is given.
    shared_out_if_large FIND_EVENTS: Asked {
        from: TIMESTAMPTZ, to: TIMESTAMPTZ, user: TEXT, object_id: UUID, role: TEXT, kind: TEXT,
    } = "SELECT r.* FROM hftok_private.events_found($from, $to, $user, $object_id, $role, $kind) r";
    /// The newest of them.
    planned_anew FIND_NEWEST: AskedForNewest {
        from: TIMESTAMPTZ, to: TIMESTAMPTZ, user: TEXT, object_id: UUID, role: TEXT, kind: TEXT, newest: INT4,
    } = "SELECT r.* FROM hftok_private.newest_events_found($from, $to, $user, $object_id, $role, $kind, $newest) r";
    /// Events that fit, counted: added up in SQL, so that few rows are handed on.
    shared_out_if_large COUNT_EVENTS: Counted {
        from: TIMESTAMPTZ, to: TIMESTAMPTZ, seconds: INT4, user: TEXT, object_id: UUID, role: TEXT, kind: TEXT,
    } = "SELECT r.* FROM hftok_private.events_counted($from, $to, $seconds, $user, $object_id, $role, $kind) r";
}
