//! Sequences under masks: the optimal denoiser counts the training sequences that agree with the visible tokens.

use burn::tensor::Device;
use elbow_impls::Key;
use elbow_impls::data::Tokens;
use elbow_impls::key::permutation;
use elbow_impls::network::{Denoiser, Input, ids_tensor, softmax};
use elbow_impls::train::Settings;
use elbow_theory::optimal_loss::TokenFloor;

use super::super::prelude::Error;
use super::{Draw, NoisedData};

/// A data set of tokens. A level is the number of hidden tokens, of which every set is as likely.
pub(super) struct Sequences {
    data: Tokens,
    values: usize,
    /// Every sequence's number.
    all: Vec<usize>,
    floor: TokenFloor,
    device: Device,
}

impl Sequences {
    pub fn new(data: Tokens, values: usize, device: &Device) -> Self {
        let all = (0..data.len()).collect();
        Self { floor: TokenFloor::new(data.clone()), data, values, all, device: device.clone() }
    }

    fn row(&self, sequence: usize) -> &[u32] {
        let length = self.data.length();
        &self.data.ids()[sequence * length..(sequence + 1) * length]
    }

    /// The hidden positions of one draw.
    fn mask(&self, level: f64, key: &Key) -> Vec<bool> {
        let length = self.data.length();
        let mut mask = vec![false; length];
        let hidden = (level as usize).clamp(1, length);
        permutation(&mut key.rng(), length)[..hidden].iter().for_each(|&n| mask[n] = true);
        mask
    }
}

impl NoisedData for Sequences {
    fn axes(&self) -> [&'static str; 2] {
        ["hidden tokens", "nats"]
    }

    fn optimum(&self, level: f64, (sequence, key): &Draw) -> f64 {
        self.floor.cost(*sequence, &self.all, &self.mask(level, key))
    }

    /// The sum of -log mu of the hidden tokens. A network that sees the time is told that of the mask rate under the
    /// linear schedule; the optimum needs none.
    fn costs(&self, model: Denoiser, _settings: &Settings, level: f64, draws: &[Draw]) -> Result<Vec<f64>, Error> {
        let length = self.data.length();
        let masks: Vec<Vec<bool>> = draws.iter().map(|(_, key)| self.mask(level, key)).collect();
        let mut ids = Vec::with_capacity(draws.len() * length);
        for ((sequence, _), mask) in draws.iter().zip(&masks) {
            let masked = self.row(*sequence).iter().zip(mask);
            ids.extend(masked.map(|(&id, &hidden)| if hidden { self.values as u32 } else { id }));
        }
        let times = vec![level / length as f64; draws.len()];
        let input = Input::new(ids_tensor(&ids, length, &self.device), &times);
        let logits: Vec<f32> = model.tokens()?.value_logits(&input).into_data().iter::<f32>().collect();
        let cost = |((draw, mask), logits): ((&Draw, &Vec<bool>), &[f32])| {
            let tokens = self.row(draw.0).iter().zip(mask).zip(logits.chunks(self.values));
            let hidden = tokens.filter(|((_, hidden), _)| **hidden);
            hidden.map(|((&id, _), logits)| -softmax(logits)[id as usize].ln()).sum()
        };
        Ok(draws.iter().zip(&masks).zip(logits.chunks(length * self.values)).map(cost).collect())
    }
}
