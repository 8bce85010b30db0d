//! From settings to what they name: the objective, what it learns beside the network, the law of the times.

use super::settings::Settings;
use crate::any_order::{AnyOrder, DceForm};
use crate::autoregressive::Autoregressive;
use crate::d3pm::{D3pmAbsorbing, D3pmUniform, ReverseKernel};
use crate::data::Dataset;
use crate::diffusion_model::Objective;
use crate::error::{Error, Result, UnknownName};
use crate::gaussian::{Gaussian, Prediction};
use crate::genmd4::GenMd4;
use crate::maskgit::MaskGit;
use crate::md4::Md4;
use crate::mdlm::Mdlm;
use crate::network::LearnedSchedule;
use crate::schedule::{GaussianSchedule, MaskedSchedule};
use crate::time_sampling::TimeSampling;
use crate::weighting::Weighting;

/// The implementations with the settings that they need beside those of all, and those that they may have.
pub const IMPLEMENTATIONS: [(&str, &[&str], &[&str]); 11] = [
    ("md4", &["schedule", "weighting", "timesteps", "time_sampling"], &[]),
    ("genmd4", &["time_sampling"], &[]),
    ("mdlm", &["protocol", "time_sampling"], &[]),
    ("maskgit", &["mask_rates", "normaliser", "label_smoothing", "time_sampling"], &[]),
    ("d3pm-absorbing", &["timesteps", "hybrid", "time_sampling"], &[]),
    ("d3pm-uniform", &["schedule", "timesteps", "kernel", "hybrid", "time_sampling"], &[]),
    ("any-order", &["form", "time_sampling"], &[]),
    ("ar", &[], &[]),
    ("vdm", &["schedule", "weighting", "prediction", "timesteps", "time_sampling"], &["noise_levels"]),
    ("flow", &["schedule", "weighting", "time_sampling"], &["noise_levels"]),
    ("edm", &["schedule", "weighting", "sigma_data", "time_sampling"], &["noise_levels"]),
];

impl Settings {
    /// The training objective with its bound.
    pub fn objective(&self) -> Result<Objective> {
        let names = IMPLEMENTATIONS.map(|(name, _, _)| name);
        let Some((_, needed, allowed)) = IMPLEMENTATIONS.iter().find(|(name, _, _)| *name == self.implementation)
        else {
            return Err(UnknownName::new("implementation", &self.implementation, &names).into());
        };
        self.check_keys("implementation", &self.implementation, &self.objective_settings(), needed, allowed)?;
        if let Some(gaussian) = self.gaussian()? {
            return Ok(Objective::Gaussian(gaussian));
        }
        let text = |setting: &Option<String>| setting.clone().unwrap_or_default();
        let timesteps = self.timesteps.filter(|&steps| steps > 0);
        let hybrid_ce_weight = self.hybrid.unwrap_or(0.0);
        Ok(Objective::Tokens(match self.implementation.as_str() {
            "md4" => {
                let md4 = Md4 {
                    schedule: text(&self.schedule).parse()?,
                    weighting: text(&self.weighting).parse()?,
                    steps: timesteps,
                };
                if timesteps.is_some() && !md4.weighting.at(&md4.schedule, 1.0).is_finite() {
                    let what = format!("weighting {} is infinite at t = 1 under {}", md4.weighting, md4.schedule);
                    return Err(Error::Setting(format!("{what}: use timesteps = 0 (continuous time)")));
                }
                Box::new(md4)
            }
            "genmd4" => Box::new(GenMd4),
            "mdlm" => Box::new(Mdlm { protocol: text(&self.protocol).parse()? }),
            "maskgit" => Box::new(MaskGit {
                rates: text(&self.mask_rates).parse()?,
                normaliser: text(&self.normaliser).parse()?,
                label_smoothing: self.label_smoothing.unwrap_or(0.0),
            }),
            "d3pm-absorbing" => {
                let steps = timesteps.ok_or_else(|| {
                    Error::Setting("timesteps = 0: d3pm-absorbing is in discrete time, use md4".into())
                })?;
                Box::new(D3pmAbsorbing { steps, hybrid_ce_weight })
            }
            "d3pm-uniform" => {
                let schedule: MaskedSchedule = text(&self.schedule).parse()?;
                if schedule.mask_probability(0.0) > 0.0 {
                    let what = format!("schedule {schedule} has noise at t = 0, where the bound of d3pm-uniform ends");
                    return Err(Error::Setting(format!("{what}: use linear, cosine or poly:W")));
                }
                let kernel: ReverseKernel = text(&self.kernel).parse()?;
                if timesteps.is_none() && kernel == ReverseKernel::Mixture {
                    let what = "timesteps = 0: the mixture kernel has no finite bound in continuous time";
                    return Err(Error::Setting(format!("{what}, use kernel = \"d3pm\"")));
                }
                Box::new(D3pmUniform { schedule, steps: timesteps, kernel, hybrid_ce_weight })
            }
            "any-order" => Box::new(AnyOrder { form: text(&self.form).parse()? }),
            _ => Box::new(Autoregressive),
        }))
    }

    /// The objective, where it is one of Gaussian diffusion.
    pub fn gaussian(&self) -> Result<Option<Gaussian>> {
        let prediction = match self.implementation.as_str() {
            "vdm" => match self.prediction.clone().unwrap_or_default().parse()? {
                prediction @ (Prediction::Eps | Prediction::X | Prediction::V) => prediction,
                other => return Err(UnknownName::new("prediction", &other.to_string(), &["eps", "x", "v"]).into()),
            },
            "flow" => Prediction::Velocity,
            "edm" => Prediction::Edm { sigma_data: self.sigma_data.unwrap_or(0.0) },
            _ => return Ok(None),
        };
        if let Prediction::Edm { sigma_data } = prediction
            && !(sigma_data > 0.0 && sigma_data.is_finite())
        {
            return Err(Error::Setting(format!("sigma_data = {sigma_data}: a standard deviation is positive")));
        }
        let name = self.schedule.clone().unwrap_or_default();
        let ends = name.strip_prefix("learned:").filter(|_| self.implementation == "vdm");
        let schedule: GaussianSchedule = match ends {
            Some(ends) => format!("fixed-linear:{ends}").parse()?,
            None => name.parse()?,
        };
        let weighting: Weighting = self.weighting.clone().unwrap_or_default().parse()?;
        if let (&Weighting::Edm(one), Prediction::Edm { sigma_data: other }) = (&weighting, prediction)
            && one != other
        {
            let what = format!("weighting {weighting} is EDM's for sigma_data = {one}, not {other}");
            return Err(Error::Setting(format!("{what}: use weighting = \"edm:{other}\"")));
        }
        let steps = self.timesteps.filter(|&steps| steps > 0);
        let levels: Option<GaussianSchedule> = self.noise_levels.as_ref().map(|name| name.parse()).transpose()?;
        let Some(range) = schedule.ends() else {
            let what = format!("schedule {schedule} has no ends, which the bound needs");
            return Err(Error::Setting(format!("{what}: use {schedule}:-13.3:5 (gamma)")));
        };
        if let Some(levels) = levels.as_ref().filter(|levels| levels.ends() != Some(range)) {
            let what = format!("noise_levels {levels} and schedule {schedule} have other ends");
            return Err(Error::Setting(format!("{what}: give both gamma from {} to {}", range[0], range[1])));
        }
        let learned = ends.is_some();
        if levels.is_some() && (steps.is_some() || learned) {
            let what = "noise_levels: only in continuous time under a schedule that is not learned";
            return Err(Error::Setting(format!("{what}, take it out or set timesteps = 0")));
        }
        if learned && (weighting != Weighting::Elbo || prediction != Prediction::Eps) {
            let what = format!("schedule {name}: learned ends are trained by the bound itself, for eps");
            return Err(Error::Setting(format!("{what}: use weighting = \"elbo\" and prediction = \"eps\"")));
        }
        Ok(Some(Gaussian { schedule, weighting, prediction, steps, levels, learned }))
    }

    /// Whether the implementation is one of Gaussian diffusion.
    pub fn is_gaussian(&self) -> bool {
        matches!(self.implementation.as_str(), "vdm" | "flow" | "edm")
    }

    /// The schedule under which a network that sees the time was trained: t as a function of the share of masks.
    pub fn clock(&self) -> Result<MaskedSchedule> {
        match self.implementation.as_str() {
            "md4" => Ok(self.schedule.clone().unwrap_or_default().parse()?),
            "mdlm" => Ok(MaskedSchedule::LogLinear),
            "any-order" => match self.form.clone().unwrap_or_default().parse()? {
                DceForm::TDce(schedule) => Ok(schedule),
                DceForm::KDce | DceForm::LambdaDce => Ok(MaskedSchedule::Linear),
            },
            _ => Ok(MaskedSchedule::Linear),
        }
    }

    /// How the place of each sequence along the noise is drawn.
    pub fn time_sampling(&self) -> Result<TimeSampling> {
        self.time_sampling.as_ref().map_or(Ok(TimeSampling::Stratified), |name| Ok(name.parse()?))
    }

    /// The schedule that the model learns beside its network, if any.
    pub fn learned_schedule(&self) -> Result<Option<LearnedSchedule>> {
        let of_gaussian = |gaussian: Gaussian| gaussian.schedule.ends().filter(|_| gaussian.learned);
        let ends = self.gaussian()?.and_then(of_gaussian);
        let per_value = (self.implementation == "genmd4").then_some(LearnedSchedule::PerValue);
        Ok(ends.map(|[gamma_min, gamma_max]| LearnedSchedule::Ends { gamma_min, gamma_max }).or(per_value))
    }

    /// Complains about a setting that is needed and missing, or there and without meaning.
    pub(super) fn check_keys(
        &self,
        kind: &str,
        name: &str,
        present: &[(&str, bool)],
        needed: &[&str],
        allowed: &[&str],
    ) -> Result<()> {
        for (key, is_there) in present {
            if needed.contains(key) && !is_there {
                return Err(Error::Setting(format!("{key} is missing: {kind} {name} needs it")));
            }
            if *is_there && !needed.contains(key) && !allowed.contains(key) {
                let fix = format!("take it out, or --set {key}=none");
                return Err(Error::Setting(format!("{key} has no meaning for {kind} {name}: {fix}")));
            }
        }
        Ok(())
    }

    fn objective_settings(&self) -> [(&'static str, bool); 14] {
        [
            ("schedule", self.schedule.is_some()),
            ("weighting", self.weighting.is_some()),
            ("timesteps", self.timesteps.is_some()),
            ("prediction", self.prediction.is_some()),
            ("sigma_data", self.sigma_data.is_some()),
            ("noise_levels", self.noise_levels.is_some()),
            ("protocol", self.protocol.is_some()),
            ("form", self.form.is_some()),
            ("mask_rates", self.mask_rates.is_some()),
            ("normaliser", self.normaliser.is_some()),
            ("label_smoothing", self.label_smoothing.is_some()),
            ("kernel", self.kernel.is_some()),
            ("hybrid", self.hybrid.is_some()),
            ("time_sampling", self.time_sampling.is_some()),
        ]
    }
}

/// What a network must fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataShape {
    /// Data values V.
    pub values: usize,
    /// Tokens a sequence.
    pub length: usize,
    /// Classes; 0 without labels.
    pub classes: usize,
    /// Height, width and channels of images.
    pub image: Option<[usize; 3]>,
}

impl DataShape {
    pub fn of(data: &dyn Dataset) -> Self {
        Self { values: data.values(), length: data.length(), classes: data.classes(), image: data.image() }
    }
}
