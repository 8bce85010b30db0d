//! Check: every implementation on the digits, and one model's bound in every form.

use elbow_impls::any_order::{AnyOrder, DceForm, K_DCE};
use elbow_impls::d3pm::D3pmAbsorbing;
use elbow_impls::data::Dataset;
use elbow_impls::md4::Md4;
use elbow_impls::mdlm::{Mdlm, Protocol};
use elbow_impls::objective::TokenObjective;
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::{DiffusionModel, Weighting};

use super::independent_pixels_baseline::IndependentBaseline;
use super::prelude::*;
use crate::likelihood::{Bound, BoundEstimation, Estimator};
use crate::runs::Trained;

/// Models trained on the digits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objectives {
    measure: Measure,
    /// Presets, one per implementation.
    presets: Vec<String>,
    /// Changes to each preset.
    set: Vec<String>,
    /// Draws of the noise per test image.
    draws: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// The worst implementation's bound minus the code length of pixels drawn from one law, paired over test images.
    WorstMinusBaseline,
    /// MD4's own estimate minus k-DCE's, of one model, paired over test images.
    Md4MinusKDce,
    /// D3PM's estimate in 64 steps minus MD4's in 64 steps, of one model, paired over test images.
    D3pmMinusMd4Steps,
    /// ln of the variance of k-DCE's draws over that of MD4's, of one model; draws independent but for stratified times.
    LogVarianceRatio,
    /// The same per network call: k-DCE's draws stratified and sharing one order, MD4's at one uniform time each.
    LogVariancePerCall,
}

impl Check for Objectives {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::presets(context, &self.presets, &self.set)
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        if let Measure::WorstMinusBaseline = self.measure {
            return self.implementations(context);
        }
        let preset = self.presets.first().ok_or_else(|| Error::internal("the claim names no preset"))?;
        let model = context.trained(preset, &self.set)?;
        let test = context.dataset("digits:test")?;
        let one = OneModel { context, model: &model, test: test.as_ref(), draws: self.draws };
        let outcome = match self.measure {
            Measure::LogVarianceRatio => one.log_variance_ratio()?,
            Measure::LogVariancePerCall => one.log_variance_per_call()?,
            Measure::D3pmMinusMd4Steps => {
                let found = paired(&one.bound(&D3PM)?, &one.bound(&MD4_IN_STEPS)?);
                Outcome::exact("D3PM − MD4, both T = 64", found.value, "bits/dim").with_error(found.standard_error)
            }
            _ => one.forms()?,
        };
        let mut outcome = outcome.over(test.len(), "test images");
        outcome.made.push(inputs::weights(&model));
        Ok(outcome)
    }
}

impl Objectives {
    /// Every implementation's bound, beside pixels drawn from one law.
    fn implementations(&self, context: &Context) -> Result<Outcome, Error> {
        let (train, test) = (context.dataset("digits:train")?, context.dataset("digits:test")?);
        let test_images = test.all()?;
        let baseline = IndependentBaseline::pooled(train.as_ref())?.nats(&test_images);
        let (mut bounds, mut gains, mut made, mut table_rows) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for preset in &self.presets {
            let model = context.trained(preset, &self.set)?;
            let bound = context.bound(&model, test.as_ref(), self.draws, None)?;
            let name = model.settings.implementation().to_owned();
            gains.push((name.clone(), paired_bits(&bound.per_sequence, &baseline, test.length())));
            let bits = bound.bits_per_dim;
            table_rows.push(vec![
                name.clone(),
                format!("{:.4} ± {:.4}", bits.value, bits.standard_error),
                model.settings.steps.to_string(),
                model.model.parameters().to_string(),
            ]);
            bounds.push((name, bits));
            made.push(inputs::weights(&model));
        }
        let quantity = |name: &str| format!("worst ({name}): NELBO − NLL of pixels of one law");
        let mut outcome = Outcome::worst_of(&gains, context.confidence, quantity, "bits/dim", "test images")?;
        for (name, bound) in &bounds {
            outcome.estimate_detail(name, bound, "bits/dim");
        }
        let baseline = Estimate::of(&baseline).bits_per(test.length());
        outcome.estimate_detail("pixels of one law", &baseline, "bits/dim");
        let marginals = IndependentBaseline::fit(train.as_ref())?.nats(&test_images);
        let marginals = Estimate::of(&marginals).bits_per(test.length());
        outcome.estimate_detail("pixels of their own laws", &marginals, "bits/dim");
        outcome.detail("uniform (untrained)", (test.values() as f64).log2(), None, "bits/dim");
        outcome.made = made;
        bounds.push(("pixels of their own laws".into(), marginals));
        outcome.figures.push(figure(
            "objectives",
            "Every implementation on the digits",
            "Bound on held-out digits after the same short training of the same trunk (with time conditioning where the \
             posterior needs it), mean and standard error over test images; the autoregressive number is the likelihood \
             itself. One training seed each: the order of neighbours is not decided here.",
            vec![
                ranking("", "bits/dim", &bounds),
                table("", &["implementation", "NELBO, bits/dim", "training steps", "parameters"], table_rows),
            ],
        ));
        Ok(outcome)
    }
}

/// Steps of the bounds in discrete time.
const STEPS: u32 = 64;
const MD4_LINEAR: Md4 = Md4 { schedule: MaskedSchedule::Linear, weighting: Weighting::Elbo, steps: None };
const MD4_IN_STEPS: Md4 = Md4 { schedule: MaskedSchedule::Linear, weighting: Weighting::Elbo, steps: Some(STEPS) };
const D3PM: D3pmAbsorbing = D3pmAbsorbing { steps: STEPS, hybrid_ce_weight: 0.0 };

/// Pairs of evaluations from which the variance of one uniform time is estimated.
const SINGLE_PAIRS: u64 = 16;

/// One trained model, whose bound on the test images is estimated in several forms.
struct OneModel<'a> {
    context: &'a Context<'a>,
    model: &'a Trained,
    test: &'a dyn Dataset,
    draws: usize,
}

impl OneModel<'_> {
    /// The bound in the form of an objective.
    fn bound(&self, objective: &dyn TokenObjective) -> Result<Bound, Error> {
        self.repeated(Estimator::Objective, objective, self.draws, 0)
    }

    /// The same with other draws for each `repeat`.
    fn repeated(
        &self,
        estimator: Estimator,
        objective: &dyn TokenObjective,
        draws: usize,
        repeat: u64,
    ) -> Result<Bound, Error> {
        let estimation = self.model.bound_estimation(self.test, estimator, draws, None, self.context.seed + repeat)?;
        let model = DiffusionModel::Tokens(objective, self.model.model.tokens()?);
        BoundEstimation { model, ..estimation }.run(&self.context.device, self.context.bar.as_ref())
    }

    /// The variance of one draw, from the differences of `pairs` pairs of repeats: each holds the noise of the draws
    /// alone, twice.
    fn noise(
        &self,
        estimator: Estimator,
        objective: &dyn TokenObjective,
        draws: usize,
        pairs: u64,
    ) -> Result<f64, Error> {
        let one = |pair: u64| -> Result<f64, Error> {
            let [first, second] = [0, 1].map(|repeat| self.repeated(estimator, objective, draws, 2 * pair + repeat));
            Ok(paired(&first?, &second?).standard_error.powi(2) * draws as f64)
        };
        Ok((0..pairs).map(one).sum::<Result<f64, _>>()? / pairs as f64)
    }

    fn log_variance_ratio(&self) -> Result<Outcome, Error> {
        let own = Estimator::Objective;
        let k_dce = self.noise(own, &K_DCE, self.draws, 1)?;
        let md4 = self.noise(own, &MD4_LINEAR, self.draws, 1)?;
        Ok(self.log_ratio("ln (variance of k-DCE / variance of MD4)", k_dce, md4, 1))
    }

    fn log_variance_per_call(&self) -> Result<Outcome, Error> {
        let k_dce = self.noise(Estimator::KDce, &K_DCE, self.draws, 1)?;
        // One time has a heavy tail: its variance needs many pairs, which are cheap.
        let one_time = self.noise(Estimator::Objective, &MD4_LINEAR, 1, SINGLE_PAIRS)?;
        let quantity = "ln (variance per call: k-DCE by one order / one uniform time)";
        Ok(self.log_ratio(quantity, k_dce, one_time, SINGLE_PAIRS))
    }

    /// ln of the variance of k-DCE, from one pair of repeats, over another one, from `pairs`.
    fn log_ratio(&self, quantity: &str, k_dce: f64, other: f64, pairs: u64) -> Outcome {
        let relative = |pairs: u64| 2.0 / (pairs as f64 * self.test.len() as f64 - 1.0);
        let value = (k_dce / other).ln();
        let mut outcome = Outcome::exact(quantity, value, "1").with_error((relative(1) + relative(pairs)).sqrt());
        outcome.detail("times less variance for as many calls", (-value).exp(), None, "1");
        outcome
    }

    /// The bound in nine forms, the first two of which are compared.
    fn forms(&self) -> Result<Outcome, Error> {
        let forms: [(&str, &dyn TokenObjective); 9] = [
            ("MD4, cosine", &Md4::new(MaskedSchedule::Cosine, Weighting::Elbo)),
            ("k-DCE (any-order)", &K_DCE),
            ("λ-DCE (RADD)", &AnyOrder { form: DceForm::LambdaDce }),
            ("MD4, linear", &MD4_LINEAR),
            ("MDLM, exact", &Mdlm { protocol: Protocol::Exact }),
            ("MDLM, published", &Mdlm { protocol: Protocol::Published }),
            ("MDLM, importance", &Mdlm { protocol: Protocol::Importance }),
            ("MD4, T = 64", &MD4_IN_STEPS),
            ("D3PM, T = 64", &D3PM),
        ];
        let bounds = forms.iter().map(|(_, form)| self.bound(*form)).collect::<Result<Vec<_>, _>>()?;
        let found = paired(&bounds[0], &bounds[1]);
        let mut outcome =
            Outcome::exact("MD4's estimate − k-DCE's", found.value, "bits/dim").with_error(found.standard_error);
        let named = |((name, _), bound): (&(&str, _), &Bound)| ((*name).to_owned(), bound.bits_per_dim);
        let numbers: Vec<(String, Estimate)> = forms.iter().zip(&bounds).map(named).collect();
        for (name, number) in &numbers {
            outcome.estimate_detail(name, number, "bits/dim");
        }
        outcome.figures.push(figure(
            "forms",
            "One model, one bound, many estimators",
            &format!(
                "The bound of one trained network on held-out digits, {} draws per image, mean and standard error over \
                 images, the same times for all. In theory the first four have one mean; MDLM's differ from it by what \
                 their protocols leave out or add, about 0.003; T = 64 steps lie above it.",
                self.draws
            ),
            vec![ranking("", "bits/dim", &numbers)],
        ));
        Ok(outcome)
    }
}

/// The mean difference of two bounds on the same sequences, bits per token.
fn paired(a: &Bound, b: &Bound) -> Estimate {
    paired_bits(&a.per_sequence, &b.per_sequence, a.dims)
}
