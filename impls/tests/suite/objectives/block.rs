//! Block diffusion: its two ends, its two ways, and its bound by enumeration.

use burn::tensor::Device;
use elbow_impls::Key;
use elbow_impls::any_order::{K_DCE, k_dce_draws};
use elbow_impls::autoregressive::Autoregressive;
use elbow_impls::block::{BlockDce, BlockDiffusion, MaskRates, one_block_at_a_time};
use elbow_impls::corruption::{Corruption, MaskedBatch};
use elbow_impls::data::Tokens;
use elbow_impls::md4::Md4;
use elbow_impls::network::{Model, TableDenoiser, Transformer, TransformerShape, to_f64_vec};
use elbow_impls::objective::{Batch, BoundTerms, TokenObjective};
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::weighting::Weighting;

use super::error;
use crate::networks::md4_shape;
use crate::{fixture, golden};

/// Largest error relative to max(1, |number|) of two ways in single precision. Measured: 2.4e-7.
const TOLERANCE: f64 = 2e-6;

/// Values and tokens of the toy.
const VALUES: usize = 2;
const LENGTH: usize = 4;

/// Any denoiser of the toy: positive probabilities without a pattern.
fn toy() -> TableDenoiser {
    let row = |pattern: usize| {
        let pair = move |n: usize| {
            let p = 0.15 + 0.7 * ((pattern * 37 + n * 101) % 97) as f64 / 97.0;
            [p, 1.0 - p]
        };
        (0..LENGTH).flat_map(pair).collect()
    };
    let rows: Vec<Vec<f64>> = (0..(VALUES + 1).pow(LENGTH as u32)).map(row).collect();
    TableDenoiser::new(VALUES, LENGTH, &rows, &Device::flex())
}

/// All sequences of the toy.
fn all_sequences() -> Batch {
    let ids = (0..1u32 << LENGTH).flat_map(|number| (0..LENGTH).map(move |n| number >> n & 1)).collect();
    Batch::new(Tokens::new(ids, LENGTH), vec![0.5; 1 << LENGTH])
}

fn objective(size: usize, rates: MaskRates) -> BlockDiffusion {
    BlockDiffusion { size, process: Md4::new(MaskedSchedule::Linear, Weighting::Elbo), rates }
}

/// A network with weights that mean nothing, of blocks of this size.
fn network(block: Option<usize>) -> Model {
    let golden = golden("networks/md4-transformer-plain.json");
    let shape = TransformerShape { block, ..md4_shape(&golden) };
    let path = fixture("networks/md4-transformer-plain.safetensors");
    Model::from(Transformer::import(&shape, &path, &Device::flex()).expect("every tensor has its place"))
}

/// Sequences of the network's values.
fn letters() -> Batch {
    let ids = (0..6 * 12).map(|i| (i * i + 3 * i) % 7).collect();
    Batch::new(Tokens::new(ids, 12), vec![0.1, 0.9, 0.35, 0.6, 0.75, 0.5])
}

fn diffusion(terms: &[BoundTerms]) -> Vec<f64> {
    terms.iter().map(|terms| terms.diffusion).collect()
}

#[test]
fn one_pass_costs_what_one_block_at_a_time_costs() {
    let (key, device) = (Key::new(3, "masks"), Device::flex());
    for size in [1, 3, 4, 12] {
        let model = network(Some(size));
        let denoiser = model.tokens().expect("it reads tokens");
        let z = objective(size, MaskRates::Schedule).corrupt(denoiser, &letters(), &key, &device).expect("z").z;
        let at_once = denoiser.block_costs(&z.input, &z.targets, size).expect("blocks of this size");
        let apart = |size: usize| to_f64_vec(one_block_at_a_time(denoiser, &z, size));
        let worst = error(&to_f64_vec(at_once.clone()), &apart(size));
        println!("blocks of {size}: {worst:.1e}");
        assert!(worst < TOLERANCE, "blocks of {size}: {worst:e}");
        assert!(denoiser.block_costs(&z.input, &z.targets, size + 1).is_none(), "made for {size}");
        if size < 12 {
            // The network's blocks are of `size`, and the sequence is shown to it in others.
            let witness = error(&to_f64_vec(at_once), &apart(12));
            assert!(witness > 100.0 * TOLERANCE, "witness: noisy blocks that see noisy ones: {witness:e}");
        }
    }
}

#[test]
fn one_block_is_md4() {
    let (key, device, batch) = (Key::new(5, "masks"), Device::flex(), letters());
    let md4 = Md4::new(MaskedSchedule::Cosine, Weighting::Sigmoid(-1.0));
    let full = network(None);
    let full = full.tokens().expect("it reads tokens");
    let u: Vec<Vec<f64>> = vec![batch.u.clone(), batch.u.iter().map(|u| 1.0 - u).collect()];
    let found = |size: usize| {
        let model = network(Some(size));
        let denoiser = model.tokens().expect("it reads tokens");
        let objective = BlockDiffusion { size, process: md4.clone(), rates: MaskRates::Schedule };
        let loss = to_f64_vec(objective.loss(denoiser, &batch, &key, &device).expect("a loss"));
        let bound = diffusion(&objective.nelbo(denoiser, &batch, &key, &device).expect("a bound"));
        let dce = BlockDce { size };
        let draws = dce.draws(denoiser.values(), batch.clone(), u.clone(), &key, &device).expect("whole blocks");
        let k_dce: Vec<f64> =
            draws.flat_map(|z| diffusion(&dce.nelbo_of(denoiser, &z.expect("data values")))).collect();
        [loss, bound, k_dce]
    };
    let loss = to_f64_vec(md4.loss(full, &batch, &key, &device).expect("a loss"));
    let bound = diffusion(&md4.nelbo(full, &batch, &key, &device).expect("a bound"));
    let draws = k_dce_draws(full.values(), batch.clone(), u.clone(), &key, &device);
    let k_dce: Vec<f64> =
        draws.flat_map(|z| diffusion(&K_DCE.nelbo_of(full, &z.expect("data values")).expect("a bound"))).collect();
    for (name, (found, other), expected) in [
        ("loss", (&found(12)[0], &found(4)[0]), loss),
        ("bound", (&found(12)[1], &found(4)[1]), bound),
        ("k-DCE", (&found(12)[2], &found(4)[2]), k_dce),
    ] {
        let worst = error(found, &expected);
        println!("{name}: {worst:.1e}");
        assert!(worst < TOLERANCE, "{name}: {worst:e}");
        assert!(error(other, &expected) > 100.0 * TOLERANCE, "witness: three blocks are not MD4: {name}");
    }
}

#[test]
fn blocks_of_one_are_left_to_right() {
    let (table, device, batch) = (toy(), Device::flex(), all_sequences());
    // The same conditionals for a causal network: its input is shifted behind the mark V, and row n of its answer is the
    // masked table's for the tokens before n.
    let causal = {
        let pattern = |number: usize| -> Vec<u32> {
            (0..LENGTH).rev().map(|n| (number / 3usize.pow(n as u32) % 3) as u32).collect()
        };
        let answers = |number: usize| -> Vec<f64> {
            let shifted = pattern(number);
            let given = |n: usize| -> Vec<u32> {
                let known = shifted[1..=n].iter().copied();
                known.chain(std::iter::repeat_n(VALUES as u32, LENGTH - n)).collect()
            };
            (0..LENGTH).flat_map(|n| probabilities(&table, &given(n))[n * VALUES..][..VALUES].to_vec()).collect()
        };
        let rows: Vec<Vec<f64>> = (0..3usize.pow(LENGTH as u32)).map(answers).collect();
        TableDenoiser::new(VALUES, LENGTH, &rows, &device)
    };
    let key = Key::new(1, "masks");
    let exact = diffusion(&Autoregressive.nelbo(&causal, &batch, &key, &device).expect("a likelihood"));
    let by_k_dce = |size: usize| {
        let dce = BlockDce { size };
        let mut draws = dce.draws(VALUES, batch.clone(), vec![batch.u.clone()], &key, &device).expect("whole blocks");
        diffusion(&dce.nelbo_of(&table, &draws.next().expect("one draw").expect("data values")))
    };
    let worst = error(&by_k_dce(1), &exact);
    println!("blocks of one: {worst:.1e}");
    assert!(worst < TOLERANCE, "{worst:e}");
    assert!(error(&by_k_dce(2), &exact) > 0.01, "witness: blocks of two are another model");
    // The loss at t = 1, where every token is masked and the weight is 1.
    let all = MaskedBatch::new(&batch, &vec![0.0; batch.len()], VALUES, vec![true; batch.len() * LENGTH], &device);
    let z = MaskedBatch { times: vec![1.0; batch.len() * LENGTH], ..all.expect("data values") };
    let objective = objective(1, MaskRates::Schedule);
    let loss = to_f64_vec(objective.loss_of(&table, &z.into()).expect("a loss"));
    assert!(error(&loss, &exact) < TOLERANCE, "{:e}", error(&loss, &exact));
}

/// mu of all positions of a pattern.
fn probabilities(table: &TableDenoiser, pattern: &[u32]) -> Vec<f64> {
    use elbow_impls::network::{Input, TokenDenoiser, ids_tensor};
    let input = Input::new(ids_tensor(pattern, LENGTH, &Device::flex()), &[0.0]);
    to_f64_vec(table.logits(&input).exp())
}

/// All orders of `0..n`.
fn orders(n: usize) -> Vec<Vec<usize>> {
    match n {
        0 => vec![Vec::new()],
        _ => {
            let with = |shorter: Vec<usize>| {
                (0..n).map(move |at| {
                    let mut order = shorter.clone();
                    order.insert(at, n - 1);
                    order
                })
            };
            orders(n - 1).into_iter().flat_map(with).collect()
        }
    }
}

/// The bound of a sequence by its definition: for each block the mean over all orders of its tokens of the chain of their
/// -log mu, given the blocks before.
fn bound_by_orders(table: &TableDenoiser, x: &[u32], size: usize) -> f64 {
    let all = orders(size);
    let mut total = 0.0;
    for first in (0..LENGTH).step_by(size) {
        for order in &all {
            let mut z: Vec<u32> = (0..LENGTH).map(|n| if n < first { x[n] } else { VALUES as u32 }).collect();
            for n in order.iter().map(|n| first + n) {
                total -= probabilities(table, &z)[n * VALUES + x[n] as usize].ln() / all.len() as f64;
                z[n] = x[n];
            }
        }
    }
    total
}

/// Nodes and weights of Gauss and Legendre's rule on an interval, exact to degree 5.
fn nodes([low, high]: [f64; 2]) -> [(f64, f64); 3] {
    let node = |at: f64, weight: f64| ((low + high) / 2.0 + (high - low) / 2.0 * at, weight);
    [node(-0.6f64.sqrt(), 5.0 / 18.0), node(0.0, 8.0 / 18.0), node(0.6f64.sqrt(), 5.0 / 18.0)]
}

/// The mean of a training loss over all masks and mask rates, of each sequence of the toy.
fn mean_loss(objective: &BlockDiffusion, table: &TableDenoiser) -> Vec<f64> {
    let (batch, device) = (all_sequences(), Device::flex());
    let mut mean = vec![0.0; batch.len()];
    for (rate, weight) in nodes(objective.rates.range().unwrap_or([0.0, 1.0])) {
        for pattern in 0..1usize << LENGTH {
            let row: Vec<bool> = (0..LENGTH).map(|n| pattern >> n & 1 == 1).collect();
            let masked = row.iter().filter(|masked| **masked).count();
            let probability = rate.powi(masked as i32) * (1.0 - rate).powi((LENGTH - masked) as i32);
            let z = MaskedBatch::new(&batch, &vec![0.0; batch.len()], VALUES, row.repeat(batch.len()), &device);
            let times = vec![rate; batch.len() * LENGTH / objective.size];
            let z = Corruption::from(MaskedBatch { times, ..z.expect("data values") });
            let loss = to_f64_vec(objective.loss_of(table, &z).expect("a loss"));
            mean.iter_mut().zip(loss).for_each(|(mean, loss)| *mean += weight * probability * loss);
        }
    }
    mean
}

#[test]
fn the_mean_of_the_loss_is_the_bound() {
    let table = toy();
    for size in [1, 2, 4] {
        let exact: Vec<f64> = all_sequences().x.rows().map(|x| bound_by_orders(&table, x, size)).collect();
        let range = [0.3, 0.9];
        for rates in [MaskRates::Schedule, MaskRates::ClippedWeighted(range)] {
            let worst = error(&mean_loss(&objective(size, rates), &table), &exact);
            println!("blocks of {size}, {rates}: {worst:.1e}");
            assert!(worst < TOLERANCE, "blocks of {size}, {rates}: {worst:e}");
        }
        let clipped = mean_loss(&objective(size, MaskRates::Clipped(range)), &table);
        // One token: the mean of 1/rate times the rate is 1, whatever the rates.
        assert_eq!(error(&clipped, &exact) > 0.01, size > 1, "witness: clipped rates without weights are no bound");
        let other: Vec<f64> = all_sequences().x.rows().map(|x| bound_by_orders(&table, x, 4 / size)).collect();
        assert!(size == 2 || error(&exact, &other) > 0.01, "witness: blocks of another size have another bound");
    }
}

#[test]
fn a_length_that_is_no_whole_number_of_blocks_is_refused() {
    let (table, device) = (toy(), Device::flex());
    let batch = all_sequences();
    let refused = objective(3, MaskRates::Schedule).corrupt(&table, &batch, &Key::new(0, "masks"), &device);
    assert!(refused.err().expect("4 tokens").to_string().contains("no whole number"));
    let draws =
        BlockDce { size: 3 }.draws(VALUES, batch.clone(), vec![batch.u.clone()], &Key::new(0, "masks"), &device);
    assert!(draws.is_err());
}
