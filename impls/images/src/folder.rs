//! Image files in a folder and all folders below it.

use std::collections::BTreeMap;
use std::io::{BufRead, Cursor, Seek};
use std::path::{Path, PathBuf};

use image::error::{DecodingError, ImageFormatHint};
use image::{DynamicImage, ImageError, ImageFormat, ImageReader, ImageResult, Limits};
use walkdir::WalkDir;

use crate::kinds::{Kind, is_hidden};
use crate::whole::{has_more_frames, is_whole};
use crate::{Error, Image, ImageSet, Reading, Result};

/// Most memory that a decoder may ask for, in bytes: some take twice as much.
const MOST: u64 = 200 << 20;

/// The image files of a folder and of all folders below it, sorted by path. Links are followed, hidden files left out.
/// A file's class is the name of the first folder on the way to it.
///
/// Images of kinds that are not read, such as GIF, are in the set, and unreadable; files that are no images are counted.
pub struct Folder {
    root: PathBuf,
    files: Vec<Entry>,
    /// Number of files that are no images, per ending.
    others: BTreeMap<String, usize>,
}

/// An image file.
struct Entry {
    /// Relative to the root.
    path: PathBuf,
    /// Why it is not read, known by its name.
    unread: Option<String>,
}

impl Folder {
    /// Lists the image files. Only files without the name of an image are opened, to see whether they are images.
    pub fn open(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        let mut others = BTreeMap::new();
        let entries = WalkDir::new(root).follow_links(true).into_iter();
        for entry in entries.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.file_name())) {
            let path = match entry {
                Ok(entry) if !entry.file_type().is_file() => continue,
                Ok(entry) => entry.path().to_owned(),
                // A broken link with the name of an image counts as an unreadable image.
                Err(e) => match e.path().filter(|path| e.loop_ancestor().is_none() && path.is_symlink()) {
                    Some(path) if path.file_name().is_some_and(is_hidden) => continue,
                    Some(path) => path.to_owned(),
                    None => return Err(e.into()),
                },
            };
            let unread = match Kind::of(&path) {
                Kind::Image => None,
                Kind::Unread(why) => Some(why),
                Kind::Other(ending) => {
                    *others.entry(ending).or_default() += 1;
                    continue;
                }
            };
            files.extend(path.strip_prefix(root).map(|path| Entry { path: path.to_owned(), unread }));
        }
        if files.is_empty() {
            return Err(Error::NoImageFiles(root.to_owned(), others.values().sum()));
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { root: root.to_owned(), files, others })
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
    /// `convert("RGB")`); 16 bits are rounded to 8 (where Pillow clips); the orientation of a camera is ignored; the first
    /// frame or page is the image.
    fn image(&self, index: usize) -> Result<Image> {
        let Entry { path, unread } = &self.files[index];
        if let Some(why) = unread {
            return Err(Error::OtherKind(why.clone()));
        }
        let bytes = std::fs::read(self.root.join(path)).map_err(ImageError::from)?;
        let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().map_err(ImageError::from)?;
        if bytes.is_empty() || reader.format().is_some_and(|format| !is_whole(format, &bytes)) {
            return Err(Error::Truncated(bytes.len()));
        }
        let format = reader.format();
        let image = decoded(reader)?;
        let mut converted = match &image {
            DynamicImage::ImageLumaA8(_) | DynamicImage::ImageRgba8(_) => vec!["transparency dropped"],
            DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) if format == Some(ImageFormat::Jpeg) => {
                vec!["decoded from JPEG, which is lossy"]
            }
            DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) => Vec::new(),
            _ => vec!["more than 8 bits rounded to 8"],
        };
        if format.is_some_and(|format| has_more_frames(format, &bytes)) {
            converted.push("only the first of several frames or pages is read");
        }
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
        self.files[index].path.display().to_string()
    }

    fn class(&self, index: usize) -> Option<String> {
        let mut parts = self.files[index].path.components();
        let first = parts.next()?.as_os_str().to_string_lossy().into_owned();
        parts.next().map(|_| first)
    }

    fn reading(&self) -> Reading {
        Reading { other_files: self.others.clone(), ..Reading::default() }
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
