//! The tokens of a `tokenizer.json`.

use std::path::Path;

use tokenizers::Tokenizer;

use super::encoding_hints::characters;
use super::file;
use crate::error::{Error, Result};

/// The end of pieces of about a MiB that end with a line: a tokenizer's intermediate results take many times as
/// much memory as its text.
pub(super) fn lines(bytes: &[u8], last: bool) -> Option<usize> {
    let limit = characters(bytes, last)?;
    let whole_lines = || bytes[..limit].iter().rposition(|&byte| byte == b'\n').map(|at| at + 1);
    Some(if limit < bytes.len() { whole_lines().unwrap_or(limit) } else { limit })
}

/// A tokenizer whose ids are the data values 0..V of a model, which has its mask at V.
///
/// Where the tokenizer itself holds the mask token, at an id m, no text may contain it: m is taken out, and the ids above
/// it are one lower than the tokenizer's.
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    /// SHA-256 of the file, and of the mask's id where there is one.
    hash: String,
    /// The id of what the vocabulary does not have, in the tokenizer's own numbering.
    unknown: Option<u32>,
    /// The mask's id in the tokenizer's own numbering.
    mask: Option<u32>,
    /// V.
    values: usize,
}

impl TextTokenizer {
    /// Reads a `tokenizer.json`. `mask` is the mask token, or its id: of the tokenizer, or one beyond its ids, which an
    /// enlarged vocabulary has.
    pub fn load(path: &Path, mask: Option<&str>) -> Result<Self> {
        let content = file::read(path)?;
        let fail = |what: String| Error::format(path, format!("not a usable tokenizer.json: {what}"));
        // It panics at a decoder that is no JSON.
        let tokenizer = elbow_base::caught(|| Tokenizer::from_bytes(&content.bytes)).map_err(fail)?;
        let mut tokenizer = tokenizer.map_err(|e| fail(e.to_string()))?;
        // Settings for the batches of a language model; here they would cut the text or fill it up.
        tokenizer.with_padding(None).with_truncation(None).map_err(|e| fail(e.to_string()))?;
        let ids = tokenizer.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        if ids == 0 {
            return Err(fail("its vocabulary is empty".to_owned()));
        }
        let mask = mask.map(|mask| mask_id(&tokenizer, mask)).transpose()?;
        Ok(Self {
            unknown: unknown_id(&tokenizer, &content.bytes),
            hash: mask.map_or(content.hash.clone(), |id| file::combine([content.hash, format!("mask {id}")])),
            values: ids - usize::from(mask.is_some_and(|mask| (mask as usize) < ids)),
            mask,
            tokenizer,
        })
    }

    /// V: one above the highest id, added tokens included and the mask left out.
    pub fn values(&self) -> usize {
        self.values
    }

    /// SHA-256 of what defines the ids.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The mask's id in the tokenizer's own numbering.
    pub fn mask(&self) -> Option<u32> {
        self.mask
    }

    /// Whether an id stands for text that the vocabulary does not have.
    pub fn is_unknown(&self, id: u32) -> bool {
        self.unknown == Some(self.own(id))
    }

    /// The id of a token by its exact text.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token).and_then(|id| self.without_mask(id))
    }

    /// The ids of a text of about a MiB; no special tokens are added. A text that holds the mask token is refused.
    pub fn encode(&self, text: &str) -> std::result::Result<Vec<u32>, String> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|e| e.to_string())?;
        let ids: Option<Vec<u32>> = encoding.get_ids().iter().map(|&id| self.without_mask(id)).collect();
        ids.ok_or_else(|| self.masked())
    }

    /// The text of ids that are all known.
    pub fn decode(&self, ids: &[u32]) -> Option<String> {
        let own: Vec<u32> = ids.iter().map(|&id| self.own(id)).collect();
        self.tokenizer.decode(&own, false).ok()
    }

    /// Whether an id has a text.
    pub fn knows(&self, id: u32) -> bool {
        self.tokenizer.id_to_token(self.own(id)).is_some()
    }

    /// An id of the tokenizer as a data value; none for the mask.
    fn without_mask(&self, id: u32) -> Option<u32> {
        match self.mask {
            Some(mask) if id == mask => None,
            Some(mask) if id > mask => Some(id - 1),
            _ => Some(id),
        }
    }

    /// A data value in the tokenizer's own numbering.
    fn own(&self, id: u32) -> u32 {
        id + u32::from(self.mask.is_some_and(|mask| id >= mask))
    }

    fn masked(&self) -> String {
        let token = self.mask.and_then(|id| self.tokenizer.id_to_token(id)).unwrap_or_default();
        format!("the text holds the mask token {token}, which no data may: take it out of the text")
    }
}

fn mask_id(tokenizer: &Tokenizer, mask: &str) -> Result<u32> {
    tokenizer.token_to_id(mask).or_else(|| mask.parse().ok()).ok_or_else(|| {
        Error::Setting(format!("mask_id {mask:?}: the tokenizer has no such token; name one that it has, or an id"))
    })
}

/// The id of unknown text, which every kind of model names in its own way.
fn unknown_id(tokenizer: &Tokenizer, file: &[u8]) -> Option<u32> {
    let file: serde_json::Value = serde_json::from_slice(file).ok()?;
    let model = &file["model"];
    let by_name = model["unk_token"].as_str().and_then(|token| tokenizer.token_to_id(token));
    by_name.or_else(|| model["unk_id"].as_u64().and_then(|id| u32::try_from(id).ok()))
}
