//! Token ids in little memory.

/// Token ids, each in as few bytes as the number of values allows: text8 has a hundred million of them.
pub(super) struct Ids {
    bytes: Vec<u8>,
    /// Bytes per id.
    size: usize,
}

impl Ids {
    pub fn new(values: usize) -> Self {
        let size = match values {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        };
        Self { bytes: Vec::new(), size }
    }

    pub fn extend(&mut self, ids: &[u32]) {
        ids.iter().for_each(|id| self.bytes.extend_from_slice(&id.to_le_bytes()[..self.size]));
    }

    pub fn len(&self) -> usize {
        self.bytes.len() / self.size
    }

    pub fn window(&self, from: usize, length: usize) -> impl Iterator<Item = u32> {
        let ids = self.bytes[from * self.size..(from + length) * self.size].chunks_exact(self.size);
        ids.map(|id| id.iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte)))
    }
}
