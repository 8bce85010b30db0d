//! Two sides, and all that can be measured of them.

use serde_json::json;

use super::input::Input;
use super::measures::{self, Measure, Metric, Options, Set};
use crate::failure::{Failure, Kind};
use crate::fid::{Origin, Side};
use elbow_base::Progress;

/// The generated side and the reference.
pub struct Comparison<'a> {
    /// What makes the features.
    pub origin: &'a Origin,
    /// Network and convention, as the other metrics' names end.
    pub label: &'a str,
    pub inputs: &'a [Input; 2],
    /// The sides that are images.
    pub sets: &'a [Option<Set<'a>>; 2],
    pub options: Options,
    /// What a reader of the numbers should know.
    pub warnings: Vec<String>,
}

impl Comparison<'_> {
    /// What was asked for by name, or all that the inputs allow.
    pub fn measure(&mut self, asked: &[Metric], bar: &dyn Progress) -> Result<Vec<Measure>, Failure> {
        let mut measures = Vec::new();
        let wanted = |metric: &Metric| asked.is_empty() || asked.contains(metric);
        // Its covariance and root serve the distance, its error and the one at infinity.
        let reference = match wanted(&Metric::Fd) || self.options.extrapolate.is_some() {
            true => Some(self.side(1)?),
            false => None,
        };
        for metric in Metric::ALL.into_iter().filter(wanted) {
            match self.one(metric, reference.as_ref(), bar) {
                Ok(found) => measures.extend(found),
                // What nobody asked for by name is left out where the inputs are not made for it.
                Err(unfit) if asked.is_empty() && metric != Metric::Fd && unfit.kind == Kind::Input => {
                    self.warnings.push(format!("{metric} left out: {}", unfit.what));
                }
                Err(unfit) => return Err(unfit.of(metric)),
            }
        }
        if let (Some(cuts), Some(reference)) = (self.options.extrapolate, &reference) {
            let generated = self.images(0)?;
            measures.push(measures::at_infinity(self.origin, generated, reference, cuts, &self.options, bar)?);
        }
        if self.options.per_class {
            let (measure, left_out) = measures::per_class(self.origin, [self.images(0)?, self.images(1)?])?;
            if !left_out.is_empty() {
                let classes = left_out.join(", ");
                self.warnings.push(format!("classes without two images on each side, left out: {classes}"));
            }
            measures.push(measure);
        }
        Ok(measures)
    }

    fn one(&mut self, metric: Metric, reference: Option<&Side>, bar: &dyn Progress) -> Result<Vec<Measure>, Failure> {
        match metric {
            Metric::Fd => {
                let reference = reference.ok_or_else(|| Failure::internal("a distance without a reference"))?;
                let sides = [&self.side(0)?, reference];
                let found = measures::frechet(self.origin, sides, self.sets[0].as_ref(), &self.options, bar)?;
                if found.details["rank_deficient"] == json!(true) {
                    let what =
                        "no more images than feature dimensions on one side: the Frechet distance is biased upwards";
                    self.warnings.push(what.to_owned());
                }
                Ok(vec![found])
            }
            Metric::Kid => measures::kernel_distance(self.label, [self.images(0)?, self.images(1)?], bar),
            Metric::Is => measures::score(self.label, self.images(0)?, &self.options),
            Metric::Prdc => measures::shares(self.label, [self.images(0)?, self.images(1)?], &self.options, bar),
            Metric::Entropy => Ok(measures::entropies(self.images(0)?, self.sets[1].as_ref())),
        }
    }

    fn side(&self, i: usize) -> Result<Side, Failure> {
        match (&self.sets[i], &self.inputs[i]) {
            (Some(set), _) => Side::of_features(&set.extracted.features, self.origin),
            (None, Input::Statistics(statistics)) => Side::of_statistics(statistics.clone()),
            (None, Input::Images(_)) => Err(Failure::internal("images without features")),
        }
    }

    fn images(&self, i: usize) -> Result<&Set<'_>, Failure> {
        let side = ["generated", "reference"][i];
        let missing = || Failure::input(format!("statistics on the {side} side have no features"), "give images");
        self.sets[i].as_ref().ok_or_else(missing)
    }
}
