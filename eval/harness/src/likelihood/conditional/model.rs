//! The model of a conditional likelihood.

use elbow_base::Error;
use elbow_impls::network::{Denoiser, TokenDenoiser};
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::train::ObjectiveConfig;

use crate::models::{AnyModel, Source};
use crate::runs::Trained;

/// A denoiser with what its likelihood of a target depends on besides.
///
/// A masked denoiser that sees no time and takes any length needs nothing more:
///
/// ```
/// use elbow_harness::likelihood::conditional::ConditionalModel;
/// # fn made(denoiser: &dyn elbow_impls::network::TokenDenoiser) {
/// let model = ConditionalModel::masked(denoiser);
/// # }
/// ```
#[derive(Clone)]
pub struct ConditionalModel<'a> {
    /// mu_theta.
    pub denoiser: &'a dyn TokenDenoiser,
    /// In which order it tells tokens.
    pub order: Order,
    /// How many tokens it takes.
    pub window: Window,
}

/// The order in which a model tells the tokens of a target.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Every order, as masked models do. A denoiser that sees time gets the time at which this schedule hides as large a
    /// share as is hidden of the target.
    Any(MaskedSchedule),
    /// From left to right, with a causal network: the likelihood is exact.
    LeftToRight,
}

impl Order {
    fn of(config: &ObjectiveConfig) -> Result<Self, Error> {
        match config {
            ObjectiveConfig::Ar(_) => Ok(Self::LeftToRight),
            ObjectiveConfig::Md4(_)
            | ObjectiveConfig::GenMd4(_)
            | ObjectiveConfig::Mdlm(_)
            | ObjectiveConfig::MaskGit(_)
            | ObjectiveConfig::D3pmAbsorbing(_)
            | ObjectiveConfig::AnyOrder(_) => Ok(Self::Any(config.training_schedule())),
            ObjectiveConfig::Block(_) => {
                let what = "block tells tokens block after block, and a target need not begin with one";
                Err(Error::input(what, "name a masked model without blocks, or one from left to right"))
            }
            ObjectiveConfig::D3pmUniform(_)
            | ObjectiveConfig::Vdm(_)
            | ObjectiveConfig::Flow(_)
            | ObjectiveConfig::Edm(_) => {
                let what =
                    format!("{} hides no tokens: it has no likelihood of a target given a prompt", config.name());
                Err(Error::input(what, "name a masked model, or one from left to right"))
            }
        }
    }
}

/// The numbers of tokens that a network takes, prompt and target together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Any.
    Any,
    /// Any up to this one: the network fills the rest up by itself.
    UpTo(usize),
    /// This one. What is left after the target stays hidden and is not scored: the orders in which it comes last.
    Fixed(usize),
}

impl Window {
    /// Tokens of the network's input for so many tokens of prompt and target; none where there are too many.
    pub fn length(self, tokens: usize) -> Option<usize> {
        match self {
            Self::Any => Some(tokens),
            Self::UpTo(most) => (tokens <= most).then_some(tokens),
            Self::Fixed(length) => (tokens <= length).then_some(length),
        }
    }
}

impl<'a> ConditionalModel<'a> {
    /// A masked denoiser of any length; its time, where it sees one, is the share of the target that is hidden.
    pub fn masked(denoiser: &'a dyn TokenDenoiser) -> Self {
        Self { denoiser, order: Order::Any(MaskedSchedule::Linear), window: Window::Any }
    }

    /// A run of elbow or a model from outside. Refuses models of points and those whose noise is no mask.
    pub fn of(model: &'a AnyModel) -> Result<Self, Error> {
        let named = |e: Error| e.of(model.place.display());
        let outside = match &model.source {
            Source::Run(run) => return Self::of_run(run).map_err(named),
            Source::Outside(outside) => outside,
        };
        let table = &outside.file().model;
        let window = match (table.length, table.pad_id) {
            (None, _) => Window::Any,
            (Some(length), Some(_)) => Window::UpTo(length),
            (Some(length), None) => Window::Fixed(length),
        };
        let order = Order::of(model.objective()).map_err(named)?;
        Ok(Self { denoiser: model.denoiser().tokens()?, order, window })
    }

    /// A run of elbow: it takes its window.
    pub fn of_run(run: &'a Trained) -> Result<Self, Error> {
        let order = Order::of(&run.settings.objective)?;
        let denoiser = Denoiser::from(&run.model).tokens()?;
        Ok(Self { denoiser, order, window: Window::Fixed(run.state.data.length) })
    }

    /// The choices that define the numbers, by name.
    pub fn protocol(&self) -> Vec<(&'static str, String)> {
        let (kind, time) = match (&self.order, self.denoiser.sees_time()) {
            (Order::LeftToRight, _) => ("exact, left to right", None),
            (Order::Any(_), false) => ("any-order bound (k-DCE over the target), prompt visible", None),
            (Order::Any(schedule), true) => (
                "any-order bound (k-DCE over the target), prompt visible",
                Some(format!(
                    "that at which the {schedule} schedule hides k of L tokens, for k hidden tokens of the target"
                )),
            ),
        };
        let rest = match (self.window, &self.order) {
            (Window::Fixed(length), Order::Any(_)) => {
                Some(format!("the window's {length} tokens: those after the target are hidden and not scored"))
            }
            (Window::Fixed(length), Order::LeftToRight) => {
                Some(format!("the window's {length} tokens: those after the target are not seen"))
            }
            _ => None,
        };
        let optional = [("network time", time), ("window", rest)];
        let given = optional.into_iter().filter_map(|(name, choice)| choice.map(|choice| (name, choice)));
        std::iter::once(("likelihood", kind.to_owned())).chain(given).collect()
    }
}
