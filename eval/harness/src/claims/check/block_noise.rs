//! Check: the exact variance of one draw of block diffusion's bound, by the size of a block and the law of mask rates.

use elbow_impls::block::MaskRates;
use elbow_theory::Alphabet;
use elbow_theory::masked::block::{BlockEnumeration, k_dce_law, noise_of_one_draw};

use super::prelude::*;

/// One measure over all toys and the divisors of their lengths; the worst case decides.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockNoise {
    measure: Measure,
    /// Names of files in `fixtures/`, without `.json`.
    toys: Vec<String>,
    /// Ranges of mask rates, beside k-DCE.
    #[serde(default)]
    rates: Vec<[f64; 2]>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// The smallest increase of k-DCE's variance from one size of blocks to the next.
    SmallestIncrease,
    /// The largest variance of k-DCE with blocks of one token.
    OneToken,
    /// The largest difference of the means under the laws.
    MeanSpread,
    /// The largest variance under the first range over that under all rates, for blocks of one token.
    ClippedRatio,
}

impl Check for BlockNoise {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        inputs::toys(context, &self.toys)
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let (mut found, mut details) = (Vec::new(), Vec::new());
        for name in &self.toys {
            let toy = context.toy(name, Alphabet::Masked)?;
            let mut smaller: Option<f64> = None;
            for size in (1..=toy.length).filter(|size| toy.length.is_multiple_of(*size)) {
                let blocks = BlockEnumeration::new(&toy, size)?;
                let k_dce = noise_of_one_draw(&blocks, &k_dce_law(size));
                let clipped = |range: &[f64; 2]| noise_of_one_draw(&blocks, &MaskRates::count_law(*range, size));
                let per_token = (toy.length as f64).powi(2);
                details.push((format!("variance of k-DCE, {}, K = {size}", title(name)), k_dce.variance / per_token));
                match self.measure {
                    Measure::SmallestIncrease => {
                        found.extend(smaller.map(|smaller| (k_dce.variance - smaller) / per_token))
                    }
                    Measure::OneToken if size == 1 => found.push(k_dce.variance / per_token),
                    Measure::MeanSpread => {
                        found.extend(self.rates.iter().map(|range| (clipped(range).mean - k_dce.mean).abs()));
                    }
                    Measure::ClippedRatio if size == 1 => {
                        let all = clipped(&[0.0, 1.0]).variance;
                        found.extend(self.rates.iter().map(|range| clipped(range).variance / all));
                    }
                    Measure::OneToken | Measure::ClippedRatio => {}
                }
                smaller = Some(k_dce.variance);
            }
        }
        let (quantity, value, unit) = match self.measure {
            Measure::SmallestIncrease => {
                ("smallest increase of the variance to the next K", smallest(found.iter().copied()), "nats² per token²")
            }
            Measure::OneToken => ("largest variance at K = 1", largest(found.iter().copied()), "nats² per token²"),
            Measure::MeanSpread => {
                ("largest |mean under clipped rates − bound|", largest(found.iter().copied()), "nats")
            }
            Measure::ClippedRatio => {
                ("largest variance at K = 1, clipped rates / all rates", largest(found.iter().copied()), "1")
            }
        };
        let mut outcome = Outcome::exact(quantity, value, unit).over(found.len(), "cases");
        outcome.exact_details(details, "nats² per token²");
        Ok(outcome)
    }
}

/// The name of a toy without its folder.
fn title(toy: &str) -> &str {
    toy.rsplit('/').next().unwrap_or(toy)
}
