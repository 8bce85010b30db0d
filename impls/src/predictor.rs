//! mu_theta as the samplers of tokens use it: guided, tempered, asked about some positions, and counted.

use burn::tensor::Device;
use burn::tensor::activation::log_softmax;

use crate::data::Tokens;
use crate::error::{Result, not_finite};
use crate::key::{categorical_at, open_uniform};
use crate::network::{DrawLaw, Drawn, Input, QueryPositions, TokenDenoiser, ids_tensor, softmax};
use crate::sampler_state::{Samples, TokenState};
use crate::schedule::{LogSnr, MaskedSchedule};
use crate::tempering::{Tempering, is_distribution};

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

/// What the network is asked.
struct Question {
    /// The sequences that it sees.
    rows: Vec<usize>,
    /// Their tokens and times.
    input: Input,
    /// Their classes; empty without classes.
    class: Vec<u32>,
    /// The positions of each.
    positions: QueryPositions,
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

    /// Draws the values of some positions (in rising order) of each sequence, at one time per sequence, and writes them.
    pub fn reveal(
        &mut self,
        state: &mut TokenState,
        queried: Vec<Vec<usize>>,
        times: impl Fn(usize) -> f64,
    ) -> Result<()> {
        let rngs = &mut state.rngs;
        let uniforms: Vec<f64> = queried
            .iter()
            .zip(rngs)
            .flat_map(|(row, rng)| row.iter().map(|_| open_uniform(rng)).collect::<Vec<_>>())
            .collect();
        let drawn = self.draw(state, queried.clone(), times, &uniforms, false)?;
        for ((row, position), drawn) in QueryPositions(queried).iter().zip(drawn) {
            state.set(row, position, drawn.value);
        }
        Ok(())
    }

    /// Draws a value at some positions (in rising order) of each sequence, at one time per sequence: on the network's device, where the
    /// network can. `uniforms`: a number in (0, 1) per position, row after row; `with_log_mu`: see [`DrawLaw`].
    pub fn draw(
        &mut self,
        state: &TokenState,
        queried: Vec<Vec<usize>>,
        times: impl Fn(usize) -> f64,
        uniforms: &[f64],
        with_log_mu: bool,
    ) -> Result<Vec<Drawn>> {
        let question = self.question(&state.z, state.length, &queried, times);
        if let (Some(question), true) = (&question, self.class.is_empty() || [0.0, 1.0].contains(&self.guidance)) {
            let law = DrawLaw { tempering: self.tempering, uniforms, with_log_mu };
            let input = question.input.clone();
            let input = if question.class.is_empty() || self.guidance == 0.0 {
                input
            } else {
                input.with_class(&question.class)
            };
            if let Some(drawn) = self.denoiser.draws(&input, &question.positions, &law) {
                self.count(&queried, &question.rows, 1);
                return match drawn.iter().any(|drawn| drawn.log_mu.is_nan()) {
                    true => Err(not_finite(self.steps)),
                    false => Ok(drawn),
                };
            }
        }
        let positions = QueryPositions(queried.clone());
        let mu = self.answers(question, queried, self.values())?;
        let draw = |((row, position), &uniform): ((usize, usize), &f64)| {
            let value = categorical_at(uniform, &mu.probabilities(row, position));
            let log_mu = if with_log_mu { mu.untempered(row, position)[value].ln() } else { 0.0 };
            Drawn { value: value as u32, log_mu }
        };
        Ok(positions.iter().zip(uniforms).map(draw).collect())
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
        let question = self.question(z, length, &queried, times);
        self.answers(question, queried, most)
    }

    /// What the network is asked about some positions of each sequence: nothing where there are none.
    fn question(
        &self,
        z: &[u32],
        length: usize,
        queried: &[Vec<usize>],
        times: impl Fn(usize) -> f64,
    ) -> Option<Question> {
        let rows: Vec<usize> = (0..queried.len()).filter(|&row| !queried[row].is_empty()).collect();
        if rows.is_empty() {
            return None;
        }
        let ids: Vec<u32> = rows.iter().flat_map(|&row| &z[row * length..(row + 1) * length]).copied().collect();
        let times: Vec<f64> = rows.iter().map(|&row| times(row)).collect();
        let input = Input::new(ids_tensor(&ids, length, self.device), &times);
        let class = rows.iter().filter_map(|&row| self.class.get(row)).copied().collect();
        let positions = QueryPositions(rows.iter().map(|&row| queried[row].clone()).collect());
        Some(Question { rows, input, class, positions })
    }

    /// The distributions that the network answers with, over the first `most` logits.
    fn answers(
        &mut self,
        question: Option<Question>,
        queried: Vec<Vec<usize>>,
        most: usize,
    ) -> Result<TokenPredictions> {
        let first =
            queried.iter().scan(0, |sum, positions| Some(std::mem::replace(sum, *sum + positions.len()))).collect();
        let (mut log_mu, mut values) = (Vec::new(), self.values());
        let (mut cost, mut asked) = (0, Vec::new());
        if let Some(Question { rows, input, class, positions }) = question {
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
            asked = rows;
        }
        self.count(&queried, &asked, cost);
        if !log_mu.chunks(values).all(is_distribution) {
            return Err(not_finite(self.steps));
        }
        let (queried, real) = (QueryPositions(queried), self.values());
        Ok(TokenPredictions { log_mu, queried, first, values, real, tempering: self.tempering })
    }

    /// Counts a prediction for the sequences `asked`, which took each of them `cost` evaluations.
    fn count(&mut self, queried: &[Vec<usize>], asked: &[usize], cost: u64) {
        self.steps += 1;
        self.evaluations.resize(queried.len(), 0);
        self.network_calls += cost;
        for &row in asked {
            self.evaluations[row] += cost;
        }
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
