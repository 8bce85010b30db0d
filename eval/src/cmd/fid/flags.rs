//! Flags that the tasks share: which network, which images, which cache.

use std::path::{Path, PathBuf};

use clap::Args;
use impls::UnknownName;

use crate::failure::Failure;
use crate::fid::{Cache, Convention, FeatureNetwork, OnBad, Runtime, Survey};
use crate::workspace::Workspace;

/// The networks that have a name: the file in a data folder, and the convention where there is one only. The last is the
/// user's own export.
const NAMED: [(&str, &str, Option<Convention>); 3] = [
    ("digits-classifier", "digits-classifier/digits-classifier.onnx", Some(Convention::Unit)),
    ("lite0", "lite0/lite0.onnx", Some(Convention::Lite)),
    ("inception", "inception.onnx", None),
];

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
    pub fn open(&self, workspace: &Workspace, surveys: &[&Survey]) -> Result<FeatureNetwork, Failure> {
        self.which.open(workspace, surveys, self.convention()?)
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
        surveys: &[&Survey],
        convention: Option<Convention>,
    ) -> Result<FeatureNetwork, Failure> {
        let runtime = Runtime::find(self.ort_lib.as_deref(), &workspace.device_name)?;
        let small = surveys.iter().all(|survey| survey.is_all([8, 8, 1]));
        let named = self.network.as_deref().unwrap_or(if small { NAMED[0].0 } else { NAMED[1].0 });
        named_network(workspace, named, convention, runtime)
    }
}

/// The file of a network, and its convention where there is one only.
fn place(workspace: &Workspace, named: &str) -> Result<(PathBuf, Option<Convention>), Failure> {
    match NAMED.iter().find(|(name, ..)| *name == named) {
        Some((_, file, own)) => Ok((workspace.data_file(file)?, *own)),
        None if Path::new(named).is_file() => Ok((PathBuf::from(named), None)),
        None => {
            let known: Vec<&str> = NAMED.iter().map(|(name, ..)| *name).chain(["FILE.onnx"]).collect();
            Err(UnknownName::new("network", named, &known).into())
        }
    }
}

/// A network by its name or its file, under a convention or its own.
fn named_network(
    workspace: &Workspace,
    named: &str,
    convention: Option<Convention>,
    runtime: Runtime,
) -> Result<FeatureNetwork, Failure> {
    let (path, own) = place(workspace, named)?;
    let convention = convention.or(own).ok_or_else(|| {
        let what = format!("{named}: the convention of its input is not known");
        Failure::input(what, "say --convention unit, signed, tf, pytorch, clean or lite: the number depends on it")
    })?;
    FeatureNetwork::load(&path, convention, runtime)
}

/// A bundled network under its own convention, on the embedded runtime: the same everywhere.
pub fn bundled_network(workspace: &Workspace, name: &str) -> Result<FeatureNetwork, Failure> {
    named_network(workspace, name, None, Runtime::Embedded)
}

/// The bundled classifier of the 8x8 digits.
pub fn digits_classifier(workspace: &Workspace) -> Result<FeatureNetwork, Failure> {
    bundled_network(workspace, NAMED[0].0)
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
