//! Probes of a denoiser of tokens.

use std::ops::Range;
use std::time::Instant;

use burn::tensor::Device;
use elbow_base::{Error, Key};
use elbow_impls::data::{Dataset, Tokens};
use elbow_impls::key::open_uniform;
use elbow_impls::network::{Input, ids_tensor, softmax};
use elbow_impls::schedule::LogSnr;

use super::super::OutputMeaning;
use super::super::tokens::{OutsideTokens, Reading};
use super::calls::{not_finite, repeats};
use super::{Finding, differs, findings, readings, sequences, significance, uniform};

/// The share of the corrupted sequences that choose among many rivals; the others judge the chosen ones.
const SCREENED: f64 = 0.2;
/// Corrupted sequences of a probe: as many as have this number of tokens, within bounds.
const TOKENS: usize = 1 << 14;
const ROWS: [usize; 2] = [80, 640];
/// Shares of corrupted tokens, in turn.
const RATES: [f64; 4] = [0.5, 0.15, 0.8, 0.35];
/// Sequences of a call that probes the call itself.
const FEW: usize = 4;
/// Numbers of an output that are held at a time, about.
const CALL_SIZE: usize = 1 << 24;

/// Probes a denoiser of tokens on data, or on random tokens where there are none.
pub(in super::super) fn probe(
    model: &OutsideTokens,
    data: Option<&dyn Dataset>,
    length: usize,
    seed: u64,
    device: &Device,
) -> Result<Vec<Finding>, Error> {
    let probe = Probe::new(model, data, length, seed, device)?;
    Ok(findings(|findings| probe.run(data.is_some(), findings)))
}

/// Corrupted sequences.
pub(super) struct Probe<'a> {
    pub model: &'a OutsideTokens,
    /// The sequences, those of the data in turn.
    x: Tokens,
    /// Their classes; empty where there are none.
    pub class: Vec<u32>,
    /// Number of different ones.
    pub distinct: usize,
    z: Vec<u32>,
    times: Vec<f64>,
    pub own: Reading,
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
        let (x, class, distinct) = sequences(&model.network, data, length, [TOKENS, ROWS[0], ROWS[1]], seed)?;
        let count = x.len();
        // Every sequence comes at every rate, whatever their number.
        let rates: Vec<f64> = (0..count).map(|row| RATES[(row + row / distinct) % RATES.len()]).collect();
        let values = file.model.values as u32;
        let mut rng = Key::new(seed, "probe noise").rng();
        let mut draw = uniform(Key::new(seed, "probe values"));
        // A masked model sees masks, a uniform one other values.
        let mut noisy = |(place, &id): (usize, &u32)| match open_uniform(&mut rng) < rates[place / x.length()] {
            false => id,
            true if file.model.mask_id.is_some() => values,
            true => draw(values),
        };
        let z = x.ids().iter().enumerate().map(&mut noisy).collect();
        let time = |rate: &f64| model.schedule.time_of_log_snr((1.0 / rate - 1.0).ln());
        let times = rates.iter().map(time).collect();
        Ok(Self { model, x, class, distinct, z, times, own: model.reading(), device })
    }

    /// The probes one after the other; the error of a call ends them.
    fn run(&self, on_data: bool, findings: &mut Vec<Finding>) -> Result<(), String> {
        let few = self.few();
        let rows: Vec<usize> = (0..few).collect();
        let start = Instant::now();
        let (output, width) = self.model.output(&self.input(&rows), &self.own)?;
        let milliseconds = start.elapsed().as_secs_f64() * 1e3 / few as f64;
        let detail = format!("{width} columns per token, {milliseconds:.1} ms per sequence, the first call");
        findings.push(Finding::good("call", detail));
        if let Some(what) = self.not_finite(&output, width, &self.z)?.or(self.not_finite_at_the_ends()?) {
            findings.push(Finding::wrong("finite", what));
            return Ok(());
        }
        findings.push(Finding::good("finite", "all outputs, with all tokens hidden and with none"));
        findings.push(self.meaning(&output, width));
        let free_batch = self.model.network.takes_any_batch();
        let call = |rows: &[usize]| Ok(self.model.output(&self.input(rows), &self.own)?.0);
        findings.extend(repeats(&output, few, free_batch, call)?);
        findings.extend(self.padding(&output)?);
        findings.extend(self.lengths()?);
        findings.extend(self.time(&output)?);
        if on_data {
            findings.extend(readings::of(self, width));
        }
        Ok(())
    }

    /// Rows that are called at once.
    fn few(&self) -> usize {
        (CALL_SIZE / (self.x.length() * self.model.network.file.model.values)).clamp(2, FEW)
    }

    /// The input of some rows, each at its own time.
    fn input(&self, rows: &[usize]) -> Input {
        let times: Vec<f64> = rows.iter().map(|&row| self.times[row]).collect();
        self.input_at(rows, &self.z, &times)
    }

    fn input_at(&self, rows: &[usize], z: &[u32], times: &[f64]) -> Input {
        let length = self.x.length();
        let ids: Vec<u32> = rows.iter().flat_map(|row| &z[row * length..(row + 1) * length]).copied().collect();
        let input = Input::new(ids_tensor(&ids, length, self.device), times);
        match self.class.is_empty() {
            true => input,
            false => input.with_class(&rows.iter().map(|&row| self.class[row]).collect::<Vec<_>>()),
        }
    }

    fn is_hidden(&self, place: usize, z: &[u32]) -> bool {
        match self.model.network.file.model.mask_id {
            Some(_) => z[place] as usize == self.model.network.file.model.values,
            None => z[place] != self.x.ids()[place],
        }
    }

    fn not_finite(&self, output: &[f32], width: usize, z: &[u32]) -> Result<Option<String>, String> {
        let values = self.model.network.file.model.values;
        let from = if width == values { 0 } else { self.own.first as usize };
        // A value of the data has a probability above 0 where it can be asked for.
        let is_value = |column: usize| (from..from + values).contains(&column);
        let hidden = |place: usize| is_value(place % width) && self.is_hidden(place / width, z);
        Ok(not_finite(output, [self.x.length(), width], hidden))
    }

    /// What is not finite where every token is hidden, or none, at the ends of time.
    fn not_finite_at_the_ends(&self) -> Result<Option<String>, String> {
        let masked = self.model.network.file.model.mask_id.is_some();
        let hidden = vec![self.model.network.file.model.values as u32; self.x.ids().len()];
        let ends: [(&[u32], f64, &str); 2] =
            [(if masked { &hidden } else { &self.z }, 1.0, "t = 1"), (self.x.ids(), 1e-4, "t = 0.0001")];
        for (z, time, name) in ends {
            let rows: Vec<usize> = (0..self.few()).collect();
            let (output, width) = self.model.output(&self.input_at(&rows, z, &vec![time; rows.len()]), &self.own)?;
            if let Some(what) = self.not_finite(&output, width, z)? {
                return Ok(Some(format!("{what}, at {name}")));
            }
        }
        Ok(None)
    }

    /// Whether the output is of the declared meaning.
    fn meaning(&self, output: &[f32], width: usize) -> Finding {
        let sums = |term: fn(f32) -> f32| {
            output
                .chunks(width)
                .all(|row| (row.iter().map(|&value| f64::from(term(value))).sum::<f64>() - 1.0).abs() < 1e-3)
        };
        let probabilities = output.iter().all(|&value| (0.0..=1.0).contains(&value)) && sums(|value| value);
        let declared = self.model.network.file.output.means;
        match (declared, sums(f32::exp)) {
            _ if probabilities => {
                let what =
                    "the output has probabilities; export their logarithm, and say means = \"log-probabilities\"";
                Finding::wrong("output", what)
            }
            (OutputMeaning::LogProbabilities, false) => {
                Finding::wrong("output", "the output's exponentials do not sum to 1 per token: say means = \"logits\"")
            }
            (OutputMeaning::LogProbabilities, true) => Finding::good("output", "log-probabilities"),
            (_, true) => Finding::good("output", "logits; they are log-probabilities, which gives the same numbers"),
            (_, false) => Finding::good("output", "logits"),
        }
    }

    /// Whether the output of a sequence changes when more padding follows it.
    fn padding(&self, output: &[f32]) -> Result<Option<Finding>, String> {
        let Some((pad, whole)) = self.own.fill else { return Ok(None) };
        if !self.model.network.takes_any_length() {
            let what = "the network's length is fixed: how its output depends on padding cannot be seen";
            return Ok(Some(Finding::note("padding", what)));
        }
        let rows: Vec<usize> = (0..self.few()).collect();
        let longer = Reading { fill: Some((pad, whole + 1 + self.x.length() / 2)), ..self.own.clone() };
        let (padded, _) = self.model.output(&self.input(&rows), &longer)?;
        Ok(Some(match differs(output, &padded) {
            true => {
                let what = "the output of a sequence depends on the padding behind it: export the network with an attention \
                            mask made of the ids, or leave pad_id out, and sequences of one length are called together";
                Finding::wrong("padding", what)
            }
            false => Finding::good("padding", "the same output with more padding"),
        }))
    }

    /// Whether a network that takes any length can be called with others.
    fn lengths(&self) -> Result<Option<Finding>, String> {
        if self.model.network.file.model.length.is_some() || self.x.length() < 2 {
            return Ok(None);
        }
        let half = self.x.length() / 2;
        let shorter: Vec<u32> = self.z[..half].to_vec();
        let input = Input::new(ids_tensor(&shorter, half, self.device), &self.times[..1]);
        let input = if self.class.is_empty() { input } else { input.with_class(&self.class[..1]) };
        Ok(Some(match self.model.output(&input, &self.own) {
            Err(what) => Finding::wrong(
                "lengths",
                format!(
                    "sequences of {half} tokens fail where {} do not: the export has fixed the length; say length = {} \
                     ({what})",
                    self.x.length(),
                    self.x.length()
                ),
            ),
            Ok((output, _)) if output.iter().any(|value| value.is_nan()) => {
                Finding::wrong("lengths", format!("NaN for sequences of {half} tokens: export with a free length axis"))
            }
            Ok(_) => Finding::good("lengths", format!("{} and {half} tokens per sequence", self.x.length())),
        }))
    }

    /// Whether a declared time has an effect.
    fn time(&self, output: &[f32]) -> Result<Option<Finding>, String> {
        if self.own.time.is_none() {
            return Ok(None);
        }
        let rows: Vec<usize> = (0..self.few()).collect();
        let early: Vec<f64> = rows.iter().map(|&row| self.times[row] / 4.0).collect();
        let (early, _) = self.model.output(&self.input_at(&rows, &self.z, &early), &self.own)?;
        Ok(Some(match differs(output, &early) {
            true => Finding::good("time", "the output sees it"),
            false => {
                let what =
                    "the output does not depend on it: leave inputs.time out, and the estimator of least error applies";
                Finding::note("time", what)
            }
        }))
    }

    /// Rows that choose among rivals, and rows that judge.
    pub fn parts(&self) -> [Range<usize>; 2] {
        let screened = (SCREENED * self.x.len() as f64) as usize;
        [0..screened, screened..self.x.len()]
    }

    /// The cost of the hidden tokens of each of some sequences under a reading, nats per hidden token; none where a call
    /// fails, or a hidden token has probability 0.
    pub fn costs(&self, reading: &Reading, rows: Range<usize>) -> Option<Vec<f64>> {
        let rows: Vec<usize> = rows.collect();
        let values = self.model.network.file.model.values;
        let length = self.x.length();
        let mut costs = Vec::with_capacity(rows.len());
        for part in rows.chunks((CALL_SIZE / (length * values)).clamp(1, 16)) {
            let logits = self.model.value_columns(&self.input(part), reading).ok()?;
            for (&row, logits) in part.iter().zip(logits.chunks(length * values)) {
                let hidden = (0..length).filter(|at| self.is_hidden(row * length + at, &self.z));
                let cost = |at: usize| -> f64 {
                    let x = self.x.ids()[row * length + at] as usize;
                    -softmax(&logits[at * values..(at + 1) * values])[x].ln()
                };
                let own: Vec<f64> = hidden.map(cost).collect();
                costs.push(if own.is_empty() { 0.0 } else { own.iter().sum::<f64>() / own.len() as f64 });
            }
        }
        costs.iter().all(|cost| cost.is_finite()).then_some(costs)
    }

    /// The entropy of the data's own frequencies of values, nats.
    pub fn entropy(&self) -> f64 {
        let mut counts = vec![0.0_f64; self.model.network.file.model.values];
        let ids = &self.x.ids()[..self.distinct * self.x.length()];
        ids.iter().for_each(|&id| counts[id as usize] += 1.0 / ids.len() as f64);
        counts.into_iter().filter(|share| *share > 0.0).map(|share| -share * share.ln()).sum()
    }

    /// Whether the readings have enough sequences to be told apart.
    pub fn is_enough(&self) -> bool {
        self.distinct >= significance::SEQUENCES
    }
}
