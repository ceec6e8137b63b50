//! Texts that prove something of the log to somebody who has only its public key.

use hftok_core::audit::checkpoint::Note;
use hftok_core::audit::leaf::{Hash, leaf_data};
use hftok_core::audit::proof::{consistency_text, inclusion_text};
use hftok_core::audit::tree::{prove_consistency, prove_inclusion};

use super::checkpoints::StoredCheckpoint;
use super::nodes::{self, Lost, Nodes, Piece};
use super::pinned;
use crate::error::{Error, Object};
use crate::keys::identity;

/// The newest checkpoint as a signed note; `None` before anything was written.
pub fn head() -> Result<Option<String>, Error> {
    StoredCheckpoint::newest()?.as_ref().map(note_of).transpose()
}

/// A checkpoint as a signed note.
pub fn note_of(newest: &StoredCheckpoint) -> Result<String, Error> {
    let origin = identity::home()?.origin();
    let verifier = newest.verifier(&origin)?.ok_or(DAMAGED)?;
    Ok(newest.of(origin).note(&newest.signature, &verifier))
}

/// The public key of the log, with its name.
pub fn public_key() -> Result<Option<String>, Error> {
    let Some(newest) = StoredCheckpoint::newest()? else { return Ok(None) };
    Ok(Some(newest.verifier(&identity::home()?.origin())?.ok_or(DAMAGED)?.to_string()))
}

/// An event with the proof that it is in the log of the newest checkpoint.
pub fn inclusion(number: i64) -> Result<String, Error> {
    let newest = StoredCheckpoint::newest()?.ok_or(Error::NotFound(Object::Event(number)))?;
    let note = note_of(&newest)?;
    let leaf = leaf_of(number)?.ok_or(Error::NotFound(Object::Event(number)))?;
    let index = number.cast_unsigned().wrapping_sub(1);
    let mut nodes = Nodes::default();
    let proof = prove_inclusion(index, newest.size, |node| nodes.hash(node));
    let proof = hashes(proof.ok_or(Error::NotFound(Object::Event(number)))?)?;
    Ok(inclusion_text(index, &leaf, &proof, &note))
}

/// The proof that the log of an older checkpoint is the beginning of that of the newest.
pub fn consistency(old: &Note) -> Result<String, Error> {
    if !pinned::is_own(old)? {
        return Err(Error::BadInput("p_head was not signed by this database"));
    }
    let newest = StoredCheckpoint::newest()?.ok_or(DAMAGED)?;
    let note = note_of(&newest)?;
    let mut nodes = Nodes::default();
    let proof = prove_consistency(old.checkpoint.size, newest.size, |node| nodes.hash(node));
    let proof =
        hashes(proof.ok_or(Error::BadInput("p_head is newer than the log: its newest events are missing"))?)?;
    Ok(consistency_text(old.checkpoint.size, &proof, &note))
}

/// The data of the leaf of an event, if the event is there.
fn leaf_of(number: i64) -> Result<Option<Vec<u8>>, Error> {
    let mut found = None;
    nodes::walk(number, number, |piece| {
        if piece.first() <= number && number <= piece.last() {
            found = match piece {
                Piece::Row(row) => row.leaf_data(),
                Piece::Bundle(bundle) => bundle.record(number).map(leaf_data),
            };
        }
        Ok(())
    })?;
    Ok(found)
}

/// Hashes that must be there.
fn hashes(proof: Result<Vec<Hash>, Lost>) -> Result<Vec<Hash>, Error> {
    Lost::or_none(proof)?.ok_or(DAMAGED)
}

/// Only damage leaves a checkpoint without a key, or a tree without a hash.
const DAMAGED: Error = Error::NotAllowed("the audit does not verify: see hftok.verify_audit()");
