//! Small bundled data that checks read: toys, golden values, features.

use std::path::PathBuf;

use serde_json::Value;

use crate::claims::context::Context;
use crate::failure::Failure;
use crate::fid::Features;
use crate::theory::gaussian::GaussianToy;
use crate::theory::{Alphabet, Toy};

impl Context<'_> {
    /// The file of a toy, `fixtures/NAME.json`.
    pub(super) fn toy_file(&self, name: &str) -> Result<PathBuf, Failure> {
        self.data_file(&format!("{name}.json"))
    }

    /// A toy of tokens.
    pub(super) fn toy(&self, name: &str, alphabet: Alphabet) -> Result<Toy, Failure> {
        Ok(Toy::load(&self.toy_file(name)?, alphabet)?)
    }

    /// A toy of Gaussian diffusion.
    pub(super) fn gaussian_toy(&self, name: &str) -> Result<GaussianToy, Failure> {
        Ok(GaussianToy::load(&self.toy_file(name)?)?)
    }

    /// A JSON file of golden values.
    pub(super) fn golden(&self, name: &str) -> Result<Value, Failure> {
        let path = self.data_file(name)?;
        let text = std::fs::read_to_string(&path).map_err(Failure::reading(&path))?;
        serde_json::from_str(&text).map_err(|e| Failure::input(format!("{}: {e}", path.display()), "restore the file"))
    }

    /// A feature matrix.
    pub(super) fn features(&self, name: &str) -> Result<Features, Failure> {
        Ok(Features::load(&self.data_file(name)?)?)
    }
}
