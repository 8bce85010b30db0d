//! Feature networks by name or file.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use elbow_base::Error;
use elbow_impls::UnknownName;
use elbow_metrics::{Convention, FeatureNetwork, Layer, Runtime};

use crate::workspace::Workspace;

/// The networks that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedNetwork {
    /// The bundled classifier of the 8x8 digits.
    DigitsClassifier,
    /// The bundled EfficientNet-Lite0, trained on ImageNet.
    Lite0,
    /// The Inception of the FID, which users export from its published weights.
    Inception,
}

elbow_impls::names!(NamedNetwork, "network":
    DigitsClassifier = "digits-classifier", Lite0 = "lite0", Inception = "inception",
);

impl NamedNetwork {
    /// Its file in a data folder, and its input convention where there is only one.
    fn file(self) -> (&'static str, Option<Convention>) {
        match self {
            Self::DigitsClassifier => ("digits-classifier/digits-classifier.onnx", Some(Convention::Unit)),
            Self::Lite0 => ("lite0/lite0.onnx", Some(Convention::Lite)),
            Self::Inception => ("inception.onnx", None),
        }
    }
}

/// How to get the Inception of the FID.
pub const INCEPTION: &str = "for numbers called FID: fetch pt_inception-2015-12-05-6726825d.pth (pytorch-fid's releases on GitHub, 95.6 MB), then \
     elbow fid export pt_inception-2015-12-05-6726825d.pth -o DIR/inception.onnx, and name DIR with --data or ELBOW_DATA";

/// A feature network: one that has a name, or an ONNX file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// A network that has a name.
    Named(NamedNetwork),
    /// An ONNX file.
    File(PathBuf),
}

impl FromStr for Network {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name.parse::<NamedNetwork>() {
            Ok(named) => Ok(Self::Named(named)),
            Err(_) if Path::new(name).is_file() => Ok(Self::File(PathBuf::from(name))),
            Err(UnknownName { kind, name, mut known }) => {
                known.push("FILE.onnx".to_owned());
                Err(UnknownName { kind, name, known })
            }
        }
    }
}

impl Network {
    /// The default network: that of the 8x8 digits, or that of photographs.
    pub fn default_for(digits: bool) -> Self {
        Self::Named(if digits { NamedNetwork::DigitsClassifier } else { NamedNetwork::Lite0 })
    }

    /// Its file, and its input convention where there is only one.
    pub fn place(&self, workspace: &Workspace) -> Result<(PathBuf, Option<Convention>), Error> {
        match self {
            Self::Named(named) => {
                let (file, own) = named.file();
                let missing = |mut missing: Error| {
                    if *named == NamedNetwork::Inception {
                        missing.advice = INCEPTION.to_owned();
                        missing.remedy = None;
                    }
                    missing
                };
                Ok((workspace.data_file(file).map_err(missing)?, own))
            }
            Self::File(path) => Ok((path.clone(), None)),
        }
    }

    /// Loads it for the features of a layer, under a convention or under its own.
    pub fn open(
        &self,
        workspace: &Workspace,
        convention: Option<Convention>,
        runtime: Runtime,
        layer: Layer,
    ) -> Result<FeatureNetwork, Error> {
        let (path, own) = self.place(workspace)?;
        let unknown = || elbow_metrics::Error::UnknownConvention(path.display().to_string());
        let convention = convention.or(own).ok_or_else(unknown)?;
        Ok(FeatureNetwork::load_layer(&path, convention, runtime, layer)?)
    }
}

/// A bundled network under its own convention, on the embedded runtime: the same numbers on every machine.
pub fn bundled_network(workspace: &Workspace, name: &str) -> Result<FeatureNetwork, Error> {
    name.parse::<Network>()?.open(workspace, None, Runtime::Embedded, Layer::default())
}

/// The bundled classifier of the 8x8 digits.
pub fn digits_classifier(workspace: &Workspace) -> Result<FeatureNetwork, Error> {
    Network::Named(NamedNetwork::DigitsClassifier).open(workspace, None, Runtime::Embedded, Layer::default())
}
