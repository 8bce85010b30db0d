//! Block diffusion: its two ends, both theorems for the sum over blocks, and the variance of its estimator.

use elbow_process::Weighting;
use elbow_process::schedule::MaskedSchedule;
use elbow_theory::gap::theorem1_residual;
use elbow_theory::masked::block::{BlockEnumeration, block_cascade, k_dce_law, noise_of_one_draw};
use elbow_theory::masked::estimators::SetSums;
use elbow_theory::masked::{Enumeration, neg_elbo_of_each};
use elbow_theory::{Alphabet, Cascade, Toy};

use crate::fixture::{fixture, golden, run, toy, worst};

/// Largest difference of two ways in double precision, nats. Measured: 2.2e-15.
const TOLERANCE: f64 = 1e-14;

const TOYS: [&str; 4] = ["example-a", "example-b", "three-tokens", "four-bits"];

fn load(name: &str) -> Toy {
    Toy::load(&fixture(&format!("toys/{name}.json")), Alphabet::Masked).expect("a valid toy")
}

fn blocks(name: &str, size: usize) -> BlockEnumeration {
    BlockEnumeration::new(&load(name), size).expect("a divisor")
}

fn cascade(name: &str, size: usize, steps: usize) -> Cascade {
    let weighting: Weighting = "sigmoid:1".parse().expect("known");
    block_cascade(&blocks(name, size), &MaskedSchedule::Cosine, steps, &weighting).expect("small")
}

fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// All numbers of a cascade that are in nats.
fn numbers(c: &Cascade) -> Vec<f64> {
    let single =
        [c.entropy, c.prior, c.neg_elbo_continuous, c.weighted_continuous, c.any_order_ar_nll.expect("masked")];
    [&single[..], &c.elbo, &c.gap, &c.factorization, &c.kl_step, &c.decoder, &c.data_model_kl].concat()
}

/// Another program's numbers by brute force over pairs of patterns (`fixtures/blocks`).
#[test]
fn cascades_and_variances_have_their_golden_values() {
    let golden = golden("blocks");
    let of = |size: usize| {
        let weighting = Weighting::Elbo;
        block_cascade(&blocks("four-bits", size), &MaskedSchedule::Linear, 3, &weighting).expect("small")
    };
    for size in [1, 2, 4] {
        let expected = &golden[size.to_string()];
        let error = |c: &Cascade| {
            let parts: [(&str, &[f64]); 4] = [
                ("elbo", &c.elbo),
                ("gap", &c.gap),
                ("factorization", &c.factorization),
                ("data_model_kl", &c.data_model_kl),
            ];
            parts.map(|(name, ours)| worst(name, ours, &expected[name])).into_iter().fold(0.0, f64::max)
        };
        println!("blocks of {size}: {:.1e}", error(&of(size)));
        assert!(error(&of(size)) < TOLERANCE, "blocks of {size}: {:e}", error(&of(size)));
        assert!(error(&of(if size == 2 { 1 } else { 2 })) > 1e-3, "witness: blocks of another size");
        for draw in expected["draws"].as_array().expect("draws") {
            let law: Vec<f64> = serde_json::from_value(draw["law"].clone()).expect("numbers");
            let found = noise_of_one_draw(&blocks("four-bits", size), &law);
            for (name, ours) in [("mean", found.mean), ("variance", found.variance)] {
                let exact = draw[name].as_f64().expect("a number");
                assert!((ours - exact).abs() < 10.0 * TOLERANCE, "{name}, blocks of {size}: {ours} for {exact}");
            }
        }
    }
}

#[test]
fn one_block_is_masked_diffusion() {
    for name in TOYS {
        let whole = load(name).length;
        let expected = numbers(&run(&toy(name), "cosine", 4, "sigmoid:1"));
        let found = difference(&numbers(&cascade(name, whole, 4)), &expected);
        println!("{name}: {found:.1e}");
        assert!(found < TOLERANCE, "{name}: {found:e}");
        assert!(difference(&numbers(&cascade(name, 1, 4)), &expected) > 1e-3, "witness: blocks of one token of {name}");
    }
}

/// E -log p(x) of the chain of the denoiser's conditionals, tokens in this order.
fn chain(toy: &Toy, order: &[usize]) -> f64 {
    let all = Enumeration::new(toy).expect("full support");
    let probabilities = all.probabilities();
    let mut total = 0.0;
    for (word, q) in &toy.outcomes {
        let mut z = vec![toy.states as u32; toy.length];
        for &n in order {
            let row = (all.number(&z) * toy.length + n) * toy.states;
            total -= q * probabilities[row + usize::from(word[n])].ln();
            z[n] = u32::from(word[n]);
        }
    }
    total
}

#[test]
fn blocks_of_one_token_are_left_to_right() {
    for name in TOYS {
        let toy = load(name);
        let forward: Vec<usize> = (0..toy.length).collect();
        let backward: Vec<usize> = forward.iter().rev().copied().collect();
        let c = cascade(name, 1, 3);
        let exact = chain(&toy, &forward);
        for found in [c.neg_elbo_continuous, c.any_order_ar_nll.expect("masked")] {
            assert!((found - exact).abs() < TOLERANCE, "{name}: {found} for {exact}");
        }
        let other = chain(&toy, &backward);
        // Of some toys both directions have one denoiser's chain by symmetry.
        assert!(name == "example-a" || (other - exact).abs() > 1e-4, "witness: from right to left, {name}: {other}");
    }
}

#[test]
fn both_theorems_hold_for_sums_over_blocks() {
    for name in TOYS {
        let toy = load(name);
        for size in (1..=toy.length).filter(|size| toy.length.is_multiple_of(*size)) {
            let c = cascade(name, size, 5);
            println!("{name}, blocks of {size}: {:.1e}, {:.1e}", c.theorem1_residual, c.theorem2_residual);
            assert!(c.theorem1_residual < TOLERANCE, "{name}, {size}: {:e}", c.theorem1_residual);
            assert!(c.theorem2_residual < 10.0 * TOLERANCE, "{name}, {size}: {:e}", c.theorem2_residual);
            assert!(c.elbo.iter().zip(&c.data_model_kl).all(|(elbo, kl)| -c.entropy - elbo >= kl - TOLERANCE));
            // The gaps of masked diffusion without blocks are others.
            let whole = run(&crate::fixture::toy(name), "cosine", 5, "sigmoid:1").gap;
            assert!(size == toy.length || theorem1_residual(&c.elbo, &whole) > 1e-3, "witness: {name}, {size}");
        }
    }
}

#[test]
fn the_variance_of_one_draw_is_that_of_the_noise() {
    for name in TOYS {
        let toy = load(name);
        let all = Enumeration::new(&toy).expect("full support");
        // One block: the variance over data and noise is that of the noise and that of the bounds of the sequences.
        let bounds = neg_elbo_of_each(&all, &MaskedSchedule::Linear, None);
        let mean: f64 = toy.outcomes.iter().zip(&bounds).map(|((_, q), bound)| q * bound).sum();
        let spread: f64 = toy.outcomes.iter().zip(&bounds).map(|((_, q), b)| q * (b - mean).powi(2)).sum();
        let noise = noise_of_one_draw(&blocks(name, toy.length), &k_dce_law(toy.length));
        let exact = SetSums::new(&all).k_dce();
        assert!((noise.mean - exact.mean).abs() < TOLERANCE, "{name}");
        let error = (noise.variance + spread - exact.variance).abs();
        assert!(error < 10.0 * TOLERANCE, "{name}: {error:e}");
        assert!((noise.variance - exact.variance).abs() > 1e-3, "witness: the data have a variance of their own");
        // Blocks of one token: no noise. Any law of the counts has the same mean.
        let one = blocks(name, 1);
        let none = noise_of_one_draw(&one, &k_dce_law(1));
        assert!(none.variance.abs() < TOLERANCE, "{name}: {:e}", none.variance);
        let half = noise_of_one_draw(&one, &[0.5, 0.5]);
        assert!((half.mean - none.mean).abs() < TOLERANCE && half.variance > 0.1, "{name}: {half:?}");
    }
}

#[test]
fn blocks_that_do_not_fill_the_sequence_are_refused() {
    for size in [0, 3, 5] {
        assert!(BlockEnumeration::new(&load("four-bits"), size).is_err(), "{size}");
    }
}
