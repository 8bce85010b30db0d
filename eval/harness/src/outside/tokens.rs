//! A denoiser of tokens from outside.

use burn::tensor::Tensor;
use elbow_impls::network::{Input, MaskedTargets, TokenDenoiser};
use elbow_impls::schedule::{LogSnr, MaskedSchedule};

use super::network::{Network, RowValues, Rows, ids, times};
use super::{ModelFile, TimeMeaning};

/// mu_theta of a network from outside, with the model's ids mapped to 0..V and the mask to V.
pub struct OutsideTokens {
    pub(super) network: Network,
    pub(super) schedule: MaskedSchedule,
}

/// What the numbers of the network mean: as its file says, or as a probe supposes in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    /// The id of the mask.
    pub mask: u32,
    /// The id of the first data value.
    pub first: u32,
    /// The time's number.
    pub time: Option<TimeMeaning>,
    /// Whether the time runs from noise to data.
    pub reversed: bool,
}

impl Reading {
    /// What the file says.
    pub fn of(file: &ModelFile) -> Self {
        let mask = file.model.mask_id.unwrap_or(file.first_value() + file.model.values as u32);
        Self {
            mask,
            first: file.first_value(),
            time: file.inputs.time.as_ref().map(|time| time.means),
            reversed: false,
        }
    }
}

impl OutsideTokens {
    /// The number that the network is told at a time t.
    fn time(&self, t: f64, reading: &Reading) -> f64 {
        let t = if reading.reversed { 1.0 - t } else { t };
        match reading.time {
            Some(TimeMeaning::MaskRate) => self.schedule.mask_probability(t),
            Some(TimeMeaning::LogSnr) => self.schedule.log_snr(t),
            _ => t,
        }
    }

    /// The framed sequences in the model's own ids.
    fn rows(&self, z: &[i64], length: usize, reading: &Reading) -> Rows {
        let file = &self.network.file;
        let (first, mask) = (i64::from(reading.first), i64::from(reading.mask));
        let frame = file.model.frame.unwrap_or_default();
        let own = |&id: &i64| if id < file.model.values as i64 { first + id } else { mask };
        let row = |row: &[i64]| -> Vec<i64> {
            let inside = row.iter().map(own);
            frame.first.map(i64::from).into_iter().chain(inside).chain(frame.last.map(i64::from)).collect()
        };
        Rows { values: RowValues::Ids(z.chunks(length).flat_map(row).collect()), length: length + file.frame_length() }
    }

    /// The network's own output for the tokens inside the frame, \[batch, length, width\], and the width.
    pub(super) fn output(&self, input: &Input, reading: &Reading) -> Result<(Vec<f32>, usize), String> {
        let length = input.z.dims()[1];
        let times: Vec<f64> = times(input).into_iter().map(|t| self.time(t, reading)).collect();
        let rows = self.rows(&ids(input.z.clone()), length, reading);
        let (output, width) = self.network.call(input, &rows, &times)?;
        let before = usize::from(self.network.file.model.frame.unwrap_or_default().first.is_some());
        let sequences = output.chunks(rows.length * width);
        let inside = sequences.flat_map(|sequence| &sequence[before * width..(before + length) * width]);
        Ok((inside.copied().collect(), width))
    }

    /// The logits of the data values, \[batch, length, V\]. An output of V columns has those alone; a wider one has a
    /// column per id.
    pub(super) fn value_columns(&self, input: &Input, reading: &Reading) -> Result<Vec<f32>, String> {
        let (output, width) = self.output(input, reading)?;
        let values = self.network.file.model.values;
        let from = if width == values { 0 } else { reading.first as usize };
        if width < from + values {
            let last = from + values - 1;
            return Err(format!("its output has {width} columns, and the last data id of the model file is {last}"));
        }
        Ok(output.chunks(width).flat_map(|logits| &logits[from..from + values]).copied().collect())
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

    fn masked_costs(&self, input: &Input, targets: &MaskedTargets) -> Option<Tensor<2>> {
        if !self.network.has_costs() {
            return None;
        }
        let [batch, length] = input.z.dims();
        let reading = Reading::of(&self.network.file);
        let times: Vec<f64> = times(input).into_iter().map(|t| self.time(t, &reading)).collect();
        let rows = self.rows(&ids(input.z.clone()), length, &reading);
        let called = self.network.masked_costs(input, &rows, &times, targets, reading.first as usize);
        let costs = self.network.tensor_or_nan(called, [batch, length, 1], &input.z.device());
        Some(costs.reshape([batch, length]))
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        let [batch, length] = input.z.dims();
        let called = self.value_columns(input, &Reading::of(&self.network.file));
        self.network.tensor_or_nan(called, [batch, length, self.values()], &input.z.device())
    }
}
