//! Flags that the tasks share: which network, which images, which cache.

use std::path::PathBuf;

use clap::Args;
use elbow_harness::networks::{default_network, named_network, place};

use elbow_harness::failure::Failure;
use elbow_harness::fid::{BadImagePolicy, Convention, FeatureCache, FeatureNetwork, ImageScan, Runtime};
use elbow_harness::workspace::Workspace;

/// Which network, in which convention.
#[derive(Args)]
pub struct NetworkFlags {
    #[command(flatten)]
    which: WhichNetwork,
    /// How pixels become the input: unit, signed, tf, pytorch, clean or lite [default: the bundled networks' own]
    #[arg(long, visible_alias = "network-convention", value_name = "NAME")]
    convention: Option<String>,
}

/// Which network, and what runs it.
#[derive(Args)]
pub struct WhichNetwork {
    /// digits-classifier, lite0 (EfficientNet-Lite0, ImageNet), inception (inception.onnx in a data folder, from `elbow fid
    /// export`), or an ONNX file [default: digits-classifier for grey images of 8x8, lite0 for others]
    #[arg(long, value_name = "NAME|FILE")]
    network: Option<String>,
    /// ONNX Runtime's shared library, or none for the embedded tract [default: $ORT_DYLIB_PATH or a usual place, else tract]
    #[arg(long, value_name = "FILE")]
    ort_lib: Option<PathBuf>,
}

impl NetworkFlags {
    /// Refuses a network or a convention that does not exist.
    pub fn check(&self, workspace: &Workspace) -> Result<(), Failure> {
        self.convention()?;
        self.which.network.as_deref().map_or(Ok(()), |named| place(workspace, named).map(|_| ()))
    }

    /// The network that was asked for, or that fits the images.
    pub fn open(&self, workspace: &Workspace, scans: &[&ImageScan]) -> Result<FeatureNetwork, Failure> {
        self.which.open(workspace, scans, self.convention()?)
    }

    fn convention(&self) -> Result<Option<Convention>, Failure> {
        Ok(self.convention.as_deref().map(str::parse).transpose()?)
    }
}

impl WhichNetwork {
    /// The network that was asked for, or that fits the images.
    pub fn open(
        &self,
        workspace: &Workspace,
        scans: &[&ImageScan],
        convention: Option<Convention>,
    ) -> Result<FeatureNetwork, Failure> {
        let runtime = Runtime::find(self.ort_lib.as_deref(), &workspace.device_name)?;
        let small = scans.iter().all(|scan| scan.is_all([8, 8, 1]));
        let named = self.network.as_deref().unwrap_or(default_network(small));
        named_network(workspace, named, convention, runtime)
    }
}

#[derive(Args)]
pub struct ImageFlags {
    /// What to do about images that cannot be read: error names them all, skip leaves them out and counts them
    #[arg(long, default_value = "error", value_name = "error|skip")]
    on_bad: String,
    /// Folder of the features that are kept between runs [default: OUT/cache]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Keep no features
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
}

impl ImageFlags {
    pub fn on_bad(&self) -> Result<BadImagePolicy, Failure> {
        Ok(self.on_bad.parse()?)
    }

    pub fn cache(&self, workspace: &Workspace) -> FeatureCache {
        let folder = self.cache.clone().unwrap_or_else(|| workspace.out.join("cache"));
        FeatureCache::new((!self.no_cache).then_some(folder))
    }
}
