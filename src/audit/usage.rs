//! Counts of use, and notifications to listeners. The writer makes both in a transaction of its own, so that reading a token
//! writes nothing for its reader, and a client that holds a counter's row stops nobody.

use hftok_core::audit::usage::Usage;
use pgrx::datum::{TimestampWithTimeZone, Uuid};

use super::enqueue::push;
use super::gathered::Gathered;
use super::{tag, use_counts};
use crate::error::{Error, Trouble};
use crate::pg::rows::declared::statement;
use crate::pg::rows::sql::Run;
use crate::pg::server::audit_queue;
use crate::pg::who::session;

/// Secrets whose uses are counted, forgotten or taken over at a time.
const PORTION: usize = 1000;
/// The pause between two searches for credentials that are about to expire, in microseconds.
const LOOK_OUT: i64 = 60 * 60 * 1_000_000;

/// Has usage counted.
pub fn report(usage: Usage<'_>) -> Result<(), Error> {
    if session::is_standby() {
        return Err(Error::Audit(Trouble::Standby));
    }
    push(&[&[tag::USAGE][..], &usage.encode()].concat(), false).map(|_| ())
}

/// Whether it is time to look for credentials that are about to expire: at most once an hour in a database.
pub fn is_time_to_look_out(lane: usize) -> bool {
    let now = session::steady();
    audit_queue::with(|queue| {
        let lane = &mut queue.header.lanes[lane];
        let is_time = now >= lane.look_out_at;
        if is_time {
            lane.look_out_at = now + LOOK_OUT;
        }
        is_time
    })
    .unwrap_or(false)
}

/// Does not wait long for anybody's lock in this transaction.
pub fn wait_briefly() -> Result<(), Error> {
    SET_BRIEF.write(&[], |_| Ok(())).map(|_| ())
}

/// Takes over counts that version 0.1.0 left, a portion of them. Gives whether there may be more.
pub fn take_over() -> Result<bool, Error> {
    SET_LOOSE.write(&[], |_| Ok(()))?;
    use_counts::take_over(PORTION)
}

/// Work after the audit, each step in a transaction of its own, so that one that fails keeps no other back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Uses are counted, a portion of them.
    Uses,
    /// Reports of backends are added up.
    Reports,
    /// Listeners are told.
    Notifications,
}

impl Step {
    /// Does it.
    pub fn run(self, later: &Gathered, look_out: bool) -> Result<(), Error> {
        SET_LOOSE.write(&[], |_| Ok(()))?;
        match self {
            Self::Uses => {
                let deleted = later.forgetting.rchunks(PORTION).next().unwrap_or_default();
                use_counts::change(&later.counting.last(PORTION), deleted)
            }
            Self::Reports => count_reports(&later.usage),
            Self::Notifications => notify(&later.told, look_out),
        }
    }

    /// Whether there is something to do.
    pub fn is_due(self, later: &Gathered, look_out: bool) -> bool {
        match self {
            Self::Uses => later.is_counting(),
            Self::Reports => !later.usage.is_empty(),
            Self::Notifications => !later.told.is_empty() || look_out,
        }
    }

    /// Takes away what it has done.
    pub fn clear(self, later: &mut Gathered) {
        match self {
            Self::Uses => {
                later.counting.forget_last(PORTION);
                later.forgetting.truncate(later.forgetting.len().saturating_sub(PORTION));
            }
            Self::Reports => later.usage.clear(),
            Self::Notifications => later.told.clear(),
        }
    }
}

/// Tells of changes, and now and then of credentials that are about to expire.
fn notify(told: &[String], look_out: bool) -> Result<(), Error> {
    let expiring: Vec<String> = if look_out {
        FIND_EXPIRING.write(&[], |row| row.next::<Option<String>>())?.into_iter().flatten().collect()
    } else {
        Vec::new()
    };
    let told: Vec<String> = told.iter().cloned().chain(expiring).collect();
    if told.is_empty() {
        return Ok(());
    }
    NOTIFY_ALL.write(&[told.into()], |_| Ok(())).map(|_| ())
}

/// Adds the reports of backends.
fn count_reports(reports: &[Vec<u8>]) -> Result<(), Error> {
    let reports: Vec<_> = reports.iter().filter_map(|bytes| Usage::decode(bytes)).collect();
    if reports.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Usage<'_>) -> i64| reports.iter().map(of).collect::<Vec<i64>>();
    let texts = |of: for<'a> fn(&Usage<'a>) -> &'a str| {
        reports.iter().map(|one| of(one).to_owned()).collect::<Vec<String>>()
    };
    let ids: Vec<Uuid> = reports.iter().map(|one| Uuid::from_bytes(one.secret_id)).collect();
    let at: Vec<_> = reports.iter().map(|one| TimestampWithTimeZone::try_from(one.at).ok()).collect();
    let reports = Reports {
        ids: ids.into(),
        at: at.into(),
        requests: column(|one| one.requests).into(),
        units: column(|one| one.units).into(),
        costs: texts(|one| one.cost).into(),
        currencies: texts(|one| one.currency).into(),
        scopes: texts(|one| one.scope).into(),
        owners: texts(|one| one.owner).into(),
        providers: texts(|one| one.provider).into(),
    };
    COUNT_REPORTS.execute(&reports.in_order()).map(|_| ())
}

statement! {
    /// Counting waits for a lock only briefly: an application's lock must not stop the audit.
    SET_BRIEF() = "SELECT pg_catalog.set_config('lock_timeout', '100ms', true)";

    /// Adds that the commit is not waited for: nobody was promised that a counter outlives a crash.
    SET_LOOSE() =
        "SELECT pg_catalog.set_config('lock_timeout', '100ms', true),
        pg_catalog.set_config('synchronous_commit', 'off', true)";

    /// Adds reports of a backend to the day's sums.
    COUNT_REPORTS: Reports {
        ids: UUIDARRAY, at: TIMESTAMPTZARRAY, requests: INT8ARRAY, units: INT8ARRAY, costs: TEXTARRAY,
        currencies: TEXTARRAY, scopes: TEXTARRAY, owners: TEXTARRAY, providers: TEXTARRAY,
    } =
        "INSERT INTO hftok_private.usage_daily AS u
        (day, secret_id, currency, provider, scope, scope_id, requests, units, cost)
        SELECT (n.at AT TIME ZONE 'UTC')::date, n.id, n.currency, min(n.provider), min(n.scope), min(n.owner),
            least(sum(n.requests), 9223372036854775807)::bigint, least(sum(n.units), 9223372036854775807)::bigint,
            sum(n.cost::numeric)
        FROM unnest($ids, $at, $requests, $units, $costs, $currencies, $scopes, $owners, $providers)
            AS n (id, at, requests, units, cost, currency, scope, owner, provider)
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (day, secret_id, currency) DO UPDATE SET
            requests = least(u.requests::numeric + excluded.requests, 9223372036854775807)::bigint,
            units = least(u.units::numeric + excluded.units, 9223372036854775807)::bigint, cost = u.cost + excluded.cost";

    /// Listeners get one NOTIFY for each change.
    NOTIFY_ALL(TEXTARRAY) = "SELECT pg_catalog.pg_notify('hftok', n.payload) FROM unnest($1) AS n (payload)";

    /// Credentials that expire soon are told of once, and marked in the same step.
    FIND_EXPIRING() =
        "INSERT INTO hftok_private.secret_usage AS u (secret_id, expiry_told)
        SELECT s.id, s.expires_at FROM hftok_private.secrets s
        WHERE s.scope IN ('user', 'org', 'global')
        AND s.expires_at BETWEEN pg_catalog.now() AND pg_catalog.now() + interval '30 days'
        AND NOT EXISTS (SELECT FROM hftok_private.secret_usage t WHERE t.secret_id = s.id AND t.expiry_told = s.expires_at)
        ON CONFLICT (secret_id) DO UPDATE SET expiry_told = excluded.expiry_told
        RETURNING (SELECT pg_catalog.json_build_object('event', 'expiring', 'secret_id', s.id, 'version', s.version)::text
            FROM hftok_private.secrets s WHERE s.id = u.secret_id)";
}
