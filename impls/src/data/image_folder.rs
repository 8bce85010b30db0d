//! Images in a folder, held in memory: one size, 256 levels per channel. The folders in it are classes.

use std::path::Path;

use elbow_images::{Folder, Image, ImageSet};
use rayon::prelude::*;

use super::{Images, Split, file};
use crate::error::{Error, Result};
use crate::hash::sha256;

/// Most bytes of pixels that are held in memory.
const MOST: usize = 4 << 30;
/// Unreadable images that a message names.
const NAMED: usize = 5;

/// The classes of a folder's images in order, where each image lies in a folder of its own class; none elsewhere.
pub(super) fn classes(root: &Path) -> Result<Vec<String>> {
    Ok(classes_of(&open(root)?))
}

/// Reads all images, and orders them by their content: names and dates of files do not matter. `classes`: the classes
/// that there can be; those that the folder has, where none are given.
pub(super) fn load(root: &Path, classes: Option<Vec<String>>) -> Result<Images> {
    let folder = open(root)?;
    let first = decode(root, &folder, 0)?;
    let bytes = first.pixels.len().saturating_mul(folder.len());
    if bytes > MOST {
        let what =
            format!("{}: {} images of {} take {bytes} bytes of memory", root.display(), folder.len(), size(&first));
        let advice = "make one npz file of them, uint8 [n, height, width, channels], which is read from disk";
        return Err(elbow_base::Error::input(what, advice).into());
    }
    let images: Vec<Image> = decode_all(root, &folder)?;
    if let Some(i) = images.iter().position(|image| size(image) != size(&first)) {
        let (names, sizes) = ([0, i].map(|i| folder.name(i)), [0, i].map(|i| size(&images[i])));
        let what = format!(
            "{}: images of several sizes: {} is {}, {} is {} (height, width, channels)",
            root.display(),
            names[0],
            sizes[0],
            names[1],
            sizes[1]
        );
        let [height, width] = [first.height, first.width];
        let advice =
            format!("a data set has one size: mogrify -resize '{width}x{height}!' FILES resizes (ImageMagick)");
        return Err(elbow_base::Error::input(what, advice).into());
    }
    let classes = classes.unwrap_or_else(|| classes_of(&folder));
    let label = |i: usize| -> Result<u32> {
        let name = folder.class(i).unwrap_or_default();
        let known = classes.iter().position(|class| *class == name);
        let known = known.ok_or_else(|| {
            let what = format!("{} is of no class that the images for training have", folder.name(i));
            Error::format(root, format!("{what}: {}", classes.join(", ")))
        })?;
        Ok(known as u32)
    };
    let labels = match classes.is_empty() {
        true => Vec::new(),
        false => (0..images.len()).map(label).collect::<Result<Vec<u32>>>()?,
    };
    let class = |i: usize| labels.get(i).copied();
    let mut order: Vec<(String, usize)> =
        images.par_iter().map(|image| sha256(&image.pixels)).zip(0..images.len()).collect();
    order.sort_by_key(|(hash, i)| (hash.clone(), class(*i)));
    let hash = file::combine(order.iter().map(|(hash, i)| match class(*i) {
        Some(label) => format!("{hash} {}", classes[label as usize]),
        None => hash.clone(),
    }));
    let pixels = order.iter().flat_map(|(_, i)| &images[*i].pixels).copied().collect();
    let shape = [first.height, first.width, first.channels];
    let data = Images::new(root.display().to_string(), Split::All, shape, 256, pixels, hash);
    Ok(match classes.len() {
        0 => data,
        count => data.with_labels(order.iter().filter_map(|(_, i)| class(*i)).collect::<Vec<u32>>(), count),
    })
}

fn open(root: &Path) -> Result<Folder> {
    Folder::open(root).map_err(|e| elbow_base::Error::from(e).into())
}

fn classes_of(folder: &Folder) -> Vec<String> {
    let names: Option<std::collections::BTreeSet<String>> = (0..folder.len()).map(|i| folder.class(i)).collect();
    names.unwrap_or_default().into_iter().collect()
}

fn decode(root: &Path, folder: &Folder, i: usize) -> Result<Image> {
    folder.image(i).map_err(|e| elbow_base::Error::from(e).of(folder.name(i)).in_file(root).into())
}

/// Every image; the error names the first ones that cannot be read.
fn decode_all(root: &Path, folder: &Folder) -> Result<Vec<Image>> {
    let read: Vec<_> = (0..folder.len()).into_par_iter().map(|i| folder.image(i)).collect();
    let bad = |(i, image): (usize, &elbow_images::Result<Image>)| {
        image.as_ref().err().map(|e| format!("{} ({e})", folder.name(i)))
    };
    let bad: Vec<String> = read.iter().enumerate().filter_map(bad).collect();
    if bad.is_empty() {
        return Ok(read.into_iter().flatten().collect());
    }
    let named = bad.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let what = format!("{}: {} of {} images cannot be read: {named}", root.display(), bad.len(), folder.len());
    Err(elbow_base::Error::input(what, "repair or delete them").into())
}

fn size(image: &Image) -> String {
    format!("{}x{}x{}", image.height, image.width, image.channels)
}
