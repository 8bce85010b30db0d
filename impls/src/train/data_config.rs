//! The data of a run: a set of the catalogue or a file, and how a text is cut into tokens.

use std::path::Path;

use super::flat::Reader;
use crate::data::own_images::is_own_images;
use crate::data::{
    Alphabet, DataShape, Division, Reading, Spec, Split, TextOptions, TextTokenizer, catalogue, token_array,
};
use crate::error::{Error, Result};

/// The data set of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct DataConfig {
    /// A name of the catalogue (`digits`, `fashion-mnist`, `text8`, ...), a text file, or a folder or file of images.
    pub dataset: String,
    /// Text: `text8`, `bytes`, `tokenizer:FILE` or `vocab:FILE`; token ids in an npy or npz file: `ids:V`.
    pub alphabet: Option<String>,
    /// Text: tokens per sequence.
    pub sequence_length: Option<usize>,
    /// Text: `mask_id`, `frame`, `documents` and `detokenizer`, written only where they are set.
    pub text: TextOptions,
    /// Images or token ids of one's own: which of them train, and which test. `test_dataset` names those that test; without it,
    /// `test_fraction` (0.1) of all images are chosen with the seed `split_seed` (0).
    pub division: Division,
}

impl DataConfig {
    /// The settings of images of one's own.
    pub(super) const KEYS: [&str; 3] = ["test_dataset", "test_fraction", "split_seed"];

    /// Takes the data's settings out of the table.
    pub(super) fn read(from: &mut Reader) -> Result<Self> {
        let text = TextOptions {
            mask_id: from.optional::<toml::Value>("mask_id")?.map(|id| match id {
                toml::Value::String(token) => token,
                number => number.to_string(),
            }),
            frame: from.optional("frame")?,
            documents: from.optional_name("documents")?,
            detokenizer: from.optional_name("detokenizer")?,
        };
        let dataset: String = from.needed("dataset")?;
        let alphabet = from.optional("alphabet")?;
        let mut division = Division::default();
        // Whether there are images at this path is not asked here: a run's settings can be read without its data.
        let is_divided = alphabet.as_deref().is_none_or(|alphabet: &str| token_array::values(alphabet).is_some());
        if is_divided && !catalogue::is_known(&dataset) {
            division.test_dataset = from.optional("test_dataset")?;
            // Where those that test are named, none are chosen.
            if division.test_dataset.is_none() {
                let Division { test_fraction, split_seed, .. } = division;
                division.test_fraction = from.optional("test_fraction")?.unwrap_or(test_fraction);
                division.split_seed = from.optional("split_seed")?.unwrap_or(split_seed);
                if !(division.test_fraction > 0.0 && division.test_fraction < 1.0) {
                    let what = format!("test_fraction = {}: it must lie between 0 and 1", division.test_fraction);
                    return Err(Error::Setting(what));
                }
            }
        }
        Ok(Self { dataset, alphabet, sequence_length: from.optional("sequence_length")?, text, division })
    }

    /// Whether the data are images at a path of one's own: whatever has neither the name of a set nor an alphabet.
    pub fn is_own_images(&self) -> bool {
        !catalogue::is_known(&self.dataset) && (self.alphabet.is_none() || is_own_images(Path::new(&self.dataset)))
    }

    /// The specification of a split.
    pub fn spec(&self, split: Split) -> Spec {
        Spec {
            alphabet: self.alphabet.clone(),
            length: self.sequence_length,
            text: self.text.clone(),
            division: self.division.clone(),
            ..Spec::new(&self.dataset, split)
        }
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
    /// `sequence_length`. A tokenizer's file is read: its vocabulary is the number of values. Images of one's own are
    /// read too.
    pub fn shape(&self) -> Result<DataShape> {
        let set = &self.dataset;
        if let Some(shape) = catalogue::image_shape(set) {
            return Ok(shape);
        }
        match (&self.alphabet, self.sequence_length) {
            _ if self.is_own_images() => {
                Ok(catalogue::open(&self.spec(Split::Train), &[], &Reading::in_memory())?.shape())
            }
            (Some(alphabet), Some(length)) => Ok(DataShape {
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
