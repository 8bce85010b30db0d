//! Probes of a denoiser of points: whether its output and its time mean what the file says.

use burn::tensor::{Device, Tensor, TensorData};
use elbow_base::{Error, Estimate, Key};
use elbow_impls::data::{Dataset, Tokens};
use elbow_impls::gaussian::{Decoder, Prediction, network_time};
use elbow_impls::network::Input;
use elbow_impls::schedule::GaussianSchedule;
use rand_distr::{Distribution, StandardNormal};

use super::super::TimeMeaning;
use super::super::points::{OutsidePoints, PointClock};
use super::calls::{not_finite, repeats};
use super::significance::{self, LEAST, better};
use super::{Finding, differs, findings, sequences};

/// Noisy sequences of a probe: as many as have this number of coordinates, within bounds.
const COORDINATES: usize = 1 << 12;
const ROWS: [usize; 2] = [64, 512];
/// Sequences of a call.
const AT_ONCE: usize = 16;
const FEW: usize = 4;
/// Log-SNRs at which the noise is estimated, in turn.
const LOG_SNRS: [f64; 4] = [-3.0, 1.0, -1.0, 3.0];
/// Standard deviation of the data that EDM supposes.
const SIGMA_DATA: f64 = 0.5;

/// Probes a denoiser of points on data, or on random values where there are none.
pub(in super::super) fn probe(
    model: &OutsidePoints,
    data: Option<&dyn Dataset>,
    length: usize,
    seed: u64,
    device: &Device,
) -> Result<Vec<Finding>, Error> {
    let probe = Probe::new(model, data, length, seed, device)?;
    Ok(findings(|findings| probe.run(data.is_some(), findings)))
}

/// Noisy sequences.
struct Probe<'a> {
    model: &'a OutsidePoints,
    x: Tokens,
    class: Vec<u32>,
    distinct: usize,
    eps: Vec<f64>,
    levels: Vec<f64>,
    device: &'a Device,
}

/// What a network's input and output mean: as its file says, or as a probe supposes.
#[derive(Clone, PartialEq)]
struct Meaning {
    prediction: Prediction,
    sign: f64,
    clock: PointClock,
    /// Whether values lie on \[0, 1\] in place of \[-1, 1\].
    from_zero: bool,
}

impl<'a> Probe<'a> {
    fn new(
        model: &'a OutsidePoints,
        data: Option<&dyn Dataset>,
        length: usize,
        seed: u64,
        device: &'a Device,
    ) -> Result<Self, Error> {
        let (x, class, distinct) = sequences(&model.network, data, length, [COORDINATES, ROWS[0], ROWS[1]], seed)?;
        let count = x.len();
        let rng = Key::new(seed, "probe noise").rng();
        let eps = StandardNormal.sample_iter(rng).take(x.ids().len()).collect();
        // Every sequence comes at every level, whatever their number.
        let levels = (0..count).map(|row| LOG_SNRS[(row + row / distinct) % LOG_SNRS.len()]).collect();
        Ok(Self { model, x, class, distinct, eps, levels, device })
    }

    fn own(&self) -> Meaning {
        Meaning { prediction: self.model.prediction(), sign: 1.0, clock: self.model.clock(), from_zero: false }
    }

    /// The probes one after the other; the error of a call ends them.
    fn run(&self, on_data: bool, findings: &mut Vec<Finding>) -> Result<(), String> {
        let own = self.own();
        let few: Vec<usize> = (0..FEW).collect();
        let output = self.output(&few, &self.levels, &own)?;
        findings.push(Finding::good("call", "one number per coordinate"));
        let length = self.x.length();
        let mut wrong = not_finite(&output, [length, 1], |_| true);
        for end in self.model.schedule.ends().unwrap_or_default() {
            let at_end = self.output(&few, &[-end; FEW], &own)?;
            let what = not_finite(&at_end, [length, 1], |_| true);
            wrong = wrong.or(what.map(|what| format!("{what}, at the log-SNR {}", -end)));
        }
        if let Some(what) = wrong {
            findings.push(Finding::wrong("finite", what));
            return Ok(());
        }
        findings.push(Finding::good("finite", "all outputs, at both ends of the schedule too"));
        let free_batch = self.model.network.takes_any_batch();
        findings.extend(repeats(&output, FEW, free_batch, |rows| self.output(rows, &self.levels, &own))?);
        if self.model.network.file.inputs.time.is_some() {
            let later: Vec<f64> = self.levels.iter().map(|level| level - 2.0).collect();
            let later = self.numbers(&few, &self.levels, &later, &own)?;
            findings.push(match differs(&output, &later) {
                true => Finding::good("time", "the output sees it"),
                false => Finding::note("time", "the output does not depend on it"),
            });
        }
        let declared = self.errors(&own)?;
        let mean = Estimate::of(&declared);
        let detail =
            format!("squared error of the noise {:.3} +- {:.3} per coordinate", mean.value, mean.standard_error);
        if !on_data || self.distinct < significance::SEQUENCES {
            findings.push(Finding::good("noise", detail));
            let what = "without data, or with fewer than 8 sequences, readings of the file are not compared";
            findings.push(Finding::note("readings", what));
            return Ok(());
        }
        findings.push(match self.is_no_better_than_nothing(&declared) {
            true => Finding::note("noise", format!("{detail}: no better than an estimate that is 0")),
            false => Finding::good("noise", detail),
        });
        let (finding, meaning) = self.judge("output", &declared, self.outputs(), |rival| {
            let minus = if rival.sign < 0.0 { "minus " } else { "" };
            match rival.from_zero {
                true => "values lie on [0, 1]: take 2 x - 1 in the export".to_owned(),
                false => format!("the output means {minus}{}", rival.prediction),
            }
        });
        findings.push(finding);
        if let Some(time) = &self.model.network.file.inputs.time {
            // A wrong meaning of the output, which is corrected here, would make wrong times look good.
            let meaning = meaning.unwrap_or(own);
            let declared = self.errors(&meaning)?;
            let (finding, _) = self.judge("time's meaning", &declared, self.clocks(time.means, &meaning), |rival| {
                let clock = &rival.clock;
                match (clock.reversed, clock.steps) {
                    (true, _) => "the time runs from noise to data: reverse it in the export".to_owned(),
                    (_, true) => "the time is in 1000 steps: divide by 1000 in the export".to_owned(),
                    _ if clock.time != time.means => format!("the time means \"{}\"", clock.time.name()),
                    _ => format!("schedule = \"{}\"", clock.schedule),
                }
            });
            findings.push(finding);
        }
        Ok(())
    }

    /// The network's output for some rows at these log-SNRs.
    fn output(&self, rows: &[usize], levels: &[f64], meaning: &Meaning) -> Result<Vec<f32>, String> {
        self.numbers(rows, levels, levels, meaning)
    }

    /// The network's output for points of some log-SNRs, told others.
    fn numbers(&self, rows: &[usize], levels: &[f64], told: &[f64], meaning: &Meaning) -> Result<Vec<f32>, String> {
        let length = self.x.length();
        let point = |(row, at): (usize, usize)| {
            let scale = meaning.prediction.at(levels[row]).c_in;
            (scale * self.z(row * length + at, levels[row], meaning.from_zero)) as f32
        };
        let z: Vec<f32> = rows.iter().flat_map(|&row| (0..length).map(move |at| (row, at))).map(point).collect();
        let times: Vec<f64> = rows.iter().map(|&row| network_time(told[row])).collect();
        let points = Tensor::from_data(TensorData::new(z, [rows.len(), length]), self.device);
        let input = Input::points(points, &times);
        let input = match self.class.is_empty() {
            true => input,
            false => input.with_class(&rows.iter().map(|&row| self.class[row]).collect::<Vec<_>>()),
        };
        Ok(self.model.own_output(&input, &meaning.clock)?.0)
    }

    fn z(&self, place: usize, level: f64, from_zero: bool) -> f64 {
        let decoder = Decoder { values: self.model.network.file.model.values };
        let x = decoder.point(self.x.ids()[place]);
        let x = if from_zero { (x + 1.0) / 2.0 } else { x };
        let level = Prediction::Eps.at(level).level;
        level.alpha * x + level.sigma * self.eps[place]
    }

    /// The squared error of eps_hat of each sequence, a mean over coordinates, if the network means this.
    fn errors(&self, meaning: &Meaning) -> Result<Vec<f64>, String> {
        let length = self.x.length();
        let rows: Vec<usize> = (0..self.x.len()).collect();
        let mut errors = Vec::with_capacity(rows.len());
        for part in rows.chunks(AT_ONCE) {
            let output = self.output(part, &self.levels, meaning)?;
            for (&row, output) in part.iter().zip(output.chunks(length)) {
                let error = |at: usize| {
                    let place = row * length + at;
                    let z = self.z(place, self.levels[row], meaning.from_zero);
                    let output = meaning.sign * f64::from(output[at]);
                    // The objective's F is what is added to z; the network says eps itself.
                    let f = if meaning.prediction == Prediction::Eps { output - z } else { output };
                    (meaning.prediction.at(self.levels[row]).eps(z, f) - self.eps[place]).powi(2)
                };
                errors.push((0..length).map(error).sum::<f64>() / length as f64);
            }
        }
        Ok(errors)
    }

    /// Whether estimates of 0 have smaller errors.
    fn is_no_better_than_nothing(&self, declared: &[f64]) -> bool {
        let square = |row: usize| {
            let eps = &self.eps[row * self.x.length()..(row + 1) * self.x.length()];
            eps.iter().map(|eps| eps * eps).sum::<f64>() / eps.len() as f64
        };
        let nothing: Vec<f64> = (0..declared.len()).map(square).collect();
        let saved = self.saved(declared, &nothing);
        better(&saved, self.distinct, 1, LEAST).is_some()
    }

    /// What the second errors save, sequence by sequence, as a share of both errors at the level of noise: errors differ by
    /// orders of magnitude between levels. Not of both errors of the sequence: a mean of such shares is lowest for an
    /// estimate that is often exact, and not for the mean of x given z.
    fn saved(&self, own: &[f64], other: &[f64]) -> Vec<f64> {
        let both = |level: f64| {
            let rows = (0..own.len()).filter(|&row| self.levels[row] == level);
            let (sum, count) = rows.fold((0.0, 0.0), |(sum, count), row| (sum + own[row] + other[row], count + 1.0));
            (sum / count).max(f64::MIN_POSITIVE)
        };
        let scales = LOG_SNRS.map(|level| (level, both(level)));
        let scale =
            |row: usize| scales.iter().find(|(level, _)| *level == self.levels[row]).map_or(1.0, |(_, both)| *both);
        (0..own.len()).map(|row| (own[row] - other[row]) / scale(row)).collect()
    }

    /// Other meanings of the output, and other places of the values.
    fn outputs(&self) -> Vec<Meaning> {
        let own = self.own();
        let mut predictions = vec![Prediction::Eps, Prediction::X, Prediction::V, Prediction::Velocity];
        match own.prediction {
            edm @ Prediction::Edm { .. } => predictions.push(edm),
            _ => predictions.push(Prediction::Edm { sigma_data: SIGMA_DATA }),
        }
        let signed = predictions.into_iter().flat_map(|prediction| [(prediction, 1.0), (prediction, -1.0)]);
        let mut rivals: Vec<Meaning> =
            signed.map(|(prediction, sign)| Meaning { prediction, sign, ..own.clone() }).collect();
        rivals.retain(|rival| *rival != own);
        rivals.push(Meaning { from_zero: true, ..own });
        rivals
    }

    /// Other meanings of the time, other directions and units, other schedules.
    fn clocks(&self, time: TimeMeaning, own: &Meaning) -> Vec<Meaning> {
        let meanings = [TimeMeaning::Time, TimeMeaning::LogSnr, TimeMeaning::Sigma, TimeMeaning::CNoise];
        let others = meanings.into_iter().filter(|&other| other != time);
        let mut clocks: Vec<PointClock> = others.map(|time| PointClock { time, ..own.clock.clone() }).collect();
        clocks.push(PointClock { reversed: true, ..own.clock.clone() });
        clocks.push(PointClock { steps: true, ..own.clock.clone() });
        if time == TimeMeaning::Time {
            let known = ["vdm", "cosine", "ot"].iter().filter_map(|name| name.parse::<GaussianSchedule>().ok());
            let others = known.filter(|schedule| *schedule != own.clock.schedule);
            clocks.extend(others.map(|schedule| PointClock { schedule, ..own.clock.clone() }));
        }
        clocks.into_iter().map(|clock| Meaning { clock, ..own.clone() }).collect()
    }

    /// Compares the file's meaning with its rivals, sequence by sequence; with the one that is better.
    fn judge(
        &self,
        probe: &'static str,
        declared: &[f64],
        rivals: Vec<Meaning>,
        name: impl Fn(&Meaning) -> String,
    ) -> (Finding, Option<Meaning>) {
        let tried = rivals.len();
        let mut best: Option<(f64, Meaning)> = None;
        for rival in rivals {
            // A rival whose call fails, or is not finite, is no reading of this network.
            let Ok(errors) = self.errors(&rival) else { continue };
            let saved = self.saved(declared, &errors);
            let Some(saved) = better(&saved, self.distinct, tried, LEAST) else { continue };
            if best.as_ref().is_none_or(|(most, _)| saved > *most) {
                best = Some((saved, rival));
            }
        }
        match best {
            Some((saved, rival)) => {
                let detail = format!("the noise is estimated better if {} (score {saved:.2} of 1)", name(&rival));
                (Finding::wrong(probe, detail), Some(rival))
            }
            None => (Finding::good(probe, format!("no other of {tried} tried is better")), None),
        }
    }
}
