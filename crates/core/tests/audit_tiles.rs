//! Tiles: names and contents are those of the published layout.
#![allow(clippy::unwrap_used, missing_docs)]

use hftok_core::audit::tile::{Content, Tile, put_entry};
use hftok_core::audit::tree::Node;

fn paths(first_leaf: u64, size: u64) -> Vec<String> {
    Tile::all(first_leaf, size).map(|tile| tile.to_string()).collect()
}

/// The example of the specification.
#[test]
fn a_tree_of_seventy_thousand_has_the_tiles_of_the_specification() {
    let all: Vec<Tile> = Tile::all(0, 70_000).collect();
    let count = |content, is_full| {
        all.iter().filter(|tile| tile.content == content && (tile.width == 256) == is_full).count()
    };
    assert_eq!(count(Content::Hashes(0), true), 273);
    assert_eq!(count(Content::Entries, true), 273);
    assert_eq!(count(Content::Hashes(1), true), 1);
    let partial: Vec<String> = all.iter().filter(|tile| tile.width < 256).map(Tile::to_string).collect();
    assert_eq!(partial, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"]);
}

#[test]
fn a_tile_that_is_just_full_has_its_hash_one_level_up() {
    assert_eq!(paths(0, 255), ["tile/0/000.p/255", "tile/entries/000.p/255"]);
    assert_eq!(paths(0, 256), ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"]);
    assert_eq!(
        paths(0, 257),
        ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/1"]
    );
    assert!(paths(0, 0).is_empty());
}

#[test]
fn an_export_from_a_leaf_on_has_each_tile_that_covers_it_or_a_later_one() {
    let from =
        ["tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/001", "tile/entries/002.p/88"];
    assert_eq!(paths(256, 600), from);
    assert_eq!(paths(511, 600), from);
    assert_eq!(paths(512, 600), ["tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/002.p/88"]);
    assert!(paths(100_000, 600).is_empty());
    // Whole subtrees that end before it stay out on each level.
    assert!(!paths(65_536, 70_000).contains(&"tile/1/000".to_owned()));
    assert!(paths(65_535, 70_000).contains(&"tile/1/000".to_owned()));
}

#[test]
fn a_path_has_three_digits_a_folder() {
    let path = |content, number| Tile::of(content, number, 1 << 62).unwrap().to_string();
    assert_eq!(path(Content::Hashes(0), 1_234_067), "tile/0/x001/x234/067");
    assert_eq!(path(Content::Entries, 1000), "tile/entries/x001/000");
    assert_eq!(path(Content::Hashes(3), 999), "tile/3/999");
    assert_eq!(path(Content::Hashes(0), 5_000_000), "tile/0/x005/x000/000");
}

#[test]
fn numbers_beyond_every_tree_have_no_tile() {
    assert_eq!(Tile::of(Content::Hashes(8), 0, u64::MAX), None);
    assert_eq!(Tile::of(Content::Entries, u64::MAX, u64::MAX), None);
    assert_eq!(Tile::of(Content::Hashes(0), 3, 768), None);
    assert_eq!(Tile::of(Content::Hashes(7), 0, (1 << 62) - 1).unwrap().width, 63);
}

#[test]
fn a_tile_names_the_subtrees_that_it_holds() {
    let nodes: Vec<Node> = Tile::of(Content::Hashes(1), 1, 70_000).unwrap().nodes().collect();
    assert_eq!((nodes.len(), nodes[0], nodes[16]), (17, node(8, 256), node(8, 272)));
    let leaves: Vec<Node> = Tile::of(Content::Entries, 2, 600).unwrap().nodes().collect();
    assert_eq!((leaves.len(), leaves[0], leaves[87]), (88, node(0, 512), node(0, 599)));
}

fn node(height: u8, number: u64) -> Node {
    Node { height, number }
}

#[test]
fn an_entry_has_its_length_before_it() {
    let mut entries = Vec::new();
    assert!(put_entry(&mut entries, b"abc") && put_entry(&mut entries, b""));
    assert_eq!(entries, b"\0\x03abc\0\0");
    assert!(!put_entry(&mut entries, &vec![0; 65_536]));
    assert_eq!(entries.len(), 7);
    assert!(put_entry(&mut entries, &vec![0; 65_535]));
}
