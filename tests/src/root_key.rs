//! Keys for keyring files.

use std::fmt::Write as _;
use std::io::Read as _;

/// A root key as a keyring file has it.
#[derive(Debug, Clone)]
pub struct RootKey {
    /// Its number.
    pub id: i32,
    /// Its 256 bits.
    pub bytes: [u8; 32],
}

impl RootKey {
    /// A key that nobody ever had before.
    pub fn random(id: i32) -> Self {
        let mut bytes = [0; 32];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut bytes))
            .expect("random bytes");
        Self { id, bytes }
    }

    /// The 64 digits.
    pub fn hex(&self) -> String {
        hex(&self.bytes)
    }

    /// The text of a keyring.
    pub fn keyring(keys: &[Self]) -> String {
        keys.iter().map(|key| format!("{}:{}\n", key.id, key.hex())).collect()
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
