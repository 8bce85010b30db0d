//! The one-pass operations of the CPU against burn's elementary ones: values, and gradients of every input.

use burn::module::{Param, ParamId};
use burn::nn::{Linear, RmsNorm};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use rand_distr::{Distribution, StandardNormal};

use super::attention::{composed_attention, composed_norm};
use super::{MaskedTargets, activation, negative_log, to_f64_vec};
use crate::fused;
use crate::fused::rotary::Rotary;
use crate::key::Key;

/// Of the largest number of a tensor. Measured: 4.7e-7 (a gradient of attention).
const TOLERANCE: f64 = 3e-6;

/// The gradient of some leaf, once they are known.
type OfLeaf<'a> = &'a dyn Fn(&Gradients) -> Vec<f64>;

fn device() -> Device {
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
    let value: Vec<f64> = result.clone().into_data().iter::<f64>().collect();
    let direction = leaf::<D>("direction", result.dims()).detach();
    let gradients = (result * direction).sum().backward();
    std::iter::once(value).chain(leaves.iter().map(|leaf| leaf(&gradients))).collect()
}

/// The gradient of a leaf.
fn of<const D: usize>(leaf: &Tensor<D>) -> impl Fn(&Gradients) -> Vec<f64> {
    let leaf = leaf.clone();
    move |gradients| leaf.grad(gradients).expect("reached").into_data().iter::<f64>().collect()
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
    let qkv = leaf("qkv", [2, length, 3 * heads * 10]);
    let relative = leaf("relative", [heads, 2 * length - 1]);
    for rotary in [None, Some(Rotary::Interleaved), Some(Rotary::Halves)] {
        for causal in [false, true] {
            let name = format!("attention, {rotary:?}, causal {causal}");
            let both = [of(&qkv)];
            let leaves: [OfLeaf; 1] = [&both[0]];
            let run = |f: fn(Tensor<3>, usize, Option<Rotary>, Option<Tensor<2>>, bool) -> Tensor<3>,
                       relative: Option<Tensor<2>>| {
                measured(f(qkv.clone(), heads, rotary, relative, causal), &leaves)
            };
            let fused =
                |qkv, heads, rotary, relative, causal| fused::attention::attend(qkv, relative, heads, rotary, causal);
            agree(&name, &run(fused, None), &run(composed_attention, None));
            let (of_qkv, of_relative) = (of(&qkv), of(&relative));
            let leaves: [OfLeaf; 2] = [&of_qkv, &of_relative];
            let with = |f: fn(Tensor<3>, usize, Option<Rotary>, Option<Tensor<2>>, bool) -> Tensor<3>, causal| {
                measured(f(qkv.clone(), heads, rotary, Some(relative.clone()), causal), &leaves)
            };
            agree(&format!("{name}, relative"), &with(fused, causal), &with(composed_attention, causal));
            let witness = error(&with(fused, causal), &with(composed_attention, !causal));
            assert!(witness > 0.1, "a look into the future is seen: {witness}");
        }
    }
    let turned = relative.clone().flip([1]);
    let apart = |relative: &Tensor<2>| {
        vec![to_f64_vec(fused::attention::attend(qkv.clone(), Some(relative.clone()), heads, None, false))]
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
        let (of_qkv, of_relative) = (of(&turned), of(&relative));
        let leaves: [OfLeaf; 2] = [&of_qkv, &of_relative];
        let run = |f: fn(Tensor<3>, usize, Option<Rotary>, Option<Tensor<2>>, bool) -> Tensor<3>| {
            let qkv = turned.clone().swap_dims(1, 2);
            measured(f(qkv, heads, Some(Rotary::Halves), Some(relative.clone()), true), &leaves)
        };
        let fused =
            |qkv, heads, rotary, relative, causal| fused::attention::attend(qkv, relative, heads, rotary, causal);
        let (found, expected) = (run(fused), run(composed_attention));
        match length {
            // One token looks at itself: the score does not matter, and burn's gradient of it is rounding alone.
            1 => agree("attention of one", &found[..1], &expected[..1]),
            _ => {
                agree(&format!("attention of {length}"), &found, &expected);
                let future =
                    run(|qkv, heads, rotary, relative, _| composed_attention(qkv, heads, rotary, relative, false));
                assert!(error(&found, &future) > 0.1, "witness: a look into the future is seen");
            }
        }
    }
}

#[test]
fn averages_and_norms_of_weights() {
    // One of them lies in another order of memory.
    let average = leaf("average", [9, 9]).detach().inner().swap_dims(0, 1);
    let current = leaf("current", [9, 9]).detach().inner();
    let found = [to_f64_vec(fused::optimizer::blend(average.clone(), current.clone(), 0.9))];
    let expected =
        |average: &Tensor<2>, decay: f32| [to_f64_vec(average.clone() * decay + current.clone() * (1.0 - decay))];
    agree("average", &found, &expected(&average, 0.9));
    assert!(error(&found, &expected(&average, 0.89)) > 1e-3, "witness: another decay is seen");
    assert!(error(&found, &expected(&average.clone().swap_dims(0, 1), 0.9)) > 0.1, "witness: the order is seen");
    let squares = |skipped: usize| [vec![to_f64_vec(current.clone()).iter().skip(skipped).map(|x| x * x).sum::<f64>()]];
    let found = [vec![f64::from(fused::optimizer::squared_norm(current.clone()))]];
    agree("squared norm", &found, &squares(0));
    assert!(error(&found, &squares(1)) > 1e-3, "witness: one number less is seen");
}

#[test]
fn norms() {
    let (x, gamma) = (leaf("x", [3, 5, 37]), leaf("gamma", [37]));
    let norm = RmsNorm { gamma: Param::initialized(ParamId::new(), gamma.clone()), epsilon: 1e-5 };
    let (of_x, of_gamma) = (of(&x), of(&gamma));
    let leaves: [OfLeaf; 2] = [&of_x, &of_gamma];
    let fused = measured(fused::norm::rms_norm(x.clone(), gamma.clone(), 1e-5), &leaves);
    let other = RmsNorm { epsilon: 1e-3, ..norm.clone() };
    assert!(error(&fused, &measured(other.forward(x.clone()), &leaves)) > 1e-4, "witness: another epsilon is seen");
    agree("rms norm", &fused, &measured(norm.forward(x.clone()), &leaves));
    let (shift, scale) = (leaf("shift", [3, 1, 37]), leaf("scale", [3, 1, 37]));
    let (of_shift, of_scale) = (of(&shift), of(&scale));
    let leaves: [OfLeaf; 3] = [&of_x, &of_shift, &of_scale];
    let run = |f: fn(Tensor<3>, Tensor<3>, Tensor<3>, f64) -> Tensor<3>, epsilon| {
        measured(f(x.clone(), shift.clone(), scale.clone(), epsilon), &leaves)
    };
    agree("modulated norm", &run(fused::norm::modulated_norm, 1e-5), &run(composed_norm, 1e-5));
    let witness = error(&run(fused::norm::modulated_norm, 1e-5), &run(composed_norm, 1e-3));
    assert!(witness > 10.0 * TOLERANCE, "another epsilon is seen: {witness:e}");
}

#[test]
fn activations() {
    let (x, gate) = (leaf("x", [2, 7, 19]), leaf("gate", [2, 7, 19]));
    let (of_x, of_gate) = (of(&x), of(&gate));
    let one: [OfLeaf; 1] = [&of_x];
    let relu = measured(fused::activation::squared_relu(x.clone()), &one);
    let plain = measured(burn::tensor::activation::relu(x.clone()), &one);
    assert!(error(&relu, &plain) > 0.1, "witness: the square is seen");
    agree("squared relu", &relu, &measured(activation::composed_squared_relu(x.clone()), &one));
    let gelu = measured(fused::activation::gelu_tanh(x.clone()), &one);
    agree("gelu", &gelu, &measured(burn::tensor::activation::gelu_approximate(x.clone()), &one));
    let exact = measured(burn::tensor::activation::gelu(x.clone()), &one);
    assert!(error(&gelu, &exact) > 10.0 * TOLERANCE, "witness: the exact form is another");
    let two: [OfLeaf; 2] = [&of_x, &of_gate];
    for silu in [false, true] {
        let found = measured(fused::activation::gated(gate.clone(), x.clone(), silu), &two);
        agree("gate", &found, &measured(activation::composed_gated(gate.clone(), x.clone(), silu), &two));
        let other = measured(activation::composed_gated(gate.clone(), x.clone(), !silu), &two);
        assert!(error(&found, &other) > 0.1, "witness: the other gate is seen");
    }
}

#[test]
fn dense_layers() {
    let (x, weight, bias) = (leaf("x", [2, 9, 11]), leaf("weight", [11, 13]), leaf("bias", [13]));
    let layer = |bias: Option<&Tensor<1>>| Linear {
        weight: Param::initialized(ParamId::new(), weight.clone()),
        bias: bias.map(|bias| Param::initialized(ParamId::new(), bias.clone())),
    };
    let (of_x, of_weight, of_bias) = (of(&x), of(&weight), of(&bias));
    let two: [OfLeaf; 2] = [&of_x, &of_weight];
    let plain = measured(fused::dense::dense(x.clone(), weight.clone(), None), &two);
    agree("dense", &plain, &measured(layer(None).forward(x.clone()), &two));
    let three: [OfLeaf; 3] = [&of_x, &of_weight, &of_bias];
    let biased = measured(fused::dense::dense(x.clone(), weight.clone(), Some(bias.clone())), &three);
    let without = measured(fused::dense::dense(x.clone(), weight.clone(), None), &two);
    assert!(error(&biased[..1], &without[..1]) > 0.1, "witness: the bias is seen");
    agree("dense with bias", &biased, &measured(layer(Some(&bias)).forward(x.clone()), &three));
}

#[test]
fn costs_of_hidden_tokens() {
    let (values, outputs, length) = (5, 6, 8);
    let patches = super::Patches { image: [2, 4, 1], size: 2 };
    let draw = |name: &str, below: f64| {
        let mut rng = Key::new(3, name).rng();
        (0..2 * length).map(|_| (crate::key::open_uniform(&mut rng) * below) as u32).collect::<Vec<_>>()
    };
    let x = draw("x", values as f64);
    let masked: Vec<bool> = draw("masked", 2.0).into_iter().map(|draw| draw == 1).collect();
    let hidden = MaskedTargets { x: x.clone(), masked, length };
    let all = MaskedTargets::all(&x, length);
    for patches in [None, Some(&patches)] {
        let inside = patches.map_or(1, |patches| patches.tokens());
        let features = leaf("features", [2, length / inside, 10]);
        let weight = leaf("weight", [10, inside * outputs]);
        let (of_features, of_weight) = (of(&features), of(&weight));
        let leaves: [OfLeaf; 2] = [&of_features, &of_weight];
        let run = |hidden: &MaskedTargets| {
            let cost =
                fused::cross_entropy::hidden_cost(features.clone(), weight.clone(), hidden.targets(patches), values);
            measured(cost.reshape([2, length]), &leaves)
        };
        let composed = |hidden: &MaskedTargets| {
            let logits = features.clone().matmul(weight.clone().unsqueeze::<3>());
            let logits = patches.map_or(logits.clone(), |patches| patches.join(logits));
            measured(crate::mdlm::subs_parameterization(logits, values, hidden, negative_log), &leaves)
        };
        agree("hidden cost", &run(&hidden), &composed(&hidden));
        agree("cost of all", &run(&all), &composed(&all));
        assert!(error(&run(&hidden), &composed(&all)) > 0.1, "witness: what is visible costs nothing");
        let none = MaskedTargets { masked: vec![false; x.len()], ..all.clone() };
        assert!(run(&none).iter().flatten().all(|&number| number == 0.0), "nothing is hidden, and nothing costs");
    }
}

#[test]
fn logits_of_some_positions() {
    let wanted = super::QueryPositions(vec![vec![0, 5, 6, 63], vec![], vec![17]]);
    for (preset, overrides) in [("md4-digits", vec![]), ("md4-digits", vec!["patch_size=none".to_owned()])] {
        let settings = crate::train::Settings::resolve(preset, &overrides).expect("a valid preset");
        let data = crate::train::DataShape { values: 17, length: 64, classes: 0, image: Some([8, 8, 1]) };
        let shape = settings.network(&data).expect("a network");
        // A fresh network's last layer is zero: it is drawn here.
        let made = |device: &Device| {
            let super::NetworkShape::Transformer(shape) = shape else { panic!("a transformer") };
            super::Transformer::new(&shape, &Key::new(1, "weights"), device).with_random_head(&Key::new(2, "head"))
        };
        let ids: Vec<u32> = (0..3 * 64).map(|i| i * 7 % 18).collect();
        for device in [Device::flex(), device()] {
            let network = made(&device);
            let input = super::Input::new(super::ids_tensor(&ids, 64, &device), &[0.5; 3]);
            let all = to_f64_vec(network.logits(&input));
            let expected: Vec<f64> =
                wanted.iter().flat_map(|(row, n)| all[(row * 64 + n) * 17..][..17].to_vec()).collect();
            let found = to_f64_vec(network.logits_at(&input, &wanted));
            agree("logits", std::slice::from_ref(&found), &[expected]);
            let next: Vec<f64> =
                wanted.iter().flat_map(|(row, n)| all[(row * 64 + n + 1) % 192 * 17..][..17].to_vec()).collect();
            assert!(error(&[found], &[next]) > 0.1, "witness: its neighbour's logits are others");
        }
    }
}
