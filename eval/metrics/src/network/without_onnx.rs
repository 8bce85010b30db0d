//! Stand-ins for a build without the feature `onnx`: reading any network fails with an error of the environment.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::graph::Graph;
use super::layer::Output;
use super::{InputArray, Port, Runtime};
use crate::{Error, Result};

pub fn read(_: &[u8], _: Option<&str>) -> Result<(Graph, Option<Vec<u8>>)> {
    Err(no_onnx())
}

fn no_onnx() -> Error {
    let what = "this elbow was built without ONNX networks";
    Error::Base(elbow_base::Error::environment(what, "build it with its default features: cargo elbow"))
}

/// Never constructed.
pub enum Engine {}

impl Engine {
    pub fn new(_: &Arc<[u8]>, _: &Runtime, _: [usize; 4]) -> Result<Self> {
        Err(no_onnx())
    }

    pub fn threads(&self) -> usize {
        match *self {}
    }

    pub fn run(&self, _: Vec<f32>, _: [usize; 4], _: &[usize]) -> std::result::Result<Vec<Output>, String> {
        match *self {}
    }
}

/// The canonical network; never constructed in this build.
pub enum Inception {}

impl Inception {
    /// Fails.
    pub fn skeleton(_: &Path) -> Result<Self> {
        Err(no_onnx())
    }

    /// Names and shapes of the weights.
    pub fn weights(&self) -> BTreeMap<String, Vec<usize>> {
        match *self {}
    }

    /// The network with these weights.
    pub fn with_weights(self, _: BTreeMap<String, (Vec<usize>, Vec<f32>)>, _: &str) -> Result<Vec<u8>> {
        match self {}
    }
}

/// Never constructed.
pub struct OnnxSession {
    /// The inputs in the order of the file.
    pub inputs: Vec<Port>,
    /// The outputs in the order of the file.
    pub outputs: Vec<Port>,
    /// SHA-256 of the file.
    pub hash: String,
}

impl OnnxSession {
    /// Fails.
    pub fn load(_: &Path, _: Runtime) -> Result<Self> {
        Err(no_onnx())
    }

    /// None.
    pub fn input(&self, _: &str) -> Option<&Port> {
        None
    }

    /// Fails.
    pub fn run<T>(
        &self,
        _: &[InputArray],
        _: usize,
        _: impl FnOnce(&[f32], Vec<usize>) -> T,
    ) -> std::result::Result<T, String> {
        Err(no_onnx().to_string())
    }
}
