//! A trainable model: one of the networks, and the schedule that it may learn.

use burn::module::{Module, Param};
use burn::tensor::{Device, Float, Tensor};

use super::{
    Denoiser, Dit, DitShape, Hidden, Input, LearnedSchedule, Transformer, TransformerShape, UNet, UNetShape, Wanted,
};
use crate::key::Key;

/// Which network, and how large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NetworkShape {
    Transformer(TransformerShape),
    Dit(DitShape),
    UNet(UNetShape),
}

/// A network of a [`NetworkShape`].
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one a run
enum Network {
    Transformer(Transformer),
    Dit(Dit),
    UNet(UNet),
}

/// What a run trains.
#[derive(Module, Debug)]
pub struct Model {
    network: Network,
    /// What a learned schedule is made of.
    schedule: Option<Param<Tensor<1>>>,
    #[module(skip)]
    learned: Option<LearnedSchedule>,
    #[module(skip)]
    shape: NetworkShape,
}

impl Model {
    /// A freshly initialised model, perhaps with a schedule that it learns.
    pub fn new(shape: &NetworkShape, learned: Option<LearnedSchedule>, key: &Key, device: &Device) -> Self {
        let network = match shape {
            NetworkShape::Transformer(shape) => Network::Transformer(Transformer::new(shape, key, device)),
            NetworkShape::Dit(shape) => Network::Dit(Dit::new(shape, key, device)),
            NetworkShape::UNet(shape) => Network::UNet(UNet::new(shape, key, device)),
        };
        let schedule = learned.map(|learned| learned.parameters(shape.values(), device));
        Self { network, schedule, learned, shape: *shape }
    }

    /// Number of trained parameters; nothing is allocated for it.
    pub fn parameters(&self) -> usize {
        self.num_params()
    }

    /// Number of classes that the model can be told; none for an unconditional one.
    pub fn classes(&self) -> Option<usize> {
        let conditioning = match &self.shape {
            NetworkShape::Transformer(shape) => shape.conditioning,
            NetworkShape::UNet(shape) => shape.conditioning,
            NetworkShape::Dit(_) => return None,
        };
        (conditioning.classes > 0).then_some(conditioning.classes)
    }

    fn network(&self) -> &dyn Denoiser {
        match &self.network {
            Network::Transformer(network) => network,
            Network::Dit(network) => network,
            Network::UNet(network) => network,
        }
    }
}

impl From<Dit> for Model {
    fn from(network: Dit) -> Self {
        let shape = NetworkShape::Dit(*network.shape());
        Self { network: Network::Dit(network), schedule: None, learned: None, shape }
    }
}

impl NetworkShape {
    /// Data values V.
    pub fn values(&self) -> usize {
        match self {
            Self::Transformer(shape) => shape.values,
            Self::Dit(shape) => shape.values,
            Self::UNet(shape) => shape.values,
        }
    }
}

impl Denoiser for Model {
    fn values(&self) -> usize {
        self.network().values()
    }

    fn sees_time(&self) -> bool {
        self.network().sees_time()
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        self.network().logits(input)
    }

    fn logits_at(&self, input: &Input, wanted: &Wanted) -> Tensor<2> {
        self.network().logits_at(input, wanted)
    }

    fn hidden_costs(&self, input: &Input, hidden: &Hidden) -> Tensor<2> {
        self.network().hidden_costs(input, hidden)
    }

    fn points(&self, input: &Input<Float>) -> Tensor<2> {
        self.network().points(input)
    }

    fn schedule_parameters(&self) -> Option<Tensor<1>> {
        Some(self.learned?.theta(self.schedule.as_ref()?.val()))
    }
}
