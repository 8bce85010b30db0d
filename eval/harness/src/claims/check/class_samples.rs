//! Check: class-conditional samples of models that differ in their weighting alone, one row per class.

use elbow_impls::data::Split;
use elbow_impls::network::Denoiser;
use elbow_metrics::Images;

use super::prelude::*;
use crate::networks::digits_classifier;
use crate::sampling::Request;

/// Class-conditional models of one preset, whose samples a classifier of digits looks at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSamples {
    preset: String,
    /// Changes to the preset, common to all.
    set: Vec<String>,
    /// Weightings: the share of recognised samples of the first minus that of the second decides.
    weightings: Vec<String>,
    /// Samples per class, and how many of them the figure shows.
    per_class: usize,
    shown: usize,
    /// Steps of the sampler.
    steps: usize,
}

/// The samples of one model.
struct Arm {
    name: String,
    /// 1 for each sample that the classifier takes for its class, else 0.
    hits: Vec<f64>,
    nfe: f64,
    panel: Panel,
    weights: Input,
}

impl Check for ClassSamples {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let mut inputs = Vec::new();
        for weighting in &self.weightings {
            inputs.extend(inputs::presets(context, [&self.preset], &self.changes(weighting))?);
        }
        inputs.push(inputs::network(&digits_classifier(context)?));
        Ok(inputs)
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let arms = self.weightings.iter().map(|name| self.arm(context, name)).collect::<Result<Vec<Arm>, _>>()?;
        let [first, second, ..] = arms.as_slice() else {
            return Err(Error::internal("the claim compares fewer than two weightings"));
        };
        // Samples of one index have one class and one stream of random numbers.
        let difference = Estimate::of_pairs(&first.hits, &second.hits);
        let quantity = format!("share of samples recognised as their class: {} − {}", first.name, second.name);
        let mut outcome = Outcome::estimated(&quantity, difference, "1", "pairs of samples");
        for arm in &arms {
            outcome.estimate_detail(format!("{}: share recognised", arm.name), &Estimate::of(&arm.hits), "1");
            outcome.detail(format!("{}: network evaluations per sample (NFE)", arm.name), arm.nfe, None, "1");
        }
        outcome.made.extend(arms.iter().map(|arm| arm.weights.clone()));
        let caption = format!(
            "The first {} samples of each class, not chosen, from the same noise: one row per class. {} ancestral steps on the \
             cosine grid, one training of each weighting, from the same weights on the same batches; no guidance. The title says which \
             share of {} samples a classifier recognises.",
            self.shown,
            self.steps,
            first.hits.len()
        );
        let title = "Class-conditional samples by weighting (in the manner of Figures 4 and 5 of the paper)";
        let panels = arms.into_iter().map(|arm| arm.panel).collect();
        outcome.figures.push(figure(&format!("class-samples-{}", self.preset), title, &caption, panels));
        Ok(outcome)
    }
}

impl ClassSamples {
    /// The changes to the preset under a weighting.
    fn changes(&self, weighting: &str) -> Vec<String> {
        let own = ["class_conditioning=true".to_owned(), format!("weighting={weighting}")];
        self.set.iter().cloned().chain(own).collect()
    }

    fn arm(&self, context: &Context, weighting: &str) -> Result<Arm, Error> {
        let model = context.trained(&self.preset, &self.changes(weighting))?;
        let train = context.open(&model.settings.data(Split::Train))?;
        let shape = train.image().ok_or_else(|| Error::internal("classes are compared on images"))?;
        let classifier = digits_classifier(context)?;
        let missing = || Error::internal("the classifier has no logits");
        let classes =
            Denoiser::from(&model.model).classes().ok_or_else(|| Error::internal("the model has no classes"))?;
        let request =
            Request { steps: self.steps, ..context.request(&model, self.per_class * classes, train.length()) };
        let drawn = context.sample(&model, &request)?;
        let images = Images::from_tokens(&drawn.tokens, train.values(), shape);
        let logits = classifier.outputs_of(&images, context.bar.as_ref())?.logits.ok_or_else(missing)?;
        let hits = recognised(logits.rows(), &drawn.classes);
        let share = Estimate::of(&hits);
        let panel = Panel::Images {
            title: format!(
                "{weighting}: {:.1} ± {:.1} % recognised",
                100.0 * share.value,
                100.0 * share.standard_error
            ),
            width: images.width,
            height: images.height,
            channels: images.channels,
            columns: self.shown,
            images: of_each_class(&drawn.classes, classes, self.shown).map(|i| images.pixels(i).to_vec()).collect(),
            row_labels: (0..classes).map(|class| class.to_string()).collect(),
        };
        Ok(Arm { name: weighting.to_owned(), hits, nfe: drawn.nfe(), panel, weights: inputs::weights(&model) })
    }
}

/// 1 where the largest logit is that of the sample's class, else 0.
fn recognised<'a>(logits: impl Iterator<Item = &'a [f32]>, classes: &[u32]) -> Vec<f64> {
    let largest = |row: &[f32]| row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(class, _)| class as u32);
    logits.zip(classes).map(|(row, &class)| f64::from(u8::from(largest(row) == Some(class)))).collect()
}

/// The first `count` samples of class 0, then of class 1, and so on.
fn of_each_class(of: &[u32], classes: usize, count: usize) -> impl Iterator<Item = usize> {
    let places = move |class: usize| {
        of.iter().enumerate().filter(move |(_, other)| **other as usize == class).map(|(place, _)| place).take(count)
    };
    (0..classes).flat_map(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_recognised_by_their_largest_logit() {
        let logits: [&[f32]; 2] = [&[0.1, 0.9, 0.0], &[2.0, 1.0, 3.0]];
        assert_eq!(recognised(logits.into_iter(), &[1, 2]), [1.0, 1.0]);
        assert_eq!(recognised(logits.into_iter(), &[0, 2]), [0.0, 1.0], "witness: another class");
    }

    #[test]
    fn a_grid_has_the_first_samples_of_each_class() {
        let classes = [0, 1, 2, 0, 1, 2, 0, 1, 2];
        assert_eq!(of_each_class(&classes, 3, 2).collect::<Vec<_>>(), [0, 3, 1, 4, 2, 5]);
    }
}
