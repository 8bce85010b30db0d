//! Images of one's own as a data set: a folder, or an array in a file, divided into those that train and those that test;
//! and arrays of token ids, which are divided in the same way.

use std::path::{Path, PathBuf};

use super::image_file::{self, holds_images};
use super::{DataShape, Dataset, Split, Tokens, file, image_folder, token_array};
use crate::error::{Error, Result};
use crate::key::{Key, permutation};

/// How images of one's own are divided. A folder with the folders `train` and `test` is divided by them.
#[derive(Clone, Debug, PartialEq)]
pub struct Division {
    /// Folder or file of the images that test, where others are not to be chosen from.
    pub test_dataset: Option<String>,
    /// Share of the images that test, in (0, 1), where they are chosen at random.
    pub test_fraction: f64,
    /// Seed of the choice.
    pub split_seed: u64,
}

impl Default for Division {
    fn default() -> Self {
        Self { test_dataset: None, test_fraction: 0.1, split_seed: 0 }
    }
}

/// Whether this is the path of images: a folder, or a file whose name says so.
pub fn is_own_images(path: &Path) -> bool {
    path.is_dir() || holds_images(path) || path.to_string_lossy().ends_with('/')
}

/// Opens a split: `train`, `test`, or `all` images of the path; with `ids` a file of token ids below this number.
pub(super) fn open(path: &Path, split: Split, division: &Division, ids: Option<usize>) -> Result<Box<dyn Dataset>> {
    let is_test = split.choose(&[(Split::Train, Some(false)), (Split::Test, Some(true)), (Split::All, None)])?;
    if !path.exists() {
        let what = format!("{}: no such file or folder", path.display());
        return Err(elbow_base::Error::input(what, "name a folder or file of images, or a data set").into());
    }
    let whole = |path: &Path, classes: Option<Vec<String>>| whole(path, classes, ids);
    let name = format!("{}:{split}", name(path));
    let Some(is_test) = is_test else {
        return Ok(Box::new(Part { name, indices: None, ..Part::of(whole(path, None)?) }));
    };
    let Some([train, test]) = two_paths(path, division)? else {
        let data = whole(path, None)?;
        let (indices, hash) =
            (chosen(path, data.len(), division)?[usize::from(is_test)].clone(), data.hash().to_owned());
        let Division { test_fraction, split_seed, .. } = division;
        let hash = file::combine([hash, format!("{split} {test_fraction} {split_seed}")]);
        return Ok(Box::new(Part { name, indices: Some(indices), hash, ..Part::of(data) }));
    };
    // The classes of both are those of the images that train.
    let part = match (is_test, train.is_dir()) {
        (false, _) => Part::of(whole(&train, None)?),
        (true, true) => Part::of(whole(&test, Some(image_folder::classes(&train)?))?),
        (true, false) => {
            let (known, part) = (whole(&train, None)?.classes(), Part::of(whole(&test, None)?));
            if part.classes > known {
                let what = format!("{} classes where {} has {known}", part.classes, train.display());
                return Err(Error::format(&test, what));
            }
            Part { classes: known, ..part }
        }
    };
    Ok(Box::new(Part { name, ..part }))
}

/// All images of a folder or a file. `classes`: those that a folder can have. All token ids of a file, where `ids` says
/// how many values they have.
fn whole(path: &Path, classes: Option<Vec<String>>, ids: Option<usize>) -> Result<Box<dyn Dataset>> {
    match (path.is_dir(), ids) {
        (true, Some(_)) => Err(Error::format(path, "a folder: token ids are an npy or npz file")),
        (true, None) => Ok(Box::new(image_folder::load(path, classes)?)),
        (false, Some(values)) => Ok(Box::new(token_array::load(path, values)?)),
        (false, None) => image_file::open(path, Split::All),
    }
}

/// The images that train and those that test, where they have places of their own.
fn two_paths(path: &Path, division: &Division) -> Result<Option<[PathBuf; 2]>> {
    let refused = |what: String, advice: &str| Err(elbow_base::Error::input(what, advice).into());
    let inside = ["train", "test"].map(|name| path.join(name));
    let Some(test) = &division.test_dataset else {
        return match [0, 1].map(|i| inside[i].is_dir()) {
            [true, true] => Ok(Some(inside)),
            [false, false] => Ok(None),
            [has_train, _] => {
                let [there, missing] = if has_train { ["train", "test"] } else { ["test", "train"] };
                let what = format!("{} has the folder {there} and no folder {missing}", path.display());
                refused(what, "name both: dataset=FOLDER/train and test_dataset=FOLDER/OTHER")
            }
        };
    };
    let test = PathBuf::from(test);
    match (test.is_dir(), test.exists()) {
        (_, false) => {
            refused(format!("test_dataset: {} does not exist", test.display()), "name a folder or file of images")
        }
        (is_folder, _) if is_folder != path.is_dir() => {
            let what =
                format!("test_dataset: one of {} and {} is a folder, the other a file", path.display(), test.display());
            refused(what, "their classes have no common names: give two folders or two files")
        }
        _ if test.canonicalize().ok() == path.canonicalize().ok() => refused(
            format!("test_dataset: {} is the dataset itself", test.display()),
            "name other images, or set test_fraction",
        ),
        _ => Ok(Some([path.to_owned(), test])),
    }
}

/// The indices of the images that train and of those that test, each in order: disjoint, and all of them.
fn chosen(path: &Path, n: usize, division: &Division) -> Result<[Vec<usize>; 2]> {
    if n < 2 {
        let what = format!("{} has one image: it cannot both train and test", path.display());
        return Err(elbow_base::Error::input(what, "add images, or name those that test with test_dataset").into());
    }
    let order = permutation(&mut Key::new(division.split_seed, "images that test").rng(), n);
    let tests = ((n as f64 * division.test_fraction).round() as usize).clamp(1, n - 1);
    let sorted = |indices: &[usize]| {
        let mut sorted = indices.to_vec();
        sorted.sort_unstable();
        sorted
    };
    Ok([sorted(&order[tests..]), sorted(&order[..tests])])
}

/// The last part of a path, without the ending of a file.
fn name(path: &Path) -> String {
    match path.is_dir() {
        true => path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned()),
        false => file::stem(path),
    }
}

/// Some images of a data set, or all of them, under another name.
struct Part {
    data: Box<dyn Dataset>,
    name: String,
    /// `None` for all.
    indices: Option<Vec<usize>>,
    /// At least as many as occur.
    classes: usize,
    hash: String,
}

impl Part {
    fn of(data: Box<dyn Dataset>) -> Self {
        Self { name: data.name(), indices: None, classes: data.classes(), hash: data.hash().to_owned(), data }
    }

    fn places(&self, indices: &[usize]) -> Vec<usize> {
        match &self.indices {
            None => indices.to_vec(),
            Some(chosen) => indices.iter().map(|&i| chosen[i]).collect(),
        }
    }
}

impl Dataset for Part {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn shape(&self) -> DataShape {
        DataShape { classes: self.classes, ..self.data.shape() }
    }

    fn len(&self) -> usize {
        self.indices.as_ref().map_or_else(|| self.data.len(), Vec::len)
    }

    fn select(&self, indices: &[usize]) -> Result<Tokens> {
        self.data.select(&self.places(indices))
    }

    fn labels(&self, indices: &[usize]) -> Vec<u32> {
        self.data.labels(&self.places(indices))
    }

    fn hash(&self) -> &str {
        &self.hash
    }
}
