//! Alphabets: how a text becomes tokens, and tokens text.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use super::bytes::{Bytes, Collected, PIECE, Reading, anywhere};
use super::encoding_hints::{self, characters};
use super::text_loss::{Comparison, TextLoss};
use super::tokenizer::{self, TextTokenizer};
use super::vocabulary::Vocabulary;
use crate::error::{Error, Result, UnknownName};

/// The text of an id outside of the alphabet, such as the mask.
const UNREADABLE: &str = "\u{fffd}";
const SPELLED: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// The tokens of a text.
pub enum Alphabet {
    /// 27 symbols: the space 0 and the letters 1..=26.
    Text8,
    /// 256 byte values.
    Bytes,
    /// The tokens of a `tokenizer.json`.
    Tokenizer(Box<TextTokenizer>),
    /// The tokens of a `vocab.txt`.
    Vocabulary(Box<Vocabulary>),
}

impl Alphabet {
    /// `text8`, `bytes`, `tokenizer:FILE`, where the file is a `tokenizer.json` of Hugging Face's tokenizers, or
    /// `vocab:FILE`, where it has one token per line.
    pub fn parse(text: &str) -> Result<Self> {
        Self::with_mask(text, None)
    }

    /// The same, for a tokenizer that holds the mask: its token or its id (see [`TextTokenizer::load`]).
    pub fn with_mask(text: &str, mask: Option<&str>) -> Result<Self> {
        if let (Some(path), None) = (text.strip_prefix("vocab:"), mask) {
            return Ok(Self::Vocabulary(Box::new(Vocabulary::load(Path::new(path))?)));
        }
        match (text, text.strip_prefix("tokenizer:"), mask) {
            (_, Some(path), _) => Ok(Self::Tokenizer(Box::new(TextTokenizer::load(Path::new(path), mask)?))),
            (_, None, Some(_)) if matches!(text, "text8" | "bytes") || text.starts_with("vocab:") => {
                Err(Error::Setting(format!(
                    "mask_id is for tokenizers: {text} has no token beside its values, and the mask comes after them"
                )))
            }
            ("text8", ..) => Ok(Self::Text8),
            ("bytes", ..) => Ok(Self::Bytes),
            _ => Err(UnknownName::new("alphabet", text, &["text8", "bytes", "tokenizer:FILE", "vocab:FILE"]).into()),
        }
    }

    /// Number of values V. A tokenizer's is one above its highest id, added tokens included and the mask left out: the
    /// size of its vocabulary unless ids are left out.
    pub fn values(&self) -> usize {
        match self {
            Self::Text8 => 27,
            Self::Bytes => 256,
            Self::Tokenizer(tokenizer) => tokenizer.values(),
            Self::Vocabulary(vocabulary) => vocabulary.values(),
        }
    }

    /// The tokenizer, where the tokens are of one.
    pub fn tokenizer(&self) -> Option<&TextTokenizer> {
        match self {
            Self::Tokenizer(tokenizer) => Some(tokenizer),
            Self::Text8 | Self::Bytes | Self::Vocabulary(_) => None,
        }
    }

    /// Whether the tokens give back every text that they are made of.
    pub(super) fn is_exact(&self) -> bool {
        matches!(self, Self::Text8 | Self::Bytes)
    }

    /// Whether a token stands for text that the alphabet does not have.
    pub(super) fn is_unknown(&self, id: u32) -> bool {
        self.tokenizer().is_some_and(|tokenizer| tokenizer.is_unknown(id))
    }

    /// The text that is cut into splits, and what the rules of text8 changed in it. Errors say what is wrong, and at which
    /// byte.
    pub(super) fn prepare(&self, text: Bytes, reading: &Reading) -> io::Result<(Bytes, Option<TextLoss>)> {
        match self {
            Self::Bytes => {}
            Self::Text8 => {
                encoding_hints::no_binary(&text)?;
                return normalised(text, reading);
            }
            Self::Tokenizer(_) | Self::Vocabulary(_) => {
                encoding_hints::no_binary(&text)?;
                encoding_hints::utf8(&text)?;
            }
        }
        Ok((text, None))
    }

    /// The white space that stands between the text of two pieces' tokens, where their tokens do not give it back.
    pub(super) fn between_pieces(&self) -> &'static str {
        match self {
            Self::Vocabulary(vocabulary) if !vocabulary.can_be_cut_anywhere() => " ",
            _ => "",
        }
    }

    /// The first place at or before `byte` where the prepared text can be cut.
    pub(super) fn cut(&self, text: &Bytes, byte: usize) -> io::Result<usize> {
        let can_end_before = |next: u8| match self {
            Self::Tokenizer(_) => next & 0xc0 != 0x80,
            // A word is not cut.
            Self::Vocabulary(_) => next.is_ascii_whitespace(),
            Self::Text8 | Self::Bytes => true,
        };
        let mut end = byte;
        if end == text.len() {
            return Ok(end);
        }
        loop {
            let from = end.saturating_sub(PIECE);
            let before = text.read(from..end + 1)?;
            match before.iter().rposition(|&next| can_end_before(next)) {
                Some(place) => return Ok(from + place),
                None if from == 0 => return Ok(0),
                None => end = from,
            }
        }
    }

    /// The end of the first piece of a text that is encoded by itself: see [`Bytes::pieces`].
    pub(super) fn piece(&self, text: &[u8], last: bool) -> Option<usize> {
        match self {
            Self::Text8 | Self::Bytes => anywhere(text, last),
            Self::Tokenizer(_) => tokenizer::lines(text, last),
            Self::Vocabulary(vocabulary) if vocabulary.can_be_cut_anywhere() => characters(text, last),
            Self::Vocabulary(_) => {
                let limit = characters(text, last)?;
                let is_space = u8::is_ascii_whitespace;
                let before = || text[..limit].iter().rposition(is_space).map(|at| at + 1);
                let after = || text[limit..].iter().position(is_space).map(|at| limit + at + 1);
                if limit == text.len() { Some(limit) } else { before().or_else(after).or(last.then_some(text.len())) }
            }
        }
    }

    /// The tokens of a piece of prepared text, which stands at byte `place` of the whole. What a tokenizer's tokens do not give
    /// back is no error: see [`Self::decode`].
    pub(super) fn encode(&self, piece: &[u8], place: usize) -> std::result::Result<Vec<u32>, String> {
        let text = || std::str::from_utf8(piece).map_err(|e| e.to_string());
        match self {
            Self::Text8 => Ok(piece.iter().map(letter_id).collect()),
            Self::Bytes => Ok(piece.iter().map(|&byte| byte.into()).collect()),
            Self::Tokenizer(tokenizer) => tokenizer.encode(text()?),
            Self::Vocabulary(vocabulary) => vocabulary.encode(text()?, place),
        }
    }

    /// The tokens of a short text as it stands: nothing is normalised. Errors name what the alphabet does not have.
    pub fn tokens(&self, text: &str) -> std::result::Result<Vec<u32>, String> {
        let foreign = |c: &char| matches!(self, Self::Text8) && !matches!(c, ' ' | 'a'..='z');
        if let Some(c) = text.chars().find(foreign) {
            return Err(format!("{c:?} is not in the alphabet: use a to z and spaces"));
        }
        self.encode(text.as_bytes(), 0)
    }

    /// The text of tokens; U+FFFD for ids that have no text, such as the mask.
    pub fn decode(&self, ids: &[u32]) -> String {
        let text_of_run = |known: bool, run: &[u32]| match (known, self) {
            (false, _) => UNREADABLE.repeat(run.len()),
            (true, Self::Text8) => run.iter().map(|&id| letter(id)).collect(),
            (true, Self::Bytes) => {
                let bytes: Vec<u8> = run.iter().map(|&id| id as u8).collect();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            (true, Self::Vocabulary(vocabulary)) => vocabulary.decode(run),
            (true, Self::Tokenizer(tokenizer)) => tokenizer.decode(run).unwrap_or_else(|| UNREADABLE.repeat(run.len())),
        };
        let runs = ids.chunk_by(|&a, &b| self.knows(a) == self.knows(b));
        runs.map(|run| text_of_run(self.knows(run[0]), run)).collect()
    }

    fn knows(&self, id: u32) -> bool {
        match self {
            Self::Text8 => id < 27,
            Self::Bytes => id < 256,
            Self::Tokenizer(tokenizer) => tokenizer.knows(id),
            Self::Vocabulary(vocabulary) => (id as usize) < vocabulary.values(),
        }
    }

    /// SHA-256 of the file that defines the tokens, where there is one.
    pub fn hash(&self) -> Option<&str> {
        match self {
            Self::Tokenizer(tokenizer) => Some(tokenizer.hash()),
            Self::Vocabulary(vocabulary) => Some(vocabulary.hash()),
            Self::Text8 | Self::Bytes => None,
        }
    }
}

/// `text8`, `bytes`, `tokenizer` or `vocab`.
impl fmt::Display for Alphabet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text8 => "text8",
            Self::Bytes => "bytes",
            Self::Tokenizer(_) => "tokenizer",
            Self::Vocabulary(_) => "vocab",
        })
    }
}

/// Text in the alphabet of text8, by the rules of Mahoney's filter for plain text: letters of ASCII in lower case,
/// digits spelled out as words, and one space for every run of anything else, but none at the ends. Letters with
/// accents count as anything else. A text that is in the alphabet already, as text8 itself, which begins with a space,
/// stays as it is.
pub fn normalise(text: &[u8]) -> Vec<u8> {
    if is_normal(text) {
        return text.to_vec();
    }
    let mut normal = Vec::with_capacity(text.len());
    Normaliser::default().add(text, &mut normal);
    normal
}

fn is_normal(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b' ' | b'a'..=b'z'))
}

/// [`normalise`] of a whole text, and what it changed.
fn normalised(text: Bytes, reading: &Reading) -> io::Result<(Bytes, Option<TextLoss>)> {
    let mut is_normal_so_far = true;
    let all = 0..text.len();
    text.pieces(all.clone(), anywhere, |_, piece| {
        is_normal_so_far &= is_normal(piece);
        Ok(())
    })?;
    if is_normal_so_far {
        return Ok((text, None));
    }
    let (mut normaliser, mut comparison) = (Normaliser::default(), Comparison::default());
    let (mut whole, mut normal) = (Collected::new(reading), Vec::new());
    text.pieces(all, anywhere, |_, piece| {
        normal.clear();
        normaliser.add(piece, &mut normal);
        comparison.count(piece, &normal);
        whole.write_all(&normal)
    })?;
    comparison.add_counted();
    match whole.finish()? {
        normal if normal.len() == 0 => Err(io::Error::other(format!("no letter and no digit in {} bytes", text.len()))),
        normal => Ok((normal, comparison.loss())),
    }
}

/// The rules of [`normalise`], for a text that comes in pieces.
#[derive(Default)]
struct Normaliser {
    /// Whether something between words came last.
    gap: bool,
    /// Whether there was a letter or a digit.
    begun: bool,
}

impl Normaliser {
    fn add(&mut self, piece: &[u8], normal: &mut Vec<u8>) {
        for byte in piece {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' => self.put(&[byte.to_ascii_lowercase()], normal),
                b'0'..=b'9' => {
                    self.gap = true;
                    self.put(SPELLED[usize::from(byte - b'0')].as_bytes(), normal);
                    self.gap = true;
                }
                _ => self.gap = true,
            }
        }
    }

    fn put(&mut self, letters: &[u8], normal: &mut Vec<u8>) {
        if self.gap && self.begun {
            normal.push(b' ');
        }
        normal.extend_from_slice(letters);
        (self.gap, self.begun) = (false, true);
    }
}

fn letter_id(byte: &u8) -> u32 {
    byte.checked_sub(b'a').map_or(0, |place| u32::from(place) + 1)
}

fn letter(id: u32) -> char {
    match id {
        0 => ' ',
        _ => char::from(b'a' + (id - 1) as u8),
    }
}
