//! Toys of Gaussian diffusion: atoms or a Gaussian mixture, and the law that the denoiser is exact for, read from JSON.

use std::path::Path;

use serde::Deserialize;

use super::mixture::{Component, Mixture};
use crate::error::Error;

/// Tolerance of sums of probabilities against 1.
const SUM_TOLERANCE: f64 = 1e-9;
/// Smallest and largest standard deviation, and largest position: products of a few of them are still numbers.
const SMALLEST: f64 = 1e-60;
const LARGEST: f64 = 1e60;
/// Largest distance from 0 in standard deviations: the digits that double precision has left for the shape of a bell.
const FARTHEST: f64 = 1e10;
/// The form of a toy file.
const FORMAT: &str =
    r#"it holds {"atoms": [[x, p], ...]} or {"mixture": [{"mean": m, "std": s, "weight": p}, ...]}, and "denoiser""#;

/// A data distribution of Gaussian diffusion, with the denoiser whose bounds are computed.
#[derive(Clone, Debug)]
pub struct GaussianToy {
    /// The law of the data.
    pub data: Mixture,
    /// The denoiser x_hat(z_t) is the posterior mean of x given z_t under this law.
    pub denoiser: Mixture,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToyFile {
    atoms: Option<Vec<(f64, f64)>>,
    mixture: Option<Vec<ComponentFile>>,
    denoiser: DenoiserFile,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum DenoiserFile {
    // Without braces serde would ignore other keys here.
    Exact {},
    Atoms { atoms: Vec<(f64, f64)> },
    Mixture { mixture: Vec<ComponentFile> },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ComponentFile {
    mean: Mean,
    std: f64,
    weight: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Mean {
    One(f64),
    Many(Vec<f64>),
}

impl GaussianToy {
    /// Reads and checks a toy file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::parse(&Error::read(path)?).map_err(|error| error.in_file(path))
    }

    /// Checks the text of a toy file.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let file: ToyFile =
            serde_json::from_str(text).map_err(|source| Error::Malformed { kind: "toy", source, format: FORMAT })?;
        let data = match (file.atoms, file.mixture) {
            (Some(atoms), None) => self::atoms("data", &atoms)?,
            (None, Some(list)) => mixture("data", &list)?,
            _ => return Err(Error::invalid("a toy has either atoms or mixture", FORMAT)),
        };
        let denoiser = match file.denoiser {
            DenoiserFile::Exact {} => data.clone(),
            DenoiserFile::Atoms { atoms } => self::atoms("denoiser", &atoms)?,
            DenoiserFile::Mixture { mixture: list } => mixture("denoiser", &list)?,
        };
        if data.dimensions != denoiser.dimensions {
            let what = format!("data of {} dimensions, denoiser of {}", data.dimensions, denoiser.dimensions);
            return Err(Error::invalid(what, "give both the same number of dimensions"));
        }
        Ok(Self { data, denoiser })
    }
}

fn atoms(whose: &str, list: &[(f64, f64)]) -> Result<Mixture, Error> {
    for (index, (position, _)) in list.iter().enumerate() {
        if list[..index].iter().any(|(other, _)| other == position) {
            return Err(Error::invalid(
                format!("{whose}: two atoms at {position}"),
                "give each position one probability",
            ));
        }
    }
    let component = |&(position, weight): &(f64, f64)| Component { weight, mean: [position, 0.0], std: 0.0 };
    checked(whose, 1, list.iter().map(component).collect())
}

fn mixture(whose: &str, list: &[ComponentFile]) -> Result<Mixture, Error> {
    let mut components = Vec::new();
    let mut dimensions = None;
    for one in list {
        let mean = match &one.mean {
            Mean::One(x) => vec![*x],
            Mean::Many(mean) => mean.clone(),
        };
        if !(1..=2).contains(&mean.len()) || dimensions.is_some_and(|d| d != mean.len()) {
            let what = format!("{whose}: a mean of {} numbers", mean.len());
            return Err(Error::invalid(what, "every mean has one number, or every mean has two"));
        }
        if !(SMALLEST..=LARGEST).contains(&one.std) {
            let what = format!("{whose}: std {:?}", one.std);
            let rule = format!("std must be positive, {SMALLEST:e} to {LARGEST:e}; use atoms for points");
            return Err(Error::invalid(what, rule));
        }
        dimensions = Some(mean.len());
        let mean = [mean[0], mean.get(1).copied().unwrap_or(0.0)];
        components.push(Component { weight: one.weight, mean, std: one.std });
    }
    checked(whose, dimensions.unwrap_or(1), components)
}

/// The mixture of components whose weights sum to 1 and whose positions are finite; those of weight zero are dropped.
fn checked(whose: &str, dimensions: usize, mut components: Vec<Component>) -> Result<Mixture, Error> {
    for one in &components {
        let (mean, far) = (&one.mean[..dimensions], one.mean.iter().fold(0.0, |far: f64, x| far.max(x.abs())));
        // The comparison is false for NaN.
        if !((0.0..=1.0 + SUM_TOLERANCE).contains(&one.weight) && far <= LARGEST) {
            let what = format!("{whose}: weight {:?} at {mean:?}", one.weight);
            return Err(Error::invalid(what, format!("weights lie in [0, 1] and positions within {LARGEST:e} of 0")));
        }
        if one.std > 0.0 && far > FARTHEST * one.std {
            let what = format!("{whose}: std {:?} at {mean:?}", one.std);
            let rule =
                format!("double precision resolves bells within {FARTHEST:e} of their widths from 0: move them to 0");
            return Err(Error::invalid(what, rule));
        }
    }
    let total: f64 = components.iter().map(|c| c.weight).sum();
    if (total - 1.0).abs() > SUM_TOLERANCE {
        let what = format!("{whose}: the weights sum to {total}");
        return Err(Error::invalid(what, format!("they must sum to 1 within {SUM_TOLERANCE:e}")));
    }
    components.retain(|c| c.weight > 0.0);
    Ok(Mixture { dimensions, components })
}
