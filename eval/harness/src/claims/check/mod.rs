//! The kinds of checks, by the names that claim files use. A new kind of the bundled claims is a file here and a line in
//! [`BUNDLED`]; a kind for claims of users is a file in [`own`].

mod block_noise;
#[cfg(test)]
mod calibration;
mod cascade;
mod class_samples;
mod conditional;
mod conditional_paths;
mod devices;
mod digits;
mod equivalence;
mod estimator;
mod figures;
mod fixtures;
mod floor;
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
pub mod own;
mod paired_trainings;
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
mod toy_frontier;
mod toy_training;
mod trained_frontier;
mod trainings;
mod weighting_study;

use serde::de::DeserializeOwned;
use toml::de::ValueDeserializer;

use crate::claims::claim_file::NamedParse;
use crate::claims::context::Check;

/// Every kind of check of the bundled claims: its name in claim files, and the type of its parameters.
pub const BUNDLED: [NamedParse; 34] = [
    ("block-noise", parse::<block_noise::BlockNoise>),
    ("cascade", parse::<cascade::Cascades>),
    ("class-samples", parse::<class_samples::ClassSamples>),
    ("conditional", parse::<conditional::Conditional>),
    ("conditional-paths", parse::<conditional_paths::ConditionalPaths>),
    ("devices", parse::<devices::Devices>),
    ("digits", parse::<digits::TrainedDigits>),
    ("equivalence", parse::<equivalence::Equivalence>),
    ("estimator", parse::<estimator::Estimator>),
    ("families", parse::<masked_vs_gaussian::MaskedVsGaussian>),
    ("floor", parse::<floor::Floor>),
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
    ("paired-trainings", parse::<paired_trainings::PairedTrainings>),
    ("parallel", parse::<parallel_sampling::ParallelSampling>),
    ("parity", parse::<parity::Parity>),
    ("photographs", parse::<photographs::Photographs>),
    ("sample-size", parse::<sample_size::SampleSize>),
    ("samplers", parse::<samplers::Samplers>),
    ("side-by-side", parse::<side_by_side::SideBySide>),
    ("text", parse::<text::Texts>),
    ("toy-frontier", parse::<toy_frontier::ToyFrontier>),
    ("toy-training", parse::<toy_training::ToyTraining>),
    ("trained-frontier", parse::<trained_frontier::TrainedFrontier>),
    ("weighting", parse::<weighting_study::WeightingStudy>),
    ("weights", parse::<monotonicity::Monotonicity>),
];

/// Parses the parameters of one kind.
fn parse<C: Check + DeserializeOwned>(parameters: ValueDeserializer<'_>) -> Result<Box<dyn Check>, toml::de::Error> {
    Ok(Box::new(C::deserialize(parameters)?))
}
