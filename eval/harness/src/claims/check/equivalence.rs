//! Check: one bound of masked diffusion in the forms of several papers.

use elbow_impls::Weighting;
use elbow_impls::schedule::MaskedSchedule;
use elbow_theory::Alphabet;
use elbow_theory::masked::estimators::{SetSums, ao_arm};
use elbow_theory::masked::maskgit_normalisation::{
    batch_mean, batch_mean_limit, expected_rate, implied_ce_weight, row_mean,
};
use elbow_theory::masked::published_losses::{concrete_score_difference, md4_in_time, mdlm, score_entropy_difference};
use elbow_theory::masked::{Enumeration, any_order_nll, weighted_loss};

use super::prelude::*;

/// One measure over toys and schedules; the largest case decides.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivalence {
    measure: Measure,
    toys: Vec<String>,
    schedules: Vec<String>,
    #[serde(default)]
    figure: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// MDLM's integral against MD4's under the log-linear schedule.
    Mdlm,
    /// MD4's integral in time against the any-order bound, which has no time in it.
    TimeIntegral,
    /// SEDD's score entropy against the cross-entropy.
    ScoreEntropy,
    /// The ratio of marginals against the posterior (RADD).
    ConcreteScore,
    /// (N + 1) times the row mean on the schedule against the any-order bound.
    RowMean,
    /// The limit of the batch mean against the simple loss.
    BatchMeanLimit,
    /// B times the relative difference of the batch mean from its limit at B = 4096 and at 2048, relative change.
    BatchMeanRate,
    /// The row mean's implied weight against the density of mask rates, at the largest length.
    ImpliedWeight,
    /// Means of k-DCE, one token, AO-ARM and lambda-DCE against the any-order bound.
    DceMean,
    /// ln of variance of k-DCE over that of lambda-DCE, times at or above 1e-3.
    DceVariance,
    /// Growth of lambda-DCE's variance against its closed form, relative.
    DceDivergence,
}

/// Times at which forms are compared one by one.
const TIMES: [f64; 7] = [1e-6, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999];
/// Lengths of the implied-weight figure; the last one decides.
const LENGTHS: [usize; 3] = [16, 64, 256];

impl Check for Equivalence {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::toys(context, &self.toys)
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let schedules = self.schedules.iter().map(|s| s.parse()).collect::<Result<Vec<MaskedSchedule>, _>>()?;
        let mut details = Vec::new();
        if let Measure::ImpliedWeight = self.measure {
            details.extend(schedules.iter().map(|s| (s.to_string(), implied_error(s, LENGTHS[2]))));
        }
        for toy in &self.toys {
            let all = Enumeration::new(&context.toy(toy, Alphabet::Masked)?)?;
            let sums = SetSums::new(&all);
            for schedule in &schedules {
                details.push((format!("{toy}, {schedule}"), self.measure.of(&all, &sums, schedule)));
            }
        }
        let worst = details.iter().map(|(_, v)| *v).fold(f64::NEG_INFINITY, f64::max);
        let mut outcome = Outcome::exact(self.measure.describe(), worst, "1").over(details.len(), "cases");
        outcome.exact_details(details, "1");
        if self.figure {
            let first = self.toys.first().map(|toy| context.toy(toy, Alphabet::Masked)).transpose()?;
            let sums =
                first.map(|toy| Enumeration::new(&toy)).transpose()?.map(|all| (SetSums::new(&all), ao_arm(&all)));
            outcome.figures.push(match (self.measure, sums) {
                (Measure::BatchMeanRate, Some((sums, _))) => draw_batches(&sums, &schedules, &self.toys[0]),
                (_, Some((sums, order))) => draw_variances(&sums, order.variance, &self.toys[0]),
                (_, None) => draw_implied(&schedules),
            });
        }
        Ok(outcome)
    }
}

impl Measure {
    fn describe(self) -> &'static str {
        match self {
            Self::Mdlm => "largest |MDLM's integral − MD4's|, nats",
            Self::TimeIntegral => "largest |∫ −α'/(1−α) Σ CE dt − any-order NLL|, nats",
            Self::ScoreEntropy => "largest |score entropy − cross-entropy| / (σ' ρ)",
            Self::ConcreteScore => "largest |q(z with y) / q(z) / ρ − posterior|",
            Self::RowMean => "largest |(N + 1) · row mean − any-order NLL|, nats",
            Self::BatchMeanLimit => "largest |E[masks] · limit − simple loss|, nats",
            Self::BatchMeanRate => "largest change of B · (batch mean / limit − 1) from B = 2048 to 4096, relative",
            Self::ImpliedWeight => "largest |implied weight / p(r) r⁻¹ − 1|, N = 256, 0.1 ≤ r ≤ 0.9",
            Self::DceMean => "largest |mean of an estimator − any-order NLL|, nats",
            Self::DceVariance => "largest ln (variance of k-DCE / variance of λ-DCE from λ = 0.001)",
            Self::DceDivergence => "largest relative error of the variance's growth per −ln λ",
        }
    }

    fn of(self, all: &Enumeration, sums: &SetSums, schedule: &MaskedSchedule) -> f64 {
        let bound = any_order_nll(all);
        let length = sums.loss.len() as f64 - 1.0;
        let over_times =
            |f: fn(&Enumeration, &MaskedSchedule, f64) -> f64| largest(TIMES.iter().map(|&t| f(all, schedule, t)));
        match self {
            Self::Mdlm => (mdlm(all) - weighted_loss(all, schedule, &Weighting::Elbo)).abs(),
            Self::TimeIntegral => (md4_in_time(all, schedule) - bound).abs(),
            Self::ScoreEntropy => over_times(score_entropy_difference),
            Self::ConcreteScore => over_times(concrete_score_difference),
            Self::RowMean => ((length + 1.0) * row_mean(sums, schedule) - bound).abs(),
            Self::BatchMeanLimit => {
                let simple = weighted_loss(all, schedule, &Weighting::Simple);
                (batch_mean_limit(sums, schedule) * length * expected_rate(schedule) - simple).abs()
            }
            Self::BatchMeanRate => {
                let limit = batch_mean_limit(sums, schedule);
                let scaled = |b: usize| b as f64 * (batch_mean(sums, schedule, b) / limit - 1.0);
                (scaled(4096) / scaled(2048) - 1.0).abs()
            }
            Self::ImpliedWeight => implied_error(schedule, LENGTHS[2]),
            Self::DceMean => {
                // The part of lambda-DCE below 1e-15, which is left out, is smaller than rounding.
                let means = [sums.k_dce().mean, sums.one_token().mean, ao_arm(all).mean, sums.lambda_dce(1e-15).mean];
                largest(means.iter().map(|mean| (mean - bound).abs()))
            }
            Self::DceVariance => (sums.k_dce().variance / sums.lambda_dce(1e-3).variance).ln(),
            Self::DceDivergence => {
                let growth = sums.lambda_dce(1e-8).variance - sums.lambda_dce(1e-6).variance;
                (growth / 100f64.ln() / sums.divergence() - 1.0).abs()
            }
        }
    }
}

/// The density of the mask rate r = 1 - alpha(t) for t ~ U(0, 1): 1 / (-alpha') at the time of that rate.
fn rate_density(schedule: &MaskedSchedule, rate: f64) -> f64 {
    use elbow_impls::schedule::LogSnr;
    -1.0 / schedule.alpha_prime(schedule.time_of_log_snr((1.0 - rate).ln() - rate.ln()))
}

fn implied_error(schedule: &MaskedSchedule, length: usize) -> f64 {
    let error = |n: usize| {
        let rate = n as f64 / length as f64;
        (implied_ce_weight(schedule, n, length) * rate / rate_density(schedule, rate) - 1.0).abs()
    };
    largest((length / 10..=length * 9 / 10).map(error))
}

fn draw_batches(sums: &SetSums, schedules: &[MaskedSchedule], toy: &str) -> Figure {
    let batches: Vec<usize> = (0..=12).map(|k| 1 << k).collect();
    let x: Vec<f64> = batches.iter().map(|&b| b as f64).collect();
    let mut series = Vec::new();
    for schedule in schedules {
        let limit = batch_mean_limit(sums, schedule);
        let y = batches.iter().map(|&b| (batch_mean(sums, schedule, b) / limit - 1.0).abs()).collect();
        series.push(curve(format!("{schedule} schedule"), Style::LinePoints, x.clone(), y));
    }
    series.push(curve("1 / B", Style::Dashed, x.clone(), x.iter().map(|b| 1.0 / b).collect()));
    figure(
        "batch-normaliser",
        "All losses of a batch over all its masks: convergence to constant cross-entropy",
        &format!(
            "Expected value of Σ CE / #masks over a batch of B rows of {toy}, relative to its limit, the simple loss over \
             the expected number of masks. Exact, by the law of the number of masks. The talk's argument by the central \
             limit theorem holds up to a bias of order 1 / B: small batches train another objective."
        ),
        vec![plot("", log_axis("rows in the batch, B"), log_axis("relative difference"), series)],
    )
}

fn draw_variances(sums: &SetSums, order: f64, toy: &str) -> Figure {
    let lowest: Vec<f64> = (4..=32).map(|k| 10f64.powf(-0.25 * f64::from(k))).collect();
    let constant = |value: f64| vec![value; lowest.len()];
    let lambda = lowest.iter().map(|&l| sums.lambda_dce(l).variance).collect();
    let series = vec![
        curve("λ-DCE, λ ≥ λ_min", Style::LinePoints, lowest.clone(), lambda),
        curve("k-DCE (ARDM)", Style::Line, lowest.clone(), constant(sums.k_dce().variance)),
        curve("one token", Style::Dashed, lowest.clone(), constant(sums.one_token().variance)),
        curve("AO-ARM, N calls", Style::Dashed, lowest.clone(), constant(order)),
    ];
    figure(
        "dce-variance",
        "Four estimators of one bound",
        &format!(
            "Variance of one draw on {toy}, data included; all have the any-order NLL as mean, λ-DCE as λ_min goes to 0. That of λ-DCE, the 1/t \
             weighted loss, grows without bound as small mask rates are allowed: its standard error cannot be trusted."
        ),
        vec![plot("", log_axis("smallest mask rate λ_min"), axis("variance, nats²"), series)],
    )
}

fn draw_implied(schedules: &[MaskedSchedule]) -> Figure {
    let panel = |schedule: &MaskedSchedule| {
        let mut series: Vec<_> = LENGTHS[..2]
            .iter()
            .map(|&length| {
                let rates: Vec<f64> = (1..=length).map(|n| n as f64 / length as f64).collect();
                let weights = (1..=length).map(|n| n as f64 / length as f64 * implied_ce_weight(schedule, n, length));
                curve(format!("row mean, N = {length}"), Style::LinePoints, rates.clone(), weights.collect())
            })
            .collect();
        let rates: Vec<f64> = (1..=196).map(|k| f64::from(k) / 200.0).collect();
        let density: Vec<f64> = rates.iter().map(|&r| rate_density(schedule, r)).collect();
        let batch = rates.iter().zip(&density).map(|(r, p)| r * p / expected_rate(schedule)).collect();
        series.push(curve("p(r): row mean, N → ∞", Style::Line, rates.clone(), density));
        series.push(curve("r p(r) / E r: batch mean", Style::Dashed, rates, batch));
        plot(&format!("{schedule} schedule"), axis("mask rate r"), axis("implied w̃"), series)
    };
    figure(
        "implied-weights",
        "The weighting that a normaliser implies",
        "MaskGIT's public loss and MAR's average over the masked tokens of each row: the weighting of the bound is then the \
         density p(r) of mask rates, which for the linear schedule is the ELBO itself. Averaging over all masks of a large \
         batch multiplies it by r: constant cross-entropy. Both are non-decreasing here, hence sums of bounds.",
        schedules.iter().map(panel).collect(),
    )
}
