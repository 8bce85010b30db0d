//! SUBS: how MDLM turns the output of a network into a denoiser of masked diffusion.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

use crate::network::{MaskedTargets, without_mask};

/// One cost per token under the SUBS parameterisation, \[batch, length\] [MDLM, SUBS].
///
/// - Zero masking probabilities: the logit of the mask, the last where there is one, is dropped before the softmax, so
///   that log mu_theta, \[batch, length, V\], is a distribution over the data values.
/// - Carry-over unmasking: a visible token is predicted with probability 1, so that it costs nothing.
///
/// `cost` gives the cost of a masked token from log mu_theta and x.
pub fn subs_parameterization(
    logits: Tensor<3>,
    values: usize,
    targets: &MaskedTargets,
    cost: impl FnOnce(Tensor<3>, &Tensor<2, Int>) -> Tensor<2>,
) -> Tensor<2> {
    let x = targets.ids(&logits.device());
    let log_mu = log_softmax(without_mask(logits, values), 2);
    targets.zero_visible(cost(log_mu, &x))
}
