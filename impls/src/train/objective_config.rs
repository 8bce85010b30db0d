//! The implementations with their settings: what each trains, what it learns beside its network, what samples from it.

use std::str::FromStr;

use super::flat::{Named, settings_enum};
use super::settings::{fraction, not_negative};
use crate::any_order::{AnyOrder, Form};
use crate::autoregressive::Autoregressive;
use crate::d3pm::{Absorbing, Kernel, Uniform};
use crate::error::{Error, Result, UnknownName};
use crate::gaussian::{Gaussian, Prediction};
use crate::genmd4::GenMd4;
use crate::maskgit::{MaskGit, MaskRates, Normaliser};
use crate::md4::Md4;
use crate::mdlm::{Mdlm, Protocol};
use crate::network::LearnedSchedule;
use crate::objective::Objective;
use crate::sampler::Sampler;
use crate::schedule::{GaussianSchedule, MaskedSchedule};
use crate::weighting::Weighting;

settings_enum! {
    /// The training objective, with the settings that only it has. The setting `implementation` names the variant.
    implementation: pub enum ObjectiveConfig {
        /// MD4: [`crate::md4`].
        "md4" = Md4 {
            /// alpha(t): `linear`, `cosine`, `poly:W`, `geometric`, `loglinear`, or `md4:...`.
            schedule: Named<MaskedSchedule>,
            /// Weighting of the loss: `elbo`, `sigmoid:B`, `fm`, `simple`, `iddpm`, `edm`, ...
            weighting: Named<Weighting>,
            /// Steps T of the process; 0 for continuous time.
            timesteps: u32,
        }
        /// GenMD4: [`crate::genmd4`].
        "genmd4" = GenMd4 {}
        /// MDLM: [`crate::mdlm`].
        "mdlm" = Mdlm {
            /// Times and terms of the bound: `published`, `exact` or `importance`.
            protocol: Named<Protocol>,
        }
        /// MaskGIT: [`crate::maskgit`].
        "maskgit" = MaskGit {
            /// The law of the mask rates: `cosine`, `uniform` or `truncated-normal`.
            mask_rates: Named<MaskRates>,
            /// What the sum of cross-entropies is divided by: `per-row` or `global`.
            normaliser: Named<Normaliser>,
            /// Share of the target that is spread over all values.
            label_smoothing: f64,
        }
        /// D3PM with the absorbing kernel: [`crate::d3pm`].
        "d3pm-absorbing" = D3pmAbsorbing {
            /// Steps T of the process, at least 1.
            timesteps: u32,
            /// Weight of the auxiliary cross-entropy.
            hybrid: f64,
        }
        /// D3PM with the uniform kernel: [`crate::d3pm`].
        "d3pm-uniform" = D3pmUniform {
            /// alpha(t): `linear`, `cosine` or `poly:W`, which have no noise at t = 0.
            schedule: Named<MaskedSchedule>,
            /// Steps T of the process; 0 for continuous time.
            timesteps: u32,
            /// How the reverse kernel is made of the denoiser: `d3pm` or `mixture`.
            kernel: Named<Kernel>,
            /// Weight of the auxiliary cross-entropy.
            hybrid: f64,
        }
        /// Any-order autoregression: [`crate::any_order`].
        "any-order" = AnyOrder {
            /// `k-dce`, `lambda-dce` or `t-dce:SCHEDULE`.
            form: Named<Form>,
        }
        /// Autoregression from left to right: [`crate::autoregressive`].
        "ar" = Ar {}
        /// VDM: [`crate::gaussian`].
        "vdm" = Vdm {
            /// With its ends in gamma: `fixed-linear:MIN:MAX`, `cosine:MIN:MAX`, `ot:MIN:MAX`,
            /// `normal:MEAN:STD:MIN:MAX`, or `learned:MIN:MAX`.
            schedule: Named<VdmSchedule>,
            /// Weighting of the loss, as of MD4.
            weighting: Named<Weighting>,
            /// What the network predicts: `eps`, `x` or `v`.
            prediction: Named<Prediction>,
            /// Steps T of the process; 0 for continuous time.
            timesteps: u32,
            /// Schedule under which training draws its noise levels, where it is not `schedule`.
            noise_levels: Option<Named<GaussianSchedule>>,
        }
        /// Flow matching: [`crate::gaussian`].
        "flow" = Flow {
            /// As of VDM, but for learned ends.
            schedule: Named<GaussianSchedule>,
            /// Weighting of the loss, as of MD4.
            weighting: Named<Weighting>,
            /// As of VDM.
            noise_levels: Option<Named<GaussianSchedule>>,
        }
        /// EDM: [`crate::gaussian`].
        "edm" = Edm {
            /// As of VDM, but for learned ends.
            schedule: Named<GaussianSchedule>,
            /// Weighting of the loss, as of MD4.
            weighting: Named<Weighting>,
            /// Standard deviation of the data that the preconditioning assumes.
            sigma_data: f64,
            /// As of VDM.
            noise_levels: Option<Named<GaussianSchedule>>,
        }
    }
}

/// A schedule of VDM: fixed, or a straight line in gamma whose two ends are learned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VdmSchedule {
    /// The schedule, or the one that learning starts from.
    pub schedule: GaussianSchedule,
    /// Whether its ends are learned.
    pub learned: bool,
}

impl FromStr for VdmSchedule {
    type Err = UnknownName;

    fn from_str(name: &str) -> std::result::Result<Self, UnknownName> {
        match name.strip_prefix("learned:") {
            Some(ends) => Ok(Self { schedule: format!("fixed-linear:{ends}").parse()?, learned: true }),
            None => Ok(Self { schedule: name.parse()?, learned: false }),
        }
    }
}

/// T, where time is discrete.
fn discrete(timesteps: u32) -> Option<u32> {
    Some(timesteps).filter(|&steps| steps > 0)
}

impl ObjectiveConfig {
    /// The training objective with its bound; an error where its settings do not fit each other.
    pub fn objective(&self) -> Result<Box<dyn Objective>> {
        Ok(match (self, self.gaussian()?) {
            (_, Some(gaussian)) => Box::new(gaussian),
            (Self::Md4 { schedule, weighting, timesteps }, _) => {
                let steps = discrete(*timesteps);
                if steps.is_some() && !weighting.at(&**schedule, 1.0).is_finite() {
                    let what = format!("weighting {weighting} is infinite at t = 1 under {schedule}");
                    return Err(Error::Setting(format!("{what}: use timesteps = 0 (continuous time)")));
                }
                Box::new(Md4 { schedule: **schedule, weighting: **weighting, steps })
            }
            (Self::GenMd4 {}, _) => Box::new(GenMd4),
            (Self::Mdlm { protocol }, _) => Box::new(Mdlm { protocol: **protocol }),
            (Self::MaskGit { mask_rates, normaliser, label_smoothing }, _) => Box::new(MaskGit {
                rates: **mask_rates,
                normaliser: **normaliser,
                label_smoothing: fraction("label_smoothing", *label_smoothing)?,
            }),
            (Self::D3pmAbsorbing { timesteps, hybrid }, _) => {
                let what = "timesteps = 0: d3pm-absorbing is in discrete time, use md4";
                let steps = discrete(*timesteps).ok_or_else(|| Error::Setting(what.into()))?;
                Box::new(Absorbing { steps, hybrid: not_negative("hybrid", *hybrid)? })
            }
            (Self::D3pmUniform { schedule, timesteps, kernel, hybrid }, _) => {
                if schedule.mask_probability(0.0) > 0.0 {
                    let what = format!("schedule {schedule} has noise at t = 0, where the bound of d3pm-uniform ends");
                    return Err(Error::Setting(format!("{what}: use linear, cosine or poly:W")));
                }
                let (steps, hybrid) = (discrete(*timesteps), not_negative("hybrid", *hybrid)?);
                if steps.is_none() && **kernel == Kernel::Mixture {
                    let what = "timesteps = 0: the mixture kernel has no finite bound in continuous time";
                    return Err(Error::Setting(format!("{what}, use kernel = \"d3pm\"")));
                }
                Box::new(Uniform { schedule: **schedule, steps, kernel: **kernel, hybrid })
            }
            (Self::AnyOrder { form }, _) => Box::new(AnyOrder { form: **form }),
            (Self::Ar {}, _) => Box::new(Autoregressive),
            (Self::Vdm { .. } | Self::Flow { .. } | Self::Edm { .. }, None) => unreachable!("objectives of a Gaussian"),
        })
    }

    /// The objective, where it is one of Gaussian diffusion.
    pub fn gaussian(&self) -> Result<Option<Gaussian>> {
        let (prediction, schedule, weighting, steps, levels, learned) = match self {
            Self::Vdm { schedule, weighting, prediction, timesteps, noise_levels } => {
                if !matches!(**prediction, Prediction::Eps | Prediction::X | Prediction::V) {
                    return Err(UnknownName::new("prediction", &prediction.to_string(), &["eps", "x", "v"]).into());
                }
                let steps = discrete(*timesteps);
                (**prediction, schedule.schedule, weighting, steps, noise_levels, schedule.learned)
            }
            Self::Flow { schedule, weighting, noise_levels } => {
                (Prediction::Velocity, **schedule, weighting, None, noise_levels, false)
            }
            Self::Edm { schedule, weighting, sigma_data, noise_levels } => {
                (Prediction::Edm { sigma_data: *sigma_data }, **schedule, weighting, None, noise_levels, false)
            }
            _ => return Ok(None),
        };
        let levels = levels.as_deref().copied();
        let gaussian = Gaussian { schedule, weighting: **weighting, prediction, steps, levels, learned };
        check_gaussian(&gaussian).map(|()| Some(gaussian))
    }

    /// The weighting of the loss, where it can be chosen.
    pub fn weighting(&self) -> Option<&Named<Weighting>> {
        match self {
            Self::Md4 { weighting, .. }
            | Self::Vdm { weighting, .. }
            | Self::Flow { weighting, .. }
            | Self::Edm { weighting, .. } => Some(weighting),
            _ => None,
        }
    }

    /// The masking schedule of training, where it can be chosen.
    pub fn masked_schedule(&self) -> Option<MaskedSchedule> {
        match self {
            Self::Md4 { schedule, .. } | Self::D3pmUniform { schedule, .. } => Some(**schedule),
            _ => None,
        }
    }

    /// The schedule under which a network that sees the time was trained: t as a function of the share of masks.
    pub fn clock(&self) -> MaskedSchedule {
        match self {
            Self::Md4 { schedule, .. } => **schedule,
            Self::Mdlm { .. } => MaskedSchedule::LogLinear,
            Self::AnyOrder { form } => match **form {
                Form::TDce(schedule) => schedule,
                Form::KDce | Form::LambdaDce => MaskedSchedule::Linear,
            },
            _ => MaskedSchedule::Linear,
        }
    }

    /// The schedule that the model learns beside its network, if any.
    pub fn learned_schedule(&self) -> Option<LearnedSchedule> {
        match self {
            Self::GenMd4 {} => Some(LearnedSchedule::PerValue),
            Self::Vdm { schedule, .. } if schedule.learned => {
                let [gamma_min, gamma_max] = schedule.schedule.ends()?;
                Some(LearnedSchedule::Ends { gamma_min, gamma_max })
            }
            _ => None,
        }
    }

    /// The samplers that draw from the trained model. The first is the implementation's own.
    pub fn samplers(&self) -> &'static [Sampler] {
        use Sampler::{Ancestral, Cached, Confidence, D3pm, Ddim, FirstHitting, Heun, LeftToRight, OneByOne, Vector};
        match self {
            Self::Md4 { .. } => &[Ancestral, Cached, FirstHitting, OneByOne, Confidence],
            Self::Mdlm { .. } => &[Cached, Ancestral, FirstHitting, OneByOne, Confidence],
            Self::MaskGit { .. } => &[Confidence, Ancestral, Cached, FirstHitting, OneByOne],
            Self::AnyOrder { .. } => &[OneByOne, Ancestral, Cached, FirstHitting, Confidence],
            Self::GenMd4 {} => &[Vector],
            Self::D3pmAbsorbing { .. } | Self::D3pmUniform { .. } => &[D3pm],
            Self::Ar {} => &[LeftToRight],
            Self::Vdm { .. } => &[Ancestral, Ddim, Heun],
            Self::Flow { .. } => &[Ddim, Heun, Ancestral],
            Self::Edm { .. } => &[Heun, Ddim, Ancestral],
        }
    }
}

/// Rejects schedules, weightings and predictions that do not fit each other.
fn check_gaussian(gaussian: &Gaussian) -> Result<()> {
    let Gaussian { schedule, weighting, prediction, steps, levels, learned } = *gaussian;
    if let Prediction::Edm { sigma_data } = prediction {
        if !(sigma_data > 0.0 && sigma_data.is_finite()) {
            return Err(Error::Setting(format!("sigma_data = {sigma_data}: a standard deviation is positive")));
        }
        if let Weighting::Edm(one) = weighting
            && one != sigma_data
        {
            let what = format!("weighting {weighting} is EDM's for sigma_data = {one}, not {sigma_data}");
            return Err(Error::Setting(format!("{what}: use weighting = \"edm:{sigma_data}\"")));
        }
    }
    let Some(range) = schedule.ends() else {
        let what = format!("schedule {schedule} has no ends, which the bound needs");
        return Err(Error::Setting(format!("{what}: use {schedule}:-13.3:5 (gamma)")));
    };
    if let Some(levels) = levels.filter(|levels| levels.ends() != Some(range)) {
        let what = format!("noise_levels {levels} and schedule {schedule} have other ends");
        return Err(Error::Setting(format!("{what}: give both gamma from {} to {}", range[0], range[1])));
    }
    if levels.is_some() && (steps.is_some() || learned) {
        let what = "noise_levels: only in continuous time under a schedule that is not learned";
        return Err(Error::Setting(format!("{what}, take it out or set timesteps = 0")));
    }
    if learned && (weighting != Weighting::Elbo || prediction != Prediction::Eps) {
        let what =
            format!("schedule learned:{}:{}: learned ends are trained by the bound, for eps", range[0], range[1]);
        return Err(Error::Setting(format!("{what}: use weighting = \"elbo\" and prediction = \"eps\"")));
    }
    Ok(())
}
