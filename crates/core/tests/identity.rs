//! A database's identity: nothing of it can be changed or left out without its becoming another one.
#![allow(clippy::unwrap_used, missing_docs)]

use hftok_core::identity::{Generation, Identity, Installation, Lineage, NOBODY};
use proptest::prelude::*;

fn first() -> Generation {
    Generation {
        id: std::array::from_fn(|at| u8::try_from(at).unwrap()),
        database: 16384,
        installation: "prod".into(),
        name: "app".into(),
        continues: 0,
        root: [0; 32],
    }
}

fn second() -> Generation {
    Generation {
        id: [0; 16],
        database: 16385,
        installation: String::new(),
        name: "copié".into(),
        continues: 7,
        root: [1; 32],
    }
}

fn lineage() -> Lineage {
    Lineage::of(vec![first(), second()]).unwrap()
}

/// Computed in Python from the layout alone.
#[test]
fn the_hashes_are_those_of_the_layout() {
    let identities = lineage().identities();
    let hex: Vec<(i64, String)> =
        identities.iter().map(|(after, hash)| (*after, hex::encode(hash))).collect();
    let expected = [
        (0, "9cf678a04bccf391d00ff0327fd9173e59cc2d272c656c5c396ef2d0389381f0"),
        (7, "fc565f5485df386d5e4b6da48d5145c56da5108297b56dc16c41729b5ae1937b"),
    ];
    assert_eq!(hex, expected.map(|(after, hash)| (after, hash.to_owned())));
}

#[test]
fn it_is_that_of_the_place_where_the_database_is() {
    let (prod, unnamed) = (Installation::parse("prod").unwrap(), Installation::UNNAMED);
    let lineage = lineage();
    assert!(lineage.is(16385, &unnamed));
    assert_eq!(lineage.here(16385, &unnamed), lineage.identities()[1].1);
    for (database, installation) in [(16385, &prod), (16384, &unnamed), (16384, &prod)] {
        assert!(!lineage.is(database, installation));
        assert_ne!(lineage.here(database, installation), lineage.identities()[1].1);
    }
    assert_eq!(Lineage::of(vec![first()]).unwrap().followed_by(second()), lineage);
    assert_eq!(Lineage::of(Vec::new()), None);
    let begun = Lineage::begin(first().id, 16384, &prod, "app".into());
    assert_eq!(begun, Lineage::of(vec![first()]).unwrap());
}

proptest! {
    #[test]
    fn every_field_counts(former in any::<Identity>(), bit in 0..8_u32, byte in 0..16_usize) {
        let changed = |change: &dyn Fn(&mut Generation)| {
            let mut generation = first();
            change(&mut generation);
            generation.identity(&NOBODY)
        };
        let mut all = vec![
            first().identity(&NOBODY),
            changed(&|it| it.id[byte] ^= 1 << bit),
            changed(&|it| it.database ^= 1 << bit),
            changed(&|it| it.installation.push('x')),
            changed(&|it| it.name.push('x')),
            changed(&|it| it.continues ^= 1 << bit),
            changed(&|it| it.root[byte] ^= 1 << bit),
        ];
        prop_assume!(former != NOBODY);
        all.push(first().identity(&former));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(all.len(), count);
    }
}
