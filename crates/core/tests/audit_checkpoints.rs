//! Checkpoints and proofs as texts: nothing in one can change and still be believed, and signatures of others do no harm.
#![allow(clippy::unwrap_used, missing_docs)]

use std::convert::Infallible;
use std::sync::LazyLock;

use hftok_core::audit::checkpoint::{Checkpoint, CheckpointKey, Note, Signed, VerifierKey};
use hftok_core::audit::leaf::{Hash, hash_of};
use hftok_core::audit::proof::{consistency_text, continued, inclusion_text, proven};
use hftok_core::audit::tree::{Node, node_hash, prove_consistency, prove_inclusion, root_at};
use hftok_core::data_key::{DataKey, DataKeyId, Purpose};

const ORIGIN: &str = "hftok/here/00ff";
/// A public key that Go's package for notes is tested with.
const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
/// The signature of a witness, which is of another kind.
const STRANGER: &str = "\u{2014} witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG8=\n";

/// The key of the log, and another one.
static KEYS: LazyLock<[Box<DataKey>; 2]> = LazyLock::new(|| {
    [1, 2].map(|id| DataKey::random(DataKeyId::new(id).unwrap(), Purpose::Checkpoints).unwrap())
});

fn key(number: usize) -> CheckpointKey<'static> {
    KEYS[number - 1].for_checkpoints().unwrap()
}

/// Their public keys.
static VERIFIERS: LazyLock<[VerifierKey; 2]> =
    LazyLock::new(|| [1, 2].map(|number| key(number).verifier(ORIGIN)));

fn verifier(number: usize) -> VerifierKey {
    VERIFIERS[number - 1].clone()
}

fn checkpoint(size: u64, root: Hash) -> Checkpoint {
    Checkpoint { origin: ORIGIN.to_owned(), size, root }
}

fn sign(checkpoint: &Checkpoint) -> Signed {
    key(1).sign(checkpoint)
}

fn note_of(checkpoint: &Checkpoint) -> String {
    checkpoint.note(&sign(checkpoint), &verifier(1))
}

/// Whether a text is a checkpoint of the log.
fn is_believed(text: &str) -> bool {
    Note::parse(text).is_some_and(|note| note.is_signed_by(&verifier(1)))
}

/// Texts that differ from this in one bit, one for each byte.
fn flipped(text: &str) -> impl Iterator<Item = String> {
    (0..text.len()).filter_map(|at| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] ^= 1 << (at % 8);
        String::from_utf8(bytes).ok()
    })
}

/// The first event is leaf 0; an event's data are its number.
fn node(node: Node) -> Result<Hash, Infallible> {
    let Node { height, number } = node;
    match height {
        0 => Ok(hash_of(&number.to_be_bytes())),
        _ => {
            let half = |number| self::node(Node { height: height - 1, number });
            Ok(node_hash(&half(2 * number)?, &half(2 * number + 1)?))
        }
    }
}

fn log(size: u64) -> Checkpoint {
    let Ok(root) = root_at(size, node);
    checkpoint(size, root)
}

#[test]
fn a_note_says_the_checkpoint_to_its_key_only() {
    let checkpoint = checkpoint(20_852_163, [9; 32]);
    let text = note_of(&checkpoint);
    assert!(text.starts_with("hftok/here/00ff\n20852163\nCQkJ"));
    let note = Note::parse(&text).unwrap();
    assert_eq!(note.checkpoint, checkpoint);
    assert!(note.is_signed_by(&verifier(1)) && !note.is_signed_by(&verifier(2)));
    let elsewhere = key(1).verifier("hftok/there/00ff");
    assert!(!note.is_signed_by(&elsewhere));
}

#[test]
fn a_stored_signature_is_for_one_checkpoint() {
    let (three, signature) = (checkpoint(3, [1; 32]), sign(&checkpoint(3, [1; 32])));
    assert!(verifier(1).has_signed(&three, &signature));
    assert!(!verifier(1).has_signed(&checkpoint(4, [1; 32]), &signature));
    assert!(!verifier(1).has_signed(&checkpoint(3, [2; 32]), &signature));
    let elsewhere = Checkpoint { origin: "other".to_owned(), ..three };
    assert!(!verifier(1).has_signed(&elsewhere, &signature));
}

#[test]
fn a_note_with_a_bit_flipped_is_refused() {
    let text = note_of(&checkpoint(20_852_163, [9; 32]));
    assert!(is_believed(&text));
    for changed in flipped(&text) {
        assert!(!is_believed(&changed), "{changed:?}");
    }
}

#[test]
fn signatures_of_others_are_passed_over_and_a_wrong_one_of_ours_is_not() {
    let checkpoint = checkpoint(5, [9; 32]);
    let text = note_of(&checkpoint);
    let (body, ours) = text.split_once("\n\n").unwrap();
    assert!(is_believed(&format!("{body}\n\n{STRANGER}{ours}")));
    assert!(is_believed(&format!("{body}\n\n{ours}{STRANGER}")));
    assert!(!is_believed(&format!("{body}\n\n{STRANGER}")));
    let wrong = checkpoint.note(&[1; 64], &verifier(1));
    let wrong = wrong.split_once("\n\n").unwrap().1;
    assert!(!is_believed(&format!("{body}\n\n{ours}{wrong}")));
}

#[test]
fn a_text_that_is_no_note_is_refused() {
    let text = note_of(&checkpoint(20_852_163, [9; 32]));
    let (body, ours) = text.split_once("\n\n").unwrap();
    for text in [
        String::new(),
        body.to_owned(),
        format!("{body}\n\n{}", ours.trim_end()),
        format!("{body}\n\n{ours}\n"),
        text.replace("20852163", "020852163"),
        text.replace("20852163", "+20852163"),
        text.replace('\n', "\r\n"),
        format!("{body}\n\nline\n\n{ours}"),
        format!("{body}\n\n{}", ours.repeat(1000)),
    ] {
        assert!(Note::parse(&text).is_none(), "{text:?}");
    }
    assert!(Note::parse(&format!("{body}\nextension\n\n{ours}")).is_some());
    assert!(!is_believed(&format!("{body}\n\n")));
}

#[test]
fn public_keys_are_read_as_they_are_written() {
    assert_eq!(VerifierKey::parse(GO_KEY).unwrap().to_string(), GO_KEY);
    assert_eq!(VerifierKey::parse(&verifier(1).to_string()), Some(verifier(1)));
    for changed in flipped(GO_KEY) {
        assert_eq!(VerifierKey::parse(&changed), None, "{changed:?}");
    }
}

#[test]
fn a_proof_of_an_event_says_it_and_nothing_else() {
    let text = |index: u64, size| {
        let Ok(proof) = prove_inclusion(index, size, node).unwrap();
        inclusion_text(index, &index.to_be_bytes(), &proof, &note_of(&log(size)))
    };
    let proof = text(6, 11);
    assert_eq!(proven(&proof, &verifier(1)), Some((6, 6_u64.to_be_bytes().to_vec())));
    assert_eq!(proven(&proof, &verifier(2)), None);
    for changed in flipped(&proof) {
        assert_eq!(proven(&changed, &verifier(1)), None, "{changed:?}");
    }
    let alone = text(0, 1);
    assert!(alone.contains("\nindex 0\n\nhftok/"));
    assert!(proven(&alone, &verifier(1)).is_some());
}

#[test]
fn a_proof_of_growth_says_it_and_nothing_else() {
    let text = |old, size| {
        let Ok(proof) = prove_consistency(old, size, node).unwrap();
        consistency_text(old, &proof, &note_of(&log(size)))
    };
    let old = |checkpoint| Note::parse(&note_of(&checkpoint)).unwrap();
    let proof = text(6, 11);
    assert!(proof.starts_with("old 6\n"));
    assert_eq!(continued(&proof, &old(log(6)), &verifier(1)).unwrap().checkpoint, log(11));
    assert!(continued(&proof, &old(log(6)), &verifier(2)).is_none());
    for other in [log(5), log(11), checkpoint(6, [0; 32]), Checkpoint { origin: "x".to_owned(), ..log(6) }] {
        assert!(continued(&proof, &old(other), &verifier(1)).is_none());
    }
    for changed in flipped(&proof) {
        assert!(continued(&changed, &old(log(6)), &verifier(1)).is_none(), "{changed:?}");
    }
    assert!(continued(&text(11, 11), &old(log(11)), &verifier(1)).is_some());
    assert!(continued(&text(0, 11), &old(log(0)), &verifier(1)).is_some());
}
