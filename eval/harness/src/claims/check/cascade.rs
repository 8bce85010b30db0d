//! Check: the exact cascade of bounds on bundled toys.

use std::path::{Path, PathBuf};

use elbow_base::Silent;
use elbow_impls::Weighting;
use elbow_theory::discrete::{DiscreteModel, Forward, ReverseParameterization};
use elbow_theory::gaussian::GaussianToy;
use elbow_theory::masked::Enumeration;
use elbow_theory::masked::block::{BlockEnumeration, block_cascade};
use elbow_theory::{Alphabet, Cascade, Toy, discrete, gaussian, masked};

use super::prelude::*;

/// One measure over all combinations of toys, schedules, steps and weightings; the worst case decides.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cascades {
    measure: Measure,
    #[serde(default)]
    process: Process,
    /// Names of files in `fixtures/`, without `.json`: `toys/example-a`.
    toys: Vec<String>,
    /// Schedules of the process; for `vector`, the powers of the values: `poly:0.5,1,2`.
    schedules: Vec<String>,
    steps: Vec<usize>,
    weightings: Vec<String>,
    /// The id of a figure of the first combination's cascade.
    figure: Option<String>,
}

/// The diffusion process.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Process {
    #[default]
    Masked,
    /// Masking with one schedule per value (GenMD4).
    Vector,
    /// Block diffusion in blocks of `size` tokens.
    Block {
        size: usize,
    },
    Gaussian,
    /// Any transition: `uniform`, `absorbing` or a file in `fixtures/`.
    Discrete {
        transition: String,
        parameterization: String,
    },
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    Theorem1Residual,
    Theorem2Residual,
    SmallestGap,
    SmallestKlSlack,
    LastBoundError,
    ScheduleSpread,
    AnyOrderDifference,
    FirstElbo,
    LossMinusEntropy,
    CorrelationTimesSteps,
    Continuous,
    ContinuousExcess,
    Unavoidable,
    OneOverSteps,
    LargestIncrease,
}

/// Name of a quantity, its worse of two cases, and its value for a cascade and a reference.
type Quantity = (&'static str, fn(f64, f64) -> f64, fn(&Cascade, &Cascade) -> f64);

impl Measure {
    /// The reference is the first cascade of the same toy, for `LargestIncrease` the one before.
    fn quantity(self) -> Quantity {
        match self {
            Self::Theorem1Residual => ("largest |E L^(i+1) − E L^(i) − g_i|", f64::max, |c, _| c.theorem1_residual),
            // Relative to the largest weight: a sum with weights of e^10 rounds e^10 times as coarsely.
            Self::Theorem2Residual => {
                ("largest |Σ w_i L^(i)(x) − C(x) + Σ w̃(t_j) l_j(x)| / max(1, w̃)", f64::max, |c, _| {
                    c.theorem2_residual / c.w_tilde.iter().fold(1.0, |m: f64, &w| m.max(w))
                })
            }
            Self::SmallestGap => ("smallest g_i", f64::min, |c, _| smallest(c.gap.iter().copied())),
            Self::SmallestKlSlack => ("smallest (−H − E L^(i)) − KL(q‖p̃^(i))", f64::min, |c, _| {
                smallest(c.elbo.iter().zip(&c.data_model_kl).map(|(elbo, kl)| -c.entropy - elbo - kl))
            }),
            Self::LastBoundError => ("largest |E L^(T+1) + H|", f64::max, |c, _| (c.elbo[c.steps] + c.entropy).abs()),
            Self::ScheduleSpread => {
                ("largest difference of the continuous NELBO between schedules", f64::max, |c, reference| {
                    (c.neg_elbo_continuous - reference.neg_elbo_continuous).abs()
                })
            }
            Self::AnyOrderDifference => ("largest |continuous NELBO − any-order NLL|", f64::max, |c, _| {
                (c.neg_elbo_continuous - c.any_order_ar_nll.unwrap_or(f64::NAN)).abs()
            }),
            Self::FirstElbo => ("E L^(1)", f64::max, |c, _| c.elbo[0]),
            Self::LossMinusEntropy => ("reweighted loss − H", f64::max, |c, _| c.weighted_continuous - c.entropy),
            Self::CorrelationTimesSteps => {
                ("T · Σ TC_i", f64::max, |c, _| c.factorization.iter().sum::<f64>() * c.steps as f64)
            }
            Self::Continuous => ("NELBO in continuous time", f64::max, |c, _| c.neg_elbo_continuous),
            Self::ContinuousExcess => {
                ("largest |continuous NELBO − H|", f64::max, |c, _| (c.neg_elbo_continuous - c.entropy).abs())
            }
            Self::Unavoidable => ("largest |g_i − the part that no denoiser can remove|", f64::max, |c, _| {
                let floor = if c.kernel_mismatch.is_empty() { &c.factorization } else { &c.kernel_mismatch };
                largest(c.gap.iter().zip(floor).filter(|(g, _)| g.is_finite()).map(|(g, f)| (g - f).abs()))
            }),
            // The reference is the cascade of one step.
            Self::OneOverSteps => {
                ("largest |NELBO_T − NELBO_∞ − (NELBO_1 − NELBO_∞) / T|", f64::max, |c, reference| {
                    let limit = c.neg_elbo_continuous;
                    (-c.elbo[0] - limit - (-reference.elbo[0] - limit) / c.steps as f64).abs()
                })
            }
            // The first of a schedule has no predecessor.
            Self::LargestIncrease => {
                ("largest NELBO_T' − NELBO_T for neighbouring T' > T", f64::max, |c, reference| {
                    if c.steps <= reference.steps { f64::NEG_INFINITY } else { reference.elbo[0] - c.elbo[0] }
                })
            }
        }
    }
}

impl Process {
    /// The cascade of the toy of a file; `locate` finds the file of a transition.
    pub(super) fn cascade(
        &self,
        path: &Path,
        locate: impl FnOnce(&str) -> Result<PathBuf, Error>,
        schedule: &str,
        steps: usize,
        weighting: &Weighting,
    ) -> Result<Cascade, Error> {
        let forward = match self {
            Self::Masked => {
                let all = Enumeration::new(&Toy::load(path, Alphabet::Masked)?)?;
                return Ok(masked::cascade(&all, &schedule.parse()?, steps, weighting)?);
            }
            Self::Block { size } => {
                let blocks = BlockEnumeration::new(&Toy::load(path, Alphabet::Masked)?, *size)?;
                return Ok(block_cascade(&blocks, &schedule.parse()?, steps, weighting)?);
            }
            Self::Gaussian => {
                return Ok(gaussian::cascade(
                    &GaussianToy::load(path)?,
                    &schedule.parse()?,
                    steps,
                    weighting,
                    &Silent,
                )?);
            }
            Self::Vector => Forward::vector(schedule.parse()?),
            Self::Discrete { transition, .. } => {
                let values = Toy::states_of(path)?;
                Forward::named(transition, values, schedule.parse()?, locate)?
            }
        };
        let parameterization = match self {
            Self::Discrete { parameterization, .. } => parameterization.parse()?,
            _ => ReverseParameterization::Mixture,
        };
        let toy = Toy::load(path, forward.alphabet())?;
        Ok(discrete::cascade(&DiscreteModel::new(&toy, &forward, parameterization)?, steps, weighting, &Silent)?)
    }
}

impl Check for Cascades {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let mut inputs = inputs::toys(context, &self.toys)?;
        if let Process::Discrete { transition, .. } = &self.process
            && !["uniform", "absorbing"].contains(&transition.as_str())
        {
            inputs.extend(inputs::files(context, [transition])?);
        }
        Ok(inputs)
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let (quantity, worse, value_of) = self.measure.quantity();
        let (mut worst, mut cases, mut first) = (f64::NAN, 0, None);
        for toy in &self.toys {
            let path = context.toy_file(toy)?;
            let mut reference: Option<Cascade> = None;
            for schedule in &self.schedules {
                for &steps in &self.steps {
                    for weighting in &self.weightings {
                        let locate = |file: &str| context.data_file(file);
                        let one = self.process.cascade(&path, locate, schedule, steps, &weighting.parse()?)?;
                        let value = value_of(&one, reference.as_ref().unwrap_or(&one));
                        if value.is_nan() {
                            let what = format!("{quantity} is undefined for {toy}, {schedule}, {steps}, {weighting}");
                            return Err(Error::input(what, "choose a schedule with alpha(1) > 0"));
                        }
                        worst = if worst.is_nan() { value } else { worse(worst, value) };
                        cases += 1;
                        first.get_or_insert_with(|| one.clone());
                        match self.measure {
                            // Neighbours are compared.
                            Measure::LargestIncrease => reference = Some(one),
                            _ => drop(reference.get_or_insert(one)),
                        }
                    }
                }
            }
        }
        let mut outcome = Outcome::exact(quantity, worst, "nats").over(cases, "cascades");
        if let Some(c) = &first {
            outcome.detail("entropy H of the first toy", c.entropy, None, "nats");
            outcome.detail("continuous NELBO of the first toy", c.neg_elbo_continuous, None, "nats");
            outcome.figures.extend(self.figure.iter().map(|id| draw(c, id, &self.toys[0])));
        }
        Ok(outcome)
    }
}

/// The cascade of one toy: bounds and gaps against i.
pub(super) fn draw(c: &Cascade, id: &str, toy: &str) -> Figure {
    let i = |n: usize| (1..=n).map(|i| i as f64).collect::<Vec<_>>();
    let constant = |value: f64| vec![value; c.steps + 1];
    let bounds = vec![
        curve("E L^(i)", Style::LinePoints, i(c.steps + 1), c.elbo.clone()),
        curve(
            "E log p̃^(i)",
            Style::LinePoints,
            i(c.steps + 1),
            c.data_model_kl.iter().map(|kl| -c.entropy - kl).collect(),
        ),
        curve("−H", Style::Dashed, i(c.steps + 1), constant(-c.entropy)),
    ];
    let gaps = vec![
        curve("g_i", Style::Bars, i(c.steps), c.gap.clone()),
        if c.kernel_mismatch.is_empty() {
            curve("total correlation part", Style::LinePoints, i(c.steps), c.factorization.clone())
        } else {
            curve("part of the non-Gaussian reverse law", Style::LinePoints, i(c.steps), c.kernel_mismatch.clone())
        },
    ];
    figure(
        id,
        "The cascade of bounds",
        &format!(
            "Toy {toy}, {} schedule, T = {}. Bounds: each model with one more optimal reverse step has a better bound, up to \
             the negative entropy; the bound lies below the expected log-likelihood of its model. Gaps: the gap between \
             neighbouring bounds, computed as an expected joint KL, and the part of it that no denoiser can remove.",
            c.schedule, c.steps
        ),
        vec![plot("Bounds", axis("i"), axis("nats"), bounds), plot("Gaps g_i", axis("i"), axis("nats"), gaps)],
    )
}
