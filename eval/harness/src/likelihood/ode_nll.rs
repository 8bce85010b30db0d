//! Likelihood of tokens under the probability-flow ODE: densities of noisy points, dequantised to code lengths.

use burn::tensor::Device;
use elbow_base::{Error, Estimate, Progress, bits_per_dim};
use elbow_impls::Key;
use elbow_impls::data::{Dataset, Tokens};
use elbow_impls::gaussian::{Decoder, Gaussian, Level};
use elbow_impls::key::open_uniform;
use elbow_impls::network::GaussianDenoiser;
use rand_distr::{Distribution, StandardNormal};
use serde::Serialize;

use super::bound::at_least_two;
use super::finite;
use super::ode::{Derivative, Field, NetworkField, Trace, log_density};
use crate::shards::Shards;

/// Dequantisation of values to points. Each gives an upper bound of -log p(x) in expectation, but different quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dequantisation {
    /// The NELBO's own ends: y_0 = x + s_0 eps and the decoder p(x | z_0). E \[-log p(x|z_0) + log q(y_0|x) - log
    /// p(y_0)\].
    Decoder,
    /// y_0 = x + u, u uniform over a value's bin: E \[-log p(y_0)\] - D log(2/V) (Theis et al. 2016).
    Uniform,
}

elbow_impls::names!(Dequantisation, "dequantisation": Decoder = "decoder", Uniform = "uniform");

/// The likelihood of a model under its ODE on a data set, with the settings of its estimate.
pub struct OdeLikelihood<'a> {
    /// Prediction and schedule of the denoiser.
    pub objective: &'a Gaussian,
    /// The denoiser, on the device of [`Self::run`].
    pub denoiser: &'a dyn GaussianDenoiser,
    /// The method for its derivative. By differences the code length is extrapolated from two steps, the given one and its
    /// half, to none: (4 L(h/2) - L(h)) / 3, whose error is of the fourth order in h.
    pub derivative: Derivative,
    /// The data.
    pub data: &'a dyn Dataset,
    /// Whether the denoiser is given each sequence's class.
    pub conditional: bool,
    /// The dequantisation.
    pub dequantisation: Dequantisation,
    /// Whether the trace is exact, or estimated with one vector of signs per draw.
    pub exact_trace: bool,
    /// Runge-Kutta steps; an even number.
    pub steps: usize,
    /// Draws of the dequantisation, and of the signs, per sequence.
    pub draws: usize,
    /// The first sequences of the data.
    pub sequences: Option<usize>,
    /// Seed of the draws.
    pub seed: u64,
}

/// The code length of data under the ODE: a mean over sequences.
#[derive(Clone, Debug, Serialize)]
pub struct OdeNll {
    /// Name of the data.
    pub dataset: String,
    /// Number of sequences.
    pub sequences: u64,
    /// Draws per sequence.
    pub draws: usize,
    /// Runge-Kutta steps.
    pub steps: usize,
    /// Name of the dequantisation.
    pub dequantisation: String,
    /// Method for the trace.
    pub trace: String,
    /// The quantity that the network outputs.
    pub prediction: String,
    /// gamma at both ends.
    pub ends: [f64; 2],
    /// Network evaluations per sequence and draw: with automatic differentiation each has a derivative.
    pub nfe: usize,
    /// Nats per sequence.
    pub nats: Estimate,
    /// Bits per dimension.
    pub bits_per_dim: Estimate,
    /// The number in half the steps minus this one, bits/dim: more than the error of this one, once steps are small.
    pub half_steps_difference: f64,
    /// Where the derivative is by differences: the number with the whole step less that with half of it, bits/dim. It is more
    /// than the error of this one as long as the network is smooth on the scale of the step; where single precision decides,
    /// it is about as large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_difference: Option<f64>,
    /// Nats of each sequence.
    #[serde(skip)]
    pub per_sequence: Vec<f64>,
}

/// Sequences per solution.
const CHUNK: usize = 16;

impl OdeNll {
    /// Whether half the steps give the same number, up to a quarter of its standard error.
    pub fn is_converged(&self) -> bool {
        self.half_steps_difference.abs() <= 0.25 * self.bits_per_dim.standard_error
    }

    /// Whether the derivative is exact, or differences of half the step give the same number, up to a quarter of its
    /// standard error.
    pub fn has_exact_derivative(&self) -> bool {
        self.step_difference.is_none_or(|change| change.abs() <= 0.25 * self.bits_per_dim.standard_error)
    }
}

impl OdeLikelihood<'_> {
    /// Solves the ODE for every sequence.
    pub fn run(&self, device: &Device, bar: &dyn Progress) -> Result<OdeNll, Error> {
        self.run_in(&Shards::whole(), device, bar)?.ok_or_else(|| Error::internal("the whole work gives a likelihood"))
    }

    /// Solves the ODE for every sequence, or for a part of them: then there is no likelihood yet.
    pub fn run_in(&self, shards: &Shards, device: &Device, bar: &dyn Progress) -> Result<Option<OdeNll>, Error> {
        let count = self.sequences.unwrap_or(usize::MAX).min(self.data.len());
        at_least_two(&self.data.name(), count, self.data.len())?;
        let all: Vec<usize> = (0..count).collect();
        let chunks: Vec<&[usize]> = all.chunks(CHUNK).collect();
        let steps = match self.derivative {
            Derivative::Automatic => self.steps + self.steps / 2,
            Derivative::Differences(_) => 2 * self.steps + self.steps / 2,
        };
        let own = shards.count("ode", 0..chunks.len());
        bar.start((own * self.draws * steps) as u64, &format!("ODE of {}", self.data.name()));
        let parts = shards.map("ode", 0..chunks.len(), |number| -> Result<[Vec<f64>; 3], Error> {
            let chunk = chunks[number];
            let mut sums = [0; 3].map(|_| vec![0.0; chunk.len()]);
            for draw in 0..self.draws {
                let key = Key::new(self.seed, "ode").fold(number as u64).fold(draw as u64);
                for (sums, nats) in sums.iter_mut().zip(self.one(chunk, &key, device, bar)?) {
                    sums.iter_mut().zip(nats).for_each(|(sum, nats)| *sum += nats / self.draws as f64);
                }
            }
            let name = self.data.name();
            for (at, &sequence) in chunk.iter().enumerate() {
                finite::code_length(&name, sequence, "code length under the ODE", sums[0][at])?;
                finite::code_length(&name, sequence, "code length under the ODE in half the steps", sums[1][at])?;
            }
            Ok(sums)
        })?;
        bar.finish();
        let Some(parts) = parts else { return Ok(None) };
        let (mut per_sequence, mut in_half, mut by_step) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            let [all, half, step] = part;
            per_sequence.extend(all);
            in_half.extend(half);
            by_step.extend(step);
        }
        let name = self.data.name();
        let (nats, half) = (Estimate::of(&per_sequence), Estimate::of(&in_half));
        finite::mean(&name, "mean under the ODE", &nats)?;
        let length = self.data.length();
        let trace = if self.exact_trace { "exact" } else { "hutchinson, one vector of signs per draw" };
        let (trace, calls, step_difference) = match self.derivative {
            Derivative::Automatic => (trace.to_owned(), 1, None),
            Derivative::Differences(step) => {
                let how = format!("by central differences of {step} and {} of the noise, extrapolated", step / 2.0);
                let change = bits_per_dim(Estimate::of(&by_step).value, length);
                (format!("{trace}, {how}"), 6, Some(change))
            }
        };
        Ok(Some(OdeNll {
            dataset: name,
            sequences: count as u64,
            draws: self.draws,
            steps: self.steps,
            dequantisation: self.dequantisation.to_string(),
            trace,
            prediction: self.objective.prediction.to_string(),
            ends: self.ends()?,
            nfe: 4 * self.steps * calls * if self.exact_trace { length } else { 1 },
            nats,
            bits_per_dim: nats.bits_per(length),
            half_steps_difference: bits_per_dim(half.value - nats.value, length),
            step_difference,
            per_sequence,
        }))
    }

    /// One draw of the code lengths of some sequences, nats: in all steps, and in half as many; and by how much those by
    /// differences of the whole step are more than those of half of it.
    fn one(&self, chunk: &[usize], key: &Key, device: &Device, bar: &dyn Progress) -> Result<[Vec<f64>; 3], Error> {
        let tokens = self.data.select(chunk)?;
        // A copy for this thread: two that differentiate through the same parameters wait for each other.
        let copy = self.denoiser.fork(device);
        let field = |derivative: Derivative| NetworkField {
            denoiser: copy.as_deref().unwrap_or(self.denoiser),
            device,
            prediction: self.objective.prediction,
            class: if self.conditional { self.data.labels(chunk) } else { Vec::new() },
            trace: if self.exact_trace { Trace::Exact } else { Trace::Hutchinson(key.fold(1)) },
            derivative,
        };
        let decoder = Decoder { values: self.denoiser.values() };
        let noisy = Dequantised::draw(&tokens, decoder, self.ends()?, self.dequantisation, &key.fold(0));
        let solve = |derivative, steps| noisy.code_lengths(&field(derivative), steps, || bar.advance(1));
        let each = |f: &dyn Fn(usize) -> f64| (0..chunk.len()).map(f).collect::<Vec<f64>>();
        match self.derivative {
            Derivative::Automatic => {
                let [all, half] = [self.steps, self.steps / 2].map(|steps| solve(self.derivative, steps));
                Ok([all, half, vec![0.0; chunk.len()]])
            }
            Derivative::Differences(step) => {
                let whole = solve(Derivative::Differences(step), self.steps);
                let [half, in_half] =
                    [self.steps, self.steps / 2].map(|steps| solve(Derivative::Differences(step / 2.0), steps));
                // The points move as they do without a derivative: only the integral of the trace has an error of the step.
                let extrapolated = each(&|i| (4.0 * half[i] - whole[i]) / 3.0);
                let in_half = each(&|i| extrapolated[i] + in_half[i] - half[i]);
                Ok([extrapolated, in_half, each(&|i| whole[i] - half[i])])
            }
        }
    }

    fn ends(&self) -> Result<[f64; 2], Error> {
        let schedule = self.objective.schedule_of(self.denoiser)?;
        schedule.ends().ok_or_else(|| Error::internal("a trained schedule has ends"))
    }
}

/// Dequantised tokens.
pub struct Dequantised {
    y: Vec<f64>,
    length: usize,
    ends: [f64; 2],
    /// The part of the code length of each row beside -log p(y_0), nats.
    rest: Vec<f64>,
}

impl Dequantised {
    /// Draws y_0 of each token.
    pub fn draw(tokens: &Tokens, decoder: Decoder, ends: [f64; 2], how: Dequantisation, key: &Key) -> Self {
        let length = tokens.length();
        let first = Level::of_log_snr(-ends[0]);
        let s = first.sigma / first.alpha;
        let bin = 2.0 / decoder.values as f64;
        let mut rng = key.rng();
        let (mut y, mut rest) = (Vec::with_capacity(tokens.ids().len()), vec![0.0; tokens.len()]);
        for (at, &token) in tokens.ids().iter().enumerate() {
            let x = decoder.point(token);
            y.push(match how {
                Dequantisation::Uniform => {
                    rest[at / length] -= bin.ln();
                    x + bin * (open_uniform(&mut rng) - 0.5)
                }
                Dequantisation::Decoder => {
                    let eps: f64 = StandardNormal.sample(&mut rng);
                    let log_q = -0.5 * (eps * eps + (2.0 * std::f64::consts::PI).ln()) - s.ln();
                    rest[at / length] += decoder.nats(first.alpha * (x + s * eps), first, token) + log_q;
                    x + s * eps
                }
            });
        }
        Self { y, length, ends, rest }
    }

    /// The code length of each row in this many steps, nats.
    pub fn code_lengths(&self, field: &dyn Field, steps: usize, advanced: impl FnMut()) -> Vec<f64> {
        let density = log_density(field, &self.y, self.length, self.ends, steps, advanced);
        self.rest.iter().zip(density).map(|(rest, log_p)| rest - log_p).collect()
    }
}
