//! The state of a sampler of tokens: the sequences being drawn, the guided denoiser, and a count of its evaluations.

use burn::tensor::Device;
use burn::tensor::activation::log_softmax;
use rand_chacha::ChaCha8Rng;

use crate::data::Tokens;
use crate::error::{Result, not_finite};
use crate::key::{Key, categorical};
use crate::network::{Input, QueryPositions, TokenDenoiser, ids_tensor, softmax};
use crate::schedule::{LogSnr, MaskedSchedule};
use crate::tempering::{Tempering, is_distribution};

/// Sequences being drawn: the state of a sampler of tokens.
///
/// Each has its own stream of random numbers, so that its law and its numbers do not depend on how many are drawn beside it.
pub struct TokenState {
    /// z, row after row; the mask has the id V.
    pub z: Vec<u32>,
    /// Tokens per row.
    pub length: usize,
    /// V, the mask's id.
    pub mask: u32,
    /// One stream of random numbers per row.
    pub rngs: Vec<ChaCha8Rng>,
}

impl TokenState {
    /// `count` sequences of `length` masks.
    pub fn all_masks(count: usize, length: usize, mask: usize, key: &Key) -> Self {
        let rngs = (0..count).map(|i| key.fold(i as u64).rng()).collect();
        Self { z: vec![mask as u32; count * length], length, mask: mask as u32, rngs }
    }

    /// Infilling: the state with some tokens known. `known` holds one entry per position for each of the first
    /// sequences, and begins again for the rest; samplers of masked diffusion only ever change masks, so that known
    /// tokens stay.
    pub fn with_known(mut self, known: &[Vec<Option<u32>>]) -> Self {
        for (row, known) in self.z.chunks_mut(self.length).zip(known.iter().cycle()) {
            for (token, known) in row.iter_mut().zip(known) {
                *token = known.unwrap_or(*token);
            }
        }
        self
    }

    /// Number of sequences.
    pub fn rows(&self) -> usize {
        self.rngs.len()
    }

    /// One sequence.
    pub fn row(&self, row: usize) -> &[u32] {
        &self.z[row * self.length..(row + 1) * self.length]
    }

    /// Positions of a sequence that are still masked.
    pub fn masked(&self, row: usize) -> Vec<usize> {
        (0..self.length).filter(|&n| self.row(row)[n] == self.mask).collect()
    }

    /// The masked positions of every sequence.
    pub fn all_masked(&self) -> Vec<Vec<usize>> {
        (0..self.rows()).map(|row| self.masked(row)).collect()
    }

    /// Writes a token.
    pub fn set(&mut self, row: usize, position: usize, token: u32) {
        self.z[row * self.length + position] = token;
    }

    /// Draws a value with these probabilities and writes it.
    pub fn draw(&mut self, row: usize, position: usize, probabilities: &[f64]) {
        let token = categorical(&mut self.rngs[row], probabilities) as u32;
        self.set(row, position, token);
    }
}

/// Finished sequences, with the network evaluations that they took.
#[derive(Clone, Debug)]
pub struct Samples {
    /// The sequences.
    pub tokens: Tokens,
    /// Class of each sequence, counted from 0; empty without classes.
    pub classes: Vec<u32>,
    /// Network evaluations per sequence (NFE). A guided evaluation counts twice: it runs the network twice.
    pub evaluations: Vec<u64>,
    /// Calls of the network, each over the sequences that needed one.
    pub network_calls: u64,
}

impl Samples {
    /// Mean number of network evaluations per sequence.
    pub fn nfe(&self) -> f64 {
        self.evaluations.iter().sum::<u64>() as f64 / self.evaluations.len() as f64
    }
}

/// mu_theta as a sampler uses it: guided, tempered, and counted.
pub struct Predictor<'a> {
    denoiser: &'a dyn TokenDenoiser,
    device: &'a Device,
    /// Class of each sequence; empty without classes.
    class: Vec<u32>,
    /// w of p_cond^w p_uncond^(1-w); 1 is the conditional model.
    guidance: f64,
    /// How every distribution is changed before a draw.
    pub(crate) tempering: Tempering,
    /// Whether the last step takes the most probable values.
    greedy_tail: bool,
    /// The schedule under which a network that sees the time was trained: it decides the network's time.
    training_schedule: MaskedSchedule,
    /// Predictions so far, with those that needed no call of the network.
    steps: u64,
    evaluations: Vec<u64>,
    network_calls: u64,
}

/// The time at which a schedule has this share of masks.
pub fn time_of_mask_rate(schedule: &MaskedSchedule, masked: f64) -> f64 {
    schedule.time_of_log_snr((1.0 - masked).ln() - masked.ln()).clamp(0.0, 1.0)
}

/// The distributions of the denoiser at some positions of each sequence.
pub struct TokenPredictions {
    /// Log-probabilities, one row of V per position.
    log_mu: Vec<f32>,
    /// The positions, by sequence, and the number of the first of each sequence.
    queried: QueryPositions,
    first: Vec<usize>,
    values: usize,
    /// Number of data values: one less than `values` where the mask has a logit.
    real: usize,
    tempering: Tempering,
}

impl<'a> Predictor<'a> {
    /// Unguided mu_theta of a denoiser, with all of its mass, trained under the linear schedule.
    pub fn new(denoiser: &'a dyn TokenDenoiser, device: &'a Device) -> Self {
        Self {
            denoiser,
            device,
            class: Vec::new(),
            guidance: 1.0,
            tempering: Tempering::NONE,
            greedy_tail: false,
            training_schedule: MaskedSchedule::Linear,
            steps: 0,
            evaluations: Vec::new(),
            network_calls: 0,
        }
    }

    /// Samples of these classes, guided: p ∝ p_cond^w p_uncond^(1-w), normalised for each token. w = 1 is the
    /// conditional model, w = 0 the unconditional one.
    pub fn guided(self, class: Vec<u32>, guidance: f64) -> Self {
        Self { class, guidance, ..self }
    }

    /// Changes every distribution before a draw.
    pub fn tempered(self, tempering: Tempering) -> Self {
        Self { tempering, ..self }
    }

    /// With `greedy_tail`, the last step of a sampler with steps takes the most probable values in place of draws (Duo's
    /// greedy-tail sampler; MDLM's noise removal).
    pub fn with_greedy_tail(self, greedy_tail: bool) -> Self {
        Self { greedy_tail, ..self }
    }

    /// Called by a sampler before its last step.
    pub fn begin_last_step(&mut self) {
        if self.greedy_tail {
            self.tempering.temperature = 0.0;
        }
    }

    /// For a network that sees the time: it was trained under this schedule.
    pub fn trained_under(self, schedule: MaskedSchedule) -> Self {
        Self { training_schedule: schedule, ..self }
    }

    /// The time at which the network saw this share of masks in training: its time on any grid of a sampler.
    pub fn time_of_mask_probability(&self, masked: f64) -> f64 {
        time_of_mask_rate(&self.training_schedule, masked)
    }

    /// The network's time at the time t of a sampler's schedule: t itself where that is the schedule of training.
    pub fn time_under(&self, schedule: &MaskedSchedule, t: f64) -> f64 {
        match *schedule == self.training_schedule {
            true => t,
            false => self.time_of_mask_probability(schedule.mask_probability(t)),
        }
    }

    /// Class of each sequence; empty without classes.
    pub fn class(&self) -> &[u32] {
        &self.class
    }

    /// Number of data values V.
    pub fn values(&self) -> usize {
        self.denoiser.values()
    }

    /// The denoiser itself.
    pub fn denoiser(&self) -> &'a dyn TokenDenoiser {
        self.denoiser
    }

    /// The denoiser's distributions at some positions (in rising order) of each sequence, at one time per sequence. A
    /// sequence without such positions is not shown to the network, and without any the network is not called. Fails
    /// where the network answers with what is no number.
    pub fn predict(
        &mut self,
        state: &TokenState,
        queried: Vec<Vec<usize>>,
        times: impl Fn(usize) -> f64,
    ) -> Result<TokenPredictions> {
        self.predict_tokens(&state.z, state.length, queried, times, self.values())
    }

    /// The distributions for any tokens `z`, over the first `most` logits: V + 1 with the mask's, where the network has one.
    pub fn predict_tokens(
        &mut self,
        z: &[u32],
        length: usize,
        queried: Vec<Vec<usize>>,
        times: impl Fn(usize) -> f64,
        most: usize,
    ) -> Result<TokenPredictions> {
        self.steps += 1;
        self.evaluations.resize(queried.len(), 0);
        let first =
            queried.iter().scan(0, |sum, positions| Some(std::mem::replace(sum, *sum + positions.len()))).collect();
        let (mut log_mu, mut values) = (Vec::new(), self.values());
        let rows: Vec<usize> = (0..queried.len()).filter(|&row| !queried[row].is_empty()).collect();
        if !rows.is_empty() {
            let ids: Vec<u32> = rows.iter().flat_map(|&row| &z[row * length..(row + 1) * length]).copied().collect();
            let times: Vec<f64> = rows.iter().map(|&row| times(row)).collect();
            let input = Input::new(ids_tensor(&ids, length, self.device), &times);
            let class: Vec<u32> = rows.iter().filter_map(|&row| self.class.get(row)).copied().collect();
            let positions = QueryPositions(rows.iter().map(|&row| queried[row].clone()).collect());
            let mut cost = 0;
            let mut call = |input: &Input| {
                cost += 1;
                let all = self.denoiser.logits_at(input, &positions);
                let kept = all.dims()[1].min(most);
                log_softmax(all.narrow(1, 0, kept), 1)
            };
            // Without classes the network is told none; w = 0 or 1 needs one call.
            let mixed = match (class.is_empty(), self.guidance) {
                (true, _) | (false, 0.0) => call(&input),
                (false, 1.0) => call(&input.with_class(&class)),
                (false, w) => {
                    let without = call(&input.clone());
                    call(&input.with_class(&class)).mul_scalar(w) + without.mul_scalar(1.0 - w)
                }
            };
            values = mixed.dims()[1];
            log_mu = mixed.into_data().iter::<f32>().collect();
            if !log_mu.chunks(values).all(is_distribution) {
                return Err(not_finite(self.steps));
            }
            self.network_calls += cost;
            for &row in &rows {
                self.evaluations[row] += cost;
            }
        }
        let (queried, real) = (QueryPositions(queried), self.values());
        Ok(TokenPredictions { log_mu, queried, first, values, real, tempering: self.tempering })
    }

    /// The finished sequences.
    pub fn finish(mut self, state: TokenState) -> Samples {
        self.evaluations.resize(state.rows(), 0);
        let tokens = Tokens::new(state.z, state.length);
        Samples { tokens, classes: self.class, evaluations: self.evaluations, network_calls: self.network_calls }
    }
}

impl TokenPredictions {
    /// The probabilities with which one position is drawn, in double precision: tempered and cut. It must be among the
    /// positions predicted.
    pub fn probabilities(&self, row: usize, position: usize) -> Vec<f64> {
        self.tempering.probabilities(self.logits(row, position), self.real)
    }

    /// The denoiser's own probabilities of one position.
    pub fn untempered(&self, row: usize, position: usize) -> Vec<f64> {
        softmax(self.logits(row, position))
    }

    fn logits(&self, row: usize, position: usize) -> &[f32] {
        let place = self.queried.0[row].binary_search(&position).expect("the position was predicted");
        let at = (self.first[row] + place) * self.values;
        &self.log_mu[at..at + self.values]
    }
}
