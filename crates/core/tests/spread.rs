//! Keys over buckets: few buckets for few keys, and enough of them for many.

use hftok_core::spread::{Spot, Spread, tag};

/// A key that looks drawn by chance, and is the same for the same number.
fn key(number: u64) -> [u8; 16] {
    let mix = |mut x: u64| {
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let (a, b) = (mix(number + 1), mix(number ^ 0x9e37_79b9_7f4a_7c15));
    (u128::from(a) << 64 | u128::from(b)).to_be_bytes()
}

/// A table as processes have it in shared memory: four entries a bucket.
struct Table {
    spread: Spread,
    buckets: Vec<[Option<u32>; 4]>,
}

impl Table {
    fn new(most: usize) -> Self {
        Self { spread: Spread::default(), buckets: vec![[None; 4]; most] }
    }

    /// Looks for a key, and keeps it if it is not there, or `is_anew`; says whether it was.
    fn look(&mut self, number: u64, is_anew: bool) -> bool {
        let (key, most) = (key(number), self.buckets.len());
        let spot = self.spread.spot(most, 5, key);
        let entries = &mut self.buckets[spot.bucket];
        if entries.contains(&Some(tag(key))) {
            if is_anew {
                self.spread.count(most, false);
            }
            return true;
        }
        let free = entries.iter().position(|entry| entry.is_none_or(|tag| !spot.is_of(tag)));
        entries[free.unwrap_or(usize::from(key[0]) % 4)] = Some(tag(key));
        self.spread.count(most, free.is_none());
        false
    }

    /// So many looks for one of so many keys; the part of them that found nothing.
    fn missing(&mut self, keys: u64, looks: u64) -> f64 {
        let number = |look: u64| u64::from(tag(key(look << 20))) % keys;
        let missed = (0..looks).filter(|look| !self.look(number(*look), look % 256 == 0)).count();
        missed as f64 / looks as f64
    }

    /// The buckets that ever held anything.
    fn touched(&self) -> usize {
        self.buckets.iter().filter(|entries| entries.iter().any(Option::is_some)).count()
    }
}

#[test]
fn few_keys_lie_close_together() {
    let mut table = Table::new(1 << 19);
    table.missing(5000, 200_000);
    assert!(table.touched() <= 4096, "{}", table.touched());
    assert!(table.missing(5000, 50_000) < 0.015);
}

#[test]
fn many_keys_have_room_and_no_more_than_they_need() {
    for keys in [30_000, 100_000, 400_000] {
        let mut table = Table::new(1 << 19);
        table.missing(keys, keys * 20);
        let missing = table.missing(keys, keys * 4);
        assert!(missing < 0.015, "{keys}: {missing}");
        let room = table.touched() as u64 * 4;
        assert!(room <= keys * 6, "{keys}: {room}");
    }
}

#[test]
fn more_keys_than_there_is_room_for_use_all_of_it() {
    let mut table = Table::new(1 << 13);
    table.missing(200_000, 2_000_000);
    assert_eq!(table.touched(), 1 << 13);
    let mut tiny = Table::new(2);
    tiny.missing(1000, 10_000);
    assert_eq!(tiny.touched(), 2);
}

#[test]
fn a_key_is_in_the_bucket_that_it_says() {
    let (spread, most) = (Spread::default(), 1 << 19);
    for _ in 0..8 {
        for number in 0..2000 {
            let (key, other) = (key(number), key(number + 1));
            let spot: Spot = spread.spot(most, 7, key);
            assert!(spot.bucket < most && spot.is_of(tag(key)));
            // The same key of another database, and another key.
            assert_ne!(spread.spot(most, 8, key), spot);
            let beside = spread.spot(most, 7, other);
            assert!(beside.bucket % 4096 != spot.bucket % 4096 || beside == spot || !spot.is_of(tag(other)));
        }
        // Every entry pushes another one out, until there are twice as many buckets.
        let before = spread.spot(most, 7, [0xff; 16]).bucket;
        for _ in 0..most {
            spread.count(most, true);
            if spread.spot(most, 7, [0xff; 16]).bucket != before {
                break;
            }
        }
    }
    assert!(spread.spot(most, 7, [0xff; 16]).bucket >= most / 2);
}

#[test]
fn keys_that_are_expected_are_found_from_the_second_look_on() {
    for keys in [1000, 30_000, 400_000, 1_000_000] {
        let mut table = Table::new(1 << 20);
        table.spread.expect(keys);
        let missing =
            |table: &mut Table| (0..keys).filter(|number| !table.look(*number, false)).count() as u64;
        assert_eq!(missing(&mut table), keys);
        let again = missing(&mut table);
        assert!(again * 50 < keys, "{keys}: {again}");
        let room = table.touched() as u64 * 4;
        assert!(room <= (keys * 6).max(4 * 4096), "{keys}: {room}");
    }
}

#[test]
fn no_more_buckets_are_used_than_there_are() {
    for keys in [0, 1, 1 << 40, u64::MAX] {
        let spread = Spread::default();
        spread.expect(keys);
        assert!(spread.spot(1 << 13, 7, [0xff; 16]).bucket < 1 << 13);
    }
}
