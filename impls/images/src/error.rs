//! Errors of folders and image files.

use std::path::PathBuf;

/// An error of a set of images. `Display` says what and where; [`Error::advice`] says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder of images, or a link in it, cannot be read.
    #[error("{}", unreadable(.0))]
    UnreadableFolder(#[from] walkdir::Error),
    /// This folder holds no image files, and this many files of other kinds.
    #[error("{}: no images among {}", .0.display(), counted(*.1, "file"))]
    NoImageFiles(PathBuf, usize),
    /// An image file cannot be opened or decoded.
    #[error(transparent)]
    Undecodable(#[from] image::ImageError),
    /// An image file ends early, after this many bytes.
    #[error("the file ends early, after {}", counted(*.0, "byte"))]
    Truncated(usize),
    /// An image of a kind that is not read, or that is not named as an image, for this reason.
    #[error("{0}")]
    OtherKind(String),
    /// An image of this height and width has no pixels.
    #[error("{}x{} pixels", .0[0], .0[1])]
    EmptyImage([usize; 2]),
    /// Any other error, with its advice: of files, arrays and data sets.
    #[error("{}", .0.what)]
    Base(#[from] elbow_base::Error),
}

/// The result of a set of images.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of the user's input that no caller needs to tell from others.
    pub(crate) fn input(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Base(elbow_base::Error::input(what, advice))
    }

    /// One line of advice.
    pub fn advice(&self) -> String {
        match self {
            Self::UnreadableFolder(_) => "check the folder and its links".to_owned(),
            Self::NoImageFiles(..) => {
                let endings = crate::kinds::ENDINGS.join(", ");
                format!("give a folder with files that end in {endings}, or an npz file")
            }
            Self::Undecodable(_) | Self::Truncated(_) | Self::OtherKind(_) | Self::EmptyImage(_) => {
                "repair or delete this file, or leave it out".to_owned()
            }
            Self::Base(error) => error.advice.clone(),
        }
    }
}

/// 1 file, 2 files.
pub(crate) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// The error of a folder or link in words.
fn unreadable(error: &walkdir::Error) -> String {
    match (error.path(), error.loop_ancestor()) {
        (Some(link), Some(above)) => {
            format!("{} is a link to {}, a folder above it", link.display(), above.display())
        }
        _ => format!("cannot read {error}"),
    }
}

/// The error of the command line: what, where, what to do, with this error as its source.
impl From<Error> for elbow_base::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Base(error) => error,
            error => Self::input(error.to_string(), error.advice()).caused_by(error),
        }
    }
}
