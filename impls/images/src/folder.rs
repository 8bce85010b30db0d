//! Image files in a folder and all folders below it.

use std::io::{BufRead, Seek};
use std::path::{Path, PathBuf};

use image::error::{DecodingError, ImageFormatHint};
use image::{DynamicImage, ImageError, ImageFormat, ImageReader, ImageResult, Limits};
use walkdir::{DirEntry, WalkDir};

use crate::{Error, Image, ImageSet, Result};

/// Endings of image files, compared without case.
pub(crate) const ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "bmp", "webp", "pgm", "ppm", "pnm"];

/// Most memory that a decoder may ask for, in bytes: some take twice as much.
const MOST: u64 = 200 << 20;

/// The image files of a folder and of all folders below it, sorted by path. Links are followed, hidden files left out.
/// A file's class is the name of the first folder on the way to it.
pub struct Folder {
    root: PathBuf,
    /// Relative to the root.
    files: Vec<PathBuf>,
}

impl Folder {
    /// Lists the image files; none is opened yet.
    pub fn open(root: &Path) -> Result<Self> {
        let hidden = |entry: &DirEntry| entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.');
        let mut files = Vec::new();
        let mut others = 0;
        for entry in WalkDir::new(root).follow_links(true).into_iter().filter_entry(|entry| !hidden(entry)) {
            let (path, is_file) = match entry {
                Ok(entry) => (entry.path().to_owned(), entry.file_type().is_file()),
                // A broken link with the name of an image counts as an unreadable image.
                Err(e) => match e.path().filter(|path| e.loop_ancestor().is_none() && path.is_symlink()) {
                    Some(path) => {
                        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
                        (path.to_owned(), !hidden)
                    }
                    None => return Err(e.into()),
                },
            };
            if !is_file {
                continue;
            }
            match path.extension().is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known))) {
                true => files.extend(path.strip_prefix(root).map(Path::to_owned)),
                false => others += 1,
            }
        }
        if files.is_empty() {
            return Err(Error::NoImageFiles(root.to_owned(), others));
        }
        files.sort();
        Ok(Self { root: root.to_owned(), files })
    }
}

impl ImageSet for Folder {
    fn source(&self) -> String {
        self.root.display().to_string()
    }

    fn len(&self) -> usize {
        self.files.len()
    }

    /// Decodes a file by its content, not its ending. Transparency is dropped, not blended (as by Pillow's
    /// `convert("RGB")`); 16 bits are rounded to 8 (where Pillow clips); the orientation of a camera is ignored.
    fn image(&self, index: usize) -> Result<Image> {
        let path = self.root.join(&self.files[index]);
        let reader = ImageReader::open(&path).and_then(ImageReader::with_guessed_format).map_err(ImageError::from)?;
        let lossy = reader.format() == Some(ImageFormat::Jpeg);
        let image = decoded(reader)?;
        let converted = match &image {
            DynamicImage::ImageLumaA8(_) | DynamicImage::ImageRgba8(_) => Some("transparency dropped"),
            DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) => {
                lossy.then_some("decoded from JPEG, which is lossy")
            }
            _ => Some("more than 8 bits rounded to 8"),
        };
        let (height, width) = (image.height() as usize, image.width() as usize);
        if height == 0 || width == 0 {
            return Err(Error::EmptyImage([height, width]));
        }
        let (pixels, channels) = match image.color().has_color() {
            true => (image.into_rgb8().into_raw(), 3),
            false => (image.into_luma8().into_raw(), 1),
        };
        Ok(Image { height, width, channels, pixels, converted })
    }

    fn name(&self, index: usize) -> String {
        self.files[index].display().to_string()
    }

    fn class(&self, index: usize) -> Option<String> {
        let mut parts = self.files[index].components();
        let first = parts.next()?.as_os_str().to_string_lossy().into_owned();
        parts.next().map(|_| first)
    }
}

/// The image of a file. A panic of the decoder is its error: that of PNG has one for a palette that is cut.
fn decoded(mut reader: ImageReader<impl BufRead + Seek>) -> ImageResult<DynamicImage> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST);
    reader.limits(limits);
    let hint = reader.format().map_or(ImageFormatHint::Unknown, ImageFormatHint::Exact);
    let gave_up = |panic| ImageError::Decoding(DecodingError::new(hint, format!("the decoder gave up: {panic}")));
    elbow_base::caught(|| reader.decode()).map_err(gave_up)?
}
