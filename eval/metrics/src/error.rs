//! Errors of images, feature networks and metrics.

use std::path::PathBuf;

use elbow_base::Kind;

use crate::images::UnreadableImage;
use crate::network::{CANONICAL_FILE, Convention, MOST_FEATURES};

/// Unreadable images that a message lists one by one.
const LISTED: usize = 20;

/// An error of images, networks or metrics. `Display` says what and where; [`Error::advice`] says what to do about it.
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
    /// No image of this set can be read.
    #[error("{0}: no image that can be read")]
    NoReadableImage(String),
    /// This set, or the part of it that was asked for, is empty.
    #[error("{0}")]
    NoImages(String),
    /// An image has other pixels than when the set was scanned.
    #[error("it was changed while the set was being read")]
    ChangedImage,
    /// The images have several sizes, and the input convention does not resize.
    #[error("{sets}: images of {} sizes: {}", sizes.len(), sizes.join(", "))]
    MixedSizes {
        /// The sets.
        sets: String,
        /// Heights and widths, as 32x32.
        sizes: Vec<String>,
    },
    /// An image of the first height and width is in a set of the second, for which the network was compiled.
    #[error("{}x{} pixels in a set of {}x{}", .0[0], .0[1], .1[0], .1[1])]
    OtherSize([usize; 2], [usize; 2]),
    /// Images of the first number of channels do not fit a network of the second.
    #[error("images of {0} channels for a network of {1}")]
    ChannelMismatch(usize, usize),
    /// This convention resizes, but the network has no input size to resize to.
    #[error("convention {0} resizes, but the network takes any size")]
    FreeInputSize(Convention),
    /// A convention does not resize, and an image of the first height and width does not fit a network of the second.
    #[error("{}x{} pixels for a network of {}x{}", .0[0], .0[1], .1[0], .1[1])]
    FixedInputSize([usize; 2], [usize; 2]),
    /// The input convention of this network is not known.
    #[error("{0}: the convention of its input is not known")]
    UnknownConvention(String),
    /// A file is not an ONNX network of images, with the reason.
    #[error("{0}")]
    NotANetwork(String),
    /// A network cannot be compiled for inputs \[1, channels, height, width\], with the error of the runtime.
    #[error("{0}")]
    NotCompiled(String),
    /// This tensor of a network is stored in another file.
    #[error("tensor {0} lies in another file, which a hash of this one does not see")]
    ExternalTensor(String),
    /// The features of this network are no pooled vector: this many per image.
    #[error("{0}: {1} features per image")]
    FeatureDimension(String, usize),
    /// A network failed on an image.
    #[error("{network}: {what}")]
    NetworkFailed {
        /// The network.
        network: String,
        /// The error of the runtime.
        what: String,
        /// Channels, height and width of the input.
        input: [usize; 3],
    },
    /// A network's features are not finite.
    #[error("its features are not finite")]
    NotFinite,
    /// A weights file does not fit the canonical Inception: the tensor and its defect.
    #[error("{0}")]
    Weights(String),
    /// This device is neither `cpu` nor `cuda:N`.
    #[error("device {0:?}")]
    UnknownDevice(String),
    /// This CUDA device was named, and no ONNX Runtime was found.
    #[error("device {0}: no ONNX Runtime with CUDA was found")]
    NoCudaRuntime(String),
    /// ONNX Runtime cannot use this CUDA device, with its error.
    #[error("device cuda:{0}: {1}")]
    CudaDevice(i32, String),
    /// This shared library of ONNX Runtime cannot be loaded, with the error of the system.
    #[error("ONNX Runtime cannot be loaded from {}: {}", .0.display(), .1)]
    UnloadableRuntime(PathBuf, String),
    /// This build has no support for ONNX networks.
    #[error("this elbow was built without ONNX networks")]
    NoOnnx,
    /// There are too few images for a metric.
    #[error("{what}")]
    TooFewImages {
        /// The metric and the numbers of images.
        what: String,
        /// How many it needs.
        needed: &'static str,
    },
    /// Features have these two dimensions.
    #[error("features of {} and of {} dimensions", .0[0], .0[1])]
    DimensionMismatch([usize; 2]),
    /// Statistics come from different networks or conventions: metric and network hash of either.
    #[error("statistics of {} and of {}", .0[0], .0[1])]
    ProvenanceMismatch([String; 2]),
    /// Statistics without the number of their images cannot be merged.
    #[error("statistics without a count cannot be merged")]
    UnknownCount,
    /// A file of features or statistics holds other arrays than expected.
    #[error("{}: {what}", path.display())]
    InvalidFile {
        /// The file.
        path: PathBuf,
        /// The defect.
        what: String,
        /// The expected content, or what to do.
        advice: &'static str,
    },
    /// A covariance has a negative eigenvalue beyond rounding.
    #[error("a covariance has the eigenvalue {least:e} beside {largest:e}")]
    NegativeEigenvalue {
        /// The most negative eigenvalue.
        least: f64,
        /// The largest one.
        largest: f64,
    },
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
    /// An error of the layers below: files, arrays, images from elsewhere.
    #[error("{}", .0.what)]
    Base(#[from] elbow_base::Error),
}

impl Error {
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
            Self::NoCudaRuntime(_) | Self::CudaDevice(..) | Self::UnloadableRuntime(..) | Self::NoOnnx => {
                Kind::Environment
            }
            Self::Numerical(_) => Kind::Internal,
            Self::In { source, .. } => source.kind(),
            Self::Base(error) => error.kind,
            _ => Kind::Input,
        }
    }

    /// One line of advice; empty where there is none.
    pub fn advice(&self) -> String {
        match self {
            Self::UnreadableFolder(_) => "check the folder and its links",
            Self::NoImageFiles(..) => {
                let endings = crate::images::ENDINGS.join(", ");
                return format!("give a folder with files that end in {endings}, or an npz file");
            }
            Self::Undecodable(_) | Self::EmptyImage(_) => "remove or mend this file, or leave it out",
            Self::UnreadableImages { .. } => "mend or remove them, or leave them out",
            Self::NoReadableImage(_) => "give a set with images",
            Self::NoImages(_) => "give at least one image, or make fewer parts",
            Self::ChangedImage => "measure a set that is finished",
            Self::MixedSizes { .. } | Self::OtherSize(..) => "use images of one size, or a convention that resizes",
            Self::ChannelMismatch(..) => "use a network for colour images",
            Self::FreeInputSize(_) => "use a convention that does not resize: unit or signed",
            Self::FixedInputSize(..) => "use a convention that resizes: tf, pytorch, clean or lite",
            Self::UnknownConvention(_) => {
                "name one of unit, signed, tf, pytorch, clean and lite: the number depends on it"
            }
            Self::NotANetwork(_) => "give an ONNX network of one image input [N, C, H, W]",
            Self::NotCompiled(_) => "give an ONNX network that takes one image",
            Self::ExternalTensor(_) => "save the network as one file, with its weights inside",
            Self::FeatureDimension(..) => {
                return format!("give a network with a pooled output of 1 to {MOST_FEATURES}");
            }
            Self::NetworkFailed { input: [channels, height, width], .. } => {
                return format!("its input was {channels}x{height}x{width} (channels, height, width)");
            }
            Self::NotFinite => "check the network and its convention",
            Self::Weights(_) => return format!("give {CANONICAL_FILE} of pytorch-fid"),
            Self::UnknownDevice(_) => "name a device as cpu or cuda:0",
            Self::NoCudaRuntime(_) => "name libonnxruntime.so of onnxruntime-gpu in ORT_DYLIB_PATH",
            Self::CudaDevice(..) => "use the device cpu, or the library of onnxruntime-gpu",
            Self::UnloadableRuntime(..) => "correct ORT_DYLIB_PATH, or unset it to use the embedded tract",
            Self::NoOnnx => "build it with its default features: cargo elbow",
            Self::TooFewImages { needed, .. } => *needed,
            Self::DimensionMismatch(_) => "compare features of the same network",
            Self::ProvenanceMismatch(_) => "compare the same network and convention",
            Self::UnknownCount => "make them again, with the number of images (n)",
            Self::InvalidFile { advice, .. } => *advice,
            Self::NegativeEigenvalue { .. } => "no covariance has negative eigenvalues: make the statistics again",
            Self::Numerical(_) => "",
            Self::In { source, .. } => return source.advice(),
            Self::Base(error) => return error.advice.clone(),
        }
        .to_owned()
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
            Error::Base(error) => error,
            error => whole.caused_by(error),
        }
    }
}
