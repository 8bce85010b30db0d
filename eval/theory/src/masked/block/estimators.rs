//! Exact mean and variance of one draw of the bound of block diffusion, by the law of the number of masked tokens.

use super::enumeration::BlockEnumeration;
use crate::masked::Enumeration;
use crate::masked::estimators::Moments;

/// The law of k-DCE: k = 0..=K masked tokens of a block, uniform on 1..=K.
pub fn k_dce_law(size: usize) -> Vec<f64> {
    (0..=size).map(|k| if k == 0 { 0.0 } else { 1.0 / size as f64 }).collect()
}

/// Mean over the data, and variance over the noise alone (mean over the data), of one draw of the bound: in each block k
/// masked tokens with the probability P(k) of `law`, a uniformly random set of them, and the weight 1/(k P(k)) for the sum of
/// their costs. Every law that gives each k from 1 to K some probability has the same mean. Cost: O(K 2^K) per outcome of a
/// block.
///
/// Given the data the blocks' draws are independent, so that their variances add up [BD3LM, variance].
pub fn noise_of_one_draw(blocks: &BlockEnumeration, law: &[f64]) -> Moments {
    let moment = |which: fn(Moments) -> f64| blocks.sum(|block| over_outcomes(block, law, which));
    Moments { mean: moment(|noise| noise.mean), variance: moment(|noise| noise.variance) }
}

/// The mean over the outcomes of a block of a moment of one draw given the outcome.
fn over_outcomes(block: &Enumeration, law: &[f64], which: fn(Moments) -> f64) -> f64 {
    block.outcomes.iter().map(|&(x, q)| q * which(of_outcome(block, x, law))).sum()
}

/// Mean and variance of one draw of the outcome `x`.
fn of_outcome(block: &Enumeration, x: usize, law: &[f64]) -> Moments {
    let size = block.length();
    let (mut sets, mut loss, mut square) = (vec![0.0; size + 1], vec![0.0; size + 1], vec![0.0; size + 1]);
    for visible in 0..1u32 << size {
        let tokens = block.token_losses(x, visible);
        let (k, sum) = (tokens.len(), tokens.iter().sum::<f64>());
        sets[k] += 1.0;
        loss[k] += sum;
        square[k] += sum * sum;
    }
    let over_counts = |power: i32, sums: &[f64]| -> f64 {
        let drawn = (1..=size).filter(|&k| law[k] > 0.0);
        drawn.map(|k| law[k] * (k as f64 * law[k]).powi(-power) * sums[k] / sets[k]).sum()
    };
    let mean = over_counts(1, &loss);
    Moments { mean, variance: over_counts(2, &square) - mean * mean }
}
