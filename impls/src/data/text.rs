//! Windows of a text.

use std::io;
use std::path::{Path, PathBuf};

use super::bytes::Reading;
use super::encoded_text::{EncodedText, Encoder, Summary};
use super::ids::Ids;
use super::{Alphabet, DataShape, Dataset, Split, TextLoss, TextOptions, Tokens, file};
use crate::error::{Error, Result};

/// The text of a data set: its alphabet, how much text a token stands for, and whether the tokens give it back.
pub struct Text {
    alphabet: Alphabet,
    options: TextOptions,
    /// Tokens of the split, those of frames among them.
    tokens: f64,
    bytes: usize,
    characters: usize,
    loss: Option<TextLoss>,
    normalised: Option<TextLoss>,
    rest: usize,
    last_window: Option<Tokens>,
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
        self.bytes as f64 / self.tokens
    }

    /// Characters (Unicode scalar values) per token, over the whole split.
    pub fn characters_per_token(&self) -> f64 {
        self.characters as f64 / self.tokens
    }

    /// What the tokens of the split do not give back: with a loss there are no bits per byte or character.
    pub fn loss(&self) -> Option<&TextLoss> {
        self.loss.as_ref()
    }

    /// What the rules of text8 changed in the file. Bits per byte and character are then those of the text in 27
    /// letters, as the field reports them.
    pub fn normalised(&self) -> Option<&TextLoss> {
        self.normalised.as_ref()
    }

    /// Tokens at the end of the split that fill no window.
    pub fn rest(&self) -> usize {
        self.rest
    }

    /// The last window of the split, one sequence, of which the last [`Self::rest`] tokens are in no other. None where
    /// nothing is left, and in frames.
    pub fn last_window(&self) -> Option<&Tokens> {
        self.last_window.as_ref()
    }

    /// The conventions of reading the text, by name.
    pub fn protocol(&self) -> Vec<(&'static str, String)> {
        let normalised = self.normalised.map(|TextLoss { share, .. }| {
            let changed = format!("at least {:.2} % of the file's bytes changed", 100.0 * share);
            (
                "text",
                format!("in 27 letters by the rules of text8, {changed}; bits/char and bits/byte are of the letters"),
            )
        });
        normalised.into_iter().chain(self.options.protocol()).collect()
    }
}

/// A text, cut into windows of equal length that do not overlap.
pub struct TextData {
    path: PathBuf,
    name: String,
    text: Text,
    values: usize,
    ids: Ids,
    length: usize,
    /// Ids before and after each window, which count in its length.
    frame: Option<[u32; 2]>,
    hash: String,
}

impl TextData {
    /// Reads one split of a text file, plain or `.gz`, into windows of `length` tokens.
    ///
    /// `train` is the first 90 % of the text, `valid` the next 5 %, `test` the last 5 %, `all` the whole: of the
    /// normalised text under `text8` (of text8 itself: 90, 5 and 5 million characters), of the bytes under `bytes` and
    /// under a tokenizer, which reads each split by itself; there a cut that would fall inside a character comes before
    /// it. A large text is read as a stream, and its tokens are kept on disk: see [`Reading`]. Fails if the split has no whole
    /// window.
    pub fn load(
        path: &Path,
        alphabet: Alphabet,
        length: usize,
        split: Split,
        options: &TextOptions,
        reading: &Reading,
    ) -> Result<Self> {
        let (from, to) = split.choose(&[
            (Split::Train, (0, 18)),
            (Split::Valid, (18, 19)),
            (Split::Test, (19, 20)),
            (Split::All, (0, 20)),
        ])?;
        let marks = options.marks(&alphabet)?;
        let framing = if marks.frame.is_some() { 2 } else { 0 };
        if length <= framing {
            let what = format!("length is {length}: a window has at least one token");
            return Err(Error::Setting(if framing == 0 {
                what
            } else {
                format!("{what} beside the two of its frame")
            }));
        }
        let fail = |what: String| Error::format(path, what);
        let file_hash = file::hash(path)?;
        let (split_name, values) = (split.to_string(), alphabet.values());
        let (text, encoder) =
            ([&*file_hash, &*split_name], Encoder { path, alphabet: &alphabet, options, marks, reading });
        let EncodedText { ids, summary } = match encoder.found(&text) {
            Some(found) => found,
            None => {
                let content = file::content(path, reading)?;
                let read = |e: io::Error| fail(e.to_string());
                let (whole, normalised) = alphabet.prepare(content, reading).map_err(read)?;
                let cut = |twentieths: usize| alphabet.cut(&whole, whole.len() * twentieths / 20).map_err(read);
                encoder.encode(&whole, cut(from)?..cut(to)?, normalised, &text)?
            }
        };
        let inside = length - framing;
        if ids.len() < inside {
            let what = format!("its {split} split has {} {alphabet} tokens: no window of {inside}", ids.len());
            return Err(fail(format!("{what}; take a shorter length or a longer text")));
        }
        let rest = ids.len() % inside;
        let overlapping = || ids.window(ids.len() - length, length).map(|window| Tokens::new(window, length));
        let last_window = (rest > 0 && framing == 0).then(overlapping).transpose().map_err(Error::io(path))?;
        let hash = match alphabet.hash() {
            Some(defined) => file::combine([&file_hash, defined]),
            None => file_hash,
        };
        let tokens = ids.len() as f64 * (length as f64 / inside as f64);
        let Summary { bytes, characters, loss, normalised, .. } = summary;
        let options = options.clone();
        Ok(Self {
            path: path.to_owned(),
            name: format!("{}:{split}", file::stem(path)),
            text: Text { alphabet, options, tokens, bytes, characters, loss, normalised, rest, last_window },
            values,
            ids,
            length,
            frame: marks.frame,
            hash,
        })
    }

    /// Tokens of text in a window.
    fn inside(&self) -> usize {
        self.length - if self.frame.is_some() { 2 } else { 0 }
    }
}

impl Dataset for TextData {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn shape(&self) -> DataShape {
        DataShape { values: self.values, length: self.length, classes: 0, image: None }
    }

    fn len(&self) -> usize {
        self.ids.len() / self.inside()
    }

    fn select(&self, indices: &[usize]) -> Result<Tokens> {
        let (inside, [first, last]) = (self.inside(), self.frame.map_or([None, None], |frame| frame.map(Some)));
        let mut ids = Vec::with_capacity(indices.len() * self.length);
        for &index in indices {
            ids.extend(first);
            ids.extend(self.ids.window(index * inside, inside).map_err(Error::io(&self.path))?);
            ids.extend(last);
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
