//! `--refresh`: learns that what the command was given may have changed, without asking for a value.
//!
//! What must stay true: a notification is a hint only, because any login may send one: what it leads to is that hftok is asked
//! again; whoever cannot be reached is tried again, less and less often.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use postgres::fallible_iterator::FallibleIterator as _;
use serde::Deserialize;

use super::source::SourceOptions;
use crate::connection::{ConnectionOptions, Database};
use crate::failure::Failure;

/// Whoever lets a credential expire sends no notification.
const LOOK: Duration = Duration::from_secs(60);
/// Changes that come together are one.
const TOGETHER: Duration = Duration::from_millis(200);
/// The first pause before the next try, and the longest.
pub const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What each level of each provider would give: everything about the answer but the values.
const WALK: &str = "SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(p.name, e.level, e.outcome, \
    e.secret_id, e.slot) ORDER BY p.name, e.level, e.slot, e.secret_id), '[]')::pg_catalog.text \
    FROM hftok.providers AS p CROSS JOIN LATERAL hftok.explain_token(p.name, p_user_id => $2::pg_catalog.text, p_org_id => $3::pg_catalog.text, \
    p_model => $4::pg_catalog.text, p_levels => $5::pg_catalog.text[]) AS e WHERE p.enabled AND ($1::pg_catalog.text[] IS NULL OR p.name OPERATOR(pg_catalog.=) ANY ($1))";

/// A connection that listens.
pub struct Watch {
    /// The connection.
    database: Database,
    /// What it knows.
    walk: String,
}

/// What a notification says.
#[derive(Deserialize)]
struct Told {
    /// What happened.
    event: String,
    /// To which secret.
    secret_id: String,
}

impl Watch {
    /// Listens from now on.
    pub fn open(connection: &ConnectionOptions, options: &SourceOptions) -> Result<Self, Failure> {
        let mut database = connection.postgres()?;
        database.client().batch_execute("LISTEN hftok")?;
        let walk = walk(&mut database, options)?;
        Ok(Self { database, walk })
    }

    /// Calls `changed` whenever the answer may have changed, and goes on until the connection breaks.
    fn follow(&mut self, options: &SourceOptions, changed: &mut impl FnMut()) -> Result<(), Failure> {
        loop {
            let told = self.gathered()?;
            let now = walk(&mut self.database, options)?;
            let is_ours = |secret: &String| now.contains(secret);
            if now != self.walk || told.iter().any(is_ours) {
                changed();
            }
            self.walk = now;
        }
    }

    /// The secrets that notifications name, from the first one on for a moment; none when nobody sent one for long.
    ///
    /// The moment ends however many there are: a flood must keep nobody from acting.
    fn gathered(&mut self) -> Result<HashSet<String>, Failure> {
        let mut told = HashSet::new();
        let mut end = Instant::now() + LOOK;
        let mut is_first = true;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let mut heard = self.database.client().notifications();
            let Some(heard) = heard.timeout_iter(left).next()? else { return Ok(told) };
            if is_first {
                (end, is_first) = (Instant::now() + TOGETHER, false);
            }
            let named =
                serde_json::from_str::<Told>(heard.payload()).ok().filter(|told| told.event != "expiring");
            // An id and nothing else: a part of one would be found in every walk.
            told.extend(named.map(|told| told.secret_id).filter(|id| hftok_core::is_uuid(id)));
            if left.is_zero() {
                return Ok(told);
            }
        }
    }
}

/// Calls `changed` whenever the answer may have changed, for as long as we run.
pub fn forever(
    mut watch: Watch,
    connection: &ConnectionOptions,
    options: &SourceOptions,
    mut changed: impl FnMut(),
) {
    loop {
        let _ = watch.follow(options, &mut changed);
        let mut pause = PAUSES.0;
        watch = loop {
            std::thread::sleep(pause);
            match Watch::open(connection, options) {
                Ok(watch) => break watch,
                Err(_) => pause = (pause * 2).min(PAUSES.1),
            }
        };
        // What happened meanwhile was told to nobody.
        changed();
    }
}

/// What each level would give.
fn walk(database: &mut Database, options: &SourceOptions) -> Result<String, Failure> {
    let texts = |texts: &'_ [String]| (!texts.is_empty()).then(|| texts.to_vec());
    let (providers, levels) = (texts(&options.providers), texts(&options.levels));
    let row = database
        .client()
        .query_one(WALK, &[&providers, &options.user, &options.org, &options.model, &levels]);
    Ok(row.and_then(|row| row.try_get(0))?)
}
