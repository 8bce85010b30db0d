//! The feature networks that have a name.

use std::path::{Path, PathBuf};

use impls::UnknownName;

use crate::failure::Failure;
use crate::fid::{self, Convention, FeatureNetwork, Runtime};
use crate::workspace::Workspace;

/// The networks that have a name: the file in a data folder, and the convention where there is one only. The last is the
/// user's own export.
const NAMED: [(&str, &str, Option<Convention>); 3] = [
    ("digits-classifier", "digits-classifier/digits-classifier.onnx", Some(Convention::Unit)),
    ("lite0", "lite0/lite0.onnx", Some(Convention::Lite)),
    ("inception", "inception.onnx", None),
];

/// The network for images where none was asked for: that of the 8x8 digits, or one of photographs.
pub fn default_network(digits: bool) -> &'static str {
    if digits { NAMED[0].0 } else { NAMED[1].0 }
}

/// The file of a network, and its convention where there is one only.
pub fn place(workspace: &Workspace, named: &str) -> Result<(PathBuf, Option<Convention>), Failure> {
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
pub fn named_network(
    workspace: &Workspace,
    named: &str,
    convention: Option<Convention>,
    runtime: Runtime,
) -> Result<FeatureNetwork, Failure> {
    let (path, own) = place(workspace, named)?;
    let convention = convention.or(own).ok_or_else(|| fid::Error::UnknownConvention(named.to_owned()))?;
    Ok(FeatureNetwork::load(&path, convention, runtime)?)
}

/// A bundled network under its own convention, on the embedded runtime: the same everywhere.
pub fn bundled_network(workspace: &Workspace, name: &str) -> Result<FeatureNetwork, Failure> {
    named_network(workspace, name, None, Runtime::Embedded)
}

/// The bundled classifier of the 8x8 digits.
pub fn digits_classifier(workspace: &Workspace) -> Result<FeatureNetwork, Failure> {
    bundled_network(workspace, NAMED[0].0)
}
