//! Block diffusion through the code of training, likelihood and sampling, against the exact numbers of toys.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use elbow_base::Silent;
use elbow_harness::likelihood::BoundEstimation;
use elbow_impls::any_order::{first_hitting, one_by_one};
use elbow_impls::block::{BlockDiffusion, MaskRates, block_after_block};
use elbow_impls::data::{InMemory, Tokens};
use elbow_impls::md4::Md4;
use elbow_impls::network::{Input, TokenDenoiser, ids_tensor};
use elbow_impls::sampler_state::Predictor;
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::weighting::Weighting;
use elbow_impls::{DiffusionModel, Key};
use elbow_theory::masked::block::{BlockEnumeration, block_cascade};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::fixture::Bench;

/// Sequences of the toy's data, in proportion; the estimate's error is that of the noise, not of the data.
const COPIES: f64 = 10_000.0;
/// Standard errors beyond which a bound is rejected: a right one once in 16,000 seeds.
const REJECT: f64 = 4.0;
const DRAWS: usize = 20_000;
/// Probability that a right sampler is rejected.
const ALARM: f64 = 1e-5;

fn objective(size: usize) -> BlockDiffusion {
    let process = Md4::new(MaskedSchedule::Linear, Weighting::Simple);
    BlockDiffusion { size, process, rates: MaskRates::Clipped([0.3, 0.8]) }
}

/// The exact bound, nats.
fn exact(bench: &Bench, size: usize) -> f64 {
    let blocks = BlockEnumeration::new(&bench.toy, size).expect("a divisor");
    let cascade = block_cascade(&blocks, &MaskedSchedule::Linear, 1, &Weighting::Elbo).expect("small");
    cascade.neg_elbo_continuous
}

#[test]
fn the_bound_of_a_data_set_is_the_exact_one() {
    let bench = Bench::new("four-bits");
    let copies = |(word, p): &(Vec<u8>, f64)| {
        let ids: Vec<u32> = word.iter().map(|&v| u32::from(v)).collect();
        ids.repeat((p * COPIES).round() as usize)
    };
    let tokens = Tokens::new(bench.toy.outcomes.iter().flat_map(copies).collect(), 4);
    let share = tokens.len() as f64 / COPIES;
    assert!((share - 1.0).abs() < 1e-9, "the data's probabilities are multiples of 1/{COPIES}: {share}");
    let data = InMemory::new("bits", 2, tokens);
    for size in [1, 2, 4] {
        let objective = objective(size);
        let model = DiffusionModel::Tokens(&objective, &bench.table);
        let found = BoundEstimation::new(model, &data, 4, 7).run(&bench.device, &Silent).expect("a bound");
        assert_eq!(found.estimator, "k-dce");
        // The data are the whole law: the error is that of the noise, within the copies of a sequence.
        let mut squares = 0.0;
        let mut rest = &found.per_sequence[..];
        for (_, p) in &bench.toy.outcomes {
            let (copies, others) = rest.split_at((p * COPIES).round() as usize);
            let mean = copies.iter().sum::<f64>() / copies.len() as f64;
            squares += copies.iter().map(|nats| (nats - mean).powi(2)).sum::<f64>();
            rest = others;
        }
        // Single precision where there is no noise.
        let error = squares.sqrt() / COPIES + 1e-6;
        let score = |exact: f64| (found.nats.value - exact).abs() / error;
        println!("blocks of {size}: {} +- {error:.1e} against {}", found.nats.value, exact(&bench, size));
        assert!(score(exact(&bench, size)) < REJECT, "blocks of {size}: {} +- {error:e}", found.nats.value);
        assert!((error < 2e-6) == (size == 1), "blocks of {size}: +- {error:e}");
        let other = exact(&bench, if size == 4 { 1 } else { 4 });
        assert!(score(other) > REJECT, "witness: the bound of other blocks, {other}, is accepted");
    }
}

/// A denoiser of whole sequences that is shown their beginnings: the rest is masked.
struct Beginnings<'a>(&'a Bench);

impl TokenDenoiser for Beginnings<'_> {
    fn values(&self) -> usize {
        self.0.toy.states
    }

    fn sees_time(&self) -> bool {
        false
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        let [rows, length] = input.z.dims();
        let missing = self.0.toy.length - length;
        let masks = vec![self.values() as u32; rows * missing];
        let rest = if missing == 0 { None } else { Some(ids_tensor(&masks, missing, &input.z.device())) };
        let z = Tensor::cat(std::iter::once(input.z.clone()).chain(rest).collect(), 1);
        self.0.table.logits(&Input { z, ..input.clone() }).narrow(1, 0, length)
    }
}

/// The law of sequences drawn block after block, within a block one token at a time in random order.
fn law(bench: &Bench, size: usize) -> BTreeMap<Vec<u32>, f64> {
    let (length, mask) = (bench.toy.length, bench.toy.states as u32);
    let probabilities = bench.all.probabilities();
    let mut law = BTreeMap::from([(vec![mask; length], 1.0)]);
    for step in 0..length {
        let first = step / size * size;
        let mut next = BTreeMap::new();
        for (z, p) in law {
            let open: Vec<usize> = (first..first + size).filter(|&n| z[n] == mask).collect();
            for &n in &open {
                let row = (bench.all.number(&z) * length + n) * bench.toy.states;
                for value in 0..bench.toy.states {
                    let mut drawn = z.clone();
                    drawn[n] = value as u32;
                    *next.entry(drawn).or_insert(0.0) += p * probabilities[row + value] / open.len() as f64;
                }
            }
        }
        law = next;
    }
    law
}

/// The p-value of sequences under a law.
fn p_value(tokens: &Tokens, law: &BTreeMap<Vec<u32>, f64>) -> f64 {
    let mut counts: BTreeMap<Vec<u32>, f64> = BTreeMap::new();
    tokens.rows().for_each(|row| *counts.entry(row.to_vec()).or_default() += 1.0);
    let n = tokens.len() as f64;
    let cell = |(word, p): (&Vec<u32>, &f64)| (counts.get(word).copied().unwrap_or(0.0) - n * p).powi(2) / (n * p);
    assert!(law.values().all(|p| p * n >= 5.0), "cells of five or more");
    let statistic: f64 = law.iter().map(cell).sum();
    1.0 - ChiSquared::new(law.len() as f64 - 1.0).expect("two cells").cdf(statistic)
}

#[test]
fn block_after_block_has_its_law() {
    let bench = Bench::new("four-bits");
    let (denoiser, device, key) = (Beginnings(&bench), Device::flex(), Key::new(11, "samples"));
    for size in [1, 2, 4] {
        for is_hitting in [false, true] {
            let samples = block_after_block([DRAWS, 4], size, 2, &[], &key, |state| {
                let predictor = Predictor::new(&denoiser, &device);
                if is_hitting { first_hitting(predictor, state) } else { one_by_one(predictor, state) }
            });
            let samples = samples.expect("samples");
            let p = p_value(&samples.tokens, &law(&bench, size));
            assert!(p > ALARM, "blocks of {size}: p = {p:e}");
            assert!(samples.evaluations.iter().all(|&n| n == 4), "one evaluation per token");
            let other = p_value(&samples.tokens, &law(&bench, if size == 4 { 1 } else { 4 }));
            assert!(other < ALARM, "witness: the law of other blocks is accepted, {size}: p = {other:e}");
        }
    }
    // Known tokens stay, and a length that is no whole number of blocks is cut.
    let known = [vec![Some(1), None, None, Some(0)]];
    let fill = |state| one_by_one(Predictor::new(&denoiser, &device), state);
    let infilled = block_after_block([50, 3], 2, 2, &known, &key, fill).expect("samples").tokens;
    assert!(infilled.length() == 3 && infilled.rows().all(|row| row[0] == 1));
}
