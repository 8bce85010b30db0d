//! A build without the feature `onnx`: it reads no network, and says so.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Graph, Runtime};
use crate::failure::Failure;

fn absent() -> Failure {
    Failure::environment(
        "this elbow was built without ONNX networks",
        "build it with its default features: cargo elbow",
    )
}

pub fn read(_: &[u8]) -> Result<Graph, Failure> {
    Err(absent())
}

/// There is none.
pub enum Engine {}

impl Engine {
    pub fn new(_: &Arc<[u8]>, _: &Runtime, _: [usize; 4]) -> Result<Self, Failure> {
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
    pub fn skeleton(_: &Path) -> Result<Self, Failure> {
        Err(absent())
    }

    pub fn weights(&self) -> BTreeMap<String, Vec<usize>> {
        match *self {}
    }

    pub fn with_weights_of(self, _: &Path) -> Result<(Vec<u8>, String), Failure> {
        match self {}
    }
}
