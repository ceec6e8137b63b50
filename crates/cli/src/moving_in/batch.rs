//! Rows for `save_credentials()`: as many in one call as fit, and those that it refuses by themselves.
//!
//! What must stay true: what hftok has already is not replaced unless that is asked for; a trial leaves nothing behind.

use std::collections::HashSet;

use postgres::{Client, Transaction};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::report::Report;
use super::saving::turned_down;
use crate::connection::Given;
use crate::failure::{Failure, Refusal};

/// Bytes of one call.
const LARGEST: usize = 4 * 1024 * 1024;
/// Why a row is left out.
const HELD: &str = "hftok has one already: --replace replaces it";

/// Rows of one call.
#[derive(Default)]
pub struct Batch {
    /// In the order of the file.
    rows: Vec<Row>,
    /// How long they are together.
    bytes: usize,
}

/// A row of the file.
struct Row {
    /// Its number there.
    number: u64,
    /// As `save_credentials()` takes it.
    json: Zeroizing<String>,
    /// The use that it is for, if hftok may have one for it that stays.
    address: Option<Address>,
}

/// What a row says of whom it is for.
#[derive(Deserialize)]
struct Said {
    /// The provider.
    provider: Option<String>,
    /// The user.
    user_id: Option<String>,
    /// The organisation.
    org_id: Option<String>,
    /// Or the installation.
    global: Option<bool>,
    /// The model.
    model: Option<String>,
    /// The slot.
    slot: Option<String>,
    /// The version that it replaces.
    expected_version: Option<i64>,
}

/// A use of a credential, as view `credentials` has it.
#[derive(Serialize)]
struct Address {
    /// The provider.
    provider: String,
    /// The kind of owner.
    scope: &'static str,
    /// The owner.
    scope_id: String,
    /// The model, or nothing.
    model: String,
    /// The slot, or nothing.
    slot: String,
}

impl Said {
    /// The use that it is for; none where it names none, which `save_credentials()` then says.
    fn address(self) -> Option<Address> {
        let (scope, scope_id) = match (self.user_id, self.org_id, self.global.unwrap_or(false)) {
            (Some(user), None, false) => ("user", user),
            (None, Some(org), false) => ("org", org),
            (None, None, true) => ("global", String::new()),
            _ => return None,
        };
        let model = self.model.unwrap_or_default();
        Some(Address {
            provider: self.provider?,
            scope,
            scope_id,
            model,
            slot: self.slot.unwrap_or_default(),
        })
    }
}

impl Batch {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether it has `most` rows, or as many bytes as one call should have.
    pub fn is_full(&self, most: usize) -> bool {
        self.rows.len() >= most || self.bytes >= LARGEST
    }

    /// Adds a row. One that is no JSON is a fault of the file; one with members of other types is turned down.
    pub fn add(
        &mut self,
        name: &str,
        number: u64,
        text: &str,
        replaces: bool,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let said: Said = match serde_json::from_str(text) {
            Ok(said) => said,
            // Its words may quote the row.
            Err(error) if error.is_data() => {
                report.add(&number.to_string(), "rejected", Some("a member is of the wrong type".to_owned()));
                return Ok(());
            }
            Err(_) => return Err(Failure::Usage(format!("{name}: row {number} is no JSON"))),
        };
        let stays = !replaces && said.expected_version.is_none();
        let json = Zeroizing::new(if stays {
            // Version 0: there must be none. The last member of a name is the one that counts.
            let end = text.len().saturating_sub(1);
            let comma = if text[1..end].trim().is_empty() { "" } else { "," };
            format!("{}{comma}\"expected_version\":0}}", &text[..end])
        } else {
            text.to_owned()
        });
        self.bytes += json.len();
        self.rows.push(Row { number, json, address: if stays { said.address() } else { None } });
        Ok(())
    }

    /// Saves them in one transaction, which a trial takes back, and empties the batch.
    pub fn save(&mut self, client: &mut Client, report: &mut Report) -> Result<(), Failure> {
        self.bytes = 0;
        let mut rows = std::mem::take(&mut self.rows);
        let mut transaction = client.transaction()?;
        let held = held(&rows, &mut transaction)?;
        rows.retain(|row| {
            let is_held = held.contains(&row.number);
            if is_held {
                report.add(&row.number.to_string(), "skipped", Some(HELD.to_owned()));
            }
            !is_held
        });
        save(&rows, &mut transaction, report)?;
        if report.is_dry_run() {
            transaction.rollback()?
        } else {
            transaction.commit()?
        }
        Ok(())
    }
}

/// Saves rows. One that is refused refuses all: those before it are then saved by themselves, and those behind it too.
fn save(rows: &[Row], transaction: &mut Transaction<'_>, report: &mut Report) -> Result<(), Failure> {
    let mut rest = rows;
    while !rest.is_empty() {
        match call(rest, transaction)? {
            Ok(doubts) => {
                for (row, doubts) in rest.iter().zip(doubts) {
                    report.add(&row.number.to_string(), "imported", doubts);
                }
                return Ok(());
            }
            Err((at, refusal)) => {
                let (before, from) = rest.split_at(at.min(rest.len()));
                let Some((row, behind)) = from.split_first() else {
                    return Err(Failure::Refused(refusal));
                };
                save(before, transaction, report)?;
                let (outcome, reason) = turned_down(refusal)?;
                // The server counts within the call.
                let reason = reason.map(|text| match text.split_once(" has ") {
                    Some((before, what)) if before.starts_with("row ") => what.to_owned(),
                    _ => text,
                });
                report.add(&row.number.to_string(), outcome, reason);
                rest = behind;
            }
        }
    }
    Ok(())
}

/// What saving says of each row: its doubts. Or which row is refused, counted from 0, and how.
type Called = Result<Vec<Option<String>>, (usize, Box<Refusal>)>;

/// One call, which leaves nothing behind where it fails.
fn call(rows: &[Row], transaction: &mut Transaction<'_>) -> Result<Called, Failure> {
    let bytes: usize = rows.iter().map(|row| row.json.len() + 1).sum();
    let mut list = Zeroizing::new(String::with_capacity(bytes + 1));
    for row in rows {
        let before = if list.is_empty() { '[' } else { ',' };
        list.push(before);
        list.push_str(&row.json);
    }
    list.push(']');
    let mut part = transaction.transaction()?;
    let answered = part.query(
        "SELECT pg_catalog.array_to_string(s.warnings, ', ') FROM hftok.save_credentials($1) AS s ORDER BY s.n",
        &[&Given::Text(&list)],
    );
    let answered = match answered {
        Ok(answered) => answered,
        Err(error) => {
            part.rollback()?;
            return match Failure::from(error) {
                Failure::Refused(refusal) => match row(&refusal) {
                    Some(at) => Ok(Err((at, refusal))),
                    None => Err(Failure::Refused(refusal)),
                },
                failure => Err(failure),
            };
        }
    };
    part.commit()?;
    let doubts = |row: &postgres::Row| row.try_get::<_, Option<String>>(0);
    let doubts: Vec<Option<String>> = answered.iter().map(doubts).collect::<Result<_, _>>()?;
    Ok(Ok(doubts.into_iter().map(|it| it.filter(|text| !text.is_empty())).collect()))
}

/// Which row an error is about, counted from 0: `save_credentials()` says it in the message or the detail, as text or in JSON.
fn row(refusal: &Refusal) -> Option<usize> {
    /// The detail as an object.
    #[derive(Deserialize)]
    struct Detail {
        /// Counted from 1.
        row: usize,
    }
    let detail = refusal.detail.as_deref().unwrap_or_default();
    let number = |text: &str, before: &str| {
        let text = text.strip_prefix(before)?;
        text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())].parse().ok()
    };
    let number: Option<usize> = number(&refusal.message, "row ")
        .or_else(|| number(detail, "Row "))
        .or_else(|| serde_json::from_str::<Detail>(detail).ok().map(|it| it.row));
    number?.checked_sub(1)
}

/// The numbers of rows for which hftok has a credential already. They are told apart before the call: a row that is refused
/// costs two calls, and an import that goes on has as many of them as were saved before.
fn held(rows: &[Row], transaction: &mut Transaction<'_>) -> Result<HashSet<u64>, Failure> {
    let asked: Vec<(u64, &Address)> =
        rows.iter().filter_map(|row| Some((row.number, row.address.as_ref()?))).collect();
    if asked.is_empty() {
        return Ok(HashSet::new());
    }
    let asked = serde_json::to_string(&asked).map_err(|_| Failure::Answer { function: "credentials" })?;
    let held = transaction.query(
        "SELECT (a.asked ->> 0)::bigint FROM pg_catalog.jsonb_array_elements($1) AS a (asked)
         WHERE EXISTS (SELECT FROM hftok.credentials AS c
            WHERE c.provider = a.asked -> 1 ->> 'provider' AND c.scope = a.asked -> 1 ->> 'scope'
            AND c.scope_id = a.asked -> 1 ->> 'scope_id' AND c.model = a.asked -> 1 ->> 'model'
            AND c.slot = a.asked -> 1 ->> 'slot')",
        &[&Given::Text(&asked)],
    )?;
    let number = |row: &postgres::Row| Ok(row.try_get::<_, i64>(0)?.unsigned_abs());
    held.iter().map(number).collect::<Result<_, Failure>>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_of_an_error_is_found() {
        let of = |message: &str, detail: &str| {
            row(&Refusal {
                message: message.to_owned(),
                detail: Some(detail.to_owned()),
                ..Refusal::default()
            })
        };
        assert_eq!(of("row 12 has a member that is unknown", ""), Some(11));
        assert_eq!(of("Conflict", "Row 1. The credential has changed."), Some(0));
        assert_eq!(of("it is a placeholder", r#"{"field": "token", "row": 3}"#), Some(2));
        assert_eq!(of("permission denied", ""), None);
    }
}
