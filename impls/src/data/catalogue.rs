//! Data sets by name, and where their files are looked for.

use std::path::{Path, PathBuf};

use super::bytes::Reading;
use super::own_images::{self, Division, is_own_images};
use super::{Alphabet, DataShape, Dataset, Npz, Split, TextData, TextOptions, cifar, digits, idx, token_array};
use crate::error::{Error, Result, UnknownName};

/// The specification of a data set: its name or path, its split, and the tokens of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// A name in [`SETS`], or the path of a text, of a file of images, or of a folder of images.
    pub set: String,
    /// The part of the set.
    pub split: Split,
    /// For texts: see [`Alphabet::parse`]. For token ids in an npy or npz file: `ids:V`.
    pub alphabet: Option<String>,
    /// For texts only: tokens per window.
    pub length: Option<usize>,
    /// For texts only: the conventions of reading.
    pub text: TextOptions,
    /// For images of one's own only: which of them train, and which test.
    pub division: Division,
}

impl Spec {
    /// A split of a set of images, divided as usual where they are one's own.
    pub fn new(set: impl Into<String>, split: Split) -> Self {
        Self {
            set: set.into(),
            split,
            alphabet: None,
            length: None,
            text: TextOptions::default(),
            division: Division::default(),
        }
    }

    /// The same split of another set, with the same alphabet where it is a text. Images are divided in the same way: those
    /// of the same set that trained never test.
    pub fn of_set(mut self, set: &str) -> Self {
        if Path::new(set) != Path::new(&self.set) {
            self.division.test_dataset = None;
        }
        Self { set: set.to_owned(), ..self }
    }
}

/// A named data set.
pub struct Set {
    /// The name in settings.
    pub name: &'static str,
    /// One line for a listing.
    pub about: &'static str,
    /// The file or folder, inside a data folder, that holds the set; the first that exists is read.
    pub places: &'static [&'static str],
    /// The shape of a set of images, known without its files.
    shape: Option<DataShape>,
    /// How to get it.
    fetch: &'static str,
    open: fn(&Path, &Spec, &Reading) -> Result<Box<dyn Dataset>>,
}

impl Set {
    /// Opens a split of the set, which lies at `path`.
    pub fn open(&self, path: &Path, spec: &Spec, reading: &Reading) -> Result<Box<dyn Dataset>> {
        (self.open)(path, spec, reading)
    }

    /// The path of the set. The error names the files, the folders and the remedy.
    pub fn find(&self, folders: &[PathBuf]) -> Result<PathBuf> {
        let mut candidates = folders.iter().flat_map(|folder| self.places.iter().map(move |place| folder.join(place)));
        candidates.find(|path| path.exists()).ok_or_else(|| {
            let searched: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
            let (places, searched) = (self.places.join(" or "), searched.join(" or "));
            Error::MissingData {
                what: format!("{}: no {places} in {searched}", self.name),
                fetch: self.fetch.to_owned(),
            }
        })
    }
}

/// Every named data set.
pub static SETS: &[Set] = &[
    Set {
        name: "digits",
        about: "handwritten digits, 8x8, 17 levels, 10 classes: 1498 train, 299 test",
        places: &["digits/digits.csv.gz"],
        shape: images(8, 1, 17, 10),
        fetch: "put the file there",
        open: |path, spec, _| boxed(digits::load(path, spec.split)),
    },
    Set {
        name: "mnist",
        about: "handwritten digits, 28x28, 256 levels, 10 classes: 60,000 train, 10,000 test",
        places: &["mnist/"],
        shape: images(28, 1, 256, 10),
        fetch: "put the four IDX files there, plain or .gz",
        open: |path, spec, _| boxed(idx::load(path, &spec.set, spec.split)),
    },
    Set {
        name: "fashion-mnist",
        about: "clothes, 28x28, 256 levels, 10 classes: 60,000 train, 10,000 test",
        places: &["fashion-mnist/"],
        shape: images(28, 1, 256, 10),
        fetch: "put the four IDX files there, plain or .gz",
        open: |path, spec, _| boxed(idx::load(path, &spec.set, spec.split)),
    },
    Set {
        name: "cifar10",
        about: "photographs, 32x32x3, 256 levels, 10 classes: 50,000 train, 10,000 test",
        places: &["cifar10/"],
        shape: images(32, 3, 256, 10),
        fetch: "unpack cifar-10-binary.tar.gz there",
        open: |path, spec, _| boxed(cifar::load(path, spec.split)),
    },
    Set {
        name: "imagenet64",
        about: "downsampled ImageNet, 64x64x3, 256 levels, 1000 classes: 1,281,167 train, 50,000 test; read from disk",
        places: &["imagenet64/"],
        shape: images(64, 3, 256, 1000),
        fetch: "put train_data_batch_1.npz to train_data_batch_10.npz and val_data.npz there",
        open: |path, spec, _| boxed(Npz::imagenet(path, &spec.set, spec.split)),
    },
    Set {
        name: "text8",
        about: "the first 100 million characters of a cleaned Wikipedia: train, valid, test",
        places: &["text8/text8", "text8/text8.gz", "text8/text8.txt"],
        shape: None,
        fetch: "unpack text8.zip there",
        open: open_text,
    },
    Set {
        name: "shakespeare",
        about: "Shakespeare's plays and poems, 5 MB: train, valid, test",
        places: &["text/shakespeare.txt.gz"],
        shape: None,
        fetch: "put the text there",
        open: open_text,
    },
    Set {
        name: "kjv",
        about: "the King James Bible, 4 MB: train, valid, test",
        places: &["text/kjv.txt.gz"],
        shape: None,
        fetch: "put the text there",
        open: open_text,
    },
    Set {
        name: "owt",
        about: "OpenWebText as one text file, with a tokenizer: train, valid, test; large, so read from disk",
        places: &["owt/owt.txt", "owt/owt.txt.gz"],
        shape: None,
        fetch: "put the documents there, in one file",
        open: |path, spec, reading| match &spec.alphabet {
            Some(alphabet) if !alphabet.starts_with("tokenizer:") => Err(Error::Setting(format!(
                "owt is read with a tokenizer, not as {alphabet}: set alphabet to tokenizer:FILE"
            ))),
            _ => open_text(path, spec, reading),
        },
    },
];

/// The shape of square images.
const fn images(side: usize, channels: usize, values: usize, classes: usize) -> Option<DataShape> {
    Some(DataShape { values, length: side * side * channels, classes, image: Some([side, side, channels]) })
}

/// Whether this is the name of a set.
pub fn is_known(set: &str) -> bool {
    SETS.iter().any(|known| known.name == set)
}

/// The shape of a set of images, without its files.
pub fn image_shape(set: &str) -> Option<DataShape> {
    SETS.iter().find(|known| known.name == set)?.shape
}

/// Opens a data set: one of [`SETS`] from the first of the folders that has it, or what lies at the path `spec.set`:
/// images in a folder or a file ([`own_images`]), or else, if it has a `/` or ends in `.txt` or `.gz`, a text.
pub fn open(spec: &Spec, folders: &[PathBuf], reading: &Reading) -> Result<Box<dyn Dataset>> {
    if let Some(set) = SETS.iter().find(|set| set.name == spec.set) {
        return set.open(&set.find(folders)?, spec, reading);
    }
    let path = Path::new(&spec.set);
    match &spec.set {
        _ if is_own_images(path) => match &spec.alphabet {
            None => own_images::open(path, spec.split, &spec.division, None),
            Some(alphabet) if token_array::values(alphabet).is_some() => open_ids(path, spec, alphabet),
            Some(alphabet) => {
                let what = format!("{} holds images, which have no alphabet ({alphabet})", spec.set);
                let advice = "use a preset for images, or set alphabet=none and sequence_length=none; token ids in an npy or npz \
                              file have the alphabet ids:V";
                Err(elbow_base::Error::input(what, advice).into())
            }
        },
        name if name.contains('/') || name.ends_with(".txt") || name.ends_with(".gz") => open_text(path, spec, reading),
        name => {
            let known: Vec<&str> = SETS.iter().map(|set| set.name).chain(["./FILE", "FOLDER/"]).collect();
            Err(UnknownName::new("data set", name, &known).into())
        }
    }
}

/// Opens token ids in an npy or npz file, whose length is that of its rows.
fn open_ids(path: &Path, spec: &Spec, alphabet: &str) -> Result<Box<dyn Dataset>> {
    let values = token_array::values(alphabet).transpose()?;
    let data = own_images::open(path, spec.split, &spec.division, values)?;
    match spec.length {
        Some(length) if length != data.length() => {
            let what = format!("sequence_length = {length}, and {} has {} ids per sequence", spec.set, data.length());
            Err(elbow_base::Error::input(what, "set sequence_length=none").into())
        }
        _ => Ok(data),
    }
}

fn open_text(path: &Path, spec: &Spec, reading: &Reading) -> Result<Box<dyn Dataset>> {
    let missing = |setting: &str| Error::Setting(format!("the text {:?} needs the setting {setting}", spec.set));
    let alphabet = spec.alphabet.as_deref();
    let alphabet = alphabet.ok_or_else(|| missing("alphabet: text8, bytes, tokenizer:FILE or vocab:FILE"))?;
    let length = spec.length.ok_or_else(|| missing("sequence_length: tokens per window, as 256"))?;
    let alphabet = Alphabet::with_mask(alphabet, spec.text.mask_id.as_deref())?;
    boxed(TextData::load(path, alphabet, length, spec.split, &spec.text, reading))
}

fn boxed<D: Dataset + 'static>(data: Result<D>) -> Result<Box<dyn Dataset>> {
    Ok(Box::new(data?))
}
