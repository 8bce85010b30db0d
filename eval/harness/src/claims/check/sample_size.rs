//! Check: distances as functions of the number of images, on Gaussian features whose true distance is known.

use elbow_base::{Progress, Silent};
use elbow_impls::{Key, Workers};
use elbow_metrics::{FeatureProvenance, Features, GaussianFit, Statistics, extrapolated, kid, standard_error};
use rand_distr::{Distribution, StandardNormal};

use super::prelude::*;

/// Sets of `images` draws of N(shift, I) in `dimension` dimensions against the law N(0, I): the true squared distance
/// is dimension shift^2.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleSize {
    measure: Measure,
    dimension: usize,
    shift: f64,
    images: usize,
    /// Independent sets.
    sets: usize,
    /// Disjoint blocks: the most cuts of the extrapolation, and the blocks of the jackknife.
    cuts: usize,
    blocks: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Mean of the distance minus the true one.
    Bias,
    /// The same of the distance at infinity.
    BiasAtInfinity,
    /// Mean of KID between two sets of the same law.
    KidOfEqualLaws,
    /// Mean of the squared standard errors over the variance of the distance, minus 1.
    ErrorCalibration,
}

impl Check for SampleSize {
    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let truth = self.dimension as f64 * self.shift.powi(2);
        let key = Key::new(context.seed, "gaussian features");
        let numbers: Vec<usize> = (0..self.sets).collect();
        let bar = context.bar.as_ref();
        bar.start(self.sets as u64, "sets of features");
        let found = Workers::new(usize::MAX).map(&numbers, |_, &set| {
            let found = self.one(&key.fold(set as u64), &Silent);
            bar.advance(1);
            found
        });
        bar.finish();
        let found = found.into_iter().collect::<Result<Vec<[f64; 2]>, Error>>()?;
        let values: Vec<f64> = found.iter().map(|[value, _]| *value).collect();
        let mean = Estimate::of(&values);
        let (quantity, units) = match self.measure {
            Measure::Bias => ("mean of the distance minus the true one", values.iter().map(|v| v - truth).collect()),
            Measure::BiasAtInfinity => {
                ("mean of the distance at infinity minus the true one", values.iter().map(|v| v - truth).collect())
            }
            Measure::KidOfEqualLaws => ("mean KID of two sets of one law", values.clone()),
            Measure::ErrorCalibration => {
                let n = values.len() as f64;
                let variance = values.iter().map(|v| (v - mean.value).powi(2)).sum::<f64>() / (n - 1.0);
                // Per set: its own estimate of the variance, minus its share of the variance over sets.
                let unit = |[value, error]: &[f64; 2]| {
                    (error.powi(2) - (value - mean.value).powi(2) * n / (n - 1.0)) / variance
                };
                ("mean squared standard error over the variance, minus 1", found.iter().map(unit).collect::<Vec<f64>>())
            }
        };
        let mut outcome = Outcome::estimated(quantity, Estimate::of(&units), "1", "sets");
        outcome.detail("true distance", truth, None, "1");
        outcome.estimate_detail("mean", &mean, "1");
        if matches!(self.measure, Measure::KidOfEqualLaws) {
            let negative = Estimate::of(&values.iter().map(|v| f64::from(u8::from(*v < 0.0))).collect::<Vec<_>>());
            outcome.estimate_detail("share below zero", &negative, "1");
        }
        if matches!(self.measure, Measure::BiasAtInfinity) {
            outcome.figures.push(self.lines(&key, truth)?);
        }
        Ok(outcome)
    }
}

impl SampleSize {
    /// The number of one set, and its standard error where the measure needs it.
    fn one(&self, key: &Key, bar: &dyn Progress) -> Result<[f64; 2], Error> {
        let x = self.draw(self.shift, &key.fold(0));
        let reference = self.law()?;
        match self.measure {
            Measure::Bias => Ok([GaussianFit::of_features(&x, &FeatureProvenance::named("law"))?.to(&reference)?, 0.0]),
            Measure::BiasAtInfinity => {
                let found =
                    extrapolated(&x, &reference, &FeatureProvenance::named("law"), [self.cuts, self.blocks], key, bar)?;
                Ok([found.value, found.standard_error])
            }
            Measure::KidOfEqualLaws => {
                let found = kid(&self.draw(0.0, &key.fold(1)), &self.draw(0.0, &key.fold(2)), bar)?;
                Ok([found.value, found.standard_error])
            }
            Measure::ErrorCalibration => {
                let value = GaussianFit::of_features(&x, &FeatureProvenance::named("law"))?.to(&reference)?;
                Ok([value, standard_error(&x, &reference, &FeatureProvenance::named("law"), self.blocks, key, bar)?])
            }
        }
    }

    fn draw(&self, mean: f64, key: &Key) -> Features {
        let mut rng = key.rng();
        let mut value = || (mean + Distribution::<f64>::sample(&StandardNormal, &mut rng)) as f32;
        Features { dimension: self.dimension, values: (0..self.images * self.dimension).map(|_| value()).collect() }
    }

    fn law(&self) -> Result<GaussianFit, Error> {
        let covariance = faer::Mat::identity(self.dimension, self.dimension);
        let law = Statistics { mean: vec![0.0; self.dimension], covariance, n: None, provenance: None };
        Ok(GaussianFit::of_statistics(law)?)
    }

    /// The mean distances of blocks of the first set against 1/n, with the fitted line.
    fn lines(&self, key: &Key, truth: f64) -> Result<Figure, Error> {
        let x = self.draw(self.shift, &key.fold(0).fold(0));
        let found = extrapolated(
            &x,
            &self.law()?,
            &FeatureProvenance::named("law"),
            [self.cuts, self.blocks],
            &key.fold(0),
            &Silent,
        )?;
        let (at, seen): (Vec<f64>, Vec<f64>) = found.points.iter().map(|&(n, d)| (1.0 / n as f64, d)).unzip();
        let end = at.last().copied().unwrap_or(0.0);
        let series = |label: &str, style, x: Vec<f64>, y: Vec<f64>, error| Series {
            label: label.to_owned(),
            style,
            x,
            y,
            error,
            x_error: None,
        };
        let fitted = vec![found.value, found.value + found.slope * end];
        let panel = plot(
            "",
            axis("1 / images"),
            axis("Frechet distance"),
            vec![
                series("mean of disjoint blocks", Style::Points, at, seen, None),
                series("fitted line", Style::Line, vec![0.0, end], fitted, None),
                series("at infinity", Style::Points, vec![0.0], vec![found.value], Some(vec![found.standard_error])),
                series("true", Style::Line, vec![0.0, end], vec![truth; 2], None),
            ],
        );
        let caption = format!(
            "One set of {} draws of a normal law in {} dimensions, whose distance is known: fewer images make it larger, in \
             proportion to 1/n; the intercept is the distance at infinitely many.",
            self.images, self.dimension
        );
        Ok(figure("infinity", "How many images? The distance against 1/n", &caption, vec![panel]))
    }
}
