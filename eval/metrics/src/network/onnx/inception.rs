//! The canonical network of the FID: Inception-v3 of the TensorFlow graph of 2015-12-05, as ported by pytorch-fid.
//!
//! The graph is bundled (`fixtures/inception`), its weights cannot be. This module fills the graph with the tensors of
//! a weights file, each of which must have its place.

use std::collections::BTreeMap;
use std::path::Path;

use prost::Message;
use tract_onnx::pb::{ModelProto, StringStringEntryProto};
use tract_onnx::prelude::Framework;

use super::super::CANONICAL_WEIGHTS;
use crate::{Error, Result};

/// File name of the weights that pytorch-fid and torch-fidelity fetch.
const CANONICAL_FILE: &str = "pt_inception-2015-12-05-6726825d.pth";
/// Key of the ONNX metadata with the SHA-256 of the weights file.
const WEIGHTS_KEY: &str = "weights-sha256";
/// Key of the ONNX metadata with the SHA-256 of the exported model without these two entries.
const MODEL_KEY: &str = "model-sha256";

/// Whether a network holds the canonical weights by its metadata, and has not been changed since. A network that was
/// quantised or simplified afterwards is another one.
pub fn is_canonical(model: &ModelProto) -> bool {
    let entry = |key: &str| model.metadata_props.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
    if entry(WEIGHTS_KEY).is_none_or(|weights| weights != CANONICAL_WEIGHTS) {
        return false;
    }
    let mut plain = model.clone();
    plain.metadata_props.retain(|entry| entry.key != WEIGHTS_KEY && entry.key != MODEL_KEY);
    entry(MODEL_KEY).is_some_and(|hash| *hash == elbow_base::hash::sha256(&plain.encode_to_vec()))
}

/// The graph of the canonical network without its weights.
pub struct Inception(ModelProto);

impl Inception {
    /// Reads the graph: an ONNX file whose weight tensors have names and shapes, but no data.
    pub fn skeleton(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(elbow_base::Error::reading(path))?;
        let model = tract_onnx::onnx().proto_model_for_read(&mut &bytes[..]);
        model.map(Self).map_err(|e| Error::input(format!("{}: {e}", path.display()), "restore the file"))
    }

    /// Names and shapes of the weights.
    pub fn weights(&self) -> BTreeMap<String, Vec<usize>> {
        let graph = self.0.graph.as_ref();
        let empty = graph.into_iter().flat_map(|graph| &graph.initializer).filter(|tensor| tensor.raw_data.is_empty());
        empty.map(|tensor| (tensor.name.clone(), tensor.dims.iter().map(|&n| n as usize).collect())).collect()
    }

    /// The ONNX file of the network with these weights: name, shape, values. `hash`: SHA-256 of the weights file.
    ///
    /// Every tensor must have its place, except the bias of the last layer and the counters of the batch norms, which
    /// the graph does not use.
    pub fn with_weights(mut self, mut values: BTreeMap<String, (Vec<usize>, Vec<f32>)>, hash: &str) -> Result<Vec<u8>> {
        let wrong = |what: String| Error::input(what, format!("give {CANONICAL_FILE} of pytorch-fid"));
        let expected = self.weights();
        values.retain(|name, _| name != "fc.bias" && !name.ends_with(".num_batches_tracked"));
        if let Some(stray) = values.keys().find(|name| !expected.contains_key(*name)) {
            return Err(wrong(format!("tensor {stray} has no place in this network")));
        }
        let tensors = self.0.graph.iter_mut().flat_map(|graph| &mut graph.initializer);
        for tensor in tensors.filter(|tensor| expected.contains_key(&tensor.name)) {
            let (shape, data) =
                values.remove(&tensor.name).ok_or_else(|| wrong(format!("no tensor {}", tensor.name)))?;
            if shape != expected[&tensor.name] || data.len() != shape.iter().product::<usize>() {
                let place = &expected[&tensor.name];
                return Err(wrong(format!("{} has shape {shape:?} where {place:?} was expected", tensor.name)));
            }
            tensor.raw_data = data.iter().flat_map(|v| v.to_le_bytes()).collect();
        }
        let model = elbow_base::hash::sha256(&self.0.encode_to_vec());
        for (key, value) in [(WEIGHTS_KEY, hash), (MODEL_KEY, &model)] {
            self.0.metadata_props.push(StringStringEntryProto { key: key.to_owned(), value: value.to_owned() });
        }
        Ok(self.0.encode_to_vec())
    }
}
