//! Check: one model on the CPU and on the device of this run.

use burn::tensor::Device;
use elbow_impls::Key;
use elbow_impls::data::Split;
use elbow_impls::objective::Batch;
use elbow_impls::time_sampling::TimeSampling;
use elbow_impls::train::optimizer::gradient_norm;

use super::prelude::*;
use crate::likelihood::Estimator;
use crate::runs::Trained;

/// The loss, its gradient and the bound of trained models, computed twice.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Devices {
    presets: Vec<String>,
    /// Changes to each preset.
    set: Vec<String>,
    /// Number of training images under the loss and its gradient.
    batch: usize,
    /// Draws of the noise per test image under the bound, and the number of test images, from the first.
    draws: usize,
    sequences: usize,
}

impl Check for Devices {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::presets(context, &self.presets, &self.set)
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let mut found = Vec::new();
        let mut made = Vec::new();
        for preset in &self.presets {
            let (model, run) = context.trained_run(preset, &self.set)?;
            let on = |device: &Device| self.numbers(context, &Trained::load(&run, &device.clone().autodiff())?, device);
            let (cpu, here) = (on(&Device::flex())?, on(&context.device)?);
            for ((name, a), (_, b)) in cpu.into_iter().zip(here) {
                found.push((format!("{preset}: {name}, relative difference"), ((a - b) / a).abs()));
            }
            made.push(inputs::weights(&model));
        }
        let worst = largest(found.iter().map(|(_, difference)| *difference));
        let quantity = format!("largest relative difference, cpu and {}", context.device_name);
        let mut outcome = Outcome::exact(&quantity, worst, "1").over(found.len(), "numbers");
        outcome.exact_details(found, "1");
        outcome.made = made;
        Ok(outcome)
    }
}

impl Devices {
    /// The loss of a batch, the norm of its gradient, the bound: the same draws on every device.
    fn numbers(&self, context: &Context, model: &Trained, device: &Device) -> Result<Vec<(&'static str, f64)>, Error> {
        let device = &device.clone().autodiff();
        let data = |split| context.open(&model.settings.data(split));
        let (train, test) = (data(Split::Train)?, data(Split::Test)?);
        let chosen: Vec<usize> = (0..self.batch.min(train.len())).collect();
        let key = Key::new(context.seed, "devices");
        let times = TimeSampling::Stratified.draw(chosen.len(), &key.fold(0));
        let batch = Batch::new(train.select(&chosen)?, times);
        let loss = model.diffusion()?.loss(&batch, &key.fold(1), device)?.mean();
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let estimation =
            model.bound_estimation(test.as_ref(), Estimator::Auto, self.draws, Some(self.sequences), context.seed)?;
        let bound = estimation.run(device, context.bar.as_ref())?;
        Ok(vec![
            ("loss", value),
            ("norm of its gradient", gradient_norm(&model.model, loss)),
            ("NELBO", bound.bits_per_dim.value),
        ])
    }
}
