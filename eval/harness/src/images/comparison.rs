//! A comparison of generated images with a reference by several metrics.

use elbow_base::{Error, Kind, Progress};
use elbow_metrics::{FeatureProvenance, GaussianFit, Statistics};
use serde_json::json;

use super::metrics::{self, FeatureSet, Metric, MetricOptions, MetricValue};
use super::{ImageSource, frechet};

const SIDES: [&str; 2] = ["generated", "reference"];

/// Generated images and a reference, in this order in each pair.
pub struct Comparison<'a> {
    /// Network and convention of the features.
    pub provenance: &'a FeatureProvenance,
    /// `NETWORK.CONVENTION`, the ending of the metrics' names.
    pub label: &'a str,
    /// Images, features or statistics.
    pub sources: &'a [ImageSource; 2],
    /// The features, for sources that are no statistics.
    pub sets: &'a [Option<FeatureSet<'a>>; 2],
    /// Settings of the metrics.
    pub options: MetricOptions,
    /// Notes for readers of the numbers.
    pub warnings: Vec<String>,
}

impl Comparison<'_> {
    /// The metrics in `selected`, or all that the sources allow where it is empty.
    pub fn measure(&mut self, selected: &[Metric], bar: &dyn Progress) -> Result<Vec<MetricValue>, Error> {
        let mut values = Vec::new();
        let wanted = |metric: &Metric| selected.is_empty() || selected.contains(metric);
        // The distance, its standard error and the extrapolation share one fit of the reference.
        let reference = match wanted(&Metric::Fd) || self.options.extrapolate.is_some() {
            true => Some(self.fit(1)?),
            false => None,
        };
        for metric in Metric::ALL.into_iter().filter(wanted) {
            match self.one(metric, reference.as_ref(), bar) {
                Ok(found) => values.extend(found),
                // A metric that was not selected by name is left out where the sources do not allow it.
                Err(unfit) if selected.is_empty() && metric != Metric::Fd && unfit.kind == Kind::Input => {
                    self.warnings.push(format!("{metric} is left out: {}", unfit.what));
                }
                Err(unfit) => return Err(unfit.of(metric)),
            }
        }
        if let (Some(cuts), Some(reference)) = (self.options.extrapolate, &reference) {
            let generated = self.features(0)?;
            values.push(frechet::at_infinity(self.provenance, generated, reference, cuts, &self.options, bar)?);
        }
        if self.options.per_class {
            let (value, left_out) = frechet::per_class(self.provenance, [self.features(0)?, self.features(1)?])?;
            if !left_out.is_empty() {
                let classes = left_out.join(", ");
                self.warnings.push(format!("classes without two images on each side, left out: {classes}"));
            }
            values.push(value);
        }
        Ok(values)
    }

    fn one(
        &mut self,
        metric: Metric,
        reference: Option<&GaussianFit>,
        bar: &dyn Progress,
    ) -> Result<Vec<MetricValue>, Error> {
        match metric {
            Metric::Fd => {
                let reference = reference.ok_or_else(|| Error::internal("a distance without a reference"))?;
                let fits = [&self.fit(0)?, reference];
                let found = frechet::distance(self.provenance, fits, self.sets[0].as_ref(), &self.options, bar)?;
                if found.details["rank_deficient"] == json!(true) {
                    let what =
                        "no more images than feature dimensions on one side: the Frechet distance is biased upwards";
                    self.warnings.push(what.to_owned());
                }
                Ok(vec![found])
            }
            Metric::Kid => metrics::kid(self.label, [self.features(0)?, self.features(1)?], bar),
            Metric::Mind => metrics::mind(self.label, [self.features(0)?, self.features(1)?], &self.options, bar),
            Metric::Is => metrics::inception_score(self.label, self.features(0)?, &self.options),
            Metric::Prdc => metrics::prdc(self.label, [self.features(0)?, self.features(1)?], &self.options, bar),
            Metric::Entropy => metrics::entropies(self.features(0)?, self.sets[1].as_ref()),
        }
    }

    fn fit(&self, i: usize) -> Result<GaussianFit, Error> {
        let fit = match (&self.sets[i], &self.sources[i]) {
            (Some(set), _) => GaussianFit::of_features(&set.outputs.features, self.provenance),
            // Their provenance was compared when they were opened.
            (None, ImageSource::Statistics(statistics)) => {
                GaussianFit::of_statistics(Statistics { provenance: None, ..statistics.clone() })
            }
            (None, _) => return Err(Error::internal("images without features")),
        };
        fit.map_err(|e| e.of(format_args!("{} side", SIDES[i])).into())
    }

    fn features(&self, i: usize) -> Result<&FeatureSet<'_>, Error> {
        let missing = || {
            let what = format!("statistics on the {} side have no features", SIDES[i]);
            Error::input(what, "give images or features")
        };
        self.sets[i].as_ref().ok_or_else(missing)
    }
}
