//! Check: Frechet distances of sets whose distance, or the order of whose distances, is known.

use elbow_impls::Key;
use elbow_impls::data::{Dataset, Tokens};
use elbow_metrics::{FeatureProvenance, Images, between_features};
use rand_distr::{Distribution, StandardNormal};

use super::prelude::*;
use crate::images::of_dataset;
use crate::networks::digits_classifier;
use crate::provenance;

const GOLDEN: &str = "frechet/golden.json";

/// Distances of feature sets of known distance, or of noisy digits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frechet {
    measure: Measure,
    /// Standard deviations of the pixel noise, in grey levels of 0..=16, ascending (noise).
    #[serde(default)]
    noise: Vec<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Largest relative error against the golden distances of `fixtures/frechet`.
    GoldenError,
    /// Smallest increase of the distance to the training split from one noise level to the next.
    SmallestRiseWithNoise,
}

/// The pairs of the fixture.
const PAIRS: [[&str; 2]; 3] = [["a", "b"], ["c", "d"], ["e", "f"]];

impl Check for Frechet {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        match self.measure {
            Measure::GoldenError => {
                let files = PAIRS.iter().flatten().map(|name| format!("frechet/{name}.npy"));
                inputs::files(context, files.chain([GOLDEN.to_owned()]))
            }
            Measure::SmallestRiseWithNoise => {
                let data = context.dataset("digits:train")?;
                Ok(vec![inputs::network(&digits_classifier(context)?), provenance::data_input(data.as_ref())])
            }
        }
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        match self.measure {
            Measure::GoldenError => golden_error(context),
            Measure::SmallestRiseWithNoise => self.rise(context),
        }
    }
}

impl Frechet {
    fn rise(&self, context: &Context) -> Result<Outcome, Error> {
        let network = digits_classifier(context)?;
        let metric = network.metric_name();
        let (train, test) = (context.dataset("digits:train")?, context.dataset("digits:test")?);
        let reference = network.features(&of_dataset(train.as_ref())?, context.bar.as_ref())?;
        let distance = |&level: &f64| -> Result<f64, Error> {
            let noisy = add_noise(test.as_ref(), level, &Key::new(context.seed, "pixel noise"))?;
            let images = Images::from_tokens(&noisy, test.values(), [8, 8, 1]);
            Ok(between_features(&network.features(&images, context.bar.as_ref())?, &reference, &network.provenance())?
                .value)
        };
        let distances = self.noise.iter().map(distance).collect::<Result<Vec<f64>, Error>>()?;
        let rise = smallest(distances.windows(2).map(|pair| pair[1] - pair[0]));
        let mut outcome = Outcome::exact(&format!("smallest rise of {metric}"), rise, "1")
            .over(distances.len() - 1, "steps of noise");
        for (level, value) in self.noise.iter().zip(&distances) {
            outcome.detail(format!("{metric} at noise {level}"), *value, None, "1");
        }
        outcome.figures.push(figure(
            "noise",
            "The distance rises with noise",
            &format!(
                "{metric} between the training split and the test split with Gaussian noise added to each pixel, in grey \
                 levels of 0 to 16, rounded and clipped."
            ),
            vec![plot(
                "",
                axis("standard deviation of the noise (grey levels)"),
                axis(&metric),
                vec![curve("test images with noise", Style::LinePoints, self.noise.clone(), distances)],
            )],
        ));
        Ok(outcome)
    }
}

/// The levels plus Gaussian noise, rounded and clipped.
fn add_noise(data: &dyn Dataset, deviation: f64, key: &Key) -> Result<Tokens, Error> {
    let mut rng = key.rng();
    let top = (data.values() - 1) as f64;
    let mut noisy = |&id: &u32| {
        let normal: f64 = StandardNormal.sample(&mut rng);
        (f64::from(id) + deviation * normal).round().clamp(0.0, top) as u32
    };
    Ok(Tokens::new(data.all()?.ids().iter().map(&mut noisy).collect(), data.length()))
}

fn golden_error(context: &Context) -> Result<Outcome, Error> {
    let golden = context.golden(GOLDEN)?;
    let mut outcome = Outcome::exact("largest relative error", 0.0, "1").over(PAIRS.len(), "pairs of feature sets");
    let mut errors = Vec::new();
    let load = |name: &str| context.features(&format!("frechet/{name}.npy"));
    for [a, b] in PAIRS {
        let name = format!("{a}-{b}");
        let exact = golden[&name]["distance"].as_f64();
        let exact = exact.ok_or_else(|| Error::input(format!("{GOLDEN}: no {name}"), ""))?;
        let ours = between_features(&load(a)?, &load(b)?, &FeatureProvenance::named("fixture"))?;
        errors.push((ours.value / exact - 1.0).abs());
        outcome.detail(format!("{name}: distance"), ours.value, None, "1");
        if let Some(disagreement) = ours.disagreement {
            outcome.detail(format!("{name}: difference of the two algorithms"), disagreement, None, "1");
        }
    }
    outcome.measured.value = largest(errors);
    Ok(outcome)
}
