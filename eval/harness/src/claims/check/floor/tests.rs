//! The optimal denoisers themselves, in place of a network, cost what their floors say.

use burn::tensor::Device;
use elbow_impls::Key;
use elbow_impls::data::Tokens;
use elbow_impls::network::{Denoiser, TableDenoiser};
use elbow_impls::train::Settings;
use elbow_theory::gaussian::{Component, Mixture};
use elbow_theory::masked::Enumeration;
use elbow_theory::{DenoiserKind, Toy};

use super::points::Points;
use super::sequences::Sequences;
use super::{Draw, NoisedData};
use crate::denoisers::{MixtureDenoiser, table_denoiser};

/// Four sequences of three tokens of two values.
const ROWS: [[u32; 3]; 4] = [[0, 1, 1], [0, 0, 1], [1, 1, 0], [1, 0, 0]];

/// The posterior of the first `known` rows.
fn posterior(known: usize, device: &Device) -> TableDenoiser {
    let outcome = |row: &[u32; 3]| (row.map(|v| v as u8).to_vec(), 1.0 / known as f64);
    let outcomes = ROWS[..known].iter().map(outcome).collect();
    let toy = Toy { states: 2, length: 3, outcomes, denoiser: DenoiserKind::Exact };
    table_denoiser(&Enumeration::new(&toy).expect("small"), device)
}

fn draws(sequences: impl Iterator<Item = usize>) -> Vec<Draw> {
    let key = Key::new(4, "test");
    sequences.enumerate().map(|(draw, sequence)| (sequence, key.fold(draw as u64))).collect()
}

/// Cost minus optimum at each draw.
fn above(data: &dyn NoisedData, model: Denoiser, settings: &Settings, level: f64, draws: &[Draw]) -> Vec<f64> {
    let costs = data.costs(model, settings, level, draws).expect("a fitting model");
    costs.iter().zip(draws).map(|(cost, draw)| cost - data.optimum(level, draw)).collect()
}

#[test]
fn the_posterior_of_the_data_costs_the_floor_of_masks_and_one_that_knows_more_costs_less() {
    let device = Device::default();
    let data = Sequences::new(Tokens::new(ROWS.concat(), 3), 2, &device);
    let settings = Settings::resolve("md4-digits", &[]).expect("a preset");
    let optimal = posterior(4, &device);
    for hidden in [1.0, 2.0, 3.0] {
        let all = draws((0..64).map(|draw| draw % 4));
        // Single precision; measured: 6e-8.
        let off = above(&data, Denoiser::Tokens(&optimal), &settings, hidden, &all);
        assert!(off.iter().all(|off| off.abs() < 6e-7), "{hidden} hidden: {off:?}");
    }
    // Witness: one that knows that the sequence is the first or the second.
    let leaking = posterior(2, &device);
    let two = draws((0..64).map(|draw| draw % 2));
    let below = above(&data, Denoiser::Tokens(&leaking), &settings, 3.0, &two);
    assert!(below.iter().sum::<f64>() < -1.0, "{below:?}");
}

#[test]
fn the_posterior_mean_of_the_data_costs_the_floor_of_noise_and_a_nearer_one_costs_less() {
    let device = Device::default();
    // Three tokens of four values in sequences of one: atoms at -0.75, 0.25 and 0.75.
    let data = Points::new(Tokens::new(vec![0, 2, 3], 1), 4, &device);
    let settings = Settings::resolve("vdm-digits", &[]).expect("a preset");
    let denoiser = |atoms: &[f64]| {
        let atom = |&x: &f64| Component { weight: 1.0 / atoms.len() as f64, mean: [x, 0.0], std: 0.0 };
        let law = Mixture { dimensions: 1, components: atoms.iter().map(atom).collect() };
        MixtureDenoiser { law, prediction: settings.gaussian().expect("vdm").prediction, values: 4 }
    };
    let (optimal, leaking) = (denoiser(&[-0.75, 0.25, 0.75]), denoiser(&[0.25]));
    for log_snr in [-2.0, 0.0, 3.0] {
        let all = draws((0..60).map(|draw| draw % 3));
        // Single precision; measured: 2e-6.
        let off = above(&data, Denoiser::Gaussian(&optimal), &settings, log_snr, &all);
        assert!(off.iter().all(|off| off.abs() < 1e-5), "log-SNR {log_snr}: {off:?}");
        // Witness: one that knows that the point is the second.
        let second = draws((0..60).map(|_| 1));
        let below = above(&data, Denoiser::Gaussian(&leaking), &settings, log_snr, &second);
        assert!(below.iter().sum::<f64>() < -0.1, "log-SNR {log_snr}: {below:?}");
    }
}
