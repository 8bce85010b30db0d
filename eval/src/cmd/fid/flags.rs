//! Flags that the tasks share: which network, which images, which cache.

use std::path::{Path, PathBuf};

use clap::Args;
use impls::UnknownName;

use crate::failure::Failure;
use crate::fid::{Cache, Convention, FeatureNetwork, OnBad, Runtime, Survey};
use crate::workspace::Workspace;

/// The networks that come with the program: name, file, convention.
const BUNDLED: [(&str, &str, Convention); 2] = [
    ("digits-classifier", "digits-classifier/digits-classifier.onnx", Convention::Unit),
    ("lite0", "lite0/lite0.onnx", Convention::Lite),
];

#[derive(Args)]
pub struct NetworkFlags {
    /// digits-classifier, lite0 (EfficientNet-Lite0, ImageNet), or an ONNX file [default: digits-classifier for grey images of
    /// 8x8, lite0 for others]
    #[arg(long, value_name = "NAME|FILE")]
    network: Option<String>,
    /// How pixels become the input: unit, signed, tf, pytorch, clean or lite [default: the bundled network's own]
    #[arg(long, visible_alias = "network-convention", value_name = "NAME")]
    convention: Option<String>,
    /// ONNX Runtime's shared library [default: $ORT_DYLIB_PATH or a usual place, else the embedded tract]
    #[arg(long, value_name = "FILE")]
    ort_lib: Option<PathBuf>,
}

impl NetworkFlags {
    /// The network that was asked for, or that fits the images.
    pub fn open(&self, workspace: &Workspace, surveys: &[&Survey]) -> Result<FeatureNetwork, Failure> {
        let runtime = Runtime::find(self.ort_lib.as_deref(), &workspace.device_name)?;
        let small = surveys.iter().all(|survey| survey.is_all([8, 8, 1]));
        let named = self.network.as_deref().unwrap_or(if small { BUNDLED[0].0 } else { BUNDLED[1].0 });
        let convention = self.convention.as_deref().map(str::parse).transpose()?;
        if BUNDLED.iter().any(|(name, ..)| *name == named) {
            return bundled_network(workspace, named, convention, runtime);
        }
        let path = Path::new(named);
        if !path.is_file() {
            let known: Vec<&str> = BUNDLED.iter().map(|(name, ..)| *name).chain(["FILE.onnx"]).collect();
            return Err(UnknownName::new("network", named, &known).into());
        }
        let convention = convention.ok_or_else(|| {
            let what = format!("{named}: the convention of its input is not known");
            Failure::input(what, "say --convention unit, signed, tf, pytorch, clean or lite: the number depends on it")
        })?;
        FeatureNetwork::load(path, convention, runtime)
    }
}

/// A network that comes with the program, under a convention or its own.
pub fn bundled_network(
    workspace: &Workspace,
    name: &str,
    convention: Option<Convention>,
    runtime: Runtime,
) -> Result<FeatureNetwork, Failure> {
    let (_, file, own) = BUNDLED.iter().find(|(known, ..)| *known == name).expect("a bundled network");
    FeatureNetwork::load(&workspace.data_file(file)?, convention.unwrap_or(*own), runtime)
}

/// The bundled classifier of the 8x8 digits under its own convention, on the embedded runtime: the same everywhere.
pub fn digits_classifier(workspace: &Workspace) -> Result<FeatureNetwork, Failure> {
    bundled_network(workspace, BUNDLED[0].0, None, Runtime::Embedded)
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
    pub fn on_bad(&self) -> Result<OnBad, Failure> {
        Ok(self.on_bad.parse()?)
    }

    pub fn cache(&self, workspace: &Workspace) -> Cache {
        let folder = self.cache.clone().unwrap_or_else(|| workspace.out.join("cache"));
        Cache::new((!self.no_cache).then_some(folder))
    }
}
