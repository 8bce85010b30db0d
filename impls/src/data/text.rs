//! Windows of a text.

use std::path::Path;

use super::{Alphabet, DataShape, Dataset, Split, Tokens, file};
use crate::error::{Error, Result};

/// The text of a data set: its alphabet, and the amount of text per token.
pub struct Text {
    alphabet: Alphabet,
    values: usize,
    tokens: usize,
    bytes: usize,
    characters: usize,
}

impl Text {
    /// The alphabet of the tokens.
    pub fn alphabet(&self) -> &Alphabet {
        &self.alphabet
    }

    /// The text of tokens; U+FFFD for ids that have no text, such as the mask.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.alphabet.decode(ids)
    }

    /// Bytes of text per token, over the whole split: nats per token, divided by this and ln 2, are bits per byte.
    pub fn bytes_per_token(&self) -> f64 {
        self.bytes as f64 / self.tokens as f64
    }

    /// Characters (Unicode scalar values) per token, over the whole split.
    pub fn characters_per_token(&self) -> f64 {
        self.characters as f64 / self.tokens as f64
    }
}

/// Token ids, each in as few bytes as the number of values allows: text8 has a hundred million of them.
struct Ids {
    bytes: Vec<u8>,
    /// Bytes per id.
    size: usize,
}

impl Ids {
    fn new(values: usize) -> Self {
        let size = match values {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        };
        Self { bytes: Vec::new(), size }
    }

    fn extend(&mut self, ids: &[u32]) {
        ids.iter().for_each(|id| self.bytes.extend_from_slice(&id.to_le_bytes()[..self.size]));
    }

    fn len(&self) -> usize {
        self.bytes.len() / self.size
    }

    fn window(&self, from: usize, length: usize) -> impl Iterator<Item = u32> {
        let ids = self.bytes[from * self.size..(from + length) * self.size].chunks_exact(self.size);
        ids.map(|id| id.iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte)))
    }
}

/// A text, cut into windows of equal length that do not overlap.
pub struct TextData {
    name: String,
    text: Text,
    ids: Ids,
    length: usize,
    hash: String,
}

impl TextData {
    /// Reads one split of a text file, plain or `.gz`, into windows of `length` tokens.
    ///
    /// `train` is the first 90 % of the text, `valid` the next 5 %, `test` the last 5 %, `all` the whole: of the
    /// normalised text under `text8` (of text8 itself: 90, 5 and 5 million characters), of the bytes under `bytes` and
    /// under a tokenizer, which reads each split by itself; there a cut that would fall inside a character comes before
    /// it. The file is read into memory whole. Fails if the split has no whole window.
    pub fn load(path: &Path, alphabet: Alphabet, length: usize, split: Split) -> Result<Self> {
        let (from, to) = split.choose(&[
            (Split::Train, (0, 18)),
            (Split::Valid, (18, 19)),
            (Split::Test, (19, 20)),
            (Split::All, (0, 20)),
        ])?;
        if length == 0 {
            return Err(Error::Setting("length is 0: a window has at least one token".to_owned()));
        }
        let fail = |what: String| Error::format(path, what);
        let content = file::read(path)?;
        let whole = alphabet.prepare(content.bytes).map_err(fail)?;
        let cut = |twentieths: usize| alphabet.cut(&whole, whole.len() * twentieths / 20);
        let part = &whole[cut(from)..cut(to)];

        let values = alphabet.values();
        let mut ids = Ids::new(values);
        alphabet.encode(part, |piece| ids.extend(piece)).map_err(fail)?;
        if ids.len() < length {
            let what = format!("its {split} split has {} {alphabet} tokens: no window of {length}", ids.len());
            return Err(fail(format!("{what}; take a shorter length or a longer text")));
        }
        let characters = part.iter().filter(|&&byte| byte & 0xc0 != 0x80).count();
        let hash = match alphabet.hash() {
            Some(defined) => file::combine([&content.hash, defined]),
            None => content.hash,
        };
        Ok(Self {
            name: format!("{}:{split}", file::stem(path)),
            text: Text { alphabet, values, tokens: ids.len(), bytes: part.len(), characters },
            ids,
            length,
            hash,
        })
    }

    /// Tokens at the end of the split that fill no window and are left out.
    pub fn dropped(&self) -> usize {
        self.ids.len() % self.length
    }
}

impl Dataset for TextData {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn shape(&self) -> DataShape {
        DataShape { values: self.text.values, length: self.length, classes: 0, image: None }
    }

    fn len(&self) -> usize {
        self.ids.len() / self.length
    }

    fn select(&self, indices: &[usize]) -> Result<Tokens> {
        let mut ids = Vec::with_capacity(indices.len() * self.length);
        for &index in indices {
            ids.extend(self.ids.window(index * self.length, self.length));
        }
        Ok(Tokens::new(ids, self.length))
    }

    fn text(&self) -> Option<&Text> {
        Some(&self.text)
    }

    fn hash(&self) -> &str {
        &self.hash
    }
}
