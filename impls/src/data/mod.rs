//! Data sets of token sequences behind one trait.
//!
//! | module | what |
//! |---|---|
//! | [`catalogue`] | data sets by name, and where their files are looked for |
//! | [`digits`], [`idx`], [`cifar`] | images that fit in memory |
//! | [`image_file`] | a file of images, by its name |
//! | [`npz`] | images that are read from disk as they are needed: downsampled ImageNet, samples of ADM |
//! | [`own_images`] | images of one's own: folders and arrays, divided into train and test |
//! | [`text`], [`alphabet`], [`tokenizer`] | windows of a text in the text8 alphabet, in bytes, or in the tokens of a tokenizer |
//! | [`text_options`], [`detokenizer`] | frames, documents and other conventions of reading a text |
//! | [`vocabulary`], [`token_array`] | tokens of a `vocab.txt`, and ids in an npy or npz file |
//! | [`lines`] | sequences of different lengths, one per line |
//! | [`memory`] | sequences made in memory |

pub mod alphabet;
mod bytes;
pub mod catalogue;
pub mod cifar;
pub mod detokenizer;
pub mod digits;
mod encoded_text;
mod encoding_hints;
mod file;
mod ids;
pub mod idx;
pub mod image_file;
mod image_folder;
pub mod images;
pub mod lines;
pub mod memory;
pub mod npz;
pub mod own_images;
pub mod split;
pub mod text;
mod text_loss;
pub mod text_options;
pub mod token_array;
pub mod tokenizer;
pub mod vocabulary;

pub use alphabet::Alphabet;
pub use bytes::Reading;
pub use catalogue::Spec;
pub use images::Images;
pub use lines::Lines;
pub use memory::InMemory;
pub use npz::Npz;
pub use own_images::Division;
pub use split::Split;
pub use text::{Text, TextData};
pub use text_loss::TextLoss;
pub use text_options::TextOptions;
pub use tokenizer::TextTokenizer;
pub use vocabulary::Vocabulary;

pub use elbow_base::Tokens;

use crate::error::Result;

/// A finite set of equally long sequences over the values 0..V. An index that is not below `len` is a mistake of the
/// caller: `select` and `labels` panic.
pub trait Dataset: Send + Sync {
    /// Name with split: `fashion-mnist:train`.
    fn name(&self) -> String;

    /// Values, tokens per sequence, classes, and the size of images.
    fn shape(&self) -> DataShape;

    /// Number of sequences.
    fn len(&self) -> usize;

    /// Whether there are no sequences.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of data values V.
    fn values(&self) -> usize {
        self.shape().values
    }

    /// Tokens per sequence.
    fn length(&self) -> usize {
        self.shape().length
    }

    /// The sequences with these indices, in this order. Fails where a set that lies on disk cannot be read.
    fn select(&self, indices: &[usize]) -> Result<Tokens>;

    /// Every sequence: for sets that fit into memory.
    fn all(&self) -> Result<Tokens> {
        self.select(&(0..self.len()).collect::<Vec<_>>())
    }

    /// Number of classes; 0 where there are no labels.
    fn classes(&self) -> usize {
        self.shape().classes
    }

    /// The classes 0..`classes` of the sequences with these indices; empty where there are no labels.
    fn labels(&self, _indices: &[usize]) -> Vec<u32> {
        Vec::new()
    }

    /// Height, width and channels where a sequence is an image; its tokens are in this order, channels innermost.
    fn image(&self) -> Option<[usize; 3]> {
        self.shape().image
    }

    /// The text of the tokens, where a sequence is text.
    fn text(&self) -> Option<&Text> {
        None
    }

    /// SHA-256 of the data, in hexadecimal: the hash of a single file as it lies on disk, a hash of the hashes of
    /// several files, and for files that are read as they are needed a hash of size, first and last MiB.
    fn hash(&self) -> &str;
}

/// The shape of a data set, which a network must fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataShape {
    /// Data values V.
    pub values: usize,
    /// Tokens per sequence.
    pub length: usize,
    /// Classes; 0 without labels.
    pub classes: usize,
    /// Height, width and channels of images.
    pub image: Option<[usize; 3]>,
}

impl DataShape {
    /// The shape of this data set.
    pub fn of(data: &dyn Dataset) -> Self {
        data.shape()
    }
}
