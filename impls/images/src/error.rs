//! Errors of folders and image files.

use std::path::PathBuf;

/// An error of a set of images. `Display` says what and where; [`Error::advice`] says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder of images, or a link in it, cannot be read.
    #[error("cannot read {0}")]
    UnreadableFolder(#[from] walkdir::Error),
    /// This folder holds no image files, and this many files of other kinds.
    #[error("{}: no images among {} files", .0.display(), .1)]
    NoImageFiles(PathBuf, usize),
    /// An image file cannot be opened or decoded.
    #[error(transparent)]
    Undecodable(#[from] image::ImageError),
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
    /// One line of advice.
    pub fn advice(&self) -> String {
        match self {
            Self::UnreadableFolder(_) => "check the folder and its links".to_owned(),
            Self::NoImageFiles(..) => {
                let endings = crate::folder::ENDINGS.join(", ");
                format!("give a folder with files that end in {endings}, or an npz file")
            }
            Self::Undecodable(_) | Self::EmptyImage(_) => "repair or delete this file, or leave it out".to_owned(),
            Self::Base(error) => error.advice.clone(),
        }
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
