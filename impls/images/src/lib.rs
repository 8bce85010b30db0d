//! Sets of 8-bit images.
//!
//! | item | what |
//! |---|---|
//! | [`Image`], [`ImageSet`] | one image, and a set of them in a fixed order |
//! | [`Folder`] | the image files of a folder and of all folders below it |
//! | [`Images`] | images in memory, which can be written as an npz file or as one grid |

#![warn(missing_docs)]

mod error;
mod folder;
mod memory;

pub use error::{Error, Result};
pub use folder::Folder;
pub use memory::Images;

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
    /// The conversion that decoding needed, if any.
    pub converted: Option<&'static str>,
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

    /// The class of an image, where classes are known.
    fn class(&self, _index: usize) -> Option<String> {
        None
    }
}
