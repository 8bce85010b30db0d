//! The kinds of checks, by the names that claim files use. A new kind is a file here and a line in [`REGISTRY`].

mod cascade;
mod devices;
mod digits;
mod equivalence;
mod estimator;
mod figures;
mod fixtures;
mod frechet;
mod gap_profile;
mod gaussian;
mod gaussian_estimator;
mod grids;
mod gumbel;
mod independent_pixels_baseline;
mod inputs;
mod integrand;
mod masked_vs_gaussian;
mod monotonicity;
mod objectives;
mod ode;
mod order;
mod parallel_sampling;
mod parity;
mod photographs;
mod prelude;
mod reference_distance;
mod sample_size;
mod samplers;
mod side_by_side;
mod statistics;
mod text;
mod toy_training;
mod trainings;
mod weighting_study;

use elbow_base::nearest;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};
use toml::{Table, Value};

use crate::claims::context::Check;

/// Parses the parameters of a check, the rest of a claim's `[protocol]` table.
type Parse = fn(Table) -> Result<Box<dyn Check>, toml::de::Error>;

/// Every kind of check: its name in claim files, and the type of its parameters.
const REGISTRY: [(&str, Parse); 26] = [
    ("cascade", parse::<cascade::Cascades>),
    ("devices", parse::<devices::Devices>),
    ("digits", parse::<digits::TrainedDigits>),
    ("equivalence", parse::<equivalence::Equivalence>),
    ("estimator", parse::<estimator::Estimator>),
    ("families", parse::<masked_vs_gaussian::MaskedVsGaussian>),
    ("frechet", parse::<frechet::Frechet>),
    ("gap-profile", parse::<gap_profile::GapProfile>),
    ("gaussian", parse::<gaussian::Gaussian>),
    ("gaussian-estimator", parse::<gaussian_estimator::GaussianEstimator>),
    ("grids", parse::<grids::Grids>),
    ("gumbel", parse::<gumbel::Gumbel>),
    ("integrand", parse::<integrand::Integrand>),
    ("objectives", parse::<objectives::Objectives>),
    ("ode", parse::<ode::Ode>),
    ("order", parse::<order::Order>),
    ("parallel", parse::<parallel_sampling::ParallelSampling>),
    ("parity", parse::<parity::Parity>),
    ("photographs", parse::<photographs::Photographs>),
    ("sample-size", parse::<sample_size::SampleSize>),
    ("samplers", parse::<samplers::Samplers>),
    ("side-by-side", parse::<side_by_side::SideBySide>),
    ("text", parse::<text::Texts>),
    ("toy-training", parse::<toy_training::ToyTraining>),
    ("weighting", parse::<weighting_study::WeightingStudy>),
    ("weights", parse::<monotonicity::Monotonicity>),
];

fn parse<C: Check + DeserializeOwned>(parameters: Table) -> Result<Box<dyn Check>, toml::de::Error> {
    Ok(Box::new(parameters.try_into::<C>()?))
}

/// The check that a `[protocol]` table describes.
pub fn deserialize<'de, D: Deserializer<'de>>(table: D) -> Result<Box<dyn Check>, D::Error> {
    let mut parameters = Table::deserialize(table)?;
    let Some(Value::String(name)) = parameters.remove("check") else {
        return Err(D::Error::custom("no kind of check: write check = \"NAME\""));
    };
    let Some((_, parse)) = REGISTRY.iter().find(|(known, _)| *known == name) else {
        let known = REGISTRY.map(|(known, _)| known.to_owned());
        let hint = nearest(&name, &known)
            .map_or_else(|| format!("choose one of {}", known.join(", ")), |near| format!("did you mean {near:?}?"));
        return Err(D::Error::custom(format!("unknown check {name:?}: {hint}")));
    };
    parse(parameters).map_err(D::Error::custom)
}

#[cfg(test)]
pub fn registered() -> impl Iterator<Item = &'static str> {
    REGISTRY.iter().map(|(name, _)| *name)
}
