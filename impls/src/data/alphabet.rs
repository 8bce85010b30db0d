//! Alphabets: how a text becomes tokens, and tokens text.

use std::fmt;
use std::path::Path;

use tokenizers::Tokenizer;

use super::file;
use crate::error::{Error, Result, UnknownName};

/// The text of an id outside of the alphabet, such as the mask.
const UNREADABLE: &str = "\u{fffd}";
const SPELLED: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
/// About how much text is given to a tokenizer at a time: its intermediate results take many times as much memory.
const PIECE: usize = 1 << 20;

/// The tokens of a text.
pub enum Alphabet {
    /// 27 symbols: the space 0 and the letters 1..=26.
    Text8,
    /// 256 byte values.
    Bytes,
    /// The tokens of a `tokenizer.json`, and the hash of that file.
    Tokenizer(Box<Tokenizer>, String),
}

impl Alphabet {
    /// `text8`, `bytes` or `tokenizer:FILE`, where the file is a `tokenizer.json` of Hugging Face's tokenizers.
    pub fn parse(text: &str) -> Result<Self> {
        match (text, text.strip_prefix("tokenizer:")) {
            ("text8", _) => Ok(Self::Text8),
            ("bytes", _) => Ok(Self::Bytes),
            (_, Some(path)) => Self::tokenizer(Path::new(path)),
            _ => Err(UnknownName::new("alphabet", text, &["text8", "bytes", "tokenizer:FILE"]).into()),
        }
    }

    fn tokenizer(path: &Path) -> Result<Self> {
        let content = file::read(path)?;
        let fail = |what: String| Error::format(path, format!("not a usable tokenizer.json: {what}"));
        // It panics at a decoder that is no JSON.
        let tokenizer = elbow_base::caught(|| Tokenizer::from_bytes(&content.bytes)).map_err(fail)?;
        let mut tokenizer = tokenizer.map_err(|e| fail(e.to_string()))?;
        // Settings for the batches of a language model; here they would cut the text or fill it up.
        tokenizer.with_padding(None).with_truncation(None).map_err(|e| fail(e.to_string()))?;
        match tokenizer.get_vocab_size(true) {
            0 => Err(fail("its vocabulary is empty".to_owned())),
            _ => Ok(Self::Tokenizer(Box::new(tokenizer), content.hash)),
        }
    }

    /// Number of values V. A tokenizer's is one above its highest id, added tokens included: the size of its vocabulary
    /// unless ids are left out.
    pub fn values(&self) -> usize {
        match self {
            Self::Text8 => 27,
            Self::Bytes => 256,
            Self::Tokenizer(tokenizer, _) => {
                tokenizer.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1)
            }
        }
    }

    /// The text that is cut into splits. Errors say what is wrong, and at which byte.
    pub(super) fn prepare(&self, text: Vec<u8>) -> std::result::Result<Vec<u8>, String> {
        match self {
            Self::Text8 => match normalise(&text) {
                normal if normal.is_empty() => Err(format!("no letter and no digit in {} bytes", text.len())),
                normal => Ok(normal),
            },
            Self::Bytes => Ok(text),
            Self::Tokenizer(..) => String::from_utf8(text)
                .map(String::into_bytes)
                .map_err(|e| format!("byte {}: not UTF-8, which a tokenizer needs", e.utf8_error().valid_up_to())),
        }
    }

    /// The first place at or before `byte` where the prepared text can be cut.
    pub(super) fn cut(&self, text: &[u8], byte: usize) -> usize {
        let inside_character = |&at: &usize| at < text.len() && text[at] & 0xc0 == 0x80;
        match self {
            Self::Tokenizer(..) => (0..=byte).rev().find(|at| !inside_character(at)).unwrap_or(0),
            Self::Text8 | Self::Bytes => byte,
        }
    }

    /// Passes on the tokens of prepared text, piece by piece. A tokenizer gets pieces of about a MiB that end with a
    /// line, so that memory stays bounded; it adds no special tokens.
    pub(super) fn encode(&self, text: &[u8], mut take: impl FnMut(&[u32])) -> std::result::Result<(), String> {
        match self {
            Self::Text8 => text.chunks(PIECE).for_each(|piece| take(&piece.iter().map(letter_id).collect::<Vec<_>>())),
            Self::Bytes => {
                text.chunks(PIECE).for_each(|piece| take(&piece.iter().map(|&b| b.into()).collect::<Vec<_>>()));
            }
            Self::Tokenizer(tokenizer, _) => {
                let mut rest = std::str::from_utf8(text).map_err(|e| e.to_string())?;
                while !rest.is_empty() {
                    let limit = rest.ceil_char_boundary(PIECE);
                    let whole_lines = rest[..limit].rfind('\n').filter(|_| limit < rest.len());
                    let (piece, left) = rest.split_at(whole_lines.map_or(limit, |at| at + 1));
                    take(tokenizer.encode_fast(piece, false).map_err(|e| e.to_string())?.get_ids());
                    rest = left;
                }
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
        self.encode(text.as_bytes(), |piece| ids.extend_from_slice(piece))?;
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
            (true, Self::Tokenizer(tokenizer, _)) => {
                tokenizer.decode(run, false).unwrap_or_else(|_| UNREADABLE.repeat(run.len()))
            }
        };
        let runs = ids.chunk_by(|&a, &b| self.knows(a) == self.knows(b));
        runs.map(|run| text_of_run(self.knows(run[0]), run)).collect()
    }

    fn knows(&self, id: u32) -> bool {
        match self {
            Self::Text8 => id < 27,
            Self::Bytes => id < 256,
            Self::Tokenizer(tokenizer, _) => tokenizer.id_to_token(id).is_some(),
        }
    }

    /// The hash of the file that defines the alphabet, where there is one.
    pub(super) fn hash(&self) -> Option<&str> {
        match self {
            Self::Text8 | Self::Bytes => None,
            Self::Tokenizer(_, hash) => Some(hash),
        }
    }
}

/// `text8`, `bytes` or `tokenizer`.
impl fmt::Display for Alphabet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text8 => "text8",
            Self::Bytes => "bytes",
            Self::Tokenizer(..) => "tokenizer",
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
