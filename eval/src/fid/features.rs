//! Features of an ONNX network: native ONNX Runtime where its library is found, embedded tract otherwise.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use impls::hash::sha256;
use ort::environment::Environment;
use ort::session::Session;
use ort::value::TensorRef;
use tract_onnx::prelude::{DatumExt, Framework, InferenceModelExt, IntoRunnable, Tensor, tvec};

use super::images::Images;
use crate::failure::Failure;
use crate::progress::Bar;

/// How 8-bit pixels become the network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// v / 255.
    Unit,
    /// 2 v / 255 - 1.
    Signed,
}

impl Convention {
    fn scale(self, pixel: u8) -> f32 {
        match self {
            Self::Unit => f32::from(pixel) / 255.0,
            Self::Signed => 2.0 * f32::from(pixel) / 255.0 - 1.0,
        }
    }
}

impls::names!(Convention, "network convention": Unit = "unit", Signed = "signed");

/// Features of a set of images, row-major [images, dimension].
#[derive(Clone, Debug)]
pub struct Features {
    pub dimension: usize,
    pub values: Vec<f64>,
}

impl Features {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.values.len() / self.dimension
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The features of the images with these indices.
    pub fn select(&self, indices: &[usize]) -> Self {
        let row = |&i: &usize| &self.values[i * self.dimension..(i + 1) * self.dimension];
        Self { dimension: self.dimension, values: indices.iter().flat_map(row).copied().collect() }
    }
}

/// What runs the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// ONNX Runtime's shared library at this path.
    Native(PathBuf),
    /// tract, compiled into this program.
    Embedded,
}

impl Runtime {
    /// The library named on the command line or by `ORT_DYLIB_PATH`; the embedded one where neither is given.
    pub fn find(named: Option<&Path>) -> Self {
        let library = named.map(Path::to_owned).or_else(|| std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from));
        library.map_or(Self::Embedded, Self::Native)
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native(_) => "ONNX Runtime (native library)",
            Self::Embedded => "tract (embedded)",
        })
    }
}

/// An ONNX network whose first output is a feature vector for each image of an NCHW input.
pub struct FeatureNetwork {
    name: String,
    bytes: Vec<u8>,
    hash: String,
    convention: Convention,
    runtime: Runtime,
}

impl FeatureNetwork {
    /// Reads a network file. It is compiled for the images' size when features are computed.
    pub fn load(path: &Path, convention: Convention, runtime: Runtime) -> Result<Self, Failure> {
        let bytes = std::fs::read(path).map_err(Failure::reading(path))?;
        let name = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        Ok(Self { name, hash: sha256(&bytes), bytes, convention, runtime })
    }

    /// What a distance on these features is called: `fd.NETWORK.CONVENTION`.
    pub fn metric_name(&self) -> String {
        format!("fd.{}.{}", self.name, self.convention)
    }

    /// SHA-256 of the network file.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The features of `images`; a row does not depend on the other images.
    pub fn features(&self, images: &Images, bar: &Bar) -> Result<Features, Failure> {
        bar.start(images.len() as u64, "features");
        let rows = match &self.runtime {
            Runtime::Native(library) => self.native(library, images, bar)?,
            Runtime::Embedded => self.embedded(images, bar)?,
        };
        bar.finish();
        let dimension = rows.first().map_or(0, Vec::len);
        if let Some(bad) = rows.iter().position(|row| row.iter().any(|v| !v.is_finite())) {
            let what = format!("{}: the features of image {bad} are not finite", self.name);
            return Err(Failure::input(what, "check the network and its input convention"));
        }
        Ok(Features { dimension, values: rows.into_iter().flatten().map(f64::from).collect() })
    }

    /// One image as NCHW input.
    fn input(&self, images: &Images, index: usize) -> Vec<f32> {
        let (pixels, channels) = (images.image(index), images.channels);
        let plane = |c: usize| pixels.iter().skip(c).step_by(channels).map(|&v| self.convention.scale(v));
        (0..channels).flat_map(plane).collect()
    }

    fn failed(&self, images: &Images) -> impl Fn(String) -> Failure {
        let name = self.name.clone();
        let size = format!("{}x{}x{}", images.channels, images.height, images.width);
        move |what| {
            Failure::input(format!("{name}: {what}"), format!("the images are {size} (channels, height, width)"))
        }
    }

    fn native(&self, library: &Path, images: &Images, bar: &Bar) -> Result<Vec<Vec<f32>>, Failure> {
        let environment = native_environment(library)?;
        let failed = self.failed(images);
        let mut session = Session::builder(environment)
            .and_then(|mut builder| builder.commit_from_memory(&self.bytes))
            .map_err(|e| failed(e.to_string()))?;
        let shape = [1, images.channels, images.height, images.width];
        let mut run = |index: usize| -> ort::Result<Vec<f32>> {
            let input = self.input(images, index);
            let outputs = session.run(ort::inputs![TensorRef::from_array_view((shape, &input[..]))?])?;
            Ok(outputs[0].try_extract_tensor::<f32>()?.1.to_vec())
        };
        (0..images.len())
            .map(|index| run(index).inspect(|_| bar.advance(1)).map_err(|e| failed(e.to_string())))
            .collect()
    }

    /// tract is fastest with a fixed batch of one and one plain thread a core.
    fn embedded(&self, images: &Images, bar: &Bar) -> Result<Vec<Vec<f32>>, Failure> {
        let failed = self.failed(images);
        let shape = [1, images.channels, images.height, images.width];
        let plan = tract_onnx::onnx()
            .model_for_read(&mut &self.bytes[..])
            .and_then(|model| model.with_input_fact(0, f32::fact(shape).into()))
            .and_then(|model| model.into_optimized())
            .and_then(|model| model.into_runnable())
            .map_err(|e| failed(format!("{e:#}")))?;
        let run = |index: usize| -> tract_onnx::prelude::TractResult<Vec<f32>> {
            let input = Tensor::from_shape(&shape, &self.input(images, index))?;
            let outputs = plan.run(tvec!(input.into()))?;
            Ok(outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect())
        };
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(images.len().max(1));
        let share = images.len().div_ceil(threads);
        let work = |first: usize| -> Result<Vec<Vec<f32>>, Failure> {
            let last = (first + share).min(images.len());
            let one = |index| run(index).inspect(|_| bar.advance(1)).map_err(|e| failed(format!("{e:#}")));
            (first..last).map(one).collect()
        };
        let parts = std::thread::scope(|scope| {
            let handles: Vec<_> =
                (0..images.len()).step_by(share.max(1)).map(|first| scope.spawn(move || work(first))).collect();
            handles
                .into_iter()
                .map(|h| h.join().map_err(|_| Failure::internal("a feature thread panicked")))
                .collect::<Vec<_>>()
        });
        let mut rows = Vec::with_capacity(images.len());
        for part in parts {
            rows.extend(part??);
        }
        Ok(rows)
    }
}

/// The environment of ONNX Runtime; a process can have one only, so the first library that is asked for stays.
fn native_environment(library: &Path) -> Result<&'static Environment, Failure> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    let open = || {
        if !library.is_file() {
            return Err("no such file".to_owned());
        }
        ort::init_from(library).map_err(|e| e.to_string())?.build().map_err(|e| e.to_string())
    };
    ENVIRONMENT.get_or_init(open).as_ref().map_err(|e| {
        let what = format!("ONNX Runtime cannot be loaded from {}: {e}", library.display());
        let fix = "correct --ort-lib or ORT_DYLIB_PATH, or leave both out to use the embedded tract";
        Failure::environment(what, fix)
    })
}
