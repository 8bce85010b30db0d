//! Statements of a file about tokens, each against its rivals: the hidden tokens of the data must not cost significantly
//! less under another reading.
//!
//! Rivals are many, and calls are slow: the first corrupted sequences choose the best few of them, and others judge.

use elbow_base::Estimate;
use elbow_impls::schedule::MaskedSchedule;

use super::super::tokens::{Clock, Place, Reading};
use super::super::{Frame, TimeMeaning};
use super::Finding;
use super::significance::{self, LEAST, better};
use super::tokens::Probe;

/// Ids near the file's that are tried on each side, and the first ids of a vocabulary.
const NEAR: u32 = 32;
const FIRST: u32 = 8;
/// Rivals of a statement that are judged.
const JUDGED: usize = 3;

/// The findings about the readings of a file; `width` is the number of the output's columns.
pub(super) fn of(probe: &Probe, width: usize) -> Vec<Finding> {
    let values = probe.model.network.file.model.values;
    let uniform = (values as f64).ln();
    let [_, judged] = probe.parts();
    let Some(own) = probe.costs(&probe.own, judged) else {
        return vec![Finding::wrong("cost", "a hidden token of the data has probability 0")];
    };
    let mean = Estimate::of(&own);
    let (cost, error) = (mean.value, mean.standard_error);
    let entropy = probe.entropy();
    let detail = format!(
        "{cost:.3} +- {error:.3} nats per hidden token, {entropy:.3} by the frequencies of the data, {uniform:.3} by a \
         uniform guess"
    );
    let above = |limit: f64| {
        let excess: Vec<f64> = own.iter().map(|cost| cost - limit).collect();
        better(&excess, probe.distinct, 1, LEAST * limit).is_some()
    };
    let mut findings = vec![if above(uniform) {
        Finding::wrong("cost", format!("{detail}: the ids, the output or the data are not those of the network"))
    } else if above(entropy) {
        Finding::note("cost", format!("{detail}: the network may be for other data, or hardly trained"))
    } else {
        Finding::good("cost", detail)
    }];
    if !probe.is_enough() {
        let (few, enough) = (probe.distinct, significance::SEQUENCES);
        let what = format!("{few} sequences are too few to compare readings of the file: give {enough} or more");
        findings.push(Finding::note("readings", what));
        return findings;
    }
    findings.extend(judge_all(probe, width));
    findings
}

/// A statement of the file: its name, the rivals of a reading, and what a rival says.
struct Statement {
    probe: &'static str,
    rivals: fn(&Rivals) -> Vec<Reading>,
    name: fn(&Reading, usize) -> String,
}

const STATEMENTS: [Statement; 5] = [
    Statement {
        probe: "mask_id",
        rivals: |rivals| rivals.masks(),
        name: |rival, _| format!("mask_id = {}", rival.mask),
    },
    Statement {
        probe: "value_ids",
        rivals: |rivals| rivals.offsets(),
        name: |rival, values| format!("value_ids = [{}, {}]", rival.first, rival.first as usize + values - 1),
    },
    Statement { probe: "frame", rivals: |rivals| rivals.frames(), name: |rival, _| frame_name(rival.frame) },
    Statement {
        probe: "places",
        rivals: |rivals| rivals.places(),
        name: |rival, _| place_name(rival.place).to_owned(),
    },
    Statement { probe: "time's meaning", rivals: |rivals| rivals.times(), name: |rival, _| time_name(rival) },
];

fn frame_name(frame: Frame) -> String {
    match (frame.first, frame.last) {
        (None, None) => "no frame: leave it out".to_owned(),
        (Some(first), None) => format!("frame = {{ first = {first} }}"),
        (None, Some(last)) => format!("frame = {{ last = {last} }}"),
        (Some(first), Some(last)) => format!("frame = {{ first = {first}, last = {last} }}"),
    }
}

fn place_name(place: Place) -> &'static str {
    match place {
        Place::Before => "the output one token to the right: it is of the next token; shift it in the export",
        Place::After => "the output one token to the left: it is of the token before; shift it in the export",
        Place::Negated => "minus the output: it is larger for unlikely values; negate it in the export",
        Place::Own => "the output as it is",
    }
}

fn time_name(rival: &Reading) -> String {
    let means = rival.time.map_or("time", TimeMeaning::name);
    match rival.clock {
        Clock::Reversed => "a time that runs from noise to data: export 1 - t".to_owned(),
        Clock::Steps => "a time in 1000 steps: divide by 1000 in the export".to_owned(),
        Clock::Plain if rival.time == Some(TimeMeaning::Time) => {
            format!("time means = \"time\" and schedule = \"{}\"", rival.schedule)
        }
        Clock::Plain => format!("time means = \"{means}\""),
    }
}

/// The findings of all statements. Where several are wrong, the one whose rival saves most is corrected first, and the
/// others are judged after that: a wrong statement makes rivals of right ones look good.
fn judge_all(probe: &Probe, width: usize) -> Vec<Finding> {
    let values = probe.model.network.file.model.values;
    let mut base = probe.own.clone();
    let mut open: Vec<&Statement> = STATEMENTS.iter().collect();
    let mut wrong = Vec::new();
    loop {
        let rivals = Rivals { probe, base: base.clone(), width };
        let judged: Vec<Judged> = open.iter().map(|statement| rivals.judge(statement)).collect();
        let best = judged.iter().enumerate().filter_map(|(at, judged)| Some((at, judged.better.as_ref()?)));
        let Some((at, (saved, rival))) = best.max_by(|a, b| a.1.0.total_cmp(&b.1.0)) else {
            let good = open.iter().zip(&judged).filter(|(_, judged)| judged.tried > 0).map(|(statement, judged)| {
                Finding::good(statement.probe, format!("no other of {} tried is better", judged.tried))
            });
            return good.chain(wrong).collect();
        };
        let statement = open.remove(at);
        let detail = format!("hidden tokens cost {saved:.3} nats less with {}", (statement.name)(rival, values));
        wrong.push(Finding::wrong(statement.probe, detail));
        base = rival.clone();
    }
}

/// The result of a statement: the number of its rivals, and the one that is better, with what it saves.
struct Judged {
    tried: usize,
    better: Option<(f64, Reading)>,
}

/// The rivals of a reading.
struct Rivals<'a> {
    probe: &'a Probe<'a>,
    base: Reading,
    width: usize,
}

impl Rivals<'_> {
    /// Compares a statement with its rivals, sequence by sequence.
    fn judge(&self, statement: &Statement) -> Judged {
        let rivals = (statement.rivals)(self);
        let tried = rivals.len();
        let [screened, judged] = self.probe.parts();
        let mean = |costs: &[f64]| costs.iter().sum::<f64>() / costs.len() as f64;
        let cost = |reading: &Reading| Some(mean(&self.probe.costs(reading, screened.clone())?));
        let (Some(limit), Some(base)) = (cost(&self.base), self.probe.costs(&self.base, judged.clone())) else {
            return Judged { tried, better: None };
        };
        let mut chosen: Vec<(f64, Reading)> =
            rivals.into_iter().filter_map(|rival| Some((cost(&rival)?, rival))).collect();
        chosen.retain(|(cost, _)| *cost < limit);
        chosen.sort_by(|a, b| a.0.total_cmp(&b.0));
        let least = LEAST * mean(&base);
        let saves = |(_, rival): (f64, Reading)| {
            let costs = self.probe.costs(&rival, judged.clone())?;
            let saved: Vec<f64> = base.iter().zip(costs).map(|(own, other)| own - other).collect();
            Some((better(&saved, self.probe.distinct, tried, least)?, rival))
        };
        let better = chosen.into_iter().take(JUDGED).filter_map(saves).max_by(|a, b| a.0.total_cmp(&b.0));
        Judged { tried, better }
    }

    fn places(&self) -> Vec<Reading> {
        [Place::Before, Place::After, Place::Negated].map(|place| Reading { place, ..self.base.clone() }).to_vec()
    }

    /// Ids near one and at the begin of the vocabulary that are none of the data's.
    fn specials(&self, near: u32) -> Vec<u32> {
        let (file, own) = (&self.probe.model.network.file, &self.base);
        let data = own.first..own.first + file.model.values as u32;
        // The columns of the output tell how many ids there are at least.
        let end = (self.width as u32).max(data.end + FIRST).max(own.mask + 1);
        let around = |id: u32| id.saturating_sub(NEAR)..id.saturating_add(NEAR);
        let mut ids: Vec<u32> =
            (0..FIRST).chain(around(near)).chain(around(data.start)).chain(around(data.end)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| *id < end && !data.contains(id));
        ids
    }

    fn masks(&self) -> Vec<Reading> {
        let own = &self.base;
        if self.probe.model.network.file.model.mask_id.is_none() {
            return Vec::new();
        }
        let ids = self.specials(own.mask).into_iter().filter(|id| *id != own.mask);
        ids.map(|mask| Reading { mask, ..own.clone() }).collect()
    }

    /// Other first ids of the data.
    fn offsets(&self) -> Vec<Reading> {
        let own = &self.base;
        let values = self.probe.model.network.file.model.values;
        // An output of the values alone does not tell how many ids there are.
        let last = if self.width > values { (self.width - values) as u32 } else { own.first + FIRST };
        let near = own.first.saturating_sub(NEAR)..=(own.first + NEAR).min(last);
        near.filter(|&first| first != own.first).map(|first| Reading { first, ..own.clone() }).collect()
    }

    /// Other frames: none, other ids on either side, and pairs of ids that follow each other.
    fn frames(&self) -> Vec<Reading> {
        let own = &self.base;
        let ids: Vec<u32> = self.specials(own.first).into_iter().filter(|id| *id != own.mask).collect();
        let Frame { first, last } = own.frame;
        let mut frames = vec![Frame::default()];
        frames.extend(ids.iter().map(|&id| Frame { first: Some(id), last }));
        frames.extend(ids.iter().map(|&id| Frame { first, last: Some(id) }));
        frames.extend(ids.windows(2).map(|pair| Frame { first: Some(pair[0]), last: Some(pair[1]) }));
        frames.extend([Frame { first: None, last }, Frame { first, last: None }, Frame { first: last, last: first }]);
        let length = |frame: &Frame| usize::from(frame.first.is_some()) + usize::from(frame.last.is_some());
        let fits = |frame: &Frame| self.probe.model.network.takes_any_length() || length(frame) == length(&own.frame);
        let mut kept: Vec<Frame> = Vec::new();
        for frame in frames.into_iter().filter(|frame| *frame != own.frame && fits(frame)) {
            if !kept.contains(&frame) {
                kept.push(frame);
            }
        }
        kept.into_iter().map(|frame| Reading { frame, ..own.clone() }).collect()
    }

    /// Other meanings of the time, other directions and units, other schedules.
    fn times(&self) -> Vec<Reading> {
        let own = &self.base;
        let Some(time) = own.time else { return Vec::new() };
        let meanings = [TimeMeaning::Time, TimeMeaning::MaskRate, TimeMeaning::LogSnr];
        let meanings = meanings.into_iter().filter(|&other| other != time);
        let mut rivals: Vec<Reading> = meanings.map(|time| Reading { time: Some(time), ..own.clone() }).collect();
        rivals.extend([Clock::Reversed, Clock::Steps].map(|clock| Reading { clock, ..own.clone() }));
        if time == TimeMeaning::Time {
            let schedules = [MaskedSchedule::Linear, MaskedSchedule::Cosine, MaskedSchedule::Poly(2.0)];
            let others = schedules.into_iter().filter(|schedule| *schedule != own.schedule);
            rivals.extend(others.map(|schedule| Reading { schedule, ..own.clone() }));
        }
        rivals
    }
}
