//! The estimation on toys, against exact numbers through the code that evaluates networks.

mod choices;
mod exact;
mod law;
mod published;

use burn::tensor::{Device, Tensor, TensorData};
use elbow_base::{Estimate, Silent, student_interval};
use elbow_impls::Key;
use elbow_impls::autoregressive::Autoregressive;
use elbow_impls::data::Tokens;
use elbow_impls::key::open_uniform;
use elbow_impls::network::{Input, TableDenoiser, TokenDenoiser};
use elbow_impls::objective::{Batch, TokenObjective};
use elbow_impls::schedule::MaskedSchedule;
use elbow_theory::masked::{Enumeration, conditional_any_order_nll};
use elbow_theory::{Alphabet, Toy};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::design::Sweeps;
use super::*;
use crate::denoisers::table_denoiser;

/// Exact against exact through single precision; measured 1.2e-7 per nat.
pub(super) const SINGLE: f64 = 1e-6;

/// A toy of `length` bits with dependent, uneven data, and a denoiser that is not exact.
pub(super) fn toy(length: usize) -> (Toy, Enumeration, TableDenoiser) {
    let mut rng = Key::new(3, "toy").rng();
    let weights: Vec<f64> = (0..1 << length).map(|_| open_uniform(&mut rng).powi(4) + 1e-3).collect();
    let total: f64 = weights.iter().sum();
    let rounded: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
    let entry = |(word, p): (usize, &f64)| format!("\"{word:0length$b}\": {p:.17}");
    let data = rounded.iter().enumerate().map(entry).collect::<Vec<_>>().join(", ");
    let denoiser = r#"{"kind": "tempered", "temperature": 1.5, "floor": 0.02}"#;
    let text = format!(r#"{{"states": 2, "length": {length}, "data": {{{data}}}, "denoiser": {denoiser}}}"#);
    let toy = Toy::parse(&text, Alphabet::Masked).expect("a toy");
    let all = Enumeration::new(&toy).expect("small");
    let table = table_denoiser(&all, &Device::flex());
    (toy, all, table)
}

pub(super) fn ids(word: &[u8]) -> Vec<u32> {
    word.iter().map(|&digit| digit.into()).collect()
}

/// Each outcome as a question: the first `prompt` tokens, then the next `target`.
pub(super) fn questions(toy: &Toy, prompt: usize, target: usize) -> Vec<Question> {
    let ask =
        |(word, _): &(Vec<u8>, f64)| Question::new(ids(&word[..prompt]), vec![ids(&word[prompt..prompt + target])]);
    toy.outcomes.iter().map(ask).collect()
}

pub(super) fn run(estimation: &ConditionalEstimation, questions: &[Question]) -> Vec<Answer> {
    estimation.run(questions, &Device::flex(), &Silent).expect("an answer")
}

/// A denoiser of bits under which a hidden 0 costs 0.5 + 3 k/L nats, with k masks among the last L tokens, or the time for k/L.
pub(super) struct CostOfCount {
    pub length: usize,
    pub timed: bool,
}

impl TokenDenoiser for CostOfCount {
    fn values(&self) -> usize {
        2
    }

    fn sees_time(&self) -> bool {
        self.timed
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        let [batch, length] = input.z.dims();
        let z: Vec<i64> = input.z.to_data().iter::<i64>().collect();
        let times: Vec<f64> = input.time.to_data().iter::<f64>().collect();
        let row = |(row, z): (usize, &[i64])| {
            let k = z[length - self.length..].iter().filter(|id| **id == 2).count();
            let share = if self.timed { times[row] } else { k as f64 / self.length as f64 };
            let cost = 0.5 + 3.0 * share;
            [-cost as f32, (1.0 - (-cost).exp()).ln() as f32].repeat(length)
        };
        let logits: Vec<f32> = z.chunks(length).enumerate().flat_map(row).collect();
        Tensor::from_data(TensorData::new(logits, [batch, length, 2]), &input.z.device())
    }
}
