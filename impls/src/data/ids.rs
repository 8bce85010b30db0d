//! Token ids in little memory.

use std::io::{self, Write};

use super::bytes::Bytes;

/// Token ids, each in as few bytes as the number of values allows: text8 has a hundred million of them.
pub(super) struct Ids {
    bytes: Bytes,
    size: usize,
}

/// Bytes per id.
fn size(values: usize) -> usize {
    match values {
        0..=0x100 => 1,
        0x101..=0x1_0000 => 2,
        _ => 4,
    }
}

/// Writes ids as they are kept.
pub(super) fn write(ids: &[u32], values: usize, to: &mut impl Write) -> io::Result<()> {
    let size = size(values);
    let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes().into_iter().take(size)).collect();
    to.write_all(&bytes)
}

impl Ids {
    /// The ids that were written.
    pub fn new(values: usize, bytes: Bytes) -> Self {
        Self { bytes, size: size(values) }
    }

    pub fn len(&self) -> usize {
        self.bytes.len() / self.size
    }

    pub fn window(&self, from: usize, length: usize) -> io::Result<Vec<u32>> {
        let bytes = self.bytes.read(from * self.size..(from + length) * self.size)?;
        let ids = bytes.chunks_exact(self.size);
        Ok(ids.map(|id| id.iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte))).collect())
    }
}
