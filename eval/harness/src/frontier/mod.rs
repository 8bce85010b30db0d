//! Generative frontiers: generative perplexity against entropy over a sweep of the temperature (Pynadath, Shi and Zhang 2026).
//!
//! KL(p || q) = CE(p, q) - H(p) for the samples p of a model and a reference q, the judge. Generative perplexity is exp CE: the
//! entropy moves it, and a temperature moves the entropy. So models are compared as curves, at equal entropy.

mod comparison;
mod curve;
mod figure;
mod judge;

use elbow_base::{Error, Estimate, Key};
use elbow_impls::data::{Dataset, Tokens};
use elbow_impls::sampler_state::Samples;
use serde::Serialize;

use crate::likelihood::Generative;

pub use comparison::{AtEntropy, Comparison, Difference, Side, compare};
pub use figure::figure;
pub use judge::Judge;

/// The samples of a model at one temperature under the judge.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// tau, by which logits were divided before each draw.
    pub temperature: f64,
    /// Their numbers under the judge.
    #[serde(flatten)]
    pub numbers: Numbers,
    /// Network evaluations per sample.
    pub nfe: f64,
}

/// Texts under the judge, as the two halves of a KL divergence. Means over samples.
#[derive(Clone, Debug, Serialize)]
pub struct Numbers {
    /// exp of the cross-entropy.
    pub perplexity: Estimate,
    /// CE: nats per token under the judge.
    pub cross_entropy: Estimate,
    /// The unigram entropy of a sample: entropy of the distribution of tokens within it, nats.
    pub entropy: Estimate,
    /// CE minus that entropy, nats per token, with the error of the paired difference. It is KL(p || q) per token where the
    /// unigram entropy is that of the samples' law per token, which it exceeds by what tokens say of each other.
    pub difference: Estimate,
    /// Entropy and cross-entropy of each sample.
    #[serde(skip)]
    pub samples: Vec<[f64; 2]>,
}

/// The frontier of one model.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// What stands in the legend.
    pub name: String,
    /// In the order of the temperatures.
    pub points: Vec<Point>,
}

impl Numbers {
    /// The halves of judged samples.
    pub fn of(judged: &Generative) -> Self {
        Self {
            perplexity: judged.perplexity,
            cross_entropy: Estimate::of(&judged.nats),
            entropy: judged.entropy,
            difference: Estimate::of_pairs(&judged.nats, &judged.entropies),
            samples: judged.entropies.iter().zip(&judged.nats).map(|(h, ce)| [*h, *ce]).collect(),
        }
    }
}

/// Draws at each temperature and judges the samples. `draw` is given a temperature and a seed: one of its own for each
/// temperature, whichever others there are, so that all samples are independent of each other.
pub fn sweep(
    name: &str,
    temperatures: &[f64],
    key: &Key,
    draw: impl Fn(f64, u64) -> Result<Samples, Error>,
    judge: impl Fn(&Tokens) -> Result<Generative, Error>,
) -> Result<Curve, Error> {
    let point = |&temperature: &f64| {
        let drawn = draw(temperature, key.fold(temperature.to_bits()).number())?;
        Ok(Point { temperature, numbers: Numbers::of(&judge(&drawn.tokens)?), nfe: drawn.nfe() })
    };
    let points = temperatures.iter().map(point).collect::<Result<_, Error>>()?;
    Ok(Curve { name: name.to_owned(), points })
}

/// Sequences of `data` for the reference point, as many as there are samples where it has them, evenly spaced.
pub fn reference(data: &dyn Dataset, samples: usize) -> Result<Tokens, Error> {
    let count = samples.min(data.len());
    Ok(data.select(&(0..count).map(|i| i * data.len() / count).collect::<Vec<_>>())?)
}
