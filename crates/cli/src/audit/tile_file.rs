//! The files that a log is handed out in, by their paths (C2SP's tlog-tiles).

use hftok_core::audit::leaf::Hash;
use hftok_core::audit::tile::{Content, Tile};

/// The file with the newest checkpoint.
pub const CHECKPOINT: &str = "checkpoint";
/// No file of a log is longer: 256 events of at most 65,535 bytes, each with its length.
pub const LONGEST: u64 = 256 * (65_535 + 2);

/// The tile of a log of this size that lies at a path. `None` for every other path.
pub fn parse(path: &str, size: u64) -> Option<Tile> {
    let (content, place) = path.strip_prefix("tile/")?.split_once('/')?;
    let content = match content {
        "entries" => Content::Entries,
        level => Content::Hashes(level.parse().ok()?),
    };
    let place = place.split_once(".p/").map_or(place, |(place, _)| place);
    let mut number: u64 = 0;
    for part in place.split('/') {
        let digits = part.strip_prefix('x').unwrap_or(part);
        number = number.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    // A path has one form, which leads from nothing but its tile.
    Tile::of(content, number, size).filter(|tile| tile.to_string() == path)
}

/// The hashes of a file.
pub fn hashes(bytes: &[u8]) -> &[Hash] {
    bytes.as_chunks().0
}

/// The leaf data of each event of a file; the last is `None` where the bytes do not fit.
pub fn entries(mut bytes: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let entry = bytes
            .split_first_chunk()
            .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*length))));
        let (leaf, rest) = entry.map_or((None, &[][..]), |(leaf, rest)| (Some(leaf), rest));
        bytes = rest;
        Some(leaf)
    })
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_the_tile_that_it_is_the_path_of() {
        let size = 1_234_067 * 256 + 300;
        for tile in [
            Tile::of(Content::Entries, 1_234_067, size),
            Tile::of(Content::Entries, 1_234_068, size),
            Tile::of(Content::Hashes(0), 7, size),
            Tile::of(Content::Hashes(2), 18, size),
        ] {
            let tile = tile.expect("a tile");
            assert_eq!(parse(&tile.to_string(), size), Some(tile));
        }
        for path in [
            "tile/0/1",
            "tile/entries/x001/234/067",
            "tile/9/000",
            "tile/0/../000",
            "checkpoint",
            "tile/0/000.p/3",
        ] {
            assert_eq!(parse(path, size), None, "{path}");
        }
    }

    #[test]
    fn entries_that_end_too_early_are_seen() {
        let found: Vec<_> = entries(&[0, 2, 7, 8, 0, 0, 0, 9, 1]).collect();
        assert_eq!(found, [Some(&[7, 8][..]), Some(&[][..]), None]);
    }
}
