//! Moving in, a row by itself, cell by cell: blank, rejected or usable.

use hftok_core::moving_in::given::{Finding, Given};

const BOTH: [bool; 2] = [false, true];
const ADDRESS: &str = "it names no owner";
const VALUE: &str = "it is a placeholder";
const OPENED: &str = "it opens to nothing";

/// Every cell.
fn cells() -> Vec<Given<'static>> {
    let mut all = Vec::new();
    for address_fault in [None, Some(ADDRESS)] {
        for value_fault in [None, Some(VALUE)] {
            for bits in 0..32_u8 {
                let [is_empty, is_judged, has_bearer, is_plain, is_column_empty] =
                    [1, 2, 4, 8, 16].map(|bit| bits & bit != 0);
                all.push(Given {
                    address_fault,
                    value_fault,
                    is_empty,
                    is_judged,
                    has_bearer,
                    is_plain,
                    is_column_empty,
                });
            }
        }
    }
    all
}

/// The reason of a rejected row.
fn reason(given: &Given<'_>) -> Option<String> {
    match given.judge() {
        Finding::Rejected { reason, .. } => Some(reason.to_owned()),
        Finding::Blank | Finding::Usable => None,
    }
}

#[test]
fn a_row_is_blank_only_when_nothing_could_be_a_value() {
    for given in cells() {
        let holds_something = !given.is_empty
            || given.has_bearer
            // It was opened to nothing, by a wrong key perhaps.
            || (!given.is_column_empty && !given.is_plain);
        assert_eq!(given.judge() == Finding::Blank, !holds_something, "{given:?}");
    }
}

#[test]
fn a_row_is_usable_only_without_any_fault() {
    for given in cells() {
        let is_sound = given.address_fault.is_none() && given.value_fault.is_none() && !given.is_empty;
        assert_eq!(given.judge() == Finding::Usable, is_sound, "{given:?}");
    }
}

#[test]
fn the_fault_of_the_address_is_told_first_and_emptiness_last() {
    for given in cells() {
        let Some(reason) = reason(&given) else { continue };
        let wanted = match (given.address_fault, given.value_fault) {
            (Some(_), _) => ADDRESS,
            (None, Some(_)) => VALUE,
            (None, None) => OPENED,
        };
        assert_eq!(reason, wanted, "{given:?}");
    }
}

#[test]
fn only_what_was_judged_by_itself_may_be_discarded_later() {
    for given in cells() {
        let Finding::Rejected { is_remembered, .. } = given.judge() else { continue };
        assert_eq!(is_remembered, given.is_judged && !given.is_empty, "{given:?}");
    }
}

#[test]
fn an_import_is_forgotten_when_the_same_column_opens_to_something_else() {
    for given in cells() {
        let Finding::Rejected { is_forgotten, .. } = given.judge() else { continue };
        assert_eq!(is_forgotten, !given.is_plain, "{given:?}");
    }
}

#[test]
fn a_bearer_without_a_value_is_no_blank_row() {
    for is_plain in BOTH {
        let given = Given {
            address_fault: None,
            value_fault: None,
            is_empty: true,
            is_judged: false,
            has_bearer: true,
            is_plain,
            is_column_empty: false,
        };
        assert_eq!(reason(&given).as_deref(), Some(OPENED));
    }
}
