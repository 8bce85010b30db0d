//! The implementations: the objective of each, the schedule that it learns, and its samplers.

use super::flat::Reader;
use crate::any_order::{AnyOrder, DceForm};
use crate::autoregressive::Autoregressive;
use crate::block::{BlockDiffusion, MaskRates};
use crate::d3pm::{D3pmAbsorbing, D3pmUniform, ReverseKernel};
use crate::diffusion_model::Objective;
use crate::error::{Error, Result, UnknownName};
use crate::gaussian::{Gaussian, Prediction};
use crate::genmd4::GenMd4;
use crate::maskgit::MaskGit;
use crate::md4::Md4;
use crate::mdlm::Mdlm;
use crate::network::LearnedSchedule;
use crate::sampler::Sampler;
use crate::schedule::{GaussianSchedule, MaskedSchedule};
use crate::weighting::Weighting;

/// The implementation, with the settings of its objective. The setting `implementation` names the variant.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectiveConfig {
    /// `md4`: `schedule` (`linear`, `cosine`, `poly:W`, `geometric`, `loglinear`, `md4:...`), `weighting` (`elbo`,
    /// `sigmoid:B`, `fm`, `simple`, `iddpm`, `edm`, ...), `timesteps` (T; 0 for continuous time).
    Md4(Md4),
    /// `genmd4`: no settings.
    GenMd4(GenMd4),
    /// `mdlm`: `protocol` (`published`, `exact` or `importance`).
    Mdlm(Mdlm),
    /// `maskgit`: `mask_rates` (`cosine`, `uniform` or `truncated-normal`), `normaliser` (`per-row` or `global`),
    /// `label_smoothing` (share of the target that is spread over all values).
    MaskGit(MaskGit),
    /// `d3pm-absorbing`: `timesteps` (T, at least 1), `hybrid` (weight of the auxiliary cross-entropy).
    D3pmAbsorbing(D3pmAbsorbing),
    /// `d3pm-uniform`: `schedule` (`linear`, `cosine` or `poly:W`), `timesteps`, `kernel` (`d3pm` or `mixture`),
    /// `hybrid`.
    D3pmUniform(D3pmUniform),
    /// `any-order`: `form` (`k-dce`, `lambda-dce` or `t-dce:SCHEDULE`).
    AnyOrder(AnyOrder),
    /// `ar`: no settings.
    Ar(Autoregressive),
    /// `vdm`: `schedule` with its ends in gamma (`fixed-linear:MIN:MAX`, `cosine:MIN:MAX`, `ot:MIN:MAX`,
    /// `normal:MEAN:STD:MIN:MAX` or `learned:MIN:MAX`), `weighting`, `prediction` (`eps`, `x` or `v`), `timesteps`, and
    /// perhaps `noise_levels` (the schedule under which training draws its noise levels, where it is another one).
    Vdm(Gaussian),
    /// `flow`: `schedule` with its ends, `weighting`, perhaps `noise_levels`.
    Flow(Gaussian),
    /// `edm`: the settings of `flow`, and `sigma_data` (standard deviation of the data that the preconditioning assumes).
    Edm(Gaussian),
    /// `block`: `block_size` (K, tokens per block), `mask_rates` (of training: `schedule`, `clipped:B:W` or
    /// `clipped-weighted:B:W`), and within a block the settings of `md4`.
    Block(BlockDiffusion),
}

/// The names of the implementations.
#[rustfmt::skip]
const NAMES: [&str; 12] = [
    "md4", "genmd4", "mdlm", "maskgit", "d3pm-absorbing", "d3pm-uniform", "any-order", "ar", "vdm", "flow", "edm", "block",
];

impl ObjectiveConfig {
    /// Takes the implementation's settings out of the table.
    pub(super) fn read(from: &mut Reader) -> Result<Self> {
        let name: String = from.needed("implementation")?;
        from.of = format!("implementation {name}");
        Ok(match name.as_str() {
            "md4" => Self::Md4(md4(from)?),
            "genmd4" => Self::GenMd4(GenMd4),
            "mdlm" => Self::Mdlm(Mdlm { protocol: from.name("protocol")? }),
            "maskgit" => Self::MaskGit(MaskGit {
                rates: from.name("mask_rates")?,
                normaliser: from.name("normaliser")?,
                label_smoothing: from.fraction("label_smoothing")?,
            }),
            "d3pm-absorbing" => {
                let what = "timesteps = 0: d3pm-absorbing is in discrete time, use md4";
                let steps = from.steps()?.ok_or_else(|| Error::Setting(what.into()))?;
                Self::D3pmAbsorbing(D3pmAbsorbing { steps, hybrid_ce_weight: from.not_negative("hybrid")? })
            }
            "d3pm-uniform" => Self::D3pmUniform(d3pm_uniform(from)?),
            "any-order" => Self::AnyOrder(AnyOrder { form: from.name("form")? }),
            "ar" => Self::Ar(Autoregressive),
            "vdm" => match from.name("prediction")? {
                prediction @ (Prediction::Eps | Prediction::X | Prediction::V) => {
                    let steps = from.steps()?;
                    Self::Vdm(gaussian(from, prediction, steps)?)
                }
                other => return Err(UnknownName::new("prediction", &other.to_string(), &["eps", "x", "v"]).into()),
            },
            "flow" => Self::Flow(gaussian(from, Prediction::Velocity, None)?),
            "edm" => {
                let sigma_data: f64 = from.needed("sigma_data")?;
                if !(sigma_data > 0.0 && sigma_data.is_finite()) {
                    return Err(Error::Setting(format!("sigma_data = {sigma_data}: a standard deviation is positive")));
                }
                Self::Edm(gaussian(from, Prediction::Edm { sigma_data }, None)?)
            }
            "block" => Self::Block(block(from)?),
            _ => return Err(UnknownName::new("implementation", &name, &NAMES).into()),
        })
    }

    /// The name of the implementation: `md4`, `genmd4`, ...
    pub fn name(&self) -> &'static str {
        NAMES[match self {
            Self::Md4(_) => 0,
            Self::GenMd4(_) => 1,
            Self::Mdlm(_) => 2,
            Self::MaskGit(_) => 3,
            Self::D3pmAbsorbing(_) => 4,
            Self::D3pmUniform(_) => 5,
            Self::AnyOrder(_) => 6,
            Self::Ar(_) => 7,
            Self::Vdm(_) => 8,
            Self::Flow(_) => 9,
            Self::Edm(_) => 10,
            Self::Block(_) => 11,
        }]
    }

    /// The training objective with its bound.
    pub fn objective(&self) -> Objective {
        Objective::Tokens(match self {
            Self::Md4(objective) => Box::new(objective.clone()),
            Self::GenMd4(objective) => Box::new(*objective),
            Self::Mdlm(objective) => Box::new(*objective),
            Self::MaskGit(objective) => Box::new(*objective),
            Self::D3pmAbsorbing(objective) => Box::new(*objective),
            Self::D3pmUniform(objective) => Box::new(objective.clone()),
            Self::AnyOrder(objective) => Box::new(objective.clone()),
            Self::Ar(objective) => Box::new(*objective),
            Self::Block(objective) => Box::new(objective.clone()),
            Self::Vdm(gaussian) | Self::Flow(gaussian) | Self::Edm(gaussian) => {
                return Objective::Gaussian(gaussian.clone());
            }
        })
    }

    /// The objective, where it is one of Gaussian diffusion.
    pub fn gaussian(&self) -> Option<&Gaussian> {
        match self {
            Self::Vdm(gaussian) | Self::Flow(gaussian) | Self::Edm(gaussian) => Some(gaussian),
            _ => None,
        }
    }

    /// The weighting of the loss, where it can be chosen.
    pub fn weighting(&self) -> Option<&Weighting> {
        match self {
            Self::Md4(md4) | Self::Block(BlockDiffusion { process: md4, .. }) => Some(&md4.weighting),
            _ => self.gaussian().map(|gaussian| &gaussian.weighting),
        }
    }

    /// The masking schedule of training, where it can be chosen.
    pub fn masked_schedule(&self) -> Option<MaskedSchedule> {
        match self {
            Self::Md4(md4) | Self::Block(BlockDiffusion { process: md4, .. }) => Some(md4.schedule.clone()),
            Self::D3pmUniform(uniform) => Some(uniform.schedule.clone()),
            _ => None,
        }
    }

    /// The schedule under which a network that sees the time was trained: t as a function of the share of masks.
    pub fn training_schedule(&self) -> MaskedSchedule {
        match self {
            Self::Md4(Md4 { schedule, .. })
            | Self::Block(BlockDiffusion { process: Md4 { schedule, .. }, .. })
            | Self::AnyOrder(AnyOrder { form: DceForm::TDce(schedule) }) => schedule.clone(),
            Self::Mdlm(_) => MaskedSchedule::LogLinear,
            _ => MaskedSchedule::Linear,
        }
    }

    /// Whether the times of training can have another law than the uniform one: those of maskgit and block have `mask_rates`,
    /// Gaussian ones `noise_levels`, and ar has no times.
    pub(super) fn has_time_law(&self) -> bool {
        match self {
            Self::Md4(_)
            | Self::GenMd4(_)
            | Self::Mdlm(_)
            | Self::D3pmAbsorbing(_)
            | Self::D3pmUniform(_)
            | Self::AnyOrder(_) => true,
            Self::MaskGit(_) | Self::Ar(_) | Self::Vdm(_) | Self::Flow(_) | Self::Edm(_) | Self::Block(_) => false,
        }
    }

    /// The schedule that the model learns beside its network, if any.
    pub fn learned_schedule(&self) -> Option<LearnedSchedule> {
        match self {
            Self::GenMd4(_) => Some(LearnedSchedule::PerValue),
            Self::Vdm(vdm) if vdm.learned => {
                let [gamma_min, gamma_max] = vdm.schedule.ends()?;
                Some(LearnedSchedule::Ends { gamma_min, gamma_max })
            }
            _ => None,
        }
    }

    /// The samplers that draw from the trained model. The first is the implementation's own.
    pub fn samplers(&self) -> &'static [Sampler] {
        use Sampler::{
            Ancestral, Cached, Confidence, D3pm, Ddim, FirstHitting, Heun, LeftToRight, OneByOne, PredictorCorrector,
            Remasking, Vector,
        };
        match self {
            Self::Md4(_) => &[Ancestral, Cached, FirstHitting, OneByOne, Confidence, Remasking, PredictorCorrector],
            Self::Mdlm(_) => &[Cached, Ancestral, FirstHitting, OneByOne, Confidence, Remasking, PredictorCorrector],
            Self::MaskGit(_) => &[Confidence, Ancestral, Cached, FirstHitting, OneByOne, Remasking, PredictorCorrector],
            Self::AnyOrder(_) => {
                &[OneByOne, Ancestral, Cached, FirstHitting, Confidence, Remasking, PredictorCorrector]
            }
            Self::GenMd4(_) => &[Vector],
            Self::D3pmAbsorbing(_) | Self::D3pmUniform(_) => &[D3pm],
            Self::Ar(_) => &[LeftToRight],
            Self::Block(_) => &[FirstHitting, Ancestral, Cached, OneByOne, Confidence],
            Self::Vdm(_) => &[Ancestral, Ddim, Heun],
            Self::Flow(_) => &[Ddim, Heun, Ancestral],
            Self::Edm(_) => &[Heun, Ddim, Ancestral],
        }
    }
}

fn md4(from: &mut Reader) -> Result<Md4> {
    let md4 = Md4 { schedule: from.name("schedule")?, weighting: from.name("weighting")?, steps: from.steps()? };
    if md4.steps.is_some() && !md4.weighting.at(&md4.schedule, 1.0).is_finite() {
        let what = format!("weighting {} is infinite at t = 1 under {}", md4.weighting, md4.schedule);
        return Err(Error::Setting(format!("{what}: use timesteps = 0 (continuous time)")));
    }
    Ok(md4)
}

fn block(from: &mut Reader) -> Result<BlockDiffusion> {
    let size = from.size("block_size", usize::MAX)?;
    let (process, rates) = (md4(from)?, from.name::<MaskRates>("mask_rates")?);
    if rates != MaskRates::Schedule && process.steps.is_some() {
        let what = format!("mask_rates {rates} in {} timesteps", process.steps.unwrap_or(0));
        return Err(Error::Setting(format!("{what}: use timesteps = 0 (continuous time)")));
    }
    if matches!(rates, MaskRates::ClippedWeighted(_)) && process.weighting != Weighting::Elbo {
        let what = format!("mask_rates {rates} with weighting {}", process.weighting);
        return Err(Error::Setting(format!("{what}: its weights are those of the bound, use weighting = \"elbo\"")));
    }
    Ok(BlockDiffusion { size, process, rates })
}

fn d3pm_uniform(from: &mut Reader) -> Result<D3pmUniform> {
    let (schedule, steps, kernel) = (from.name::<MaskedSchedule>("schedule")?, from.steps()?, from.name("kernel")?);
    if schedule.mask_probability(0.0) > 0.0 {
        let what = format!("schedule {schedule} has noise at t = 0, where the bound of d3pm-uniform ends");
        return Err(Error::Setting(format!("{what}: use linear, cosine or poly:W")));
    }
    if steps.is_none() && kernel == ReverseKernel::Mixture {
        let what = "timesteps = 0: the mixture kernel has no finite bound in continuous time";
        return Err(Error::Setting(format!("{what}, use kernel = \"d3pm\"")));
    }
    Ok(D3pmUniform { schedule, steps, kernel, hybrid_ce_weight: from.not_negative("hybrid")? })
}

/// A Gaussian diffusion of this prediction in `steps` steps, or in continuous time. Only VDM's ends can be learned.
fn gaussian(from: &mut Reader, prediction: Prediction, steps: Option<u32>) -> Result<Gaussian> {
    let name: String = from.needed("schedule")?;
    let can_learn = matches!(prediction, Prediction::Eps | Prediction::X | Prediction::V);
    let ends = name.strip_prefix("learned:").filter(|_| can_learn);
    let schedule: GaussianSchedule = match ends {
        Some(ends) => format!("fixed-linear:{ends}").parse()?,
        None => from.parsed("schedule", &name)?,
    };
    let (weighting, learned) = (from.name::<Weighting>("weighting")?, ends.is_some());
    let levels: Option<GaussianSchedule> = match from.optional::<String>("noise_levels")? {
        Some(name) => Some(from.parsed("noise_levels", &name)?),
        None => None,
    };
    if let (&Weighting::Edm(one), Prediction::Edm { sigma_data: other }) = (&weighting, prediction)
        && one != other
    {
        let what = format!("weighting {weighting} is EDM's for sigma_data = {one}, not {other}");
        return Err(Error::Setting(format!("{what}: use weighting = \"edm:{other}\"")));
    }
    let Some(range) = schedule.ends() else {
        let what = format!("schedule {schedule} has no ends, which the bound needs");
        return Err(Error::Setting(format!("{what}: use {schedule}:-13.3:5 (gamma)")));
    };
    if let Some(levels) = levels.as_ref().filter(|levels| levels.ends() != Some(range)) {
        let what = format!("noise_levels {levels} and schedule {schedule} have other ends");
        return Err(Error::Setting(format!("{what}: give both gamma from {} to {}", range[0], range[1])));
    }
    if levels.is_some() && (steps.is_some() || learned) {
        let what = "noise_levels: only in continuous time under a schedule that is not learned";
        return Err(Error::Setting(format!("{what}, take it out or set timesteps = 0")));
    }
    if learned && (weighting != Weighting::Elbo || prediction != Prediction::Eps) {
        let what = format!("schedule {name}: learned ends are trained by the bound itself, for eps");
        return Err(Error::Setting(format!("{what}: use weighting = \"elbo\" and prediction = \"eps\"")));
    }
    Ok(Gaussian { schedule, weighting, prediction, steps, levels, learned })
}
