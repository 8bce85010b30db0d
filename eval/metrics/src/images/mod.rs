//! Sets of 8-bit images, and the scan that checks a set before it is measured.

mod image_scan;

pub use elbow_images::{
    ArrayImages, ArrayOptions, Error as ImageError, Folder, Image, ImageSet, Images, Layout, Range, Reading,
};
pub use image_scan::{BadImagePolicy, ImageScan, ScanSummary, UnreadableImage};

/// The advice where a set is empty.
pub(crate) const NO_IMAGES: &str = "give at least one image, or make fewer parts";
