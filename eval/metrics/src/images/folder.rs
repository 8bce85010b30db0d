//! A folder of image files, searched through all its folders.

use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat, ImageReader};
use walkdir::{DirEntry, WalkDir};

use super::{Image, ImageSet};
use elbow_base::Error;

/// The endings that are read, in capitals or not.
const ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "bmp", "webp", "pgm", "ppm", "pnm"];

/// The image files of a folder and of the folders in it, by path. Links are followed, hidden files left out. The first
/// folder on the way to a file is its class.
pub struct Folder {
    root: PathBuf,
    /// Relative to the root.
    files: Vec<PathBuf>,
}

impl Folder {
    pub fn open(root: &Path) -> Result<Self, Error> {
        let hidden = |entry: &DirEntry| entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.');
        let mut files = Vec::new();
        let mut others = 0;
        for entry in WalkDir::new(root).follow_links(true).into_iter().filter_entry(|entry| !hidden(entry)) {
            let (path, is_file) = match &entry {
                Ok(entry) => (entry.path(), entry.file_type().is_file()),
                // A link to nowhere is a file that cannot be read, if it is called an image.
                Err(e) => match e.path().filter(|path| e.loop_ancestor().is_none() && path.is_symlink()) {
                    Some(path) => (path, !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))),
                    None => return Err(Error::input(format!("cannot read {e}"), "check the folder and its links")),
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
            let what = format!("{}: no images among {others} files", root.display());
            let fix = format!("give a folder with files that end in {}, or an npz file", ENDINGS.join(", "));
            return Err(Error::input(what, fix));
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

    /// Decodes a file by what is in it, whatever its name says. Transparency is dropped, not blended (as Pillow's
    /// `convert("RGB")` does); 16 bits are rounded to 8 (where Pillow clips); a turned camera is not turned back.
    fn image(&self, index: usize) -> Result<Image, Error> {
        let path = self.root.join(&self.files[index]);
        let bad = |what: String| Error::input(what, "remove or mend this file, or leave it out with --on-bad skip");
        let reader =
            ImageReader::open(&path).and_then(ImageReader::with_guessed_format).map_err(|e| bad(e.to_string()))?;
        let lossy = reader.format() == Some(ImageFormat::Jpeg);
        let image = reader.decode().map_err(|e| bad(e.to_string()))?;
        let converted = match &image {
            DynamicImage::ImageLumaA8(_) | DynamicImage::ImageRgba8(_) => Some("transparency dropped"),
            DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) => {
                lossy.then_some("decoded from JPEG, which is lossy")
            }
            _ => Some("more than 8 bits rounded to 8"),
        };
        let (height, width) = (image.height() as usize, image.width() as usize);
        if height == 0 || width == 0 {
            return Err(bad(format!("{height}x{width} pixels")));
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
