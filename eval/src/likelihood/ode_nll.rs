//! Tokens under the probability-flow ODE: its density of noisy points, made a code length of the data by dequantisation.

use burn::module::Module;
use burn::tensor::Device;
use impls::data::Dataset;
use impls::gaussian::{Decoder, Gaussian, Level};
use impls::key::open_uniform;
use impls::network::Model;
use impls::{Key, Workers};
use rand_distr::{Distribution, StandardNormal};
use serde::Serialize;

use super::estimate::Estimate;
use super::ode::{NetworkField, Trace, log_density};
use crate::failure::Failure;
use crate::progress::Bar;

/// How values become points. Both give upper bounds of -log p(x) in expectation; numbers of different ones are not the same
/// quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dequantisation {
    /// The NELBO's own ends: y_0 = x + s_0 eps and the decoder p(x | z_0). E \[-log p(x|z_0) + log q(y_0|x) - log p(y_0)\].
    Decoder,
    /// y_0 = x + u, u uniform over a value's bin: E \[-log p(y_0)\] - D log(2/V) (Theis et al. 2016).
    Uniform,
}

impls::names!(Dequantisation, "dequantisation": Decoder = "decoder", Uniform = "uniform");

/// What is evaluated, and how.
pub struct OdeQuestion<'a> {
    pub objective: &'a Gaussian,
    /// On the device of `answer`, which differentiates.
    pub model: &'a Model,
    pub data: &'a dyn Dataset,
    pub conditional: bool,
    pub dequantisation: Dequantisation,
    /// Whether the trace is computed, or estimated with one vector of signs a draw.
    pub exact_trace: bool,
    /// Runge-Kutta steps.
    pub steps: usize,
    /// Draws of the dequantisation, and of the signs, for each sequence.
    pub draws: usize,
    /// The first sequences of the data.
    pub sequences: Option<usize>,
    pub seed: u64,
}

/// The code length of data under the ODE: a mean over sequences.
#[derive(Clone, Debug, Serialize)]
pub struct OdeNll {
    pub dataset: String,
    pub sequences: u64,
    pub draws: usize,
    pub steps: usize,
    pub dequantisation: String,
    pub trace: String,
    /// Network evaluations of a sequence and draw, each with a derivative.
    pub nfe: usize,
    pub nats: Estimate,
    pub bits_per_dim: Estimate,
    #[serde(skip)]
    pub per_sequence: Vec<f64>,
}

/// Sequences of one solution.
const CHUNK: usize = 16;

impl OdeQuestion<'_> {
    /// Solves the ODE for every sequence.
    pub fn answer(&self, device: &Device, bar: &Bar) -> Result<OdeNll, Failure> {
        let count = self.sequences.unwrap_or(usize::MAX).min(self.data.len());
        if count < 2 {
            let what = format!("{}: {count} sequences have no standard error", self.data.name());
            return Err(Failure::input(what, "evaluate at least two"));
        }
        let all: Vec<usize> = (0..count).collect();
        let chunks: Vec<&[usize]> = all.chunks(CHUNK).collect();
        bar.start((chunks.len() * self.draws * self.steps) as u64, &format!("ODE of {}", self.data.name()));
        let parts = Workers::new(usize::MAX).map(&chunks, |number, chunk| -> Result<Vec<f64>, Failure> {
            let mut sums = vec![0.0; chunk.len()];
            for draw in 0..self.draws {
                let key = Key::new(self.seed, "ode").fold(number as u64).fold(draw as u64);
                for (sum, nats) in sums.iter_mut().zip(self.one(chunk, &key, device, bar)?) {
                    *sum += nats / self.draws as f64;
                }
            }
            Ok(sums)
        });
        bar.finish();
        let per_sequence = parts.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        let nats = Estimate::of(&per_sequence);
        Ok(OdeNll {
            dataset: self.data.name(),
            sequences: count as u64,
            draws: self.draws,
            steps: self.steps,
            dequantisation: self.dequantisation.to_string(),
            trace: if self.exact_trace { "exact".into() } else { "hutchinson, one vector of signs a draw".into() },
            nfe: 4 * self.steps,
            nats,
            bits_per_dim: nats.scaled(1.0 / (self.data.length() as f64 * std::f64::consts::LN_2)),
            per_sequence,
        })
    }

    /// One draw for some sequences, nats.
    fn one(&self, chunk: &[usize], key: &Key, device: &Device, bar: &Bar) -> Result<Vec<f64>, Failure> {
        let tokens = self.data.select(chunk)?;
        let (length, decoder) = (tokens.length(), Decoder { values: self.data.values() });
        let schedule = self.objective.schedule_of(self.model);
        let ends = schedule.ends().ok_or_else(|| Failure::internal("a trained schedule has ends"))?;
        let first = Level::of_log_snr(-ends[0]);
        let s = first.sigma / first.alpha;
        let mut rng = key.fold(0).rng();
        let x = decoder.points(tokens.ids());
        let bin = 2.0 / decoder.values as f64;
        // y_0, and what beside -log p(y_0) the code length has.
        let (mut y, mut nats) = (Vec::with_capacity(x.len()), vec![0.0; chunk.len()]);
        for (at, (&x, &token)) in x.iter().zip(tokens.ids()).enumerate() {
            let point = match self.dequantisation {
                Dequantisation::Uniform => {
                    nats[at / length] -= bin.ln();
                    x + bin * (open_uniform(&mut rng) - 0.5)
                }
                Dequantisation::Decoder => {
                    let eps: f64 = StandardNormal.sample(&mut rng);
                    let log_q = -0.5 * (eps * eps + (2.0 * std::f64::consts::PI).ln()) - s.ln();
                    nats[at / length] += decoder.nats(first.alpha * (x + s * eps), first, token) + log_q;
                    x + s * eps
                }
            };
            y.push(point);
        }
        // A copy for this thread: two that differentiate through the same parameters wait for each other.
        let model = self.model.clone().fork(device);
        let field = NetworkField {
            denoiser: &model,
            device,
            prediction: self.objective.prediction,
            class: if self.conditional { self.data.labels(chunk) } else { Vec::new() },
            trace: if self.exact_trace { Trace::Exact } else { Trace::Hutchinson(key.fold(1)) },
        };
        let density = log_density(&field, &y, length, ends, self.steps, || bar.advance(1));
        Ok(nats.iter().zip(density).map(|(nats, log_p)| nats - log_p).collect())
    }
}
