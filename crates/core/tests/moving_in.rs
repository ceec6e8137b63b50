//! Moving in, cell by cell: every combination of facts against the rules as docs/moving-in.md tells them.

use hftok_core::moving_in::{Comparison, Facts, Held, Origin, Outcome, Reason, Remembered};

const KNOWN: [Option<bool>; 3] = [None, Some(false), Some(true)];

/// Every memory of a row: none, or any outcome with all that goes with it.
fn remembered() -> Vec<Option<Remembered>> {
    let mut all = vec![None];
    for outcome in Outcome::ALL {
        for is_as_imported in KNOWN {
            for is_as_seen in KNOWN {
                for is_same_address in KNOWN {
                    for (is_secret_held, version) in
                        [(false, None), (false, Some(2)), (true, Some(2)), (true, Some(3))]
                    {
                        all.push(Some(Remembered {
                            outcome,
                            is_as_imported,
                            is_as_seen,
                            is_same_address,
                            is_secret_held,
                            version,
                        }));
                    }
                }
            }
        }
    }
    all
}

/// Every secret that hftok may have: none, or the third version of one.
fn held() -> Vec<Option<Held>> {
    let mut all = vec![None];
    for same_version in [None, Some(1), Some(2), Some(3)] {
        for was_same in KNOWN {
            for origin in [Origin::ThisRow, Origin::EarlierRun, Origin::ThisRun, Origin::Elsewhere] {
                all.push(Some(Held { version: 3, same_version, was_same, origin }));
            }
        }
    }
    all
}

/// Every cell.
fn cells() -> impl Iterator<Item = Facts<'static>> {
    remembered().into_iter().flat_map(|remembered| {
        held().into_iter().flat_map(move |held| {
            [None, Some("17")].into_iter().flat_map(move |before| {
                [false, true].map(|is_plain| Facts { before, remembered, held, is_plain })
            })
        })
    })
}

/// The row has what was imported from it, and its secret still does.
fn has_the_import(facts: &Facts<'_>) -> bool {
    match (facts.remembered, facts.held) {
        (Some(row), None) => row.is_as_imported == Some(true) && row.is_same_address == Some(true),
        (Some(row), Some(held)) => {
            row.is_as_imported == Some(true)
                && row.is_same_address == Some(true)
                && row.is_secret_held
                && held.was_same != Some(false)
        }
        (None, _) => false,
    }
}

/// The value came into the row after it was last looked at.
fn is_new(row: Remembered) -> bool {
    match row.outcome {
        Outcome::Blank | Outcome::Blanked | Outcome::Discarded => return true,
        Outcome::Changed if row.is_as_imported.is_none() => return true,
        _ => {}
    }
    if row.is_same_address == Some(false) {
        return true;
    }
    match (row.is_as_imported, row.outcome) {
        (Some(is_same), _) => !is_same,
        (None, Outcome::Rejected) => row.is_as_seen == Some(false),
        (None, _) => false,
    }
}

#[test]
fn every_cell_has_the_outcome_that_its_rule_says() {
    let mut looked_at = 0;
    for facts in cells() {
        let same = facts.held.and_then(|it| it.same_version);
        let expected = match (facts.before, facts.held) {
            (Some(key), _) => (Outcome::Duplicate, Some(Reason::AnotherRow(key, same.is_some()))),
            (None, None) if has_the_import(&facts) => (Outcome::Skipped, Some(Reason::Deleted)),
            (None, None) => (Outcome::Imported, None),
            (None, Some(_)) if has_the_import(&facts) => {
                let is_newer = facts.remembered.and_then(|it| it.version) == Some(2);
                (Outcome::Unchanged, is_newer.then_some(Reason::Newer))
            }
            (None, Some(_)) if same == Some(3) => (Outcome::Unchanged, None),
            (None, Some(held)) => {
                let replaces = match (held.origin, facts.remembered) {
                    (Origin::ThisRow, _) | (Origin::EarlierRun, None) => true,
                    (Origin::Elsewhere, _) | (Origin::ThisRun, None) => false,
                    (Origin::EarlierRun | Origin::ThisRun, Some(row)) => is_new(row),
                };
                match (replaces, same) {
                    (true, _) => (Outcome::Imported, None),
                    (false, Some(_)) => (Outcome::Unchanged, Some(Reason::Newer)),
                    (false, None) => (Outcome::Skipped, Some(Reason::AnotherSecret)),
                }
            }
        };
        let verdict = facts.judge();
        assert_eq!((verdict.outcome, verdict.reason), expected, "{facts:?}");
        looked_at += 1;
    }
    assert_eq!(looked_at, (1 + 9 * 27 * 4) * (1 + 4 * 3 * 4) * 2 * 2);
}

#[test]
fn a_value_is_saved_exactly_when_it_is_called_imported() {
    for facts in cells() {
        let verdict = facts.judge();
        let version = facts.held.map_or(0, |held| held.version);
        let expected = (verdict.outcome == Outcome::Imported).then_some(version);
        assert_eq!(verdict.replaces, expected, "{facts:?}");
    }
}

#[test]
fn a_secret_from_elsewhere_is_never_replaced() {
    for facts in cells() {
        if facts.held.is_some_and(|held| held.origin == Origin::Elsewhere) {
            assert_eq!(facts.judge().replaces, None, "{facts:?}");
        }
    }
}

#[test]
fn what_is_learned_is_told_in_every_cell() {
    for facts in cells() {
        let told = facts.judge().comparison;
        let brought = facts.remembered.filter(|row| row.is_as_imported.is_some());
        // Nothing was compared where hftok has nothing, and nothing was brought before.
        assert_eq!(told.is_none(), facts.held.is_none() && brought.is_none(), "{facts:?}");
        let Some(told) = told else { continue };
        let same = facts.held.and_then(|held| held.same_version);
        let is_again = brought.is_some_and(|row| {
            row.is_as_imported == Some(true)
                && match facts.held {
                    None => true,
                    Some(_) if facts.is_plain => row.is_secret_held,
                    Some(held) => row.is_secret_held && held.was_same == Some(true),
                }
        });
        assert_eq!(told.is_again, is_again, "{facts:?}");
        assert_eq!(told.is_found, is_again || same.is_some(), "{facts:?}");
        let version = match (same, is_again) {
            (Some(version), _) => Some(version),
            (None, true) => brought.and_then(|row| row.version),
            (None, false) => facts.held.map(|held| held.version),
        };
        assert_eq!(told.version, version, "{facts:?}");
    }
}

#[test]
fn an_import_is_forgotten_only_where_the_same_column_opens_to_something_else() {
    for facts in cells() {
        let verdict = facts.judge();
        let is_out = [Outcome::Duplicate, Outcome::Skipped].contains(&verdict.outcome);
        let differs = facts.held.is_some_and(|held| held.was_same == Some(false));
        assert_eq!(verdict.is_forgotten, is_out && differs, "{facts:?}");
    }
}

#[test]
fn a_row_that_was_never_looked_at() {
    let facts = Facts { before: None, remembered: None, held: None, is_plain: true };
    let verdict = facts.judge();
    assert_eq!((verdict.outcome, verdict.replaces, verdict.comparison), (Outcome::Imported, Some(0), None));
    let held = Held { version: 3, same_version: Some(1), was_same: None, origin: Origin::Elsewhere };
    let verdict = Facts { held: Some(held), ..facts }.judge();
    assert_eq!((verdict.outcome, verdict.reason), (Outcome::Unchanged, Some(Reason::Newer)));
    assert_eq!(verdict.comparison, Some(Comparison { is_found: true, is_again: false, version: Some(1) }));
}

#[test]
fn words() {
    for outcome in Outcome::ALL {
        assert_eq!(Outcome::parse(outcome.as_str()), Some(outcome));
    }
    assert_eq!(Outcome::parse("Imported"), None);
    for origin in Origin::ALL {
        assert_eq!(Origin::parse(origin.as_str()), Some(origin));
    }
    assert_eq!(Origin::ALL.map(Origin::as_str).join(" "), "this_row earlier_run this_run elsewhere");
    let words = Outcome::ALL.map(Outcome::as_str).join(" ");
    assert_eq!(words, "imported unchanged skipped duplicate rejected blank blanked discarded changed");
    let said = [
        (Reason::AnotherRow("17", false), "row 17 has one for the same owner, provider and model"),
        (
            Reason::AnotherRow("17", true),
            "row 17 has one for the same owner, provider and model, and the value is in hftok as well",
        ),
        (Reason::Deleted, "it was imported, and deleted in hftok since"),
        (Reason::Newer, "hftok has a newer one"),
        (
            Reason::AnotherSecret,
            "hftok has another one for the same owner, provider and model, which is not from this row",
        ),
    ];
    for (reason, words) in said {
        assert_eq!(reason.to_string(), words);
    }
}
