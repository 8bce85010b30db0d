//! What a file of arrays holds: images, features or statistics.

use std::path::Path;

use elbow_arrays::{Dtype, Header, NpzReader};

use crate::{Error, Result};

/// Names of a mean and a covariance in the files of other tools.
const STATISTICS: [[&str; 2]; 2] = [["mu", "sigma"], ["m", "s"]];

/// What a file holds, by the names, types and shapes of its arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Images, or something else that the readers of images will refuse.
    Images,
    /// Features: a matrix \[n, d\] of floating point.
    Features,
    /// A mean and a covariance.
    Statistics {
        /// Whether there are images (`arr_0`) beside them, as in ADM's files.
        images: bool,
    },
}

impl Contents {
    /// The contents of this file. Fails where a matrix could be features or images, and for pickled Python objects, which
    /// are never loaded.
    pub fn of(path: &Path) -> Result<Self> {
        let (name, header) = match ending(path).as_str() {
            "npy" => ("the array".to_owned(), Header::of_npy(path)?),
            "npz" => {
                let mut file = NpzReader::open(path)?;
                if statistics_names(&file).is_some() {
                    return Ok(Self::Statistics { images: file.has("arr_0") });
                }
                let Some(name) = features_name(&file) else { return Ok(Self::Images) };
                (format!("array {name}"), file.header(&name)?)
            }
            "pkl" | "pickle" => return Err(pickled(path, "np.load(IN, allow_pickle=True)")),
            _ => return Ok(Self::Images),
        };
        let Header { dtype, shape, .. } = &header;
        let (pickle, bytes) = (*dtype == Dtype::Objects, matches!(dtype, Dtype::Number(number) if number.is_byte()));
        match &shape[..] {
            [] if pickle && ending(path) == "npy" => Err(pickled(path, "np.load(IN, allow_pickle=True).item()")),
            [] if pickle => Err(pickled(path, "next(iter(np.load(IN, allow_pickle=True).values())).item()")),
            [_, _] if header.is_float() => Ok(Self::Features),
            // Downsampled ImageNet: a row per image.
            [_, _] if bytes && name == "array data" => Ok(Self::Images),
            [_, _] => {
                let what =
                    format!("{}: {name} is a matrix {shape:?} of type {dtype}: features or images", path.display());
                let advice = "give features in floating point, or images in uint8 as [n, height, width, channels]";
                Err(Error::input(what, advice))
            }
            _ if name == "array features" => {
                let what = format!("{}: {name} has the shape {shape:?}", path.display());
                Err(Error::input(what, "features are a matrix [n, d] of floating point"))
            }
            _ => Ok(Self::Images),
        }
    }
}

/// The names of mean and covariance, where a file has them.
pub(crate) fn statistics_names(file: &NpzReader) -> Option<[&'static str; 2]> {
    STATISTICS.into_iter().find(|names| names.iter().all(|name| file.has(name)))
}

/// The array that holds features, if any does: `features`, or the only one.
pub(crate) fn features_name(file: &NpzReader) -> Option<String> {
    match &file.names()[..] {
        [only] => Some(only.clone()),
        names => names.iter().find(|name| *name == "features").cloned(),
    }
}

/// The ending of a file's name in small letters.
pub(crate) fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

/// The error of pickled statistics; `load` is the Python that loads IN as a dictionary.
fn pickled(path: &Path, load: &str) -> Error {
    let [from, to] =
        [path.to_owned(), path.with_extension("converted.npz")].map(|path| format!("{:?}", path.display().to_string()));
    let what = format!("{}: Python objects (a pickle), which are never loaded: they can run any code", path.display());
    let load = load.replace("IN", &from);
    Error::input(
        what,
        format!("if you trust it, convert it: python3 -c 'import numpy as np; np.savez({to}, **{load})'"),
    )
}
