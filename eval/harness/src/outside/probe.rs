//! Probes of a model from outside: mistakes of its file that would make every number wrong.
//!
//! A reading of the file, such as the id of the mask, is probed by its rivals: where masked tokens cost significantly
//! less under another reading, the file's is wrong.

use std::time::Instant;

use burn::tensor::Device;
use elbow_base::{Error, Estimate, Key};
use elbow_impls::data::{Dataset, Tokens};
use elbow_impls::key::open_uniform;
use elbow_impls::network::{Input, ids_tensor, softmax};
use serde::Serialize;

use super::tokens::{OutsideTokens, Reading};
use super::{OutputMeaning, TimeMeaning};

/// Sequences of a probe.
const SEQUENCES: usize = 32;
/// The time at which tokens are masked.
const TIME: f64 = 0.5;
/// Standard errors by which a rival reading must be better.
pub(super) const SIGNIFICANT: f64 = 5.0;
/// Largest difference of an output that is called the same, relative to the largest output.
const SAME: f32 = 1e-3;
/// Rival ids that are tried on each side.
const RIVALS: u32 = 32;

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

/// Probes a denoiser of tokens on data, or on random tokens where there are none.
pub(super) fn probe(
    model: &OutsideTokens,
    data: Option<&dyn Dataset>,
    length: usize,
    seed: u64,
    device: &Device,
) -> Result<Vec<Finding>, Error> {
    let probe = Probe::new(model, data, length, seed, device)?;
    let mut findings = Vec::new();
    let mut add = |probe, verdict, detail: String| findings.push(Finding { probe, verdict, detail });
    let start = Instant::now();
    let (output, width) = match model.output(&probe.input(TIME), &probe.own) {
        Ok(called) => called,
        Err(what) => {
            add("call", Verdict::Wrong, what);
            return Ok(findings);
        }
    };
    let milliseconds = start.elapsed().as_secs_f64() * 1e3 / probe.x.len() as f64;
    add("call", Verdict::Good, format!("{width} columns per token, {milliseconds:.1} ms per sequence, the first call"));
    if let Some(place) = output.iter().position(|value| !value.is_finite()) {
        let (sequence, token) = (place / width / length, place / width % length);
        add("finite", Verdict::Wrong, format!("{} at token {token} of sequence {sequence}", output[place]));
        return Ok(findings);
    }
    findings.push(Finding { probe: "finite", verdict: Verdict::Good, detail: "all outputs".to_owned() });
    findings.push(probe.meaning(&output, width));
    findings.extend(probe.repeats(&output)?);
    findings.extend(probe.time(&output)?);
    if data.is_some() {
        findings.extend(probe.readings(width)?);
    }
    Ok(findings)
}

/// Corrupted sequences.
struct Probe<'a> {
    model: &'a OutsideTokens,
    x: Tokens,
    z: Vec<u32>,
    own: Reading,
    device: &'a Device,
}

impl<'a> Probe<'a> {
    fn new(
        model: &'a OutsideTokens,
        data: Option<&dyn Dataset>,
        length: usize,
        seed: u64,
        device: &'a Device,
    ) -> Result<Self, Error> {
        let file = &model.network.file;
        let values = file.model.values as u32;
        let rows = data.map_or(SEQUENCES, |data| data.len().min(SEQUENCES));
        let x = sequences(data, rows, [length, values as usize], seed)?;
        let mut draw = uniform(Key::new(seed, "probe noise"));
        // A masked model sees masks, a uniform one other values.
        let masked = file.model.mask_id.is_some();
        let noisy = |&id: &u32| match (draw(2), masked) {
            (0, _) => id,
            (_, true) => values,
            (_, false) => draw(values),
        };
        let z = x.ids().iter().map(noisy).collect();
        Ok(Self { model, x, z, own: Reading::of(file), device })
    }

    fn input(&self, time: f64) -> Input {
        Input::new(ids_tensor(&self.z, self.x.length(), self.device), &vec![time; self.x.len()])
    }

    /// Whether the output is of the declared meaning.
    fn meaning(&self, output: &[f32], width: usize) -> Finding {
        let sums = |term: fn(f32) -> f32| {
            output
                .chunks(width)
                .all(|row| (row.iter().map(|&value| f64::from(term(value))).sum::<f64>() - 1.0).abs() < 1e-3)
        };
        let probabilities = output.iter().all(|&value| (0.0..=1.0).contains(&value)) && sums(|value| value);
        let (verdict, detail) = match self.model.network.file.output.means {
            _ if probabilities => (
                Verdict::Wrong,
                "the output has probabilities; export their logarithm, and say means = \"log-probabilities\"",
            ),
            OutputMeaning::LogProbabilities if !sums(f32::exp) => {
                (Verdict::Wrong, "the output's exponentials do not sum to 1 per token: say means = \"logits\"")
            }
            OutputMeaning::LogProbabilities => (Verdict::Good, "log-probabilities"),
            _ => (Verdict::Good, "logits"),
        };
        Finding { probe: "output", verdict, detail: detail.to_owned() }
    }

    /// Whether the output of a sequence is the same at a second call, and with other sequences in its batch.
    fn repeats(&self, output: &[f32]) -> Result<Vec<Finding>, Error> {
        let failed = |what: String| Error::input(what, "see the first finding");
        let (again, _) = self.model.output(&self.input(TIME), &self.own).map_err(failed)?;
        let repeat = match differs(output, &again) {
            true => (Verdict::Wrong, "another output for the same input: dropout or noise was left on in the export"),
            false => (Verdict::Good, "the same output for the same input"),
        };
        // The first sequence among copies of the last one.
        let length = self.x.length();
        let last = &self.z[self.z.len() - length..];
        let others: Vec<u32> =
            [&self.z[..length]].into_iter().chain(vec![last; self.x.len() - 1]).flatten().copied().collect();
        let input = Input::new(ids_tensor(&others, length, self.device), &vec![TIME; self.x.len()]);
        let (mixed, _) = self.model.output(&input, &self.own).map_err(failed)?;
        let first = output.len() / self.x.len();
        let batch = match differs(&output[..first], &mixed[..first]) {
            true => (Verdict::Wrong, "the output of a sequence depends on the other sequences of its batch"),
            false => (Verdict::Good, "the same output with other sequences in the batch"),
        };
        let finding = |probe, (verdict, detail): (Verdict, &str)| Finding { probe, verdict, detail: detail.to_owned() };
        Ok(vec![finding("repeat", repeat), finding("batch", batch)])
    }

    /// Whether a declared time has an effect.
    fn time(&self, output: &[f32]) -> Result<Option<Finding>, Error> {
        if self.own.time.is_none() {
            return Ok(None);
        }
        let failed = |what: String| Error::input(what, "see the first finding");
        let (early, _) = self.model.output(&self.input(TIME / 4.0), &self.own).map_err(failed)?;
        let detail = match differs(output, &early) {
            true => {
                return Ok(Some(Finding {
                    probe: "time",
                    verdict: Verdict::Good,
                    detail: "the output sees it".into(),
                }));
            }
            false => {
                "the output does not depend on it: leave inputs.time out, and the estimator of least error applies"
            }
        };
        Ok(Some(Finding { probe: "time", verdict: Verdict::Note, detail: detail.to_owned() }))
    }

    /// The cost of the hidden tokens of each sequence under a reading, nats per hidden token.
    fn costs(&self, reading: &Reading) -> Option<Vec<f64>> {
        let logits = self.model.value_columns(&self.input(TIME), reading).ok()?;
        let values = self.model.network.file.model.values;
        let (length, hidden_id) = (self.x.length(), values as u32);
        let masked = self.model.network.file.model.mask_id.is_some();
        let sequence = |(row, x): (usize, &[u32])| {
            let tokens = (row * length..(row + 1) * length).zip(x);
            let hidden = tokens.filter(|(at, x)| if masked { self.z[*at] == hidden_id } else { self.z[*at] != **x });
            let costs: Vec<f64> =
                hidden.map(|(at, &x)| -softmax(&logits[at * values..(at + 1) * values])[x as usize].ln()).collect();
            if costs.is_empty() { 0.0 } else { costs.iter().sum::<f64>() / costs.len() as f64 }
        };
        let costs: Vec<f64> = self.x.rows().enumerate().map(sequence).collect();
        costs.iter().all(|cost| cost.is_finite()).then_some(costs)
    }

    /// Whether the data's hidden tokens cost less than a uniform guess, and no less under another reading.
    fn readings(&self, width: usize) -> Result<Vec<Finding>, Error> {
        let values = self.model.network.file.model.values;
        let uniform = (values as f64).ln();
        let Some(own) = self.costs(&self.own) else {
            let detail = "a hidden token of the data has probability 0".to_owned();
            return Ok(vec![Finding { probe: "cost", verdict: Verdict::Wrong, detail }]);
        };
        let mean = Estimate::of(&own);
        let detail = format!(
            "{:.3} +- {:.3} nats per hidden token, {uniform:.3} by a uniform guess",
            mean.value, mean.standard_error
        );
        let worse = mean.value - SIGNIFICANT * mean.standard_error > uniform;
        let verdict = if worse { Verdict::Wrong } else { Verdict::Good };
        let mut findings = vec![Finding { probe: "cost", verdict, detail }];
        findings.push(self.rivals("mask_id", &own, self.masks(width), |rival| format!("mask_id = {}", rival.mask)));
        findings.push(self.rivals("value_ids", &own, self.offsets(width), |rival| {
            format!("value_ids = [{}, {}]", rival.first, rival.first as usize + values - 1)
        }));
        if let Some(time) = self.own.time {
            let meanings = [TimeMeaning::Time, TimeMeaning::MaskRate, TimeMeaning::LogSnr];
            let others = meanings.into_iter().filter(|&other| other != time);
            let mut rivals: Vec<Reading> = others.map(|other| Reading { time: Some(other), ..self.own }).collect();
            rivals.push(Reading { reversed: true, ..self.own });
            findings.push(self.rivals("time's meaning", &own, rivals, |rival| match rival.reversed {
                true => "a time that runs from noise to data".to_owned(),
                false => format!("means = {:?}", rival.time.unwrap_or(time)),
            }));
        }
        Ok(findings)
    }

    /// Compares the readings with the file's own, sequence by sequence.
    fn rivals(
        &self,
        probe: &'static str,
        own: &[f64],
        rivals: Vec<Reading>,
        name: impl Fn(&Reading) -> String,
    ) -> Finding {
        let tried = rivals.len();
        let better = rivals.into_iter().filter_map(|rival| {
            let saved: Vec<f64> = own.iter().zip(self.costs(&rival)?).map(|(own, other)| own - other).collect();
            let saved = Estimate::of(&saved);
            (saved.value > SIGNIFICANT * saved.standard_error && saved.value > 1e-6).then_some((saved.value, rival))
        });
        match better.max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((saved, rival)) => {
                let detail = format!("hidden tokens cost {saved:.3} nats less with {}", name(&rival));
                Finding { probe, verdict: Verdict::Wrong, detail }
            }
            None => {
                let detail = format!("no other of {tried} tried is better");
                Finding { probe, verdict: Verdict::Good, detail }
            }
        }
    }

    /// Other ids of the mask, where the output tells how many ids there are.
    fn masks(&self, width: usize) -> Vec<Reading> {
        let file = &self.model.network.file;
        let Some(mask) = file.model.mask_id else { return Vec::new() };
        let values = self.own.first..self.own.first + file.model.values as u32;
        let near = mask.saturating_sub(RIVALS)..(mask + RIVALS + 1).min((width as u32).max(values.end + 1));
        let rivals = near.filter(|id| *id != mask && !values.contains(id));
        rivals.map(|mask| Reading { mask, ..self.own }).collect()
    }

    /// Other first ids of the data, where the output has more columns than data values.
    fn offsets(&self, width: usize) -> Vec<Reading> {
        let last = (width - self.model.network.file.model.values) as u32;
        let near = self.own.first.saturating_sub(RIVALS)..=(self.own.first + RIVALS).min(last);
        near.filter(|&first| first != self.own.first).map(|first| Reading { first, ..self.own }).collect()
    }
}

/// The first sequences of the data, in turn, or random ones of a length and a number of values.
pub(super) fn sequences(
    data: Option<&dyn Dataset>,
    rows: usize,
    [length, values]: [usize; 2],
    seed: u64,
) -> Result<Tokens, Error> {
    match data {
        Some(data) => Ok(data.select(&(0..rows).map(|row| row % data.len()).collect::<Vec<_>>())?),
        None => {
            let mut draw = uniform(Key::new(seed, "probe"));
            Ok(Tokens::new((0..rows * length).map(|_| draw(values as u32)).collect(), length))
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
    let largest = one.iter().fold(1.0_f32, |largest, value| largest.max(value.abs()));
    one.len() != other.len() || !one.iter().zip(other).all(|(a, b)| (a - b).abs() <= SAME * largest)
}
