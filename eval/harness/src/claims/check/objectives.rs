//! Check: every implementation on the digits, and one model's bound in every form.

use impls::Weighting;
use impls::any_order::{AnyOrder, Form, K_DCE};
use impls::d3pm::Absorbing;
use impls::md4::Md4;
use impls::mdlm::{Mdlm, Protocol};
use impls::objective::Objective;
use impls::schedule::MaskedSchedule;
use reports::record::Input;
use serde::Deserialize;

use super::independent::Independent;
use super::{Outcome, figure, ranking, run_inputs, trained_run, weights_of};
use crate::failure::Failure;
use crate::likelihood::{Bound, Estimate, Estimator, Question};
use crate::claims::context::{Check, Context};

/// Models trained on the digits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objectives {
    measure: Measure,
    /// Presets, one an implementation.
    presets: Vec<String>,
    /// Changes to each preset.
    set: Vec<String>,
    /// Draws of the noise for each test image.
    draws: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// The worst implementation's bound minus the code length of pixels drawn from one law, paired over test images.
    WorstMinusBaseline,
    /// MD4's own estimate minus k-DCE's, of one model, paired over test images.
    Md4MinusKDce,
    /// D3PM's estimate in 64 steps minus MD4's in as many, of one model, paired over test images.
    D3pmMinusMd4Steps,
    /// ln of the variance of k-DCE's draws over that of MD4's, each draw by itself but for its time, of one model.
    LogVarianceRatio,
    /// The same for each call of the network, k-DCE's draws stratified and sharing one order, MD4's at one uniform time each.
    LogVariancePerCall,
}

impl Objectives {
    pub fn inputs(&self, context: &Context) -> Result<Vec<Input>, Failure> {
        let inputs = self.presets.iter().map(|preset| run_inputs(context, preset, &self.set));
        Ok(inputs.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    pub fn run(&self, context: &Context) -> Result<Outcome, Failure> {
        match self.measure {
            Measure::WorstMinusBaseline => self.implementations(context),
            _ => self.forms(context),
        }
    }

    fn implementations(&self, context: &Context) -> Result<Outcome, Failure> {
        let (train, test) = (context.dataset("digits:train")?, context.dataset("digits:test")?);
        let to_bits = 1.0 / (test.length() as f64 * std::f64::consts::LN_2);
        let test_images = test.all()?;
        let baseline = Independent::pooled(train.as_ref())?.nats(&test_images);
        let mut rows: Vec<(String, Estimate, Estimate)> = Vec::new();
        let mut made = Vec::new();
        for preset in &self.presets {
            let (model, _) = trained_run(context, preset, &self.set)?;
            let bound = model
                .question(test.as_ref(), Estimator::Auto, self.draws, None, context.seed)
                .answer(&context.device, context.bar.as_ref())?;
            let paired: Vec<f64> = bound.per_sequence.iter().zip(&baseline).map(|(a, b)| (a - b) * to_bits).collect();
            rows.push((model.settings.implementation.clone(), bound.bits_per_dim, Estimate::of(&paired)));
            made.push(weights_of(&model));
        }
        let gains: Vec<(String, Estimate)> = rows.iter().map(|(name, _, gain)| (name.clone(), *gain)).collect();
        let quantity = |name: &str| format!("worst ({name}): NELBO − NLL of pixels of one law");
        let mut outcome = Outcome::worst_of(&gains, quantity, "test images", "bits/dim")?;
        for (name, bound, _) in &rows {
            outcome.detail(name, bound.value, Some(bound.standard_error), "bits/dim");
        }
        let baseline = Estimate::of(&baseline).scaled(to_bits);
        outcome.detail("pixels of one law", baseline.value, Some(baseline.standard_error), "bits/dim");
        let marginals = Estimate::of(&Independent::fit(train.as_ref())?.nats(&test_images)).scaled(to_bits);
        outcome.detail("pixels of their own laws", marginals.value, Some(marginals.standard_error), "bits/dim");
        outcome.detail("uniform (untrained)", (test.values() as f64).log2(), None, "bits/dim");
        outcome.made = made;
        let mut bars: Vec<(String, Estimate)> = rows.into_iter().map(|(name, bound, _)| (name, bound)).collect();
        bars.push(("pixels of their own laws".into(), marginals));
        outcome.figures.push(figure(
            "objectives",
            "Every implementation on the digits",
            "Bound on held-out digits after the same short training of the same trunk (with time conditioning where the \
             posterior needs it), mean and standard error over test images; the autoregressive number is the likelihood \
             itself. One training seed each: the order of neighbours is not decided here.",
            vec![ranking("", "bits/dim", &bars)],
        ));
        Ok(outcome)
    }

    /// One model, its bound estimated in forms that have the same mean, and in steps.
    fn forms(&self, context: &Context) -> Result<Outcome, Failure> {
        let preset = self.presets.first().ok_or_else(|| Failure::internal("the claim names no preset"))?;
        let (model, _) = trained_run(context, preset, &self.set)?;
        let test = context.dataset("digits:test")?;
        let ask_with = |estimator, objective: &dyn Objective, draws: usize, repeat: u64| -> Result<Bound, Failure> {
            let seed = context.seed + repeat;
            let question = model.question(test.as_ref(), estimator, draws, None, seed);
            Question { objective, ..question }.answer(&context.device, context.bar.as_ref())
        };
        let ask =
            |objective: &dyn Objective, repeat: u64| ask_with(Estimator::Objective, objective, self.draws, repeat);
        let linear = Md4::new(MaskedSchedule::Linear, Weighting::Elbo);
        let in_steps = Md4 { steps: Some(STEPS), ..linear };
        let d3pm = Absorbing { steps: STEPS, hybrid: 0.0 };
        let mut outcome = match self.measure {
            Measure::LogVarianceRatio | Measure::LogVariancePerCall => {
                // The difference of two repeats holds the noise of the draws alone, twice.
                let noise = |estimator, objective: &dyn Objective, draws: usize, pairs: u64| -> Result<f64, Failure> {
                    let one = |pair: u64| -> Result<f64, Failure> {
                        let [first, second] = [0, 1].map(|repeat| ask_with(estimator, objective, draws, 2 * pair + repeat));
                        Ok(paired(&first?, &second?).standard_error.powi(2) * draws as f64)
                    };
                    Ok((0..pairs).map(one).sum::<Result<f64, _>>()? / pairs as f64)
                };
                let own = Estimator::Objective;
                let (estimator, draws, pairs, quantity) = match self.measure {
                    Measure::LogVarianceRatio => (own, self.draws, 1, "ln (variance of k-DCE / variance of MD4)"),
                    // One time has a heavy tail: its variance wants many pairs, which are cheap.
                    _ => {
                        let quantity = "ln (variance per call: k-DCE by one order / one uniform time)";
                        (Estimator::KDce, 1, SINGLE_PAIRS, quantity)
                    }
                };
                let relative = |pairs: u64| 2.0 / (pairs as f64 * test.len() as f64 - 1.0);
                let error = (relative(1) + relative(pairs)).sqrt();
                let k_dce = noise(estimator, &K_DCE, self.draws, 1)?;
                let value = (k_dce / noise(own, &linear, draws, pairs)?).ln();
                let mut outcome = Outcome::exact(quantity, value, "1").with_error(error);
                outcome.detail("times less variance for as many calls", (-value).exp(), None, "1");
                outcome
            }
            Measure::D3pmMinusMd4Steps => {
                let found = paired(&ask(&d3pm, 0)?, &ask(&in_steps, 0)?);
                Outcome::exact("D3PM − MD4, both T = 64", found.value, "bits/dim").with_error(found.standard_error)
            }
            _ => {
                let forms: [(&str, &dyn Objective); 9] = [
                    ("MD4, cosine", &Md4::new(MaskedSchedule::Cosine, Weighting::Elbo)),
                    ("k-DCE (any-order)", &K_DCE),
                    ("λ-DCE (RADD)", &AnyOrder { form: Form::LambdaDce }),
                    ("MD4, linear", &linear),
                    ("MDLM, exact", &Mdlm { protocol: Protocol::Exact }),
                    ("MDLM, published", &Mdlm { protocol: Protocol::Published }),
                    ("MDLM, importance", &Mdlm { protocol: Protocol::Importance }),
                    ("MD4, T = 64", &in_steps),
                    ("D3PM, T = 64", &d3pm),
                ];
                let bounds = forms.iter().map(|(_, form)| ask(*form, 0)).collect::<Result<Vec<_>, _>>()?;
                let found = paired(&bounds[0], &bounds[1]);
                let mut outcome = Outcome::exact("MD4's estimate − k-DCE's", found.value, "bits/dim")
                    .with_error(found.standard_error);
                let named = |((name, _), bound): (&(&str, _), Bound)| ((*name).to_owned(), bound.bits_per_dim);
                let numbers: Vec<(String, Estimate)> = forms.iter().zip(bounds).map(named).collect();
                for (name, number) in &numbers {
                    outcome.detail(name, number.value, Some(number.standard_error), "bits/dim");
                }
                outcome.figures.push(figure(
                    "forms",
                    "One model, one bound, many estimators",
                    &format!(
                        "The bound of one trained network on held-out digits, {} draws an image, mean and standard error over \
                         images, the same times for all. In theory the first four have one mean; MDLM's differ from it by what \
                         their protocols leave out or add, about 0.003; T = 64 steps lie above it.",
                        self.draws
                    ),
                    vec![ranking("", "bits/dim", &numbers)],
                ));
                outcome
            }
        }
        .over(test.len(), "test images");
        outcome.made.push(weights_of(&model));
        Ok(outcome)
    }
}

/// Pairs of evaluations from which the variance of one uniform time is estimated.
const SINGLE_PAIRS: u64 = 16;

/// Steps of the bounds in discrete time.
const STEPS: u32 = 64;

/// The mean difference of two bounds on the same sequences, bits a token.
fn paired(a: &Bound, b: &Bound) -> Estimate {
    let to_bits = 1.0 / (a.dims as f64 * std::f64::consts::LN_2);
    let differences = a.per_sequence.iter().zip(&b.per_sequence).map(|(a, b)| (a - b) * to_bits);
    Estimate::of(&differences.collect::<Vec<_>>())
}
