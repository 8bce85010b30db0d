//! Probes of a model from outside: mistakes of its file, or of its export, that would make every number wrong.
//!
//! | module | what |
//! |---|---|
//! | [`calls`] | whether the output is finite, and depends on nothing but the sequence, its time and its class |
//! | [`tokens`], [`readings`] | statements about tokens against their rivals: ids, frame, time, schedule, output |
//! | [`points`] | the same for points: output, time, schedule, range |
//! | [`significance`] | when a rival is better |

mod calls;
mod points;
mod readings;
mod significance;
mod tokens;

use elbow_base::{Error, Key};
use elbow_impls::data::{Dataset, Tokens};
use elbow_impls::key::open_uniform;
use serde::Serialize;

use super::network::Network;

pub(super) use points::probe as probe_points;
pub(super) use tokens::probe as probe_tokens;

/// Largest difference of an output that is called the same, relative to the largest output.
const SAME: f32 = 1e-3;
/// Outputs above this are stand-ins for infinity, and no scale of the others.
const LARGE: f32 = 100.0;

/// The result of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As the file says.
    Good,
    /// Not as the file says: numbers would be wrong.
    Wrong,
    /// Possible, and worth knowing.
    Note,
}

/// One probe.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What was probed.
    pub probe: &'static str,
    /// Its result.
    pub verdict: Verdict,
    /// The result in words.
    pub detail: String,
}

impl Finding {
    fn good(probe: &'static str, detail: impl Into<String>) -> Self {
        Self { probe, verdict: Verdict::Good, detail: detail.into() }
    }

    fn wrong(probe: &'static str, detail: impl Into<String>) -> Self {
        Self { probe, verdict: Verdict::Wrong, detail: detail.into() }
    }

    fn note(probe: &'static str, detail: impl Into<String>) -> Self {
        Self { probe, verdict: Verdict::Note, detail: detail.into() }
    }
}

/// The findings of a probe up to the error of a call, which ends it.
fn findings(probe: impl FnOnce(&mut Vec<Finding>) -> Result<(), String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(what) = probe(&mut findings) {
        findings.push(Finding::wrong("call", what));
    }
    findings
}

/// Sequences of the data, in turn from the first one, with their classes where the network is told them; or random ones of
/// this length. They have `tokens` tokens together, but are at least `least` and at most `most`. The third is the number of
/// different ones.
fn sequences(
    network: &Network,
    data: Option<&dyn Dataset>,
    length: usize,
    [tokens, least, most]: [usize; 3],
    seed: u64,
) -> Result<(Tokens, Vec<u32>, usize), Error> {
    let file = &network.file;
    let rows = (tokens / data.map_or(length, Dataset::length)).clamp(least, most);
    match data {
        Some(data) => {
            let indices: Vec<usize> = (0..rows).map(|row| row % data.len()).collect();
            let class = if file.inputs.class.is_some() { data.labels(&indices) } else { Vec::new() };
            Ok((data.select(&indices)?, class, data.len().min(rows)))
        }
        None => {
            let mut draw = uniform(Key::new(seed, "probe"));
            let ids = (0..rows * length).map(|_| draw(file.model.values as u32)).collect();
            Ok((Tokens::new(ids, length), Vec::new(), rows))
        }
    }
}

/// Draws of one of so many values.
fn uniform(key: Key) -> impl FnMut(u32) -> u32 {
    let mut rng = key.rng();
    move |count| ((open_uniform(&mut rng) * f64::from(count)) as u32).min(count - 1)
}

/// Whether two outputs differ by more than rounding.
fn differs(one: &[f32], other: &[f32]) -> bool {
    let usual = one.iter().map(|value| value.abs()).filter(|value| *value <= LARGE).fold(1.0_f32, f32::max);
    // Equal infinities have no difference.
    let same = |(a, b): (&f32, &f32)| a == b || (a - b).abs() <= SAME * usual.max(a.abs());
    one.len() != other.len() || !one.iter().zip(other).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_beside_a_stand_in_for_infinity_is_seen() {
        assert!(!differs(&[1.0, f32::NEG_INFINITY, -1e6], &[1.0005, f32::NEG_INFINITY, -1e6]));
        assert!(differs(&[1.0, -1e6], &[1.1, -1e6]));
        assert!(differs(&[1.0, 2.0], &[1.0, f32::NAN]));
    }
}
