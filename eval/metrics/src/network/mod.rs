//! Feature networks: any ONNX file, under an input convention, on a runtime.

mod convention;
mod graph;
mod layer;
#[cfg(feature = "onnx")]
mod onnx;
#[cfg(not(feature = "onnx"))]
#[path = "without_onnx.rs"]
mod onnx;
mod ports;
mod resize;
mod runtime;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use elbow_base::Progress;
use elbow_base::hash::sha256;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

pub use convention::Convention;
pub use layer::{Layer, Pool};
pub use onnx::{Inception, OnnxSession};
pub use ports::{InputArray, NumberType, Port};
pub use resize::Resize;
pub use runtime::Runtime;

use crate::features::{FeatureProvenance, Features, NetworkOutputs};
use crate::images::{Image, ImageScan, ImageSet, NO_IMAGES};
use crate::{Error, Result};
use graph::Graph;
use onnx::Engine;

/// SHA-256 of `pt_inception-2015-12-05-6726825d.pth`, the weights that pytorch-fid and torch-fidelity fetch.
pub const CANONICAL_WEIGHTS: &str = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2";

/// Largest accepted feature dimension: more than any network in use has, and a covariance that still fits into memory.
const MOST_FEATURES: usize = 16384;

/// The advice where images have several sizes.
const ONE_SIZE: &str = "use images of one size, or a convention that resizes";

/// Version of the code that turns images into features, part of the key of cached features. Raise it by hand when
/// features change.
pub const FEATURES: u32 = 1;

/// An ONNX network that maps an image \[1, channels, height, width\] to a feature vector \[d\].
///
/// Features are the output of a known name (`features`, `pooler_output`, `image_embeds`), or the only output; a
/// [`Layer`] names another one. Class logits are its output `logits`, if there is one.
#[derive(Clone)]
pub struct FeatureNetwork {
    name: String,
    bytes: Arc<[u8]>,
    hash: String,
    convention: Convention,
    runtime: Runtime,
    layer: Layer,
    graph: Graph,
}

impl FeatureNetwork {
    /// Reads a network file. The network is compiled when features are computed, for the size of its input.
    pub fn load(path: &Path, convention: Convention, runtime: Runtime) -> Result<Self> {
        Self::load_layer(path, convention, runtime, Layer::default())
    }

    /// The same for the features of another layer.
    pub fn load_layer(path: &Path, convention: Convention, runtime: Runtime, layer: Layer) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(elbow_base::Error::reading(path))?;
        let name = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        Self::new(name, bytes, convention, runtime, layer).map_err(|e| e.of(path.display()))
    }

    /// The network of an ONNX file's bytes.
    pub fn from_bytes(name: String, bytes: Vec<u8>, convention: Convention, runtime: Runtime) -> Result<Self> {
        Self::new(name, bytes, convention, runtime, Layer::default())
    }

    fn new(name: String, bytes: Vec<u8>, convention: Convention, runtime: Runtime, layer: Layer) -> Result<Self> {
        let hash = sha256(&bytes);
        let (graph, cast) = onnx::read(&bytes, layer.output.as_deref())?;
        Ok(Self { name, hash, convention, runtime, layer, graph, bytes: cast.unwrap_or(bytes).into() })
    }

    /// Name of the Frechet distance on these features: `fd.NETWORK.CONVENTION`, or for the canonical Inception under a
    /// convention of the FID tools `fid.CONVENTION`, and `sfid.CONVENTION` of its spatial features.
    pub fn metric_name(&self) -> String {
        let of_a_tool = matches!(self.convention, Convention::Tf | Convention::Pytorch | Convention::Clean);
        match of_a_tool && self.graph.canonical {
            true if self.layer == Layer::default() => format!("fid.{}", self.convention),
            true if self.layer == Layer::sfid() => format!("sfid.{}", self.convention),
            _ => format!("fd.{}", self.label()),
        }
    }

    /// Whether this is the Inception of the FID with its canonical weights, and its own features.
    pub fn is_canonical(&self) -> bool {
        self.graph.canonical && self.layer == Layer::default()
    }

    /// `NETWORK[.OUTPUT][.POOLING].CONVENTION`, or `NETWORK.sfid.CONVENTION`, the ending of the other metrics' names: `kid.NETWORK.CONVENTION`.
    pub fn label(&self) -> String {
        format!("{}{}.{}", self.name, self.layer.label(), self.convention)
    }

    /// Name of the output that holds the features, and how it is pooled.
    pub fn layer(&self) -> (&str, Option<Pool>) {
        (&self.graph.features.1, self.layer.pool)
    }

    /// SHA-256 of the network file.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The runtime that computes its features.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The provenance of its features.
    pub fn provenance(&self) -> FeatureProvenance {
        let convention = self.convention.to_string();
        FeatureProvenance { metric: self.metric_name(), network: self.hash.clone(), convention }
    }

    /// Whether it has class logits beside the features.
    pub fn has_logits(&self) -> bool {
        self.graph.logits.is_some()
    }

    /// Refuses images of several heights or widths, within a set or between sets, where the convention does not resize.
    pub fn check_sizes(&self, scans: &[&ImageScan]) -> Result<()> {
        let all = scans.iter().flat_map(|scan| scan.summary.sizes.keys());
        let sizes: BTreeSet<&str> = all.filter_map(|size| Some(size.rsplit_once('x')?.0)).collect();
        if self.convention.resize().is_some() || sizes.len() <= 1 {
            return Ok(());
        }
        let sources: Vec<&str> = scans.iter().map(|scan| scan.summary.source.as_str()).collect();
        let listed = sizes.iter().copied().collect::<Vec<_>>().join(", ");
        let what = format!("{}: images of {} sizes: {listed}", sources.join(" and "), sizes.len());
        Err(Error::input(what, ONE_SIZE))
    }

    /// The same network under another convention.
    pub fn with_convention(&self, convention: Convention) -> Self {
        Self { convention, ..self.clone() }
    }

    /// Everything that shapes the features of an image: version of the code, network, layer, convention, runtime.
    pub fn identity(&self) -> Result<String> {
        let layer = if self.layer == Layer::default() { String::new() } else { format!("\n{:?}", self.layer) };
        Ok(format!("{FEATURES}\n{}{layer}\n{}\n{}", self.hash, self.convention, self.runtime.identity()?))
    }

    /// The features \[n, d\] of a set of images; a row does not depend on the other images.
    pub fn features(&self, images: &dyn ImageSet, bar: &dyn Progress) -> Result<Features> {
        Ok(self.outputs_of(images, bar)?.features)
    }

    /// The features \[n, d\] of a set of images, with their logits \[n, classes\] where the network has them.
    pub fn outputs_of(&self, images: &dyn ImageSet, bar: &dyn Progress) -> Result<NetworkOutputs> {
        bar.start(images.len() as u64, "features");
        let found = self.extract(images, 0..images.len(), &mut None, bar);
        bar.finish();
        found
    }

    /// The same for some images of a set. The compiled network is kept in `engine` for the next call.
    pub(super) fn extract(
        &self,
        images: &dyn ImageSet,
        range: Range<usize>,
        engine: &mut Option<CompiledNetwork>,
        bar: &dyn Progress,
    ) -> Result<NetworkOutputs> {
        if range.is_empty() {
            return Err(Error::input(format!("{}: no images", images.source()), NO_IMAGES));
        }
        let compiled = match engine {
            Some(compiled) => compiled,
            None => engine.insert(self.compile(&images.image(range.start)?)?),
        };
        let rows = on_pool(range.len(), compiled.engine.threads(), |i| {
            let index = range.start + i;
            let named = |e: Error| e.of(images.name(index));
            let row =
                images.image(index).map_err(Error::from).and_then(|image| compiled.row(self, &image)).map_err(named)?;
            bar.advance(1);
            Ok(row)
        })?;
        let output = |k: usize| {
            let dimension = rows[0][k].len();
            match rows.iter().position(|row| row[k].len() != dimension) {
                Some(i) => {
                    let what = format!(
                        "{} numbers for {}, {dimension} before",
                        rows[i][k].len(),
                        images.name(range.start + i)
                    );
                    Err(Error::input(what, "give a network whose outputs have one shape").of(&self.name))
                }
                None => Ok(Features { dimension, values: rows.iter().flat_map(|row| &row[k]).copied().collect() }),
            }
        };
        let features = output(0)?;
        if !(1..=MOST_FEATURES).contains(&features.dimension) {
            let what = format!("{}: {} features per image", self.name, features.dimension);
            return Err(Error::input(what, format!("give a network with a pooled output of 1 to {MOST_FEATURES}")));
        }
        Ok(NetworkOutputs { features, logits: self.has_logits().then(|| output(1)).transpose()? })
    }

    fn compile(&self, image: &Image) -> Result<CompiledNetwork> {
        let (_, [height, width]) = self.graph.input.of(image, self.convention)?;
        let shape = [1, self.graph.input.channels, height, width];
        let named = |e: Error| e.of(&self.name);
        Ok(CompiledNetwork { engine: Engine::new(&self.bytes, &self.runtime, shape).map_err(named)?, shape })
    }
}

/// A network compiled for one input shape \[1, channels, height, width\].
pub(super) struct CompiledNetwork {
    engine: Engine,
    shape: [usize; 4],
}

impl CompiledNetwork {
    /// The outputs for one image.
    fn row(&self, network: &FeatureNetwork, image: &Image) -> Result<Vec<Vec<f32>>> {
        let (input, [height, width]) = network.graph.input.of(image, network.convention)?;
        let [_, channels, h, w] = self.shape;
        if [height, width] != [h, w] {
            return Err(Error::input(format!("{height}x{width} pixels in a set of {h}x{w}"), ONE_SIZE));
        }
        let failed = |what| {
            let advice = format!("its input was {channels}x{h}x{w} (channels, height, width)");
            Error::input(what, advice).of(&network.name)
        };
        let Graph { features, logits, .. } = &network.graph;
        let wanted: Vec<usize> = [features.0].into_iter().chain(*logits).collect();
        let outputs = self.engine.run(input, self.shape, &wanted).map_err(failed)?;
        let pools = [network.layer.pool, None];
        let rows =
            outputs.into_iter().zip(pools).map(|(output, pool)| output.pooled(pool).map_err(|e| e.of(&network.name)));
        let rows = rows.collect::<Result<Vec<_>>>()?;
        for (row, name) in rows.iter().zip(["features", "logits"]) {
            if let Some(value) = row.iter().find(|value| !value.is_finite()) {
                let what = format!("{}: its {name} hold {value} for this image", network.name);
                return Err(Error::input(what, "check the network and its convention"));
            }
        }
        Ok(rows)
    }
}

/// `work(i)` for i in 0..n on a pool of `threads`, in order; fails with one of the errors.
///
/// The pool is separate from rayon's global one because on a CUDA device one thread must run all images. tract may be
/// called from it: its own executor is single-threaded unless set otherwise.
fn on_pool<T: Send>(n: usize, threads: usize, work: impl Fn(usize) -> Result<T> + Sync + Send) -> Result<Vec<T>> {
    let pool = ThreadPoolBuilder::new().num_threads(threads.clamp(1, n.max(1))).build();
    let pool = pool.map_err(|e| Error::Numerical(format!("no feature threads: {e}")))?;
    pool.install(|| (0..n).into_par_iter().with_max_len(1).map(work).collect())
}
