//! A connection that hears of changes, and looks whether they concern a worker.
//!
//! What must stay true: what is heard is a hint, because any login may NOTIFY, and some changes are told to nobody (members,
//! ends): so it looks by itself too, and never more often than looking costs little.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use postgres::fallible_iterator::FallibleIterator as _;
use serde::Deserialize;

use crate::connection::{Argument, ConnectionOptions, Database, database_failure};
use crate::failure::Failure;

/// Changes that come together are looked at together.
const GATHERING: Duration = Duration::from_millis(100);
/// After looking there is a pause of this many times the time that it took.
const REST: u32 = 1;
/// After this time it looks although nothing was heard.
const UNASKED: Duration = Duration::from_secs(30);
/// Tokens that are looked at in one call.
const AT_ONCE: usize = 5000;

/// A connection that hears of changes.
pub struct Listening {
    /// The connection.
    database: Database,
    /// When it looked last, and how long that took.
    looked: Option<(Instant, Duration)>,
    /// Something was heard since.
    heard: bool,
}

/// A row of `runner_states()`.
#[derive(Deserialize)]
struct State {
    /// The token.
    id: String,
    /// Another one once a worker with it would be given something else.
    state: String,
}

impl Listening {
    /// Connects, and listens from now on.
    pub fn open(connection: &ConnectionOptions) -> Result<Self, Failure> {
        let mut database = open_for_questions(connection)?;
        database.client().batch_execute("LISTEN hftok").map_err(database_failure)?;
        Ok(Self { database, looked: None, heard: false })
    }

    /// The connection, for other questions.
    pub fn database(&mut self) -> &mut Database {
        &mut self.database
    }

    /// Waits for at most this long; says whether it is time to look.
    pub fn wait(&mut self, most: Duration) -> Result<bool, Failure> {
        // What was heard already waits for no more than the rest of the pause.
        let rest =
            self.looked.map_or(Duration::ZERO, |(at, cost)| (cost * REST).saturating_sub(at.elapsed()));
        let most = if self.heard { most.min(rest) } else { most };
        if self.hears(most)? {
            self.heard = true;
        }
        if self.heard {
            // What comes meanwhile is answered by the same look; a flood of it does not put the look off.
            let end = Instant::now() + GATHERING;
            while let Some(left) = end.checked_duration_since(Instant::now()) {
                if !self.hears(left)? {
                    break;
                }
            }
        }
        Ok(self.is_time())
    }

    /// Whether something is heard within this time.
    fn hears(&mut self, most: Duration) -> Result<bool, Failure> {
        let mut heard = self.database.client().notifications();
        Ok(heard.timeout_iter(most).next().map_err(database_failure)?.is_some())
    }

    /// Whether it is time to look.
    fn is_time(&self) -> bool {
        let Some((at, cost)) = self.looked else { return true };
        let since = at.elapsed();
        (self.heard && since >= cost * REST) || since >= UNASKED.max(cost * REST)
    }

    /// Nobody waits for what was heard: whoever comes later asks then.
    pub fn forget(&mut self) {
        self.heard = false;
    }

    /// The states of these tokens; one that may not be used any more has none.
    pub fn look(&mut self, ids: &[String]) -> Result<HashMap<String, String>, Failure> {
        self.heard = false;
        let begun = Instant::now();
        let mut states = HashMap::new();
        for ids in ids.chunks(AT_ONCE) {
            states.extend(states_of(&mut self.database, ids)?);
        }
        self.looked = Some((Instant::now(), begun.elapsed()));
        Ok(states)
    }

    /// Those of these tokens that were revoked or are over. Cheap: it looks at no credential.
    pub fn ended(&mut self, ids: &[String]) -> Result<Vec<String>, Failure> {
        let text = "SELECT pg_catalog.array_agg(t.id::pg_catalog.text) FROM hftok.runner_tokens AS t \
            WHERE t.id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[]::pg_catalog.uuid[]) AND t.revoked_at IS NULL \
            AND (t.expires_at IS NULL OR t.expires_at OPERATOR(pg_catalog.>) pg_catalog.now())";
        let row = self
            .database
            .client()
            .query_typed_one(text, &[(&ids, postgres::types::Type::TEXT_ARRAY)])
            .map_err(database_failure)?;
        let usable: Option<Vec<String>> =
            row.try_get(0).map_err(|_| Failure::Answer { function: "runner_tokens" })?;
        let usable: HashSet<String> = usable.unwrap_or_default().into_iter().collect();
        Ok(ids.iter().filter(|id| !usable.contains(*id)).cloned().collect())
    }
}

/// A connection whose questions take no longer than a worker waits.
pub fn open_for_questions(connection: &ConnectionOptions) -> Result<Database, Failure> {
    let mut database = connection.postgres()?;
    database.client().batch_execute("SET statement_timeout = '10s'").map_err(database_failure)?;
    Ok(database)
}

/// The states of tokens, by their ids.
pub fn states_of(database: &mut Database, ids: &[String]) -> Result<HashMap<String, String>, Failure> {
    let text = database.call("runner_states", &[Argument::texts("p_ids", Some(ids))])?;
    let states: Vec<State> =
        serde_json::from_str(&text).map_err(|_| Failure::Answer { function: "runner_states" })?;
    Ok(states.into_iter().map(|state| (state.id, state.state)).collect())
}
