//! Proofs as texts, in the forms of C2SP: `tlog-proof` for one event, and the body that a witness takes (`tlog-witness`) for the growth
//! of the log.

use base64ct::{Base64, Encoding};

use super::checkpoint::{Note, VerifierKey, number};
use super::leaf::Hash;
use super::tree::{HEIGHT_MAX, verify_consistency, verify_inclusion};

/// The first line of a proof of inclusion.
const INCLUSION: &str = "c2sp.org/tlog-proof@v1";

/// An event with its proof: its leaf data stand in `extra`, so the text says by itself what happened.
pub fn inclusion_text(index: u64, leaf: &[u8], proof: &[Hash], note: &str) -> String {
    format!("{INCLUSION}\nextra {}\nindex {index}\n{}\n{note}", Base64::encode_string(leaf), lines(proof))
}

/// The proof that a log of an old size is the beginning of that of a checkpoint.
pub fn consistency_text(old: u64, proof: &[Hash], note: &str) -> String {
    format!("old {old}\n{}\n{note}", lines(proof))
}

/// The leaf data that a proof of inclusion shows to be in the log with this key, and its index. `None` where it shows nothing.
pub fn proven(text: &str, key: &VerifierKey) -> Option<(u64, Vec<u8>)> {
    let rest = text.strip_prefix(INCLUSION)?.strip_prefix("\nextra ")?;
    let (extra, rest) = rest.split_once("\nindex ")?;
    let (index, rest) = rest.split_once('\n')?;
    let (index, leaf) = (number(index)?, Base64::decode_vec(extra).ok()?);
    let (proof, note) = hashes(rest)?;
    let note = Note::parse(note).filter(|note| note.is_signed_by(key))?;
    let hash = super::leaf::hash_of(&leaf);
    let holds = verify_inclusion(index, &hash, note.checkpoint.size, &note.checkpoint.root, &proof);
    holds.then_some((index, leaf))
}

/// The newer checkpoint, if a text proves that it continues an older one.
pub fn continued(text: &str, old: &Note, key: &VerifierKey) -> Option<Note> {
    let (size, rest) = text.strip_prefix("old ")?.split_once('\n')?;
    let (proof, note) = hashes(rest)?;
    let note = Note::parse(note).filter(|note| note.is_signed_by(key))?;
    let (from, to) = (&old.checkpoint, &note.checkpoint);
    let holds = number(size)? == from.size
        && from.origin == to.origin
        && verify_consistency(from.size, &from.root, to.size, &to.root, &proof);
    holds.then_some(note)
}

/// Hashes, a line each.
fn lines(proof: &[Hash]) -> String {
    proof.iter().map(|hash| Base64::encode_string(hash) + "\n").collect()
}

/// The hashes up to a blank line, and what follows it.
fn hashes(mut text: &str) -> Option<(Vec<Hash>, &str)> {
    let mut proof = Vec::new();
    loop {
        let (line, rest) = text.split_once('\n')?;
        if line.is_empty() {
            return Some((proof, rest));
        }
        // No proof is longer, and no witness takes more.
        if proof.len() > usize::from(HEIGHT_MAX) {
            return None;
        }
        proof.push(Base64::decode_vec(line).ok()?.try_into().ok()?);
        text = rest;
    }
}
