//! The training loss and the NELBO of masked diffusion.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::data::Tokens;
use crate::key::{Key, open_uniform};
use crate::network::MaskedDenoiser;
use crate::schedule::MaskedSchedule;
use crate::weighting::Weighting;

/// The objective: a masking schedule and a weighting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Md4 {
    pub schedule: MaskedSchedule,
    pub weighting: Weighting,
}

/// A batch with the noise of the forward process.
pub struct Corrupted {
    /// z_t, \[batch, length\]; the mask has the id `values`.
    pub z: Tensor<2, Int>,
    /// True where z_t is the mask.
    pub masked: Tensor<2, Bool>,
    /// x, the clean tokens.
    pub x: Tensor<2, Int>,
}

/// The terms of the NELBO of each sequence, in nats. Their sum bounds -log p(x) from above in expectation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nelbo {
    /// E -log p(x | z_0): length * (1 - alpha(0)) * ln V, the same for every sequence.
    pub reconstruction: f64,
    /// KL(q(z_1|x) || p(z_1)): length * alpha(1) * ln V, the same for every sequence.
    pub prior: f64,
    /// One Monte-Carlo draw of the diffusion term for each sequence.
    pub diffusion: Vec<f64>,
}

impl Md4 {
    /// Masks each token of `x` independently with probability 1 - alpha(t), one time a sequence.
    pub fn corrupt(&self, x: &Tokens, times: &[f64], values: usize, key: &Key, device: &Device) -> Corrupted {
        let mut rng = key.rng();
        let shape = [x.len(), x.length()];
        let mut z = Vec::with_capacity(shape[0] * shape[1]);
        let mut masked = Vec::with_capacity(shape[0] * shape[1]);
        for (row, &t) in x.rows().zip(times) {
            let probability = self.schedule.mask_probability(t);
            for &token in row {
                let hide = open_uniform(&mut rng) < probability;
                masked.push(hide);
                z.push(if hide { values as i64 } else { token as i64 });
            }
        }
        Corrupted {
            z: Tensor::from_data(TensorData::new(z, shape), device),
            masked: Tensor::from_data(TensorData::new(masked, shape), device),
            x: x.to_tensor(device),
        }
    }

    /// The weighted training loss of each sequence in nats, \[batch\]:
    ///
    /// w~(t) * (-alpha'(t) / (1 - alpha(t))) * sum over masked n of -log mu_theta(z_t)\[n, x_n\]
    ///
    /// Its mean over t ~ U(0, 1) and z_t is the reweighted continuous-time loss (Shi and Titsias 2025); with
    /// the `elbo` weighting it is the diffusion term of the NELBO (MD4, equation 5). With any other weighting
    /// its value is not a bound on the likelihood.
    pub fn loss(
        &self,
        denoiser: &impl MaskedDenoiser,
        x: &Tokens,
        times: &[f64],
        key: &Key,
        device: &Device,
    ) -> Tensor<1> {
        let corrupted = self.corrupt(x, times, denoiser.values(), key, device);
        let weights: Vec<f32> = times.iter().map(|&t| self.weighting.ce_weight(&self.schedule, t) as f32).collect();
        let weights = Tensor::from_data(TensorData::new(weights, [times.len()]), device);
        masked_cross_entropy(denoiser, corrupted) * weights
    }

    /// One draw of the NELBO's terms: the same cross-entropies as in [`Md4::loss`], under the ELBO's own weight
    /// whatever weighting trains, and multiplied in double precision (1/t is large near t = 0).
    pub fn nelbo(
        &self,
        denoiser: &impl MaskedDenoiser,
        x: &Tokens,
        times: &[f64],
        key: &Key,
        device: &Device,
    ) -> Nelbo {
        let corrupted = self.corrupt(x, times, denoiser.values(), key, device);
        let cross_entropies = masked_cross_entropy(denoiser, corrupted).into_data();
        let diffusion = cross_entropies.iter::<f64>().zip(times).map(|(ce, &t)| ce * self.schedule.elbo_weight(t));
        let nats = x.length() as f64 * (denoiser.values() as f64).ln();
        Nelbo {
            reconstruction: nats * self.schedule.mask_probability(0.0),
            prior: nats * self.schedule.alpha(1.0),
            diffusion: diffusion.collect(),
        }
    }
}

/// Sum over the masked positions of -log mu_theta(z)\[n, x_n\], for each sequence: \[batch\].
fn masked_cross_entropy(denoiser: &impl MaskedDenoiser, corrupted: Corrupted) -> Tensor<1> {
    let log_mu = log_softmax(denoiser.logits(corrupted.z), 2);
    let cross_entropy: Tensor<2> = log_mu.gather(2, corrupted.x.unsqueeze_dim(2)).squeeze_dim::<2>(2).neg();
    // Filled and not multiplied by zero: a visible value may have mu = 0, and 0 * inf is NaN.
    cross_entropy.mask_fill(corrupted.masked.bool_not(), 0.0).sum_dim(1).squeeze_dim(1)
}
