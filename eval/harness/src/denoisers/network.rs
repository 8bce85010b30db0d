//! The denoiser of a network as a table over every pattern of a toy.

use burn::tensor::Device;
use elbow_impls::network::{Input, TokenDenoiser, ids_tensor, softmax};
use elbow_theory::{PatternIndex, Toy};

/// Numbers of the logits of one network call, about, so that it fits into memory.
const CALL_SIZE: usize = 1 << 22;

/// The probabilities of a network that sees no time for every partially masked sequence of the toy's size: in the order of
/// [`elbow_theory::masked::Enumeration::with_probabilities`], \[(V + 1)^L, L, V\].
pub fn network_probabilities(denoiser: &dyn TokenDenoiser, toy: &Toy, device: &Device) -> Vec<f64> {
    let index = PatternIndex::with_mask(toy.states, toy.length);
    let at_once = (CALL_SIZE / (toy.length * toy.states)).max(1);
    let patterns: Vec<usize> = (0..index.count()).collect();
    let call = |patterns: &[usize]| {
        let ids: Vec<u32> =
            patterns.iter().flat_map(|&pattern| index.digits(pattern).map(|digit| digit as u32)).collect();
        let input = Input::new(ids_tensor(&ids, toy.length, device), &vec![0.5; patterns.len()]);
        let logits: Vec<f32> = denoiser.value_logits(&input).into_data().iter::<f32>().collect();
        logits.chunks(toy.states).flat_map(softmax).collect::<Vec<f64>>()
    };
    patterns.chunks(at_once).flat_map(call).collect()
}
