//! Sets of 8-bit images.
//!
//! | item | what |
//! |---|---|
//! | [`Image`], [`ImageSet`] | one image, and a set of them in a fixed order |
//! | [`Folder`] | the image files of a folder and of all folders below it |
//! | [`ArrayImages`] | the images of an npz or npy file, whose meaning [`ArrayOptions`] says |
//! | [`pillow_bicubic`] | resizing as Pillow resizes 8-bit images |
//! | [`Images`] | images in memory, which can be written as an npz file or as one grid |

#![warn(missing_docs)]

mod array;
mod bicubic;
mod error;
mod folder;
mod kinds;
mod memory;
mod whole;

use std::collections::BTreeMap;

pub use array::{ArrayImages, ArrayOptions, ArrayReading, Layout, Range};
pub use bicubic::pillow_bicubic;
pub use error::{Error, Result};
pub use folder::Folder;
pub use memory::Images;
use serde::Serialize;

/// One 8-bit image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// Levels \[height, width, channels\], row-major.
    pub pixels: Vec<u8>,
    /// What decoding changed or left out.
    pub converted: Vec<&'static str>,
}

/// How a set was read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reading {
    /// The array that was taken, where the images are entries of an array.
    pub array: Option<ArrayReading>,
    /// Number of files that are no images and were left out, per ending in lower case (empty for none).
    pub other_files: BTreeMap<String, usize>,
}

/// A set of images in a fixed order, each of which is read when it is needed.
pub trait ImageSet: Sync {
    /// The set's name in messages.
    fn source(&self) -> String;

    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are no images.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads one image; the error says why it cannot be read.
    fn image(&self, index: usize) -> Result<Image>;

    /// An image's name in messages.
    fn name(&self, index: usize) -> String {
        format!("image {index}")
    }

    /// What was taken of files and arrays, and what was left out.
    fn reading(&self) -> Reading {
        Reading::default()
    }

    /// The class of an image, where classes are known.
    fn class(&self, _index: usize) -> Option<String> {
        None
    }
}
