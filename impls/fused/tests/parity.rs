//! The one-pass operations of the CPU against the composed ones: values, and gradients of every input.

use std::sync::Arc;

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use elbow_base::key::{Key, open_uniform};
use elbow_fused::{Rotary, Target, Targets, Visibility, composed};
use rand_distr::{Distribution, StandardNormal};

/// Largest error relative to the largest number of a tensor. Measured: 4.7e-7 (a gradient of attention).
const TOLERANCE: f64 = 3e-6;

type SelfAttention = fn(Tensor<3>, usize, Option<Rotary>, Option<Tensor<2>>, Visibility) -> Tensor<3>;

/// The gradient of some leaf, once they are known.
type OfLeaf = Box<dyn Fn(&Gradients) -> Vec<f64>>;

fn device() -> Device {
    assert!(elbow_fused::runs_on(&Device::flex()), "this processor runs the one-pass operations");
    Device::flex().autodiff()
}

/// A leaf of normal numbers.
fn leaf<const D: usize>(name: &str, shape: [usize; D]) -> Tensor<D> {
    let mut rng = Key::new(7, name).rng();
    let numbers: Vec<f32> = (0..shape.iter().product()).map(|_| StandardNormal.sample(&mut rng)).collect();
    Tensor::from_data(TensorData::new(numbers, shape), &device()).require_grad()
}

/// A result, and the gradients of some leaves when a fixed random direction is its gradient.
fn measured<const D: usize>(result: Tensor<D>, leaves: &[OfLeaf]) -> Vec<Vec<f64>> {
    let value = numbers(result.clone());
    let direction = leaf::<D>("direction", result.dims()).detach();
    let gradients = (result * direction).sum().backward();
    std::iter::once(value).chain(leaves.iter().map(|leaf| leaf(&gradients))).collect()
}

/// The gradient of a leaf.
fn of<const D: usize>(leaf: &Tensor<D>) -> OfLeaf {
    let leaf = leaf.clone();
    Box::new(move |gradients| numbers(leaf.grad(gradients).expect("reached")))
}

/// The largest difference of each part, relative to the part's largest number.
fn error(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    let part = |(a, b): (&Vec<f64>, &Vec<f64>)| {
        assert_eq!(a.len(), b.len());
        let largest = b.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        a.iter().zip(b).map(|(a, b)| (a - b).abs() / largest).fold(0.0, |most: f64, x| if x > most { x } else { most })
    };
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(part).fold(0.0, f64::max)
}

fn agree(name: &str, a: &[Vec<f64>], b: &[Vec<f64>]) {
    let error = error(a, b);
    println!("{name}: {error:.1e}");
    assert!(error < TOLERANCE, "{name}: {error:e}");
}

#[test]
fn attention() {
    let (heads, length) = (3, 21);
    let (all, causal, blocks) = (Visibility::All, Visibility::Blocks(1), Visibility::Blocks(4));
    let qkv = leaf("qkv", [2, length, 3 * heads * 10]);
    let relative = leaf("relative", [heads, 2 * length - 1]);
    let leaves = [of(&qkv), of(&relative)];
    for rotary in [None, Some(Rotary::Interleaved), Some(Rotary::Halves)] {
        for [visible, other] in [[all, causal], [causal, all], [blocks, causal]] {
            let name = format!("attention, {rotary:?}, {visible:?}");
            let run = |f: SelfAttention, relative: Option<Tensor<2>>| {
                measured(f(qkv.clone(), heads, rotary, relative, visible), &[of(&qkv)])
            };
            let fused = elbow_fused::self_attention;
            agree(&name, &run(fused, None), &run(composed::self_attention, None));
            let with = |f: SelfAttention, visible| {
                measured(f(qkv.clone(), heads, rotary, Some(relative.clone()), visible), &leaves)
            };
            agree(&format!("{name}, relative"), &with(fused, visible), &with(composed::self_attention, visible));
            let witness = error(&with(fused, visible), &with(composed::self_attention, other));
            assert!(witness > 0.1, "{other:?} is seen to be another: {witness}");
        }
    }
    let turned = relative.clone().flip([1]);
    let apart = |relative: &Tensor<2>| {
        vec![numbers(elbow_fused::self_attention(qkv.clone(), heads, None, Some(relative.clone()), all))]
    };
    assert!(error(&apart(&relative), &apart(&turned)) > 0.1, "witness: the direction of relative positions is seen");
}

/// Vectors hold sixteen numbers: rows of one, of whole vectors, of less and more; and a tensor whose numbers lie in another order.
#[test]
fn attention_of_any_length_and_order_of_memory() {
    let heads = 2;
    for length in [1, 2, 16, 32, 33] {
        let turned = leaf("qkv", [2, 3 * heads * 8, length]);
        let relative = leaf("relative", [heads, 2 * length - 1]);
        let leaves = [of(&turned), of(&relative)];
        let run = |f: SelfAttention| {
            let qkv = turned.clone().swap_dims(1, 2);
            measured(f(qkv, heads, Some(Rotary::Halves), Some(relative.clone()), Visibility::Blocks(1)), &leaves)
        };
        let fused = elbow_fused::self_attention;
        let (found, expected) = (run(fused), run(composed::self_attention));
        match length {
            // One token looks at itself: the score does not matter, and burn's gradient of it is rounding alone.
            1 => agree("attention of one", &found[..1], &expected[..1]),
            _ => {
                agree(&format!("attention of {length}"), &found, &expected);
                let future = run(|qkv, heads, rotary, relative, _| {
                    composed::self_attention(qkv, heads, rotary, relative, Visibility::All)
                });
                assert!(error(&found, &future) > 0.1, "witness: a look into the future is seen");
            }
        }
    }
}

/// A pass over the noisy and the clean sequence, against the composed one and against one block at a time.
#[test]
fn attention_of_a_noisy_sequence_beside_the_clean_one() {
    let (heads, length) = (2, 21);
    let qkv = leaf("qkv", [2, 2 * length, 3 * heads * 10]);
    let relative = leaf("relative", [heads, 2 * length - 1]);
    let leaves = [of(&qkv), of(&relative)];
    for size in [1, 4, length] {
        let run = |f: SelfAttention, size| {
            let visible = Visibility::NoisyAndClean(size);
            measured(f(qkv.clone(), heads, Some(Rotary::Interleaved), Some(relative.clone()), visible), &leaves)
        };
        let found = run(elbow_fused::self_attention, size);
        agree(&format!("noisy and clean, blocks of {size}"), &found, &run(composed::self_attention, size));
        let other = error(&found, &run(composed::self_attention, size + 2));
        assert!(size == length || other > 0.1, "witness: the size of a block is seen");
        for (first, end) in (0..length).step_by(size).map(|first| (first, (first + size).min(length))) {
            let part = |from: usize, count: usize| qkv.clone().narrow(1, from, count);
            let block_alone = |clean: Option<Tensor<3>>| {
                let input = Tensor::cat(clean.into_iter().chain([part(first, end - first)]).collect(), 1);
                let relative = relative.clone().narrow(1, length - end, 2 * end - 1);
                let visible = Visibility::Blocks(size);
                let mixed =
                    elbow_fused::self_attention(input, heads, Some(Rotary::Interleaved), Some(relative), visible);
                vec![numbers(mixed.narrow(1, first, end - first))]
            };
            let both = Visibility::NoisyAndClean(size);
            let mixed = elbow_fused::self_attention(
                qkv.clone(),
                heads,
                Some(Rotary::Interleaved),
                Some(relative.clone()),
                both,
            );
            let at_once = vec![numbers(mixed.narrow(1, first, end - first))];
            if first == 0 {
                agree(&format!("the first of blocks of {size}"), &at_once, &block_alone(None));
            } else {
                agree(&format!("block at {first} of {size}"), &at_once, &block_alone(Some(part(length, first))));
                let noisy = error(&at_once, &block_alone(Some(part(0, first))));
                assert!(noisy > 0.1, "witness: a block that sees noisy blocks before it: {noisy}");
            }
        }
    }
}

#[test]
fn averages_and_norms_of_weights() {
    // One of them lies in another order of memory.
    let average = leaf("average", [9, 9]).detach().inner().swap_dims(0, 1);
    let current = leaf("current", [9, 9]).detach().inner();
    let found = [numbers(elbow_fused::blend(average.clone(), current.clone(), 0.9))];
    let expected =
        |average: &Tensor<2>, decay: f32| [numbers(average.clone() * decay + current.clone() * (1.0 - decay))];
    agree("average", &found, &expected(&average, 0.9));
    assert!(error(&found, &expected(&average, 0.89)) > 1e-3, "witness: another decay is seen");
    assert!(error(&found, &expected(&average.clone().swap_dims(0, 1), 0.9)) > 0.1, "witness: the order is seen");
    let squares = |skipped: usize| [vec![numbers(current.clone()).iter().skip(skipped).map(|x| x * x).sum::<f64>()]];
    let found = [vec![f64::from(elbow_fused::squared_norm(current.clone()))]];
    agree("squared norm", &found, &squares(0));
    assert!(error(&found, &squares(1)) > 1e-3, "witness: one number less is seen");
}

fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().iter::<f64>().collect()
}

#[test]
fn norms() {
    let (x, gamma) = (leaf("x", [3, 5, 37]), leaf("gamma", [37]));
    let leaves = [of(&x), of(&gamma)];
    let fused = measured(elbow_fused::rms_norm(x.clone(), gamma.clone(), 1e-5), &leaves);
    let composed = |epsilon| measured(composed::rms_norm(x.clone(), gamma.clone(), epsilon), &leaves);
    assert!(error(&fused, &composed(1e-3)) > 1e-4, "witness: another epsilon is seen");
    agree("rms norm", &fused, &composed(1e-5));
    let (shift, scale) = (leaf("shift", [3, 1, 37]), leaf("scale", [3, 1, 37]));
    let leaves = [of(&x), of(&shift), of(&scale)];
    let run = |f: fn(Tensor<3>, Tensor<3>, Tensor<3>, f64) -> Tensor<3>, epsilon| {
        measured(f(x.clone(), shift.clone(), scale.clone(), epsilon), &leaves)
    };
    agree("modulated norm", &run(elbow_fused::modulated_norm, 1e-5), &run(composed::modulated_norm, 1e-5));
    let witness = error(&run(elbow_fused::modulated_norm, 1e-5), &run(composed::modulated_norm, 1e-3));
    assert!(witness > 10.0 * TOLERANCE, "another epsilon is seen: {witness:e}");
}

#[test]
fn activations() {
    let (x, gate) = (leaf("x", [2, 7, 19]), leaf("gate", [2, 7, 19]));
    let (one, two) = ([of(&x)], [of(&x), of(&gate)]);
    let relu = measured(elbow_fused::squared_relu(x.clone()), &one);
    let plain = measured(burn::tensor::activation::relu(x.clone()), &one);
    assert!(error(&relu, &plain) > 0.1, "witness: the square is seen");
    agree("squared relu", &relu, &measured(composed::squared_relu(x.clone()), &one));
    let gelu = measured(elbow_fused::gelu_tanh(x.clone()), &one);
    agree("gelu", &gelu, &measured(burn::tensor::activation::gelu_approximate(x.clone()), &one));
    let exact = measured(burn::tensor::activation::gelu(x.clone()), &one);
    assert!(error(&gelu, &exact) > 10.0 * TOLERANCE, "witness: the exact form is another");
    for silu in [false, true] {
        let found = measured(elbow_fused::gated(gate.clone(), x.clone(), silu), &two);
        agree("gate", &found, &measured(composed::gated(gate.clone(), x.clone(), silu), &two));
        let other = measured(composed::gated(gate.clone(), x.clone(), !silu), &two);
        assert!(error(&found, &other) > 0.1, "witness: the other gate is seen");
    }
}

#[test]
fn dense_layers() {
    let (x, weight, bias) = (leaf("x", [2, 9, 11]), leaf("weight", [11, 13]), leaf("bias", [13]));
    let composed = |bias: Option<&Tensor<1>>| composed::dense(x.clone(), weight.clone(), bias.cloned());
    let (two, three) = ([of(&x), of(&weight)], [of(&x), of(&weight), of(&bias)]);
    let plain = measured(elbow_fused::dense(x.clone(), weight.clone(), None), &two);
    agree("dense", &plain, &measured(composed(None), &two));
    let biased = measured(elbow_fused::dense(x.clone(), weight.clone(), Some(bias.clone())), &three);
    let without = measured(elbow_fused::dense(x.clone(), weight.clone(), None), &two);
    assert!(error(&biased[..1], &without[..1]) > 0.1, "witness: the bias is seen");
    agree("dense with bias", &biased, &measured(composed(Some(&bias)), &three));
}

/// Some tokens of two sequences of eight, by their place within positions of `inside` tokens each.
fn targets(is_masked: impl Fn(usize) -> bool, inside: usize, values: usize) -> Arc<Targets> {
    let mut rng = Key::new(3, "x").rng();
    let mut targets = Targets { places: vec![Vec::new(); inside], tokens: 16 };
    for token in 0..16 {
        let value = (open_uniform(&mut rng) * values as f64) as usize;
        if is_masked(token) {
            targets.places[token % inside].push(Target { row: token / inside, token, value });
        }
    }
    Arc::new(targets)
}

#[test]
fn costs_of_masked_tokens() {
    let (values, outputs) = (5, 6);
    for inside in [1, 4] {
        let features = leaf("features", [2, 8 / inside, 10]);
        let weight = leaf("weight", [10, inside * outputs]);
        let leaves = [of(&features), of(&weight)];
        let run = |targets: &Arc<Targets>| {
            let costs =
                elbow_fused::masked_cross_entropy(features.clone(), weight.clone(), Arc::clone(targets), values);
            measured(costs, &leaves)
        };
        let composed = |targets: &Arc<Targets>| {
            measured(composed::masked_cross_entropy(features.clone(), weight.clone(), targets, values), &leaves)
        };
        let some = targets(|token| token * 7 % 5 < 2, inside, values);
        let all = targets(|_| true, inside, values);
        agree("cost of some", &run(&some), &composed(&some));
        agree("cost of all", &run(&all), &composed(&all));
        assert!(error(&run(&some), &composed(&all)) > 0.1, "witness: what is visible costs nothing");
        let none = targets(|_| false, inside, values);
        assert!(run(&none).iter().flatten().all(|&number| number == 0.0), "nothing is masked, and nothing costs");
    }
}

/// A cost is the negative log-softmax of burn's own logits, row by row: the composed operation is checked too.
#[test]
fn a_composed_cost_is_the_log_softmax_of_the_whole_layer() {
    let (values, outputs) = (5, 6);
    let (features, weight) = (leaf("features", [2, 8, 10]), leaf("weight", [10, outputs]));
    let all = targets(|_| true, 1, values);
    let whole = features.clone().matmul(weight.clone().unsqueeze::<3>()).reshape([16, outputs]).narrow(1, 0, values);
    let log_mu = numbers(burn::tensor::activation::log_softmax(whole, 1));
    let cost = |target: &Target, shift: usize| -log_mu[target.row * values + (target.value + shift) % values];
    let expected = |shift| vec![all.places[0].iter().map(|target| cost(target, shift)).collect::<Vec<f64>>()];
    let found = vec![numbers(composed::masked_cross_entropy(features, weight, &all, values))];
    agree("composed cost", &found, &expected(0));
    assert!(error(&found, &expected(1)) > 0.1, "witness: another value costs something else");
}

#[test]
fn logits_of_some_tokens() {
    for inside in [1, 4] {
        let features = leaf("features", [2, 8 / inside, 10]).detach().inner();
        let weight = leaf("weight", [10, inside * 6]).detach().inner();
        let mut some = Targets { places: vec![Vec::new(); inside], tokens: 3 };
        for (row, token) in [9, 0, 6].into_iter().enumerate() {
            some.places[token % inside].push(Target { row: token / inside, token: row, value: 0 });
        }
        let found = [numbers(elbow_fused::logits(features.clone(), weight.clone(), &some))];
        agree("logits", &found, &[numbers(composed::logits(features.clone(), weight.clone(), &some))]);
        let other = [numbers(composed::logits(features.flip([0]), weight, &some))];
        assert!(error(&found, &other) > 0.1, "witness: another sequence has other logits");
    }
}
