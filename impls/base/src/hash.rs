//! Content hashes.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// SHA-256 of some bytes, lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// SHA-256 of what is read, lower-case hexadecimal.
pub fn sha256_of(mut read: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut read, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}
