//! Toys of Gaussian diffusion: atoms or a Gaussian mixture, and the law that the denoiser is exact for, read from JSON.

use std::path::Path;

use serde::Deserialize;

use super::mixture::{Component, Mixture};
use crate::error::Error;

/// Tolerance of sums of probabilities against 1.
const SUM_TOLERANCE: f64 = 1e-9;
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
    Exact,
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
            DenoiserFile::Exact => data.clone(),
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
        if one.std.is_nan() || one.std <= 0.0 || one.std.is_infinite() {
            let what = format!("{whose}: std {}", one.std);
            return Err(Error::invalid(what, "std must be positive; use atoms for points"));
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
        if !(0.0..=1.0 + SUM_TOLERANCE).contains(&one.weight) || one.mean.iter().any(|x| !x.is_finite()) {
            let what = format!("{whose}: weight {} at {:?}", one.weight, &one.mean[..dimensions]);
            return Err(Error::invalid(what, "weights lie in [0, 1] and positions are finite"));
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
