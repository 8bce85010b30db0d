//! Kinds of files in a folder of images: those that are read, those that look like images, and others.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Endings of image files that are read, compared without case.
pub(crate) const ENDINGS: [&str; 16] = [
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "bmp", "dib", "webp", "tif", "tiff", "pgm", "ppm", "pnm", "pbm", "pam",
];

/// Endings of images that are not read.
const UNREAD: [&str; 29] = [
    "gif", "heic", "heif", "hif", "avif", "jxl", "jp2", "j2k", "jpx", "jpf", "svg", "svgz", "ico", "tga", "dds", "psd",
    "exr", "hdr", "qoi", "xcf", "raw", "dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf",
];

/// The first bytes of image files, after an offset: those that no text begins with.
const SIGNATURES: [(&str, usize, &[u8]); 14] = [
    ("PNG", 0, b"\x89PNG\r\n\x1a\n"),
    ("JPEG", 0, b"\xff\xd8\xff"),
    ("GIF", 0, b"GIF87a"),
    ("GIF", 0, b"GIF89a"),
    ("TIFF", 0, b"II*\0"),
    ("TIFF", 0, b"MM\0*"),
    ("WebP", 8, b"WEBPVP8"),
    ("AVIF", 4, b"ftypavif"),
    ("HEIF", 4, b"ftyphei"),
    ("HEIF", 4, b"ftypmif1"),
    ("JPEG XL", 4, b"JXL \r\n\x87\n"),
    ("JPEG 2000", 4, b"jP  \r\n\x87\n"),
    ("Photoshop", 0, b"8BPS"),
    ("OpenEXR", 0, b"\x76\x2f\x31\x01"),
];

/// The kind of a file in a folder of images.
pub(crate) enum Kind {
    /// An image that is read.
    Image,
    /// An image that is not read, and what to do about it.
    Unread(String),
    /// No image; its ending in lower case.
    Other(String),
}

impl Kind {
    pub(crate) fn of(path: &Path) -> Self {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
        if ENDINGS.contains(&ending.as_str()) {
            return Self::Image;
        }
        if UNREAD.contains(&ending.as_str()) {
            return Self::Unread(format!("{ending} is not read: convert it to PNG"));
        }
        let mut head = Vec::new();
        // A file that cannot be opened has its ending alone.
        let _ = File::open(path).and_then(|file| file.take(16).read_to_end(&mut head));
        let known =
            SIGNATURES.iter().find(|(_, offset, start)| head.get(*offset..).is_some_and(|h| h.starts_with(start)));
        match known {
            Some((format, ..)) if ending.is_empty() => {
                Self::Unread(format!("a {format} image whose name has no ending: add one, or move it away"))
            }
            Some((format, ..)) => {
                Self::Unread(format!("a {format} image whose name ends in .{ending}: rename it, or move it away"))
            }
            None => Self::Other(ending),
        }
    }
}

/// Whether a file or folder is hidden, or is what operating systems leave behind.
pub(crate) fn is_hidden(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    let left_behind = ["Thumbs.db", "desktop.ini", "__MACOSX"];
    name.starts_with('.') || left_behind.iter().any(|other| other.eq_ignore_ascii_case(&name))
}
