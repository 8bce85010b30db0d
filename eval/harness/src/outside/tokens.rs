//! A denoiser of tokens from outside.

use burn::tensor::Tensor;
use elbow_impls::network::{DrawLaw, Drawn, Input, MaskedTargets, QueryPositions, TokenDenoiser};
use elbow_impls::schedule::{LogSnr, MaskedSchedule};

use super::network::Network;
use super::rows::{RowValues, Rows, ids, times};
use super::{Frame, ModelFile, TimeMeaning};

/// mu_theta of a network from outside, with the model's ids mapped to 0..V and the mask to V.
pub struct OutsideTokens {
    pub(super) network: Network,
    pub(super) schedule: MaskedSchedule,
}

/// What the numbers of the network mean: as its file says, or as a probe supposes in its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// The id of the mask.
    pub mask: u32,
    /// The id of the first data value.
    pub first: u32,
    /// Ids that stand visible around every sequence.
    pub frame: Frame,
    /// The id that fills a framed sequence up, and to how many tokens.
    pub fill: Option<(u32, usize)>,
    /// The time's number.
    pub time: Option<TimeMeaning>,
    /// The schedule of the time.
    pub schedule: MaskedSchedule,
    /// What the time's number is besides.
    pub clock: Clock,
    /// Where the output of a token stands.
    pub place: Place,
}

/// What the number of a time is besides its meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Clock {
    /// As it is.
    Plain,
    /// It runs from noise to data.
    Reversed,
    /// In a thousand steps.
    Steps,
}

/// Where the output of a token stands, and with which sign.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// At the token.
    Own,
    /// At the token before it.
    Before,
    /// At the token after it.
    After,
    /// At the token, and larger where the value is less likely.
    Negated,
}

impl Reading {
    /// What the file says.
    pub fn of(file: &ModelFile, schedule: &MaskedSchedule) -> Self {
        let whole = file.model.length.map(|length| length + file.frame_length());
        Self {
            mask: file.model.mask_id.unwrap_or(file.first_value() + file.model.values as u32),
            first: file.first_value(),
            frame: file.model.frame.unwrap_or_default(),
            fill: file.model.pad_id.zip(whole),
            time: file.inputs.time.as_ref().map(|time| time.means),
            schedule: schedule.clone(),
            clock: Clock::Plain,
            place: Place::Own,
        }
    }

    /// Tokens before the sequence.
    fn before(&self) -> usize {
        usize::from(self.frame.first.is_some())
    }
}

impl OutsideTokens {
    /// What the file says.
    pub(super) fn reading(&self) -> Reading {
        Reading::of(&self.network.file, &self.schedule)
    }

    /// The number that the network is told at a time t of the file's schedule.
    fn time(&self, t: f64, reading: &Reading) -> f64 {
        let t = match reading.schedule == self.schedule {
            true => t,
            // The time at which the other schedule masks as many tokens.
            false => reading.schedule.time_of_log_snr(self.schedule.log_snr(t)),
        };
        let t = if reading.clock == Clock::Reversed { 1.0 - t } else { t };
        let number = match reading.time {
            Some(TimeMeaning::MaskRate) => reading.schedule.mask_probability(t),
            Some(TimeMeaning::LogSnr) => reading.schedule.log_snr(t),
            _ => t,
        };
        if reading.clock == Clock::Steps { 1000.0 * number } else { number }
    }

    /// The framed sequences in the model's own ids.
    fn rows(&self, z: &[i64], length: usize, reading: &Reading) -> Rows {
        let values = self.network.file.model.values as i64;
        let (first, mask) = (i64::from(reading.first), i64::from(reading.mask));
        let Frame { first: begin, last: end } = reading.frame;
        let own = |&id: &i64| if id < values { first + id } else { mask };
        let framed = reading.before() + length + usize::from(end.is_some());
        let (pad, whole) = reading.fill.map_or((0, framed), |(pad, whole)| (i64::from(pad), whole.max(framed)));
        let mut ids = Vec::with_capacity(z.len() / length * whole);
        for row in z.chunks(length) {
            ids.extend(begin.map(i64::from));
            ids.extend(row.iter().map(own));
            ids.extend(end.map(i64::from));
            ids.extend(std::iter::repeat_n(pad, whole - framed));
        }
        Rows { values: RowValues::Ids(ids), length: whole }
    }

    /// The network's own output for the tokens inside the frame, \[batch, length, width\], and the width.
    pub(super) fn output(&self, input: &Input, reading: &Reading) -> Result<(Vec<f32>, usize), String> {
        let length = input.z.dims()[1];
        let rows = self.rows(&ids(input.z.clone()), length, reading);
        let (output, width) = self.network.call(input, &rows, &self.told(input, reading))?;
        if length == rows.length {
            return Ok((output, width));
        }
        let inside = reading.before() * width..(reading.before() + length) * width;
        let sequences = output.chunks(rows.length * width);
        Ok((sequences.flat_map(|sequence| &sequence[inside.clone()]).copied().collect(), width))
    }

    /// The numbers that the network is told of the times.
    fn told(&self, input: &Input, reading: &Reading) -> Vec<f64> {
        times(input).into_iter().map(|t| self.time(t, reading)).collect()
    }

    /// The first column of the data values in an output of this width: one of V columns has those alone, a wider one has a
    /// column per id.
    fn first_column(&self, width: usize, reading: &Reading) -> Result<usize, String> {
        let values = self.network.file.model.values;
        let from = if width == values { 0 } else { reading.first as usize };
        match width < from + values {
            true => {
                let last = from + values - 1;
                Err(format!("its output has {width} columns, and the last data id of the model file is {last}"))
            }
            false => Ok(from),
        }
    }

    /// -log mu_theta(z)\[n, x_n\] of each masked token and 0 of the others, \[batch, length\], straight from the output: a
    /// tensor of all logits would be made for a number per token.
    fn costs(&self, input: &Input, targets: &MaskedTargets) -> Result<Vec<f32>, String> {
        let (reading, length, values) = (self.reading(), targets.length, self.values());
        let rows = self.rows(&ids(input.z.clone()), length, &reading);
        if self.network.has_costs() {
            let told = self.told(input, &reading);
            return self.network.masked_costs(input, &rows, &told, targets, reading.first as usize);
        }
        let mut costs = vec![0.0; targets.x.len()];
        self.network.call_with(input, &rows, &self.told(input, &reading), |first, output, width| {
            let from = self.first_column(width, &reading)?;
            for (row, output) in (first..).zip(output.chunks(rows.length * width)) {
                for at in (0..length).filter(|at| targets.masked[row * length + at]) {
                    let logits = &output[(reading.before() + at) * width + from..][..values];
                    let token = row * length + at;
                    costs[token] = elbow_fused::log_sum_exp(logits) - logits[targets.x[token] as usize];
                }
            }
            Ok(())
        })?;
        Ok(costs)
    }

    /// The logits of the data values at some positions, \[positions, V\]: a copy of all would take a part of a small network's time.
    fn queried_columns(&self, input: &Input, positions: &QueryPositions) -> Result<Vec<f32>, String> {
        let (reading, values, length) = (self.reading(), self.values(), input.z.dims()[1]);
        let rows = self.rows(&ids(input.z.clone()), length, &reading);
        let mut logits = Vec::with_capacity(positions.iter().count() * values);
        self.network.call_with(input, &rows, &self.told(input, &reading), |first, output, width| {
            let from = self.first_column(width, &reading)?;
            let sequences = output.chunks(rows.length * width).zip(&positions.0[first..]);
            for (output, at) in sequences.flat_map(|(output, row)| row.iter().map(move |&at| (output, at))) {
                logits.extend_from_slice(&output[(reading.before() + at) * width + from..][..values]);
            }
            Ok(())
        })?;
        Ok(logits)
    }

    /// The logits of the data values, \[batch, length, V\].
    pub(super) fn value_columns(&self, input: &Input, reading: &Reading) -> Result<Vec<f32>, String> {
        let length = input.z.dims()[1];
        let (output, width) = self.output(input, reading)?;
        let (values, from) = (self.values(), self.first_column(width, reading)?);
        if width == values && reading.place == Place::Own {
            return Ok(output);
        }
        let at = |token: usize| match reading.place {
            Place::Before if !token.is_multiple_of(length) => token - 1,
            Place::After if token % length + 1 < length => token + 1,
            _ => token,
        };
        let logits = |token: usize| &output[at(token) * width + from..at(token) * width + from + values];
        let sign = if reading.place == Place::Negated { -1.0 } else { 1.0 };
        Ok((0..output.len() / width).flat_map(logits).map(|logit| sign * logit).collect())
    }
}

impl TokenDenoiser for OutsideTokens {
    fn values(&self) -> usize {
        self.network.file.model.values
    }

    fn classes(&self) -> Option<usize> {
        self.network.file.inputs.class.as_ref().map(|class| class.classes)
    }

    fn sees_time(&self) -> bool {
        self.network.file.inputs.time.is_some()
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        let [batch, length] = input.z.dims();
        let called = self.value_columns(input, &self.reading());
        self.network.tensor_or_nan(called, [batch, length, self.values()], &input.z.device())
    }

    fn logits_at(&self, input: &Input, positions: &QueryPositions) -> Tensor<2> {
        let count = positions.iter().count();
        let called = self.queried_columns(input, positions);
        let logits = self.network.tensor_or_nan(called, [count, 1, self.values()], &input.z.device());
        logits.reshape([count, self.values()])
    }

    fn draws(&self, input: &Input, positions: &QueryPositions, law: &DrawLaw) -> Option<Vec<Drawn>> {
        if !self.network.has_draws() {
            return None;
        }
        let (reading, length) = (self.reading(), input.z.dims()[1]);
        let rows = self.rows(&ids(input.z.clone()), length, &reading);
        let told = self.told(input, &reading);
        let drawn = self.network.draws(input, &rows, &told, positions, law, reading.first as usize);
        Some(drawn.unwrap_or_else(|what| {
            self.network.failed(what);
            vec![Drawn { value: 0, log_mu: f64::NAN }; law.uniforms.len()]
        }))
    }

    fn masked_costs(&self, input: &Input, targets: &MaskedTargets) -> Option<Tensor<2>> {
        let [batch, length] = input.z.dims();
        let called = self.costs(input, targets);
        let costs = self.network.tensor_or_nan(called, [batch, length, 1], &input.z.device());
        Some(costs.reshape([batch, length]))
    }
}
