//! A trainable model: a network over tokens or over points, with the schedule that it may learn.

use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Float, Tensor};

use super::learned_schedule::LearnedSchedule;
use super::{
    ConditioningShape, Denoiser, Dit, DitShape, GaussianDenoiser, Input, MaskedTargets, QueryPositions, Signal,
    TokenDenoiser, Transformer, TransformerShape, UNet, UNetShape,
};
use crate::error::{Error, Result};
use crate::key::Key;

/// Which network, and how large.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NetworkShape {
    /// MD4's transformer and its variants.
    Transformer(TransformerShape),
    /// MDLM's diffusion transformer.
    Dit(DitShape),
    /// The U-Nets of VDM and MD4.
    UNet(UNetShape),
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

    /// Tokens, or points.
    pub fn signal(&self) -> Signal {
        match self {
            Self::Transformer(shape) => shape.signal,
            Self::Dit(_) => Signal::Tokens,
            Self::UNet(shape) => shape.signal,
        }
    }

    /// Whether the network sees the time, and the classes that it can be told.
    fn conditioning(&self) -> ConditioningShape {
        match self {
            Self::Transformer(shape) => shape.conditioning,
            Self::Dit(shape) => ConditioningShape { time: shape.time, ..ConditioningShape::default() },
            Self::UNet(shape) => shape.conditioning,
        }
    }

    fn classes(&self) -> Option<usize> {
        Some(self.conditioning().classes).filter(|classes| *classes > 0)
    }
}

/// A network whose signal is tokens.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one per run
enum TokenNetwork {
    Transformer(Transformer),
    Dit(Dit),
    UNet(UNet),
}

/// A network whose signal is points.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one per run
enum GaussianNetwork {
    Transformer(Transformer),
    UNet(UNet),
}

/// A model over tokens. The names of its fields are those of the weights in a checkpoint.
#[derive(Module, Debug)]
pub struct TokenModel {
    network: TokenNetwork,
    /// theta of a learned masking schedule.
    schedule: Option<Param<Tensor<1>>>,
    #[module(skip)]
    shape: NetworkShape,
}

/// A model over points. The names of its fields are those of the weights in a checkpoint.
#[derive(Module, Debug)]
pub struct GaussianModel {
    network: GaussianNetwork,
    /// The difference of learned ends from the initial ones, so that weight decay draws to them and not to 0.
    schedule: Option<Param<Tensor<1>>>,
    #[module(skip)]
    initial_ends: Option<[f64; 2]>,
    #[module(skip)]
    shape: NetworkShape,
}

/// The trained model of a run, of the family of its network's shape.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // one per run
pub enum Model {
    /// Over tokens.
    Tokens(TokenModel),
    /// Over points.
    Gaussian(GaussianModel),
}

impl Model {
    /// A freshly initialised model, perhaps with a schedule that it learns, which must be of the network's family.
    pub fn new(shape: &NetworkShape, learned: Option<LearnedSchedule>, key: &Key, device: &Device) -> Result<Self> {
        let mut model = match shape {
            NetworkShape::Transformer(shape) => Self::from(Transformer::new(shape, key, device)),
            NetworkShape::Dit(shape) => Self::from(Dit::new(shape, key, device)),
            NetworkShape::UNet(shape) => Self::from(UNet::new(shape, key, device)),
        };
        match (&mut model, learned) {
            (_, None) => {}
            (Self::Tokens(model), Some(LearnedSchedule::PerValue)) => {
                // softplus(ln(e - 1)) = 1.
                let theta = vec![(std::f64::consts::E - 1.0).ln() as f32; shape.values()];
                model.schedule = Some(Param::from_data(&theta[..], device));
            }
            (Self::Gaussian(model), Some(LearnedSchedule::Ends { gamma_min, gamma_max })) => {
                model.schedule = Some(Param::from_data([0.0f32; 2], device));
                model.initial_ends = Some([gamma_min, gamma_max]);
            }
            (_, Some(learned)) => {
                return Err(Error::Setting(format!("a network over {:?} cannot learn {learned:?}", shape.signal())));
            }
        }
        Ok(model)
    }

    /// The model as a denoiser of tokens, if it is one.
    pub fn tokens(&self) -> Result<&dyn TokenDenoiser> {
        Denoiser::from(self).tokens()
    }

    /// The model as a denoiser of points, if it is one.
    pub fn gaussian(&self) -> Result<&dyn GaussianDenoiser> {
        Denoiser::from(self).gaussian()
    }

    /// Number of trained parameters; nothing is allocated for it.
    pub fn parameters(&self) -> usize {
        self.num_params()
    }
}

impl<'a> From<&'a Model> for Denoiser<'a> {
    fn from(model: &'a Model) -> Self {
        match model {
            Model::Tokens(model) => Self::Tokens(model),
            Model::Gaussian(model) => Self::Gaussian(model),
        }
    }
}

fn token_model(network: TokenNetwork, shape: NetworkShape) -> Model {
    Model::Tokens(TokenModel { network, schedule: None, shape })
}

fn gaussian_model(network: GaussianNetwork, shape: NetworkShape) -> Model {
    Model::Gaussian(GaussianModel { network, schedule: None, initial_ends: None, shape })
}

impl From<Transformer> for Model {
    fn from(network: Transformer) -> Self {
        let shape = NetworkShape::Transformer(*network.shape());
        match shape.signal() {
            Signal::Tokens => token_model(TokenNetwork::Transformer(network), shape),
            Signal::Points { .. } => gaussian_model(GaussianNetwork::Transformer(network), shape),
        }
    }
}

impl From<UNet> for Model {
    fn from(network: UNet) -> Self {
        let shape = NetworkShape::UNet(*network.shape());
        match shape.signal() {
            Signal::Tokens => token_model(TokenNetwork::UNet(network), shape),
            Signal::Points { .. } => gaussian_model(GaussianNetwork::UNet(network), shape),
        }
    }
}

impl From<Dit> for Model {
    fn from(network: Dit) -> Self {
        let shape = NetworkShape::Dit(*network.shape());
        token_model(TokenNetwork::Dit(network), shape)
    }
}

impl TokenDenoiser for TokenModel {
    fn values(&self) -> usize {
        self.shape.values()
    }

    fn classes(&self) -> Option<usize> {
        self.shape.classes()
    }

    fn sees_time(&self) -> bool {
        self.shape.conditioning().time
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        match &self.network {
            TokenNetwork::Transformer(network) => network.logits(input),
            TokenNetwork::Dit(network) => network.logits(input),
            TokenNetwork::UNet(network) => network.logits(input),
        }
    }

    fn logits_at(&self, input: &Input, positions: &QueryPositions) -> Tensor<2> {
        match &self.network {
            TokenNetwork::Transformer(network) => network.logits_at(input, positions),
            _ => positions.select(self.logits(input)),
        }
    }

    fn masked_costs(&self, input: &Input, targets: &MaskedTargets) -> Option<Tensor<2>> {
        match &self.network {
            TokenNetwork::Transformer(network) => network.masked_costs(input, targets),
            TokenNetwork::Dit(_) | TokenNetwork::UNet(_) => None,
        }
    }

    fn block_costs(&self, input: &Input, targets: &MaskedTargets, size: usize) -> Option<Tensor<2>> {
        match &self.network {
            TokenNetwork::Transformer(network) => network.block_costs(input, targets, size),
            TokenNetwork::Dit(_) | TokenNetwork::UNet(_) => None,
        }
    }

    fn value_schedule(&self) -> Option<Tensor<1>> {
        self.schedule.as_ref().map(Param::val)
    }
}

impl GaussianDenoiser for GaussianModel {
    fn values(&self) -> usize {
        self.shape.values()
    }

    fn classes(&self) -> Option<usize> {
        self.shape.classes()
    }

    fn output(&self, input: &Input<Float>) -> Tensor<2> {
        match &self.network {
            GaussianNetwork::Transformer(network) => network.output(input),
            GaussianNetwork::UNet(network) => network.output(input),
        }
    }

    fn learned_ends(&self) -> Option<Tensor<1>> {
        let ([gamma_min, gamma_max], difference) = (self.initial_ends?, self.schedule.as_ref()?.val());
        let initial = [gamma_min as f32, (gamma_max - gamma_min).ln() as f32];
        Some(Tensor::from_data(initial, &difference.device()) + difference)
    }

    fn fork(&self, device: &Device) -> Option<Box<dyn GaussianDenoiser>> {
        Some(Box::new(Module::fork(self.clone(), device)))
    }
}

/// Does `$call` to the model of either family.
macro_rules! either {
    ($model:expr, $inner:ident => $call:expr) => {
        match $model {
            Model::Tokens($inner) => Model::Tokens($call),
            Model::Gaussian($inner) => Model::Gaussian($call),
        }
    };
}

/// By hand, because a derived enum would put the family's name before the names of the weights.
impl Module for Model {
    fn collect_devices(&self, devices: Devices) -> Devices {
        match self {
            Self::Tokens(model) => model.collect_devices(devices),
            Self::Gaussian(model) => model.collect_devices(devices),
        }
    }

    fn fork(self, device: &Device) -> Self {
        either!(self, model => Module::fork(model, device))
    }

    fn to_device(self, device: &Device) -> Self {
        either!(self, model => model.to_device(device))
    }

    fn train(self) -> Self {
        either!(self, model => model.train())
    }

    fn valid(&self) -> Self {
        either!(self, model => model.valid())
    }

    fn materialize(self) -> Self {
        either!(self, model => model.materialize())
    }

    fn visit<Visitor: ModuleVisitor>(&self, visitor: &mut Visitor) {
        match self {
            Self::Tokens(model) => model.visit(visitor),
            Self::Gaussian(model) => model.visit(visitor),
        }
    }

    fn map<Mapper: ModuleMapper>(self, mapper: &mut Mapper) -> Self {
        either!(self, model => model.map(mapper))
    }
}
