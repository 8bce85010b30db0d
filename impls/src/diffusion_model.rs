//! An objective of either family, and a diffusion model: an objective with a denoiser of its family.

use burn::tensor::{Device, Tensor};

use crate::any_order_bound::AnyOrderBound;
use crate::batch::Batch;
use crate::corruption::Corruption;
use crate::error::{Error, Result};
use crate::gaussian::{Gaussian, GaussianCorruption};
use crate::key::Key;
use crate::network::{Denoiser, GaussianDenoiser, TokenDenoiser};
use crate::objective::{BoundTerms, TokenObjective};

/// An objective of either family, as a run's settings name it.
pub enum Objective {
    /// Masked, uniform and autoregressive models.
    Tokens(Box<dyn TokenObjective>),
    /// VDM, flow matching and EDM.
    Gaussian(Gaussian),
}

/// An objective with a denoiser of its family: what has a loss and a bound.
#[derive(Clone, Copy)]
pub enum DiffusionModel<'a> {
    /// Masked, uniform and autoregressive models.
    Tokens(&'a dyn TokenObjective, &'a dyn TokenDenoiser),
    /// VDM, flow matching and EDM.
    Gaussian(&'a Gaussian, &'a dyn GaussianDenoiser),
}

/// Time and noise of a batch under a model of either family, drawn: the randomness of one draw of its bound.
pub enum BoundCorruption {
    /// Of tokens.
    Tokens(Box<Corruption>),
    /// Of points.
    Gaussian(Box<GaussianCorruption>),
}

impl Objective {
    /// The objective with a denoiser, which must be of its family.
    pub fn with<'a>(&'a self, denoiser: impl Into<Denoiser<'a>>) -> Result<DiffusionModel<'a>> {
        let denoiser = denoiser.into();
        Ok(match self {
            Self::Tokens(objective) => DiffusionModel::Tokens(objective.as_ref(), denoiser.tokens()?),
            Self::Gaussian(objective) => DiffusionModel::Gaussian(objective, denoiser.gaussian()?),
        })
    }

    /// See [`TokenObjective::divisor`].
    pub fn divisor(&self, batch: &Batch) -> f64 {
        match self {
            Self::Tokens(objective) => objective.divisor(batch),
            Self::Gaussian(_) => (batch.len() * batch.x.length()) as f64,
        }
    }

    /// See [`TokenObjective::is_exact`].
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Tokens(objective) if objective.is_exact())
    }
}

impl<'a> DiffusionModel<'a> {
    /// The training loss of a fresh corruption, \[batch\].
    pub fn loss(&self, batch: &Batch, key: &Key, device: &Device) -> Result<Tensor<1>> {
        match self {
            Self::Tokens(objective, denoiser) => objective.loss(*denoiser, batch, key, device),
            Self::Gaussian(objective, denoiser) => objective.loss(*denoiser, batch, key, device),
        }
    }

    /// The corruption of one draw of the bound.
    pub fn corrupt_for_bound(&self, batch: &Batch, key: &Key, device: &Device) -> Result<BoundCorruption> {
        Ok(match self {
            Self::Tokens(objective, denoiser) => {
                BoundCorruption::Tokens(Box::new(objective.corrupt_for_bound(*denoiser, batch, key, device)?))
            }
            Self::Gaussian(objective, denoiser) => {
                BoundCorruption::Gaussian(Box::new(objective.corrupt_for_bound(denoiser.values(), batch, key, device)))
            }
        })
    }

    /// The bound's terms of each sequence under a corruption, nats. Nothing is drawn.
    pub fn nelbo_of(&self, corruption: &BoundCorruption) -> Result<Vec<BoundTerms>> {
        match (self, corruption) {
            (Self::Tokens(objective, denoiser), BoundCorruption::Tokens(z)) => objective.nelbo_of(*denoiser, z),
            (Self::Gaussian(objective, denoiser), BoundCorruption::Gaussian(z)) => objective.nelbo_of(*denoiser, z),
            _ => Err(Error::Setting("a corruption of the other family of models".into())),
        }
    }

    /// One draw of the bound's terms of each sequence, nats.
    pub fn nelbo(&self, batch: &Batch, key: &Key, device: &Device) -> Result<Vec<BoundTerms>> {
        self.nelbo_of(&self.corrupt_for_bound(batch, key, device)?)
    }

    /// See [`TokenObjective::protocol`].
    pub fn protocol(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Tokens(objective, _) => objective.protocol(),
            Self::Gaussian(objective, _) => objective.protocol(),
        }
    }

    /// The any-order bound, where it is that of the model: a masked one that sees no time.
    pub fn any_order(&self) -> Option<AnyOrderBound<'a>> {
        match self {
            Self::Tokens(objective, denoiser) if objective.is_any_order() && !denoiser.sees_time() => {
                Some(AnyOrderBound::new(*denoiser, objective.block_size()))
            }
            _ => None,
        }
    }

    /// See [`TokenObjective::is_exact`].
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Tokens(objective, _) if objective.is_exact())
    }
}
