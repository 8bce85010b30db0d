//! The exact cascade of a model's own network on an enumerable toy.

use burn::tensor::Device;
use elbow_base::Error;
use elbow_impls::network::TokenDenoiser;
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::train::ObjectiveConfig;
use elbow_impls::weighting::Weighting;
use elbow_theory::masked::block::{BlockEnumeration, block_cascade};
use elbow_theory::masked::{Enumeration, cascade};
use elbow_theory::{Cascade, Toy};

use super::{AnyModel, Source};
use crate::denoisers::network_probabilities;

impl AnyModel {
    /// The cascade of bounds of the model's network on the data of `toy`, whose denoiser it replaces: exact but for the single
    /// precision of the network. The model must be a masked one of the toy's size, and see no time. With a `block` size, or for
    /// a model of block diffusion, it is that of blocks of as many tokens.
    pub fn cascade(
        &self,
        toy: &Toy,
        schedule: &MaskedSchedule,
        steps: usize,
        weighting: &Weighting,
        block: Option<usize>,
        device: &Device,
    ) -> Result<Cascade, Error> {
        let denoiser = self.masked()?;
        let (values, length) = (denoiser.values(), self.sequence_length());
        if values != toy.states || length.is_some_and(|length| length != toy.length) {
            let tokens = length.map_or("any number of".to_owned(), |length| length.to_string());
            let what = format!("{}: {values} values and {tokens} tokens", self.place.display());
            let of_toy = format!("the toy has {} values and {} tokens", toy.states, toy.length);
            return Err(Error::input(format!("{what}, {of_toy}"), "name a toy of the model's data"));
        }
        let block = block.or(match self.objective() {
            ObjectiveConfig::Block(own) => Some(own.size),
            _ => None,
        });
        self.calls(|| {
            let probabilities = network_probabilities(denoiser, toy, device);
            // A network that failed answers with what is no number, which is no denoiser.
            self.check_calls()?;
            if let Some(size) = block {
                let blocks = BlockEnumeration::with_probabilities(toy, &probabilities, size)?;
                return Ok(block_cascade(&blocks, schedule, steps, weighting)?);
            }
            Ok(cascade(&Enumeration::with_probabilities(toy, &probabilities)?, schedule, steps, weighting)?)
        })
    }

    /// The denoiser, if it is one of masked diffusion that sees no time.
    fn masked(&self) -> Result<&dyn TokenDenoiser, Error> {
        let refused = |what: &str| {
            Error::input(format!("{}: {what}", self.place.display()), "name a masked model that sees no time")
        };
        let is_masked = match self.objective() {
            ObjectiveConfig::Md4(_)
            | ObjectiveConfig::GenMd4(_)
            | ObjectiveConfig::Mdlm(_)
            | ObjectiveConfig::MaskGit(_)
            | ObjectiveConfig::D3pmAbsorbing(_)
            | ObjectiveConfig::AnyOrder(_)
            | ObjectiveConfig::Block(_) => true,
            ObjectiveConfig::D3pmUniform(_)
            | ObjectiveConfig::Ar(_)
            | ObjectiveConfig::Vdm(_)
            | ObjectiveConfig::Flow(_)
            | ObjectiveConfig::Edm(_) => false,
        };
        if !is_masked {
            return Err(refused("no masked diffusion"));
        }
        let denoiser = self.denoiser().tokens()?;
        if denoiser.sees_time() {
            return Err(refused(
                "its network sees the time, and the exact bounds are those of one table for all times",
            ));
        }
        if denoiser.classes().is_some() {
            return Err(refused("its network is told classes, and a toy has none"));
        }
        Ok(denoiser)
    }

    /// Tokens per sequence; none where the network takes any number.
    fn sequence_length(&self) -> Option<usize> {
        match &self.source {
            Source::Run(run) => Some(run.state.data.length),
            Source::Outside(model) => model.file().model.length,
        }
    }
}
