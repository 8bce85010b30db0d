//! Published weights of an MDLM transformer, imported as a run.

use std::collections::BTreeMap;
use std::path::Path;

use elbow_base::{Error, FolderLock, Remedy, atomic_file};
use elbow_impls::data::Alphabet;
use elbow_impls::network::{Dit, DitImport, Model, WeightSet};
use elbow_impls::train::checkpoint::{Origin, State};
use elbow_impls::train::{Checkpoint, DataShape, NetworkConfig, ObjectiveConfig, Settings};

use crate::workspace::Workspace;

/// The first words of what a checkpoint of imported weights records in place of a hash of its data.
pub(super) const IMPORTED: &str = "imported from weights";

/// Sizes of an imported network.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Number of parameters.
    pub parameters: usize,
    /// V, the number of values of a token.
    pub values: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Attention heads per layer.
    pub heads: usize,
    /// Number of layers.
    pub layers: usize,
    /// SHA-256 of the file of weights.
    pub weights_sha256: String,
    /// Which weights of the file they are.
    pub weights: WeightSet,
    /// What cuts texts into tokens: `text8`, or `tokenizer:FILE`.
    pub alphabet: String,
    /// Tokens that it has.
    pub tokens: usize,
}

/// Writes a run folder with a checkpoint at step 0 from a state dict (.safetensors, or a file of torch.save).
///
/// `settings` give objective, data and sequence length of the weights. Sizes are those of the tensors, and every tensor
/// must have its place in the network. Averaged weights are taken where the file has them, unless `raw`; the run's own average is the
/// same.
pub fn import(
    workspace: &Workspace,
    weights: &Path,
    settings: Settings,
    raw: bool,
    run: &Path,
) -> Result<Imported, Error> {
    let NetworkConfig::Dit { heads } = settings.network else {
        let what = format!("the network of these settings is {}", settings.network.name());
        return Err(Error::input(what, "only the weights of a dit can be imported: set network=dit"));
    };
    if !matches!(settings.objective, ObjectiveConfig::Mdlm(_)) {
        let what = format!("the implementation of these settings is {}", settings.implementation());
        return Err(Error::input(what, "the weights are those of MDLM: use an mdlm preset"));
    }
    if run.exists() {
        return Err(Error::input(format!("{} exists", run.display()), "name a new folder").mended_by(Remedy::Run));
    }
    let length = settings.data.sequence_length.ok_or_else(|| {
        Error::input("sequence_length is missing", "name the window of the model: set sequence_length=1024")
    })?;
    let about = DitImport { length, time: settings.time_conditioning, heads: Some(heads), raw };
    let (network, set) = Dit::import(weights, &about, &workspace.device)?;
    let network = match settings.data.mask()? {
        Some(mask) => network.with_mask_last(mask as usize)?,
        None => network,
    };
    let alphabet = settings.data.alphabet.clone().unwrap_or_default();
    let tokens = Alphabet::parse(&alphabet).map_err(|error| {
        let advice = "the run could not be evaluated: name the tokens of the weights, as --set alphabet=tokenizer:FILE";
        Error::input(elbow_base::Error::from(error).what, advice)
    })?;
    let shape = *network.shape();
    let sizes = [
        ("width", shape.width),
        ("heads", shape.heads),
        ("layers", shape.layers),
        ("condition_width", shape.condition),
    ];
    let settings = settings.with(&sizes.map(|(name, size)| format!("{name}={size}")))?;
    let model = Model::from(network);
    let data = DataShape { values: shape.values, length, classes: 0, image: None };
    let hash = elbow_impls::hash::sha256(&std::fs::read(weights).map_err(Error::reading(weights))?);
    workspace.make_folder(run)?;
    let _lock = FolderLock::take(run)?;
    atomic_file::write(&run.join("config.toml"), settings.to_toml().as_bytes())?;
    let state = State {
        step: 0,
        data,
        dataset_hash: format!("{IMPORTED} {hash}"),
        alphabet_hash: None,
        model_settings_hash: Some(settings.model_hash()),
        files: BTreeMap::new(),
        origin: Some(Origin { from: weights.display().to_string(), sha256: hash.clone(), weights: set.clone() }),
    };
    Checkpoint::of_run(run).save(state, &model, &model, Vec::new())?;
    Ok(Imported {
        parameters: model.parameters(),
        values: data.values,
        width: shape.width,
        heads: shape.heads,
        layers: shape.layers,
        weights_sha256: hash,
        weights: set,
        alphabet,
        tokens: tokens.values(),
    })
}
