//! SHA-256 of short messages. Most leaves are one block after the state that their shape leaves, and a node is two: the general
//! interface copies each into a buffer first, which costs a third of the hash.

use sha2::block_api::compress256;

use super::leaf::Hash;

/// The block of SHA-256.
pub(super) const BLOCK: usize = 64;
/// The bytes at the end of the last block that say how long the message is.
const LENGTH: usize = 8;
/// Follows the message.
const END: u8 = 0x80;
/// The state before the first block (FIPS 180-4).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The state after whole blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    /// The state.
    words: [u32; 8],
    /// Number of bytes that were hashed.
    length: u64,
}

impl State {
    /// The state after these blocks.
    pub(super) fn after(blocks: &[[u8; BLOCK]]) -> Self {
        let mut state = Self { words: INITIAL, length: 0 };
        state.add(blocks);
        state
    }

    /// Hashes further blocks.
    fn add(&mut self, blocks: &[[u8; BLOCK]]) {
        compress256(&mut self.words, blocks);
        self.length += size(blocks.as_flattened());
    }

    /// The hash of the message that ends with these bytes.
    pub(super) fn end(mut self, rest: &[u8]) -> Hash {
        let (whole, tail) = rest.as_chunks();
        if !whole.is_empty() {
            self.add(whole);
        }
        let mut last = [[0; BLOCK]; 2];
        let bytes = last.as_flattened_mut();
        bytes[..tail.len()].copy_from_slice(tail);
        bytes[tail.len()] = END;
        let blocks = if tail.len() + 1 + LENGTH <= BLOCK { 1 } else { 2 };
        let bits = 8 * (self.length + size(tail));
        bytes[blocks * BLOCK - LENGTH..blocks * BLOCK].copy_from_slice(&bits.to_be_bytes());
        compress256(&mut self.words, &last[..blocks]);
        self.hash()
    }

    /// The state as a hash.
    fn hash(self) -> Hash {
        let mut hash = Hash::default();
        for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(self.words) {
            *bytes = word.to_be_bytes();
        }
        hash
    }
}

/// The hash of a byte and two hashes.
pub(super) fn hash_of_two(first: u8, left: &Hash, right: &Hash) -> Hash {
    const MESSAGE: u16 = 1 + 32 + 32;
    let mut blocks = [[0; BLOCK]; 2];
    let bytes = blocks.as_flattened_mut();
    bytes[0] = first;
    bytes[1..33].copy_from_slice(left);
    bytes[33..65].copy_from_slice(right);
    bytes[65] = END;
    bytes[126..].copy_from_slice(&(8 * MESSAGE).to_be_bytes());
    State::after(&blocks).hash()
}

/// A length as a number of 64 bits.
fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::{BLOCK, State, hash_of_two};

    #[test]
    fn every_length_hashes_as_it_does_in_one_go() {
        let message: Vec<u8> = (0..=255).chain(0..=255).collect();
        for length in 0..=message.len() {
            let message = &message[..length];
            for whole in 0..=length / BLOCK {
                let (blocks, rest) = message.split_at(whole * BLOCK);
                let hash = State::after(blocks.as_chunks().0).end(rest);
                assert_eq!(hash[..], Sha256::digest(message)[..], "{length} bytes, {whole} blocks before");
            }
        }
    }

    #[test]
    fn two_hashes_hash_as_their_bytes_do() {
        let (left, right) = ([0xa5; 32], [0x5a; 32]);
        let bytes = [&[1][..], &left, &right].concat();
        assert_eq!(hash_of_two(1, &left, &right)[..], Sha256::digest(bytes)[..]);
    }
}
