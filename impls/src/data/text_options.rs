//! How a text is read beside its alphabet: the conventions of published evaluations.

use super::detokenizer::Detokenizer;
use super::{Alphabet, TextTokenizer};
use crate::error::{Error, Result};

/// Conventions of reading a text; by default none: the text as it stands, in windows one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextOptions {
    /// The mask token of the tokenizer, or its id.
    pub mask_id: Option<String>,
    /// The two tokens around each window, separated by a comma: `bos,eos`, or by their text.
    pub frame: Option<String>,
    /// Where documents end.
    pub documents: Option<Documents>,
    /// What undoes the word-level tokenization of a corpus.
    pub detokenizer: Option<Detokenizer>,
}

/// The documents of a text, each of which ends with the token EOS in place of its separator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Documents {
    /// Each line is one.
    Lines,
    /// Blank lines separate them.
    Blank,
}

crate::names!(Documents, "documents": Lines = "lines", Blank = "blank");

/// The ids that the options put into a text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    /// Before and after each window.
    pub frame: Option<[u32; 2]>,
    /// After each document.
    pub document_end: Option<u32>,
}

impl TextOptions {
    /// The ids of the tokens that the options name.
    pub(super) fn marks(&self, alphabet: &Alphabet) -> Result<Marks> {
        let pair = self.frame.as_deref().map(|frame| {
            let wrong = || Error::Setting(format!("frame {frame:?}: two tokens, separated by a comma, as bos,eos"));
            frame.split_once(',').ok_or_else(wrong)
        });
        let frame = pair.transpose()?;
        if frame.is_none() && self.documents.is_none() {
            return Ok(Marks::default());
        }
        let tokenizer = alphabet.tokenizer().ok_or_else(|| {
            Error::Setting(format!("frame and documents are for tokenizers: {alphabet} has no tokens for them"))
        })?;
        let frame =
            frame.map(|(first, last)| -> Result<_> { Ok([special(tokenizer, first)?, special(tokenizer, last)?]) });
        let frame: Option<[u32; 2]> = frame.transpose()?;
        let end = self.documents.map(|_| frame.map_or_else(|| special(tokenizer, "eos"), |[_, last]| Ok(last)));
        Ok(Marks { frame, document_end: end.transpose()? })
    }

    /// The conventions by name.
    pub fn protocol(&self) -> Vec<(&'static str, String)> {
        let Self { frame, documents, detokenizer, .. } = self;
        let frame = frame.as_ref().map(|frame| ("frame", format!("{frame} around each window, scored too")));
        let documents = documents
            .map(|documents| ("documents", format!("{documents}, each ends with EOS in place of its separator")));
        let detokenizer =
            detokenizer.map(|name| ("detokenizer", format!("{name}; bits/char and bits/byte over the text before it")));
        [frame, documents, detokenizer].into_iter().flatten().collect()
    }
}

/// What tokenizers call the begin and the end of a text. `tokenizer.json` does not say which token has the role.
const BEGINS: [&str; 7] = ["[BOS]", "<s>", "<bos>", "<|startoftext|>", "<|begin_of_text|>", "[CLS]", "<|endoftext|>"];
const ENDS: [&str; 6] = ["[EOS]", "</s>", "<eos>", "<|endoftext|>", "<|end_of_text|>", "[SEP]"];

/// The id of a token by its text, or by the names `bos` and `eos`.
fn special(tokenizer: &TextTokenizer, name: &str) -> Result<u32> {
    let candidates = match name {
        "bos" => &BEGINS[..],
        "eos" => &ENDS[..],
        token => &[token],
    };
    candidates.iter().find_map(|token| tokenizer.id(token)).ok_or_else(|| {
        let looked = if candidates.len() > 1 { format!(" ({})", candidates.join(", ")) } else { String::new() };
        Error::Setting(format!(
            "the tokenizer has no token {name}{looked}: give the token itself, as frame = \"<s>,</s>\""
        ))
    })
}
