//! Errors of images, feature networks and metrics.

use std::path::PathBuf;

use elbow_base::Kind;

use crate::images::UnreadableImage;
use crate::network::Convention;

/// Unreadable images that a message lists one by one.
const LISTED: usize = 20;

/// An error of images, networks or metrics. `Display` says what and where; [`Error::advice`] says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder or an image file cannot be read.
    #[error(transparent)]
    Images(#[from] elbow_images::Error),
    /// Images of a set cannot be read.
    #[error("{set}: {} of {total} images cannot be read:{}", images.len(), listed(images))]
    UnreadableImages {
        /// The set.
        set: String,
        /// Number of images in the set.
        total: usize,
        /// Those that cannot be read, each with its reason.
        images: Vec<UnreadableImage>,
    },
    /// Images of the first number of channels do not fit a network of the second.
    #[error("images of {0} channels for a network of {1}")]
    ChannelMismatch(usize, usize),
    /// This convention resizes, but the network has no input size to resize to.
    #[error("convention {0} resizes, but the network takes any size")]
    FreeInputSize(Convention),
    /// The output of a network that holds the features is not known: why, with the outputs.
    #[error("{0}")]
    UnknownOutput(String),
    /// Features of this shape for one image are a map or tokens, and no vector.
    #[error("its features have the shape {0:?} for one image, which is no vector")]
    NotPooled(Vec<usize>),
    /// The input convention of this network is not known.
    #[error("{0}: the convention of its input is not known")]
    UnknownConvention(String),
    /// This CUDA device was named, and no ONNX Runtime was found.
    #[error("device {0}: no ONNX Runtime with CUDA was found")]
    NoCudaRuntime(String),
    /// ONNX Runtime cannot use this CUDA device, with its error.
    #[error("device cuda:{0}: {1}")]
    CudaDevice(i32, String),
    /// This shared library of ONNX Runtime cannot be loaded, with the error of the system.
    #[error("ONNX Runtime cannot be loaded from {}: {}", .0.display(), .1)]
    UnloadableRuntime(PathBuf, String),
    /// Statistics come from different networks or conventions: metric and network hash of either.
    #[error("statistics of {} and of {}", .0[0], .0[1])]
    ProvenanceMismatch([String; 2]),
    /// Statistics without the number of their images cannot be merged.
    #[error("statistics without a count cannot be merged")]
    UnknownCount,
    /// A covariance has a negative eigenvalue beyond rounding.
    #[error("a covariance has the eigenvalue {least:e} beside {largest:e}")]
    NegativeEigenvalue {
        /// The most negative eigenvalue.
        least: f64,
        /// The largest one.
        largest: f64,
    },
    /// This file of kept features holds numbers that are not finite.
    #[error("{}: its features are not finite", .0.display())]
    NonFiniteCache(PathBuf),
    /// A computation failed this check of its own.
    #[error("{0}")]
    Numerical(String),
    /// An error with the image, file or network it is about.
    #[error("{name}: {source}")]
    In {
        /// The image, file or network.
        name: String,
        /// The error.
        source: Box<Error>,
    },
    /// Any other error, with its advice: of files and arrays, of too few images, of networks that do not fit.
    #[error("{}", .0.what)]
    Base(#[from] elbow_base::Error),
}

impl Error {
    /// An error of the user's input that no caller needs to tell from others.
    pub(crate) fn input(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Base(elbow_base::Error::input(what, advice))
    }

    /// The error of a number that overflowed: every number that is returned is finite.
    pub(crate) fn overflow(what: &str) -> Self {
        Self::input(
            format!("{what} is not finite"),
            "the features are too large for it: check them, or scale them down",
        )
    }

    /// The same error with the name of what it is about in front.
    pub fn of(self, name: impl ToString) -> Self {
        Self::In { name: name.to_string(), source: Box::new(self) }
    }

    /// The error itself, without the names in front.
    pub fn root(&self) -> &Self {
        match self {
            Self::In { source, .. } => source.root(),
            _ => self,
        }
    }

    /// Who can mend it: the user, the environment, or the authors.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoCudaRuntime(_) | Self::CudaDevice(..) | Self::UnloadableRuntime(..) => Kind::Environment,
            Self::Numerical(_) => Kind::Internal,
            Self::In { source, .. } => source.kind(),
            Self::Base(error) | Self::Images(elbow_images::Error::Base(error)) => error.kind,
            _ => Kind::Input,
        }
    }

    /// One line of advice; empty where there is none.
    pub fn advice(&self) -> String {
        let advice = match self {
            Self::Images(error) => return error.advice(),
            Self::UnreadableImages { .. } => "repair or delete them, or leave them out",
            Self::ChannelMismatch(..) => "use a network for colour images",
            Self::FreeInputSize(_) => "use a convention that does not resize: unit or signed",
            Self::UnknownOutput(_) => "name the output that holds the features",
            Self::NotPooled(_) => "pool them: by mean, or for tokens [N, L, C] by cls, the first of them",
            Self::UnknownConvention(_) => {
                "name one of unit, signed, tf, pytorch, clean, lite, dinov2 and clip: the number depends on it"
            }
            Self::NoCudaRuntime(_) => "name libonnxruntime.so of onnxruntime-gpu in ORT_DYLIB_PATH",
            Self::CudaDevice(..) => "use the device cpu, or the library of onnxruntime-gpu",
            Self::UnloadableRuntime(..) => "correct ORT_DYLIB_PATH, or unset it to use the embedded tract",
            Self::ProvenanceMismatch(_) => "compare the same network and convention",
            Self::UnknownCount => "compute them again, with the number of images (n)",
            Self::NegativeEigenvalue { .. } => {
                "no covariance has negative eigenvalues: compute the statistics again, in double precision"
            }
            Self::NonFiniteCache(_) => "compute the features again: delete this file",
            Self::Numerical(_) => "",
            Self::In { source, .. } => return source.advice(),
            Self::Base(error) => return error.advice.clone(),
        };
        advice.to_owned()
    }
}

/// The first unreadable images, one per line, and the number of the others.
fn listed(images: &[UnreadableImage]) -> String {
    let lines = images.iter().take(LISTED).map(|bad| format!("\n  {}: {}", bad.image, bad.why));
    let more = images.len().saturating_sub(LISTED);
    let rest = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    lines.collect::<String>() + &rest
}

impl From<elbow_arrays::Error> for Error {
    fn from(error: elbow_arrays::Error) -> Self {
        Self::Base(error.into())
    }
}

/// The error of the command line: what, where, what to do, with this error as its source.
impl From<Error> for elbow_base::Error {
    fn from(error: Error) -> Self {
        let (what, advice) = (error.to_string(), error.advice());
        let whole = match error.kind() {
            Kind::Input => Self::input(what, advice),
            Kind::Environment => Self::environment(what, advice),
            Kind::Internal => Self::internal(what),
        };
        match error {
            Error::Base(error) | Error::Images(elbow_images::Error::Base(error)) => error,
            error => whole.caused_by(error),
        }
    }
}
