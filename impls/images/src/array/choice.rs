//! Which array of an npz file holds the images, and which their classes.

use std::path::Path;

use elbow_arrays::{Dtype, Header, NpzReader, Rows};

use super::ArrayOptions;
use crate::{Error, Result};

/// The array that was taken.
pub(super) struct Choice {
    pub rows: Rows,
    /// Whether each image was an array of its own.
    pub stacked: bool,
    /// Whether the array was asked for by its name.
    pub by_name: bool,
    /// Whether the file is an archive of downsampled ImageNet.
    pub imagenet: bool,
    /// The array of the classes.
    pub classes: Option<String>,
    /// The arrays that are not read, with type and shape.
    pub others: Vec<String>,
}

impl Choice {
    /// An array without others beside it.
    pub(super) fn alone(rows: Rows) -> Self {
        Self { rows, stacked: false, by_name: false, imagenet: false, classes: None, others: Vec::new() }
    }

    /// The array that the options name, or the only one that can hold images.
    pub(super) fn make(path: &Path, npz: &mut NpzReader, options: &ArrayOptions) -> Result<Self> {
        let mut arrays = Vec::new();
        for name in npz.names() {
            let header = npz.header(&name).map_err(elbow_base::Error::from)?;
            arrays.push((name, header));
        }
        let shape = |name: &str| arrays.iter().find(|(other, _)| other == name).map(|(_, header)| &header.shape[..]);
        let named = options.array.clone().filter(|name| npz.has(name));
        let by_name = named.is_some();
        let mut choice = match named.map_or_else(|| only_one(path, &arrays), Ok)? {
            name if name.is_empty() => {
                let names: Vec<String> = (0..arrays.len()).map(|i| format!("arr_{i}")).collect();
                let rows = npz.stacked(&names).map_err(elbow_base::Error::from)?;
                return Ok(Self { stacked: true, ..Self::alone(rows) });
            }
            name => Self::alone(npz.rows(&name).map_err(elbow_base::Error::from)?),
        };
        let name = choice.rows.name().unwrap_or_default().to_owned();
        choice.by_name = by_name;
        let imagenet = name == "data" && choice.rows.shape().len() == 2 && npz.has("labels");
        choice.imagenet = imagenet && !by_name && options.layout.is_none();
        let beside = [("arr_0", "arr_1"), ("images", "labels"), ("x", "y")].map(|(images, classes)| {
            if name.contains(images) { name.replacen(images, classes, 1) } else { "labels".to_owned() }
        });
        let usual = ["labels", "label", "y", "classes", "class"].map(str::to_owned);
        let is_list = |other: &String| *other != name && shape(other).is_some_and(|shape| matches!(shape.len(), 1 | 2));
        choice.classes = beside.into_iter().chain(usual).find(is_list);
        let others = arrays.iter().filter(|(other, _)| *other != name && Some(other) != choice.classes.as_ref());
        choice.others = others.map(described).collect();
        Ok(choice)
    }
}

/// The name of the only array that can hold images; empty where each image is an array of its own.
fn only_one(path: &Path, arrays: &[(String, Header)]) -> Result<String> {
    if is_list_of_images(arrays) {
        return Ok(String::new());
    }
    let is = |name: &str, axes: usize| arrays.iter().any(|(other, header)| other == name && header.shape.len() == axes);
    if is("data", 2) && is("labels", 1) {
        return Ok("data".to_owned());
    }
    let numbers = |(_, header): &&(String, Header)| {
        matches!(header.shape.len(), 3 | 4) && matches!(header.dtype, Dtype::Number(_))
    };
    let mut found: Vec<_> = arrays.iter().filter(numbers).collect();
    if found.is_empty() {
        // The error of reading it says how arrays are made of objects.
        found = arrays.iter().filter(|(_, header)| header.dtype == Dtype::Objects).collect();
    }
    let listed = |arrays: &[&(String, Header)]| {
        let shown: Vec<String> = arrays.iter().take(10).map(|array| described(array)).collect();
        let more = if arrays.len() > 10 { format!(" and {} more", arrays.len() - 10) } else { String::new() };
        shown.join(", ") + &more
    };
    match found[..] {
        [(name, _)] => Ok(name.clone()),
        [] if arrays.is_empty() => Err(Error::input(format!("{}: no arrays", path.display()), "give images")),
        [] => {
            let all = listed(&arrays.iter().collect::<Vec<_>>());
            let what = format!("{}: no array of images: it has {all}", path.display());
            Err(Error::input(
                what,
                "images are uint8 [n, height, width, channels], under any name; token ids [n, length] need alphabet = \"ids:V\"",
            ))
        }
        ref several => {
            let what = format!("{}: several arrays could be the images: {}", path.display(), listed(several));
            Err(Error::input(what, "choose one: --array NAME (of `elbow fid`)"))
        }
    }
}

/// Whether the arrays are `arr_0`, `arr_1`, ... of one image each, as `numpy.savez(file, *images)` writes a list.
fn is_list_of_images(arrays: &[(String, Header)]) -> bool {
    let is_image = |header: &Header| matches!(header.shape[..], [_, _] | [_, _, 1 | 3]);
    let has = |name: String| arrays.iter().any(|(other, header)| *other == name && is_image(header));
    arrays.len() > 1 && (0..arrays.len()).all(|i| has(format!("arr_{i}")))
}

fn described((name, header): &(String, Header)) -> String {
    format!("{name}: {} {:?}", header.dtype, header.shape)
}
