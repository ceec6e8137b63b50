//! What is drawn at random: keys, and names that nobody else has.

use std::fmt::Write as _;
use std::io;

use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The line of a new root key.
pub fn key_line(id: i32) -> Result<Zeroizing<String>, Failure> {
    let bytes = random::<32>()?;
    // In one buffer that does not move while it grows: what moves leaves a copy behind.
    let mut line = Zeroizing::new(String::with_capacity(128));
    // Writing into a String does not fail.
    let _ = write!(*line, "{id}:");
    for byte in bytes.iter() {
        let _ = write!(*line, "{byte:02x}");
    }
    line.push('\n');
    Ok(line)
}

/// A name that nobody else draws.
pub fn name() -> Result<String, Failure> {
    Ok(hftok_core::hex(random::<6>()?.as_slice()))
}

/// So many bytes of the system's randomness.
fn random<const LENGTH: usize>() -> Result<Zeroizing<[u8; LENGTH]>, Failure> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    // Up to 256 bytes come whole, once the system has any.
    let drawn = getrandom(bytes.as_mut_slice(), GetRandomFlags::empty());
    let drawn = drawn.map_err(io::Error::from).map_err(Failure::io("the system's randomness"))?;
    if drawn < LENGTH {
        return Err(Failure::io("the system's randomness")(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(bytes)
}
