//! The data of a run: a set of the catalogue or a file, and how a text is cut into tokens.

use std::path::Path;

use super::flat::Reader;
use crate::data::{Alphabet, DataShape, Spec, Split, TextOptions, TextTokenizer, catalogue};
use crate::error::{Error, Result};

/// The data set of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct DataConfig {
    /// A name of the catalogue (`digits`, `fashion-mnist`, `text8`, ...), or a text file.
    pub dataset: String,
    /// Text: `text8`, `bytes` or `tokenizer:FILE`.
    pub alphabet: Option<String>,
    /// Text: tokens per sequence.
    pub sequence_length: Option<usize>,
    /// Text: `mask_id`, `frame`, `documents` and `detokenizer`, written only where they are set.
    pub text: TextOptions,
}

impl DataConfig {
    /// Takes the data's settings out of the table.
    pub(super) fn read(from: &mut Reader) -> Result<Self> {
        Ok(Self {
            dataset: from.needed("dataset")?,
            alphabet: from.optional("alphabet")?,
            sequence_length: from.optional("sequence_length")?,
            text: TextOptions {
                mask_id: from.optional::<toml::Value>("mask_id")?.map(|id| match id {
                    toml::Value::String(token) => token,
                    number => number.to_string(),
                }),
                frame: from.optional("frame")?,
                documents: from.optional_name("documents")?,
                detokenizer: from.optional_name("detokenizer")?,
            },
        })
    }

    /// The specification of a split.
    pub fn spec(&self, split: Split) -> Spec {
        let (set, alphabet, text) = (self.dataset.clone(), self.alphabet.clone(), self.text.clone());
        Spec { set, split, alphabet, length: self.sequence_length, text }
    }

    /// The mask's id in the numbering of the tokenizer, where `mask_id` is set.
    pub fn mask(&self) -> Result<Option<u32>> {
        match (&self.text.mask_id, &self.alphabet) {
            (Some(mask), Some(alphabet)) => {
                Ok(Alphabet::with_mask(alphabet, Some(mask))?.tokenizer().and_then(TextTokenizer::mask))
            }
            (Some(_), None) => Err(Error::Setting("mask_id needs the setting alphabet: tokenizer:FILE".to_owned())),
            (None, _) => Ok(None),
        }
    }

    /// The shape of the data without its files: of images as the catalogue has it, of a text by its alphabet and
    /// `sequence_length`. A tokenizer's file is read: its vocabulary is the number of values.
    pub fn shape(&self) -> Result<DataShape> {
        let set = &self.dataset;
        if let Some(shape) = catalogue::image_shape(set) {
            return Ok(shape);
        }
        match (&self.alphabet, self.sequence_length) {
            (Some(alphabet), Some(length)) if !catalogue::holds_images(Path::new(set)) => Ok(DataShape {
                values: values_of(alphabet, self.text.mask_id.as_deref())?,
                length,
                classes: 0,
                image: None,
            }),
            _ => {
                let what = format!("{set}: neither images of a known size nor a text with its settings");
                Err(Error::Setting(format!("{what}: name a set of images, or set alphabet and sequence_length")))
            }
        }
    }
}

/// Number of values of an alphabet.
fn values_of(alphabet: &str, mask: Option<&str>) -> Result<usize> {
    match Alphabet::with_mask(alphabet, mask) {
        Ok(alphabet) => Ok(alphabet.values()),
        Err(error) if alphabet.starts_with("tokenizer:") => Err(Error::Setting(format!(
            "{error}: the number of values is that of the tokenizer, name its file with alphabet = \"tokenizer:FILE\""
        ))),
        Err(error) => Err(error),
    }
}
