//! Options that the tasks of `elbow fid` share: network, images, cache.

use std::path::PathBuf;

use clap::Args;
use elbow_base::Error;
use elbow_harness::networks::Network;
use elbow_harness::workspace::Workspace;
use elbow_metrics::{
    ArrayOptions, BadImagePolicy, Convention, FeatureCache, FeatureNetwork, ImageScan, Layer, Layout, Pool, Range,
    Runtime,
};

use crate::flags::{RuntimeFlag, form, one_of};
use crate::hints::written_by;

/// Which network, under which convention.
#[derive(Args)]
pub struct NetworkFlags {
    #[command(flatten)]
    which: WhichNetwork,
    /// How pixels become the input [default: the bundled networks' own]
    #[arg(long, visible_alias = "network-convention", value_name = "NAME", value_parser = one_of::<Convention>())]
    convention: Option<Convention>,
}

/// Which network, and what runs it.
#[derive(Args)]
pub struct WhichNetwork {
    /// digits-classifier, lite0 (EfficientNet-Lite0, ImageNet), inception (inception.onnx in a data folder, from `elbow fid
    /// export`), or an ONNX file [default: digits-classifier for grey images of 8x8, lite0 for others]
    #[arg(long, value_name = "NAME|FILE", value_parser = form::<Network>)]
    network: Option<Network>,
    #[command(flatten)]
    runtime: RuntimeFlag,
    /// Output of the network that holds the features, or a tensor inside it [default: features, pooler_output or
    /// image_embeds, or its only output; never logits]; sfid for the spatial features of the exported Inception. It becomes
    /// part of the metric's name
    #[arg(long, value_name = "NAME")]
    features: Option<String>,
    /// How a map [N, C, H, W] or tokens [N, L, C] become one vector per image: mean over all positions, cls, the first
    /// token, or first7, seven channels at all positions [default: refused]. It becomes part of the metric's name
    #[arg(long, value_name = "NAME", value_parser = one_of::<Pool>())]
    pool: Option<Pool>,
}

impl NetworkFlags {
    /// Refuses a network whose file is missing.
    pub fn check(&self, workspace: &Workspace) -> Result<(), Error> {
        self.which.network.as_ref().map_or(Ok(()), |network| network.place(workspace).map(|_| ()))
    }

    /// The runtime of the option and the device of the workspace.
    pub fn runtime(&self, workspace: &Workspace) -> Result<Runtime, Error> {
        self.which.runtime.find(workspace)
    }

    /// Whether a runtime was named.
    pub fn has_runtime(&self) -> bool {
        self.which.runtime.is_given()
    }

    /// The first option that was given, the runtime left out.
    pub fn given(&self) -> Option<&'static str> {
        let Self { which: WhichNetwork { network, features, pool, .. }, convention } = self;
        let flags = [
            ("--network", network.is_some()),
            ("--features", features.is_some()),
            ("--pool", pool.is_some()),
            ("--convention", convention.is_some()),
        ];
        flags.into_iter().find_map(|(flag, given)| given.then_some(flag))
    }

    /// The network of the options, or the default for these images.
    pub fn open(&self, workspace: &Workspace, scans: &[&ImageScan]) -> Result<FeatureNetwork, Error> {
        self.which.open(workspace, scans, self.convention)
    }

    /// The same; none where there are no images, where the options would have no effect and are refused.
    pub fn open_if_used(&self, workspace: &Workspace, scans: &[&ImageScan]) -> Result<Option<FeatureNetwork>, Error> {
        if !scans.is_empty() {
            return self.open(workspace, scans).map(Some);
        }
        match self.given().or(self.has_runtime().then_some("--ort-lib")) {
            Some(option) => Err(Error::input(format!("{option} has no effect: no side is of images"), "leave it out")),
            None => Ok(None),
        }
    }
}

impl WhichNetwork {
    /// The network of the options, or the default for these images.
    pub fn open(
        &self,
        workspace: &Workspace,
        scans: &[&ImageScan],
        convention: Option<Convention>,
    ) -> Result<FeatureNetwork, Error> {
        let runtime = self.runtime.find(workspace)?;
        let small = scans.iter().all(|scan| scan.is_all([8, 8, 1]));
        let network = self.network.clone().unwrap_or_else(|| Network::default_for(small));
        let layer = match (self.features.as_deref(), self.pool) {
            (Some(Layer::SFID), None) => Layer::sfid(),
            (output, pool) => Layer { output: output.map(str::to_owned), pool },
        };
        network.open(workspace, convention, runtime, layer)
    }
}

/// Which images are read, and which features are kept.
#[derive(Args)]
pub struct ImageFlags {
    /// What to do about images that cannot be read: error names them all, skip leaves them out and counts them
    #[arg(long, default_value = "error", value_name = "NAME", value_parser = one_of::<BadImagePolicy>())]
    pub on_bad: BadImagePolicy,
    /// Folder of the features that are kept between runs [default: OUT/cache]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Keep no features
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
    #[command(flatten)]
    pub arrays: ArrayFlags,
}

/// What arrays of images mean. Each option applies to both sides, where it fits: no array is guessed.
#[derive(Args)]
pub struct ArrayFlags {
    /// The array that holds the images, in npz files that have it [default: the only one that can]
    #[arg(long, value_name = "NAME")]
    array: Option<String>,
    /// The numbers that are black and white in arrays other than uint8: 0,1 or -1,1 or 0,255; uint8 is read as it is
    #[arg(long, value_name = "LOW,HIGH", allow_hyphen_values = true)]
    range: Option<Range>,
    /// The order of the axes of arrays: n images, h height, w width, c channels; rows are planes, [n, 3 s s] [default: the
    /// only one that fits]
    #[arg(long, value_name = "NAME", value_parser = one_of::<Layout>())]
    layout: Option<Layout>,
}

impl ArrayFlags {
    /// The options of the library.
    pub fn options(&self) -> ArrayOptions {
        ArrayOptions { array: self.array.clone(), range: self.range, layout: self.layout }
    }
}

impl ImageFlags {
    /// The first option that was given.
    pub fn given(&self) -> Option<&'static str> {
        let ArrayFlags { array, range, layout } = &self.arrays;
        let flags = [
            ("--on-bad", self.on_bad != BadImagePolicy::Error),
            ("--cache", self.cache.is_some()),
            ("--no-cache", self.no_cache),
            ("--array", array.is_some()),
            ("--range", range.is_some()),
            ("--layout", layout.is_some()),
        ];
        flags.into_iter().find_map(|(flag, given)| given.then_some(flag))
    }

    /// Names the option where features that are kept cannot be written.
    pub fn hint<E: Into<Error>>(&self) -> impl Fn(E) -> Error + use<E> {
        written_by(if self.cache.is_some() { "--cache DIR" } else { "--out DIR" })
    }

    /// The cache of features, below OUT unless another folder is named.
    pub fn cache(&self, workspace: &Workspace) -> FeatureCache {
        let folder = self.cache.clone().unwrap_or_else(|| workspace.out.join("cache"));
        FeatureCache::new((!self.no_cache).then_some(folder))
    }
}
