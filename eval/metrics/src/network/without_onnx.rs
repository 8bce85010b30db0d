//! A build without the feature `onnx`: it reads no network, and says so.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Graph, Runtime};
use elbow_base::Error;

fn absent() -> Error {
    Error::environment("this elbow was built without ONNX networks", "build it with its default features: cargo elbow")
}

pub fn read(_: &[u8]) -> Result<Graph, Error> {
    Err(absent())
}

/// There is none.
pub enum Engine {}

impl Engine {
    pub fn new(_: &Arc<[u8]>, _: &Runtime, _: [usize; 4]) -> Result<Self, Error> {
        Err(absent())
    }

    pub fn threads(&self) -> usize {
        match *self {}
    }

    pub fn run(&self, _: Vec<f32>, _: [usize; 4], _: &[usize]) -> Result<Vec<Vec<f32>>, String> {
        match *self {}
    }
}

/// There is none.
pub enum Inception {}

impl Inception {
    pub fn skeleton(_: &Path) -> Result<Self, Error> {
        Err(absent())
    }

    pub fn weights(&self) -> BTreeMap<String, Vec<usize>> {
        match *self {}
    }

    pub fn with_weights(self, _: BTreeMap<String, (Vec<usize>, Vec<f32>)>, _: &str) -> Result<Vec<u8>, Error> {
        match self {}
    }
}
