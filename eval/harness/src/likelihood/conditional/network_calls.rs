//! The costs of hidden tokens of many prompts and targets, which share calls of the network.

use std::collections::BTreeMap;

use burn::tensor::Device;
use elbow_base::Error;
use elbow_impls::autoregressive::Autoregressive;
use elbow_impls::corruption::MaskedBatch;
use elbow_impls::data::Tokens;
use elbow_impls::network::to_f64_vec;
use elbow_impls::objective::{Batch, TokenObjective};
use elbow_impls::sampler_state::time_of_mask_rate;
use elbow_impls::{Key, Workers};

use super::model::{ConditionalModel, Order};

/// Tokens times values of one network call, about, so that it fits into memory.
const CALL_SIZE: usize = 1 << 21;

/// A sequence that the network is asked about.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    pub prompt: &'a [u32],
    pub target: &'a [u32],
    /// True where a token of the target is hidden; from left to right, where it is scored.
    pub hidden: &'a [bool],
}

/// -log mu of every token of the target, nats, and 0 where it is visible: one entry per call, in their order.
pub(crate) fn costs(model: &ConditionalModel, calls: &[Call], device: &Device) -> Result<Vec<Vec<f64>>, Error> {
    let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, call) in calls.iter().enumerate() {
        let tokens = call.prompt.len() + call.target.len();
        let length = model.window.length(tokens).ok_or_else(|| Error::internal("checked: it fits the window"))?;
        by_length.entry(length).or_default().push(number);
    }
    let values = model.denoiser.values();
    let batches: Vec<(usize, &[usize])> = by_length
        .iter()
        .flat_map(|(&length, numbers)| {
            let rows = (CALL_SIZE / (length * values)).clamp(1, 64);
            numbers.chunks(rows).map(move |numbers| (length, numbers))
        })
        .collect();
    let work = |_, &(length, numbers): &(usize, &[usize])| {
        let batch: Vec<&Call> = numbers.iter().map(|&number| &calls[number]).collect();
        of_batch(model, &batch, length, device)
    };
    let mut found = vec![Vec::new(); calls.len()];
    for (batch, costs) in batches.iter().zip(Workers::new(usize::MAX).map(&batches, work)) {
        for (&number, costs) in batch.1.iter().zip(costs?) {
            found[number] = costs;
        }
    }
    Ok(found)
}

/// The costs of sequences of one length.
fn of_batch(model: &ConditionalModel, calls: &[&Call], length: usize, device: &Device) -> Result<Vec<Vec<f64>>, Error> {
    let (mut ids, mut hidden, mut scored) = (Vec::new(), Vec::new(), Vec::new());
    for call in calls {
        let (prompt, rest) = (call.prompt.len(), length - call.prompt.len() - call.target.len());
        ids.extend(call.prompt.iter().chain(call.target).copied().chain(std::iter::repeat_n(0, rest)));
        let row = |rest_is: bool| {
            let row = std::iter::repeat_n(false, prompt).chain(call.hidden.iter().copied());
            row.chain(std::iter::repeat_n(rest_is, rest))
        };
        hidden.extend(row(true));
        scored.extend(row(false));
    }
    let rate = |call: &&Call| call.hidden.iter().filter(|hidden| **hidden).count() as f64 / call.target.len() as f64;
    let rates: Vec<f64> = calls.iter().map(rate).collect();
    let batch = Batch::new(Tokens::new(ids, length), rates.clone());
    let mut z = match &model.order {
        Order::Any(schedule) => {
            let times: Vec<f64> = rates.iter().map(|&rate| time_of_mask_rate(schedule, rate)).collect();
            MaskedBatch::new(&batch, &times, model.denoiser.values(), hidden, device)?
        }
        Order::LeftToRight => Autoregressive.corrupt(model.denoiser, &batch, &Key::new(0, "no noise"), device)?.z,
    };
    z.targets.masked = scored;
    let costs = to_f64_vec(z.token_costs(model.denoiser));
    let of_target =
        |(row, call): (usize, &&Call)| costs[row * length + call.prompt.len()..][..call.target.len()].to_vec();
    Ok(calls.iter().enumerate().map(of_target).collect())
}
