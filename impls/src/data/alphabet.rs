//! Alphabets: how a text becomes tokens, and tokens text.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use super::encoding_hints;
use super::tokenizer::TextTokenizer;
use super::vocabulary::Vocabulary;
use crate::error::{Error, Result, UnknownName};

/// The text of an id outside of the alphabet, such as the mask.
const UNREADABLE: &str = "\u{fffd}";
const SPELLED: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// Bytes whose tokens are passed on at a time.
const PIECE: usize = 1 << 20;

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

    /// The text that is cut into splits. Errors say what is wrong, and at which byte.
    pub(super) fn prepare<'a>(&self, text: &'a [u8]) -> std::result::Result<Cow<'a, [u8]>, String> {
        match self {
            Self::Bytes => Ok(text.into()),
            Self::Text8 => {
                encoding_hints::no_binary(text)?;
                match normalise(text) {
                    normal if normal.is_empty() => Err(format!("no letter and no digit in {} bytes", text.len())),
                    normal => Ok(normal.into()),
                }
            }
            Self::Tokenizer(_) | Self::Vocabulary(_) => {
                encoding_hints::no_binary(text)?;
                encoding_hints::utf8(text)?;
                Ok(text.into())
            }
        }
    }

    /// The first place at or before `byte` where the prepared text can be cut.
    pub(super) fn cut(&self, text: &[u8], byte: usize) -> usize {
        let inside_character = |&at: &usize| at < text.len() && text[at] & 0xc0 == 0x80;
        match self {
            Self::Tokenizer(_) => (0..=byte).rev().find(|at| !inside_character(at)).unwrap_or(0),
            // A word is not cut.
            Self::Vocabulary(_) => {
                let is_between = |at: &usize| *at == text.len() || text[*at].is_ascii_whitespace();
                (0..=byte).rev().find(is_between).unwrap_or(0)
            }
            Self::Text8 | Self::Bytes => byte,
        }
    }

    /// Passes on pieces of prepared text with their tokens. What a tokenizer's tokens do not give back is an error of
    /// no piece: see [`Self::decode`].
    pub(super) fn encode(&self, text: &[u8], mut take: impl FnMut(&[u8], &[u32])) -> std::result::Result<(), String> {
        let mut by_byte = |id: fn(&u8) -> u32| {
            text.chunks(PIECE).for_each(|piece| take(piece, &piece.iter().map(id).collect::<Vec<_>>()));
        };
        match self {
            Self::Text8 => by_byte(letter_id),
            Self::Bytes => by_byte(|&byte| byte.into()),
            Self::Tokenizer(tokenizer) => {
                let text = std::str::from_utf8(text).map_err(|e| e.to_string())?;
                tokenizer.encode(text, |piece, ids| take(piece.as_bytes(), ids))?;
            }
            Self::Vocabulary(vocabulary) => {
                let text = std::str::from_utf8(text).map_err(|e| e.to_string())?;
                take(text.as_bytes(), &vocabulary.encode(text)?);
            }
        }
        Ok(())
    }

    /// The tokens of a short text as it stands: nothing is normalised. Errors name what the alphabet does not have.
    pub fn tokens(&self, text: &str) -> std::result::Result<Vec<u32>, String> {
        let foreign = |c: &char| matches!(self, Self::Text8) && !matches!(c, ' ' | 'a'..='z');
        if let Some(c) = text.chars().find(foreign) {
            return Err(format!("{c:?} is not in the alphabet: use a to z and spaces"));
        }
        let mut ids = Vec::new();
        self.encode(text.as_bytes(), |_, piece| ids.extend_from_slice(piece))?;
        Ok(ids)
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
    if text.iter().all(|byte| matches!(byte, b' ' | b'a'..=b'z')) {
        return text.to_vec();
    }
    let mut normal = Vec::with_capacity(text.len());
    let mut gap = false;
    let mut put = |gap: &mut bool, letters: &[u8]| {
        if *gap && !normal.is_empty() {
            normal.push(b' ');
        }
        normal.extend_from_slice(letters);
        *gap = false;
    };
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => put(&mut gap, &[byte.to_ascii_lowercase()]),
            b'0'..=b'9' => {
                gap = true;
                put(&mut gap, SPELLED[usize::from(byte - b'0')].as_bytes());
                gap = true;
            }
            _ => gap = true,
        }
    }
    normal
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
