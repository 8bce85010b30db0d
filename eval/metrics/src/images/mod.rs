//! Sets of 8-bit images, from wherever they come, and what is to be known of a set before it is measured.

mod folder;
mod memory;
mod survey;

pub use folder::Folder;
pub use memory::Images;
pub use survey::{OnBad, Survey};

use elbow_base::Error;

/// One 8-bit image, rows of pixels, channels innermost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub height: usize,
    pub width: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    pub pixels: Vec<u8>,
    /// What had to be done to make it so, if anything.
    pub converted: Option<&'static str>,
}

/// A set of images that are read as they are needed, in a fixed order.
pub trait ImageSet: Sync {
    /// What a person calls the set.
    fn source(&self) -> String;

    /// Number of images.
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One image; the error says why it cannot be read.
    fn image(&self, index: usize) -> Result<Image, Error>;

    /// What a person calls one image.
    fn name(&self, index: usize) -> String {
        format!("image {index}")
    }

    /// The class of an image, where classes are known.
    fn class(&self, _index: usize) -> Option<String> {
        None
    }
}
