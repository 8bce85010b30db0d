//! The noise that a program is asked about.

use std::collections::BTreeMap;

use burn::tensor::Device;
use elbow_base::{Error, Progress};
use elbow_impls::data::{Dataset, Text};
use elbow_impls::network::{GaussianDenoiser, TokenDenoiser};
use elbow_impls::train::ObjectiveConfig;
use elbow_impls::{Objective, Workers};

use super::given::Elsewhere;
use super::noise_file::{DataRecord, NoiseFile, NoiseSettings};
use crate::likelihood::{BoundEstimation, Estimator, Inputs, Noisy, TextRates};

/// The noise of a bound, with its settings.
pub struct Noise<'a> {
    /// Name of the objective.
    pub objective: &'a str,
    /// Its settings that are not the default.
    pub settings: BTreeMap<String, String>,
    /// The data.
    pub data: &'a dyn Dataset,
    /// Stratified draws per sequence.
    pub draws: usize,
    /// The first sequences of the data, or all.
    pub sequences: Option<usize>,
    /// Seed of the draws.
    pub seed: u64,
}

/// The estimation that draws the noise; its network is elsewhere.
pub(super) fn estimation<'a>(
    objective: &'a Objective,
    by_k_dce: bool,
    network: &'a Elsewhere,
    data: &'a dyn Dataset,
    draws: usize,
    seed: u64,
) -> Result<BoundEstimation<'a>, Error> {
    let model = match objective {
        Objective::Tokens(_) => objective.with(network as &dyn TokenDenoiser)?,
        Objective::Gaussian(_) => objective.with(network as &dyn GaussianDenoiser)?,
    };
    // Other objectives draw their own noise, although a network that sees no time could be judged by k-DCE.
    let estimator = if by_k_dce { Estimator::KDce } else { Estimator::Objective };
    Ok(BoundEstimation { estimator, ..BoundEstimation::new(model, data, draws, seed) })
}

/// Whether the noise of an objective is k-DCE's.
pub(super) fn is_k_dce(config: &ObjectiveConfig) -> bool {
    use elbow_impls::any_order::{AnyOrder, DceForm};
    matches!(config, ObjectiveConfig::AnyOrder(AnyOrder { form: DceForm::KDce }))
}

impl Noise<'_> {
    /// Draws the noise.
    pub fn draw(&self, device: &Device, bar: &dyn Progress) -> Result<NoiseFile, Error> {
        let config = ObjectiveConfig::of_bound(self.objective, &self.settings)?;
        let (objective, network) = (config.objective(), Elsewhere { values: self.data.values() });
        let estimation = estimation(&objective, is_k_dce(&config), &network, self.data, self.draws, self.seed)?;
        let estimation = BoundEstimation { sequences: self.sequences, ..estimation };
        let (draws, order) = (estimation.draws()?, estimation.order()?);
        let chunks = estimation.chunks(&order);
        bar.start(chunks.len() as u64, &format!("noise of {}", self.data.name()));
        let parts = Workers::new(usize::MAX).map(&chunks, |_, chunk| -> Result<Vec<Inputs>, Error> {
            let corruptions = estimation.corruptions(chunk, &draws, device)?;
            let inputs = corruptions.map(|corruption| Inputs::of(&estimation.model, &corruption?)).collect();
            bar.advance(1);
            inputs
        });
        bar.finish();
        let z = match &objective {
            Objective::Tokens(_) => Noisy::Tokens(Vec::new()),
            Objective::Gaussian(_) => Noisy::Points { z: Vec::new(), log_snr: Vec::new() },
        };
        let mut inputs = Inputs { z, t: Vec::new() };
        for (part, (_, sequences)) in parts.into_iter().zip(&chunks) {
            inputs.extend(&part?, sequences.len());
        }
        let record = self.record(estimation.data_protocol(false));
        let settings = NoiseSettings::new(self.objective, self.settings.clone(), self.draws, self.seed, record);
        Ok(NoiseFile { settings, x: self.data.select(&order)?, inputs, classes: self.data.labels(&order) })
    }

    fn record(&self, protocol: Vec<(&str, String)>) -> DataRecord {
        let (data, text) = (self.data, self.data.text());
        DataRecord {
            name: data.name(),
            sha256: data.hash().to_owned(),
            values: data.values(),
            available: data.len() as u64,
            tokens: (data.len() * data.length() + text.map_or(0, Text::rest)) as u64,
            protocol: protocol.into_iter().map(|(name, choice)| (name.to_owned(), choice)).collect(),
            text: text.map(TextRates::of),
        }
    }
}
