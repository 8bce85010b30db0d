//! Images in IDX files, as MNIST (LeCun, Cortes and Burges) and Fashion-MNIST (arXiv:1708.07747) come: 28x28 pixels,
//! 256 grey levels, 10 classes, 60,000 images for training and 10,000 for testing.

use std::path::{Path, PathBuf};

use super::{Images, Split, file};
use crate::error::{Error, Result};

const CLASSES: u8 = 10;
const FILES: &str = "the four IDX files (train- and t10k-, images-idx3-ubyte and labels-idx1-ubyte)";

/// Reads one split from the folder that holds the IDX files, plain or `.gz`. `name` is what the set is called.
pub fn load(folder: &Path, name: &str, split: Split) -> Result<Images> {
    let stem = split.choose(&[(Split::Train, "train"), (Split::Test, "t10k")])?;
    let find = |name: &str| file::plain_or_packed(folder, &format!("{stem}-{name}"), FILES);
    let images = Array::<3>::images(find("images-idx3-ubyte")?)?;
    let labels = Array::<1>::read(find("labels-idx1-ubyte")?)?;
    let ([count, height, width], [labelled]) = (images.shape, labels.shape);
    if labelled != count {
        let what = format!("byte 4: {labelled} labels where {} holds {count} images", images.path.display());
        return Err(Error::format(&labels.path, what));
    }
    if let Some(i) = labels.bytes.iter().position(|&label| label >= CLASSES) {
        let what = format!("byte {}: label {} is above 9", Array::<1>::HEADER + i, labels.bytes[i]);
        return Err(Error::format(&labels.path, what));
    }
    let hash = file::combine([images.hash, labels.hash]);
    let images = Images::new(name.to_owned(), split, [height, width, 1], 256, images.bytes, hash);
    Ok(images.with_labels(labels.bytes, CLASSES))
}

/// Reads one file of images alone (split `all`), without labels.
pub fn file(path: &Path, split: Split) -> Result<Images> {
    split.choose(&[(Split::All, ())])?;
    let images = Array::<3>::images(path.to_owned())?;
    let [_, height, width] = images.shape;
    Ok(Images::new(file::stem(path), split, [height, width, 1], 256, images.bytes, images.hash))
}

/// An array of unsigned bytes with D dimensions.
struct Array<const D: usize> {
    path: PathBuf,
    shape: [usize; D],
    bytes: Vec<u8>,
    hash: String,
}

impl<const D: usize> Array<D> {
    /// The magic number and D sizes, four bytes each, the most significant first.
    const HEADER: usize = 4 + 4 * D;

    fn read(path: PathBuf) -> Result<Self> {
        let file::Content { mut bytes, hash } = file::read(&path)?;
        let fail = |what: String| Err(Error::format(&path, what));
        if bytes.len() < Self::HEADER {
            return fail(format!("ends at byte {} where a header of {} was expected", bytes.len(), Self::HEADER));
        }
        let word = |i: usize| u32::from_be_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
        let magic = 0x0800 + D as u32;
        if word(0) != magic {
            return fail(format!("byte 0: magic number {:08x} where {magic:08x} was expected", word(0)));
        }
        let shape = std::array::from_fn(|d| word(4 + 4 * d) as usize);
        // Damaged sizes can be anything: their product need not fit into 64 bits.
        let expected = Self::HEADER as u128 + shape.iter().map(|&n| n as u128).product::<u128>();
        if bytes.len() as u128 != expected {
            return fail(format!(
                "ends at byte {} where {expected} were expected for the shape {shape:?}",
                bytes.len()
            ));
        }
        bytes.drain(..Self::HEADER);
        Ok(Self { path, shape, bytes, hash })
    }
}

impl Array<3> {
    /// At least one image of at least one pixel.
    fn images(path: PathBuf) -> Result<Self> {
        let images = Self::read(path)?;
        let [count, height, width] = images.shape;
        match images.bytes.is_empty() {
            true => Err(Error::format(&images.path, format!("byte 4: {count} images of {height}x{width} pixels"))),
            false => Ok(images),
        }
    }
}
