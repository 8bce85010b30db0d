//! The last layer and the cross-entropy of masked tokens: logits are computed for these tokens alone.

use std::sync::Arc;

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::simd::{LANES, View, exp, largest, product, product_of, softmax, vectorised};
use super::targets::{Target, Targets};
use super::{Operation, apply, composed, contiguous, dims, numbers, runs_on, tensor};

/// Masked tokens whose logits are in the cache together.
const BLOCK: usize = 128;

/// ln of the sum of e^logit of a row.
pub fn log_sum_exp(row: &[f32]) -> f32 {
    let mut sum = 0.0;
    log_sum_of(row, &mut sum);
    sum
}

vectorised! {
    fn log_sum_of(row: &[f32], sum: &mut f32) {
        let top = largest(row);
        let mut lanes = [0.0f32; LANES];
        let chunks = row.chunks_exact(LANES);
        let mut total: f32 = chunks.remainder().iter().map(|&logit| exp(logit - top)).sum();
        for chunk in chunks {
            for lane in 0..LANES {
                lanes[lane] += exp(chunk[lane] - top);
            }
        }
        total += lanes.iter().sum::<f32>();
        *sum = top + total.ln();
    }
}

/// -log softmax(features W)\[x\] of masked tokens and 0 of the others, \[tokens\], nats. `features` is \[batch, positions, width\] and
/// `weight` is \[width, places * outputs\]; of the outputs of a place the first `values` are logits of data values.
pub fn masked_cross_entropy(features: Tensor<3>, weight: Tensor<2>, targets: Arc<Targets>, values: usize) -> Tensor<1> {
    if !runs_on(&features.device()) {
        return composed::masked_cross_entropy(features, weight, &targets, values);
    }
    apply(MaskedCrossEntropy { targets, values }, [features.into_dispatch(), weight.into_dispatch()])
}

/// features W for some tokens, \[tokens, outputs\]. On an autodiff device it is composed: no derivative is written for it.
pub fn logits(features: Tensor<3>, weight: Tensor<2>, targets: &Targets) -> Tensor<2> {
    let device = weight.device();
    if !runs_on(&device) || device.is_autodiff() {
        return composed::logits(features, weight, targets);
    }
    let plain = "a plain tensor of the CPU";
    let features = contiguous(features.try_into_primitive::<Flex>().expect(plain));
    let weight = contiguous(weight.try_into_primitive::<Flex>().expect(plain));
    let [width, across] = dims::<2>(&weight);
    let outputs = across / targets.places.len();
    let mut logits = vec![0.0; targets.tokens * outputs];
    for (place, targets) in targets.places.iter().enumerate().filter(|(_, targets)| !targets.is_empty()) {
        let gathered = gather(&features, targets);
        let columns = View { numbers: &numbers(&weight)[place * outputs..], rows: across, columns: 1 };
        let rows = product_of(View::new(&gathered, width), columns, [targets.len(), width, outputs]);
        for (row, target) in rows.chunks_exact(outputs).zip(targets) {
            logits[target.token * outputs..][..outputs].copy_from_slice(row);
        }
    }
    Tensor::from_primitive::<Flex>(tensor(logits, [targets.tokens, outputs]))
}

/// The features of some tokens, one after the other.
fn gather(features: &FlexTensor, targets: &[Target]) -> Vec<f32> {
    let [.., width] = dims::<3>(features);
    let features = numbers(features);
    let mut gathered = Vec::with_capacity(targets.len() * width);
    for target in targets {
        gathered.extend_from_slice(&features[target.row * width..][..width]);
    }
    gathered
}

#[derive(Clone, Debug)]
struct MaskedCrossEntropy {
    targets: Arc<Targets>,
    values: usize,
}

#[derive(Clone, Debug)]
struct Saved {
    features: FlexTensor,
    weight: FlexTensor,
    /// Probabilities of the masked tokens' values, place after place.
    probabilities: Arc<Vec<Vec<f32>>>,
}

impl MaskedCrossEntropy {
    /// The columns of a place's data values among the weights.
    fn columns<'a>(&self, weight: &'a FlexTensor, place: usize) -> (View<'a>, [usize; 2]) {
        let [width, across] = dims::<2>(weight);
        let first = place * (across / self.targets.places.len());
        (View { numbers: &numbers(weight)[first..], rows: across, columns: 1 }, [width, first])
    }
}

impl Operation<2> for MaskedCrossEntropy {
    type Saved = Saved;

    fn forward(&self, [features, weight]: [FlexTensor; 2], keep: bool) -> (FlexTensor, Option<Saved>) {
        let blocks = |(place, targets): (usize, &Vec<Target>)| {
            let count = targets.len().div_ceil(BLOCK);
            (0..count).map(move |block| (place, block)).collect::<Vec<_>>()
        };
        let work: Vec<(usize, usize)> = self.targets.places.iter().enumerate().flat_map(blocks).collect();
        let done: Vec<(Vec<f32>, Vec<f32>)> = work
            .par_iter()
            .map(|&(place, block)| {
                let targets = self.targets.places[place].chunks(BLOCK).nth(block).expect("a block of this place");
                let (columns, [width, _]) = self.columns(&weight, place);
                let gathered = gather(&features, targets);
                let shape = [targets.len(), width, self.values];
                let mut logits = product_of(View::new(&gathered, width), columns, shape);
                let mut costs = vec![0.0; targets.len()];
                softmax_rows(&mut logits, targets, &mut costs, self.values);
                (costs, if keep { logits } else { Vec::new() })
            })
            .collect();
        let mut cost = vec![0.0; self.targets.tokens];
        let mut probabilities = vec![Vec::new(); self.targets.places.len()];
        for ((place, block), (costs, part)) in work.into_iter().zip(done) {
            let targets = self.targets.places[place].chunks(BLOCK).nth(block).expect("a block of this place");
            targets.iter().zip(costs).for_each(|(target, found)| cost[target.token] = found);
            probabilities[place].extend(part);
        }
        let saved = keep.then(|| Saved { features, weight, probabilities: Arc::new(probabilities) });
        (tensor(cost, [self.targets.tokens]), saved)
    }

    fn backward(&self, saved: Saved, gradient: FlexTensor) -> [FlexTensor; 2] {
        let Saved { features, weight, probabilities } = saved;
        let ([batch, positions, width], [_, across]) = (dims::<3>(&features), dims::<2>(&weight));
        let gradient = numbers(&gradient);
        let mut of_features = vec![0.0; batch * positions * width];
        let mut of_weight = vec![0.0; width * across];
        let slopes = Arc::unwrap_or_clone(probabilities);
        for (place, (mut slopes, targets)) in slopes.into_iter().zip(&self.targets.places).enumerate() {
            logit_slopes(&mut slopes, targets, gradient, self.values);
            let (columns, [_, first]) = self.columns(&weight, place);
            let (slopes, count) = (View::new(&slopes, self.values), targets.len());
            let gathered = gather(&features, targets);
            let shape = [width, count, self.values];
            product(View::new(&gathered, width).transposed(), slopes, &mut of_weight[first..], across, shape);
            let shape = [count, self.values, width];
            let parts = product_of(slopes, columns.transposed(), shape);
            for (row, target) in parts.chunks_exact(width).zip(targets) {
                let sums = &mut of_features[target.row * width..][..width];
                sums.iter_mut().zip(row).for_each(|(sum, part)| *sum += part);
            }
        }
        [tensor(of_features, [batch, positions, width]), tensor(of_weight, [width, across])]
    }
}

vectorised! {
    /// Logits become probabilities; -log of those of the targets are their costs.
    fn softmax_rows(logits: &mut [f32], targets: &[Target], costs: &mut [f32], values: usize) {
        for ((row, target), cost) in logits.chunks_exact_mut(values).zip(targets).zip(costs) {
            let logit = row[target.value];
            *cost = softmax(row) - logit;
        }
    }

    /// Probabilities become the gradients of the logits: p less 1 at the target, times the gradient of the cost.
    fn logit_slopes(rows: &mut [f32], targets: &[Target], gradient: &[f32], values: usize) {
        for (row, target) in rows.chunks_exact_mut(values).zip(targets) {
            row[target.value] -= 1.0;
            let slope = gradient[target.token];
            for p in row {
                *p *= slope;
            }
        }
    }
}
