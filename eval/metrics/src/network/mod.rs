//! Feature networks: any ONNX file, the conventions of its input, and what runs it.

mod convention;
#[cfg(feature = "onnx")]
mod onnx;
#[cfg(not(feature = "onnx"))]
#[path = "without_onnx.rs"]
mod onnx;
mod resize;
mod runtime;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use elbow_base::hash::sha256;

pub use convention::Convention;
pub use onnx::Inception;
pub use resize::Resize;
pub use runtime::Runtime;

use super::features::{Extracted, Features};
use super::images::{Image, ImageSet, Survey};
use super::stats::Origin;
use elbow_base::Error;
use elbow_base::Progress;
use onnx::Engine;

/// SHA-256 of `pt_inception-2015-12-05-6726825d.pth`, the weights that pytorch-fid and torch-fidelity fetch.
pub const CANONICAL_WEIGHTS: &str = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2";

/// More features than any network in use has pooled; a covariance of more would not fit into memory.
const MOST_FEATURES: usize = 16384;

/// The version of the code that turns images into features: raised by hand when it gives other numbers, so that kept features
/// of an earlier version are not found again.
pub const FEATURES: u32 = 1;

/// What an ONNX file says of its network.
#[derive(Clone)]
struct Graph {
    channels: usize,
    /// Height and width, where they are fixed.
    size: Option<[usize; 2]>,
    /// The numbers of the outputs `features` and `logits`.
    outputs: Vec<usize>,
    /// The canonical Inception of the FID.
    canonical: bool,
}

/// An ONNX network that gives a feature vector for each image of an NCHW input.
///
/// Features are its output `features`, or else the first one; class logits are its output `logits`, if it has one.
pub struct FeatureNetwork {
    name: String,
    bytes: Arc<[u8]>,
    hash: String,
    convention: Convention,
    runtime: Runtime,
    graph: Graph,
}

impl FeatureNetwork {
    /// Reads a network file. It is compiled for its input's size when features are computed.
    pub fn load(path: &Path, convention: Convention, runtime: Runtime) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(Error::reading(path))?;
        let name = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        Self::from_bytes(name, bytes, convention, runtime).map_err(|failure| failure.in_file(path))
    }

    /// A network from the bytes of an ONNX file.
    pub fn from_bytes(name: String, bytes: Vec<u8>, convention: Convention, runtime: Runtime) -> Result<Self, Error> {
        let graph = onnx::read(&bytes)?;
        Ok(Self { name, hash: sha256(&bytes), convention, runtime, graph, bytes: bytes.into() })
    }

    /// What a distance on these features is called: `fd.NETWORK.CONVENTION`; of the canonical Inception in one of the
    /// conventions of FID's tools, `fid.CONVENTION`.
    pub fn metric_name(&self) -> String {
        match (self.graph.canonical, self.convention) {
            (true, Convention::Tf | Convention::Pytorch | Convention::Clean) => format!("fid.{}", self.convention),
            _ => format!("fd.{}", self.label()),
        }
    }

    /// Whether this is the network of the FID, with its canonical weights.
    pub fn is_canonical(&self) -> bool {
        self.graph.canonical
    }

    /// Network and convention, as the other metrics' names end: `kid.NETWORK.CONVENTION`.
    pub fn label(&self) -> String {
        format!("{}.{}", self.name, self.convention)
    }

    /// SHA-256 of the network file.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What its statistics say of where they come from.
    pub fn origin(&self) -> Origin {
        Origin { metric: self.metric_name(), network: self.hash.clone(), convention: self.convention.to_string() }
    }

    /// Whether it gives class logits beside the features.
    pub fn has_logits(&self) -> bool {
        self.graph.outputs.len() > 1
    }

    /// Refuses images of several heights or widths, within a set or between sets, where nothing resizes them.
    pub fn check_sizes(&self, surveys: &[&Survey]) -> Result<(), Error> {
        let all = surveys.iter().flat_map(|survey| survey.summary.sizes.keys());
        let sizes: BTreeSet<&str> = all.filter_map(|size| Some(size.rsplit_once('x')?.0)).collect();
        if self.convention.resize().is_some() || sizes.len() <= 1 {
            return Ok(());
        }
        let sources: Vec<&str> = surveys.iter().map(|survey| survey.summary.source.as_str()).collect();
        let listed = sizes.iter().copied().collect::<Vec<_>>().join(", ");
        let what = format!("{}: images of {} sizes: {listed}", sources.join(" and "), sizes.len());
        Err(Error::input(what, "use images of one size, or a convention that resizes"))
    }

    /// The same network under another convention.
    pub fn with_convention(&self, convention: Convention) -> Self {
        Self {
            name: self.name.clone(),
            bytes: Arc::clone(&self.bytes),
            hash: self.hash.clone(),
            runtime: self.runtime.clone(),
            graph: self.graph.clone(),
            convention,
        }
    }

    /// Everything that shapes the features of an image: the code's [`FEATURES`], network, convention, runtime.
    pub fn identity(&self) -> Result<String, Error> {
        Ok(format!("{FEATURES}\n{}\n{}\n{}", self.hash, self.convention, self.runtime.identity()?))
    }

    /// The features of a set of images; a row does not depend on the other images.
    pub fn features(&self, images: &dyn ImageSet, bar: &dyn Progress) -> Result<Features, Error> {
        Ok(self.outputs_of(images, bar)?.features)
    }

    /// The features of a set of images, and their logits where the network has them.
    pub fn outputs_of(&self, images: &dyn ImageSet, bar: &dyn Progress) -> Result<Extracted, Error> {
        bar.start(images.len() as u64, "features");
        let found = self.extract(images, 0..images.len(), &mut None, bar);
        bar.finish();
        found
    }

    /// Features, and logits where the network has them, of some images of a set. The compiled network is left in `engine`
    /// for the next call.
    pub(super) fn extract(
        &self,
        images: &dyn ImageSet,
        range: Range<usize>,
        engine: &mut Option<CompiledNetwork>,
        bar: &dyn Progress,
    ) -> Result<Extracted, Error> {
        if range.is_empty() {
            return Err(Error::input(format!("{}: no images", images.source()), "give at least one"));
        }
        let compiled = match engine {
            Some(compiled) => compiled,
            None => engine.insert(self.compile(&images.image(range.start)?)?),
        };
        let rows = in_threads(range.len(), compiled.engine.threads(), |i| {
            let index = range.start + i;
            let named = |e: Error| e.of(images.name(index));
            let row = images.image(index).and_then(|image| compiled.row(self, &image)).map_err(named)?;
            bar.advance(1);
            Ok(row)
        })?;
        let dimension = rows[0][0].len();
        if !(1..=MOST_FEATURES).contains(&dimension) {
            let what = format!("{}: {dimension} features an image", self.name);
            return Err(Error::input(what, format!("give a network with a pooled output of 1 to {MOST_FEATURES}")));
        }
        let output = |k: usize| Features {
            dimension: rows[0][k].len(),
            values: rows.iter().flat_map(|row| &row[k]).copied().collect(),
        };
        Ok(Extracted { features: output(0), logits: self.has_logits().then(|| output(1)) })
    }

    fn compile(&self, image: &Image) -> Result<CompiledNetwork, Error> {
        let (_, [height, width]) = self.convention.prepare(image, self.graph.channels, self.graph.size)?;
        let shape = [1, self.graph.channels, height, width];
        let named = |e: Error| e.of(&self.name);
        Ok(CompiledNetwork { engine: Engine::new(&self.bytes, &self.runtime, shape).map_err(named)?, shape })
    }

    fn failed(&self, [_, channels, height, width]: [usize; 4], what: String) -> Error {
        let size = format!("{channels}x{height}x{width}");
        Error::input(format!("{}: {what}", self.name), format!("its input was {size} (channels, height, width)"))
    }
}

/// A network that is ready to run.
pub(super) struct CompiledNetwork {
    engine: Engine,
    shape: [usize; 4],
}

impl CompiledNetwork {
    /// The outputs for one image.
    fn row(&self, network: &FeatureNetwork, image: &Image) -> Result<Vec<Vec<f32>>, Error> {
        let (input, [height, width]) = network.convention.prepare(image, network.graph.channels, network.graph.size)?;
        let [_, _, h, w] = self.shape;
        if [height, width] != [h, w] {
            let what = format!("{height}x{width} pixels in a set of {h}x{w}");
            return Err(Error::input(what, "use images of one size, or a convention that resizes"));
        }
        let outputs = self.engine.run(input, self.shape, &network.graph.outputs);
        let outputs = outputs.map_err(|what| network.failed(self.shape, what))?;
        if outputs.iter().flatten().any(|v| !v.is_finite()) {
            return Err(Error::input("its features are not finite", "check the network and its convention"));
        }
        Ok(outputs)
    }
}

/// `work(i)` for i in 0..n in plain threads, in order; the first error ends them all. (tract has thread pools of its own
/// and must not be called from another's.)
fn in_threads<T: Send>(
    n: usize,
    threads: usize,
    work: impl Fn(usize) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let next = AtomicUsize::new(0);
    let share = || {
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= n {
                return Ok(done);
            }
            match work(i) {
                Ok(result) => done.push((i, result)),
                Err(failure) => {
                    next.store(n, Ordering::Relaxed);
                    return Err(failure);
                }
            }
        }
    };
    let parts = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads.clamp(1, n.max(1))).map(|_| scope.spawn(share)).collect();
        let join = |handle: std::thread::ScopedJoinHandle<'_, _>| {
            handle.join().unwrap_or_else(|_| Err(Error::internal("a feature thread panicked")))
        };
        handles.into_iter().map(join).collect::<Result<Vec<_>, Error>>()
    })?;
    let mut all: Vec<(usize, T)> = parts.into_iter().flatten().collect();
    all.sort_by_key(|(i, _)| *i);
    Ok(all.into_iter().map(|(_, result)| result).collect())
}
