//! Inputs and products of checks, each as a name with a hash for the record.

use elbow_base::Error;
use elbow_impls::data::Split;
use elbow_impls::train::Settings;
use elbow_metrics::FeatureNetwork;
use elbow_reports::record::Input;

use crate::claims::context::Context;
use crate::provenance;
use crate::runs::Trained;

/// Data files, by their paths inside a data folder.
pub(super) fn files<S: AsRef<str>>(context: &Context, names: impl IntoIterator<Item = S>) -> Result<Vec<Input>, Error> {
    names.into_iter().map(|name| provenance::file_input(&context.data_file(name.as_ref())?)).collect()
}

/// The files of toys.
pub(super) fn toys<'a>(context: &Context, names: impl IntoIterator<Item = &'a String>) -> Result<Vec<Input>, Error> {
    files(context, names.into_iter().map(|name| format!("{name}.json")))
}

/// Inputs of the trained runs of some presets: the settings and the data of each.
pub(super) fn presets<'a>(
    context: &Context,
    presets: impl IntoIterator<Item = &'a String>,
    set: &[String],
) -> Result<Vec<Input>, Error> {
    let mut inputs = Vec::new();
    for preset in presets {
        let settings = Settings::resolve(preset, set)?;
        let data = context.open(&settings.data(Split::Train))?;
        let sha256 = elbow_impls::hash::sha256(settings.to_toml().as_bytes());
        inputs.extend([Input { name: preset.clone(), sha256 }, provenance::data_input(data.as_ref())]);
    }
    Ok(inputs)
}

/// A feature network.
pub(super) fn network(network: &FeatureNetwork) -> Input {
    Input { name: network.metric_name(), sha256: network.hash().to_owned() }
}

/// The averaged weights of a run.
pub(super) fn weights(model: &Trained) -> Input {
    Input { name: "ema.safetensors".into(), sha256: model.hash.clone() }
}
