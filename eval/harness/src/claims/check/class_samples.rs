//! Check: class-conditional samples of models that differ in their weighting alone, one row per class, with their distances
//! class by class.

use elbow_impls::data::{Dataset, Split};
use elbow_impls::network::Denoiser;
use elbow_impls::train::Settings;
use elbow_metrics::{FeatureNetwork, Features, Images, KidLeftOut, kid_left_out, spread_of_left_out};

use super::prelude::*;
use crate::networks::bundled_network;
use crate::sampling::Request;

/// Class-conditional models of one preset, whose samples a network looks at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassSamples {
    /// The number that decides: of the first weighting minus that of the second.
    quantity: Quantity,
    preset: String,
    /// Changes to the preset, common to all.
    set: Vec<String>,
    /// Weightings.
    weightings: Vec<String>,
    /// Samples per class, and how many of them the figure shows.
    per_class: usize,
    shown: usize,
    /// Steps of the sampler.
    steps: usize,
    /// The bundled network whose features are compared, and the number of reference images, from the first training image;
    /// absent: all.
    network: String,
    references: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Quantity {
    /// The share of samples that the network, a classifier of the data, takes for their class.
    Recognised,
    /// The kernel distance (KID) of the samples of a class to the training images of that class, mean over classes.
    Distance,
}

/// The samples of one model.
struct Arm {
    name: String,
    /// 1 for each sample that the classifier takes for its class, else 0; none without a classifier of these classes.
    hits: Option<Vec<f64>>,
    /// The kernel distance of each class.
    distances: Vec<KidLeftOut>,
    nfe: f64,
    images: Images,
    classes: Vec<u32>,
    weights: Input,
}

/// Features of the training images by class.
struct References {
    network: FeatureNetwork,
    by_class: Vec<Features>,
}

impl Check for ClassSamples {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let mut inputs = Vec::new();
        for weighting in &self.weightings {
            inputs.extend(inputs::presets(context, [&self.preset], &self.changes(weighting))?);
        }
        inputs.push(inputs::network(&bundled_network(context, &self.network)?));
        Ok(inputs)
    }

    fn is_statistical(&self) -> bool {
        true
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let references = self.references(context)?;
        let arms = self.weightings.iter().map(|name| self.arm(context, name, &references));
        let arms = arms.collect::<Result<Vec<Arm>, _>>()?;
        let [first, second, ..] = arms.as_slice() else {
            return Err(Error::internal("the claim compares fewer than two weightings"));
        };
        let mut outcome = match self.quantity {
            // Samples of one index have one class and one stream of random numbers.
            Quantity::Recognised => {
                let hits = |arm: &Arm| arm.hits.clone().ok_or_else(|| Error::internal("the network has no logits"));
                let difference = Estimate::of_pairs(&hits(first)?, &hits(second)?);
                let quantity = format!("share of samples recognised as their class: {} − {}", first.name, second.name);
                Outcome::estimated(&quantity, difference, "1", "pairs of samples")
            }
            Quantity::Distance => {
                let difference = mean_difference(&first.distances, &second.distances);
                let quantity = format!("KID per class, mean over classes: {} − {}", first.name, second.name);
                Outcome::estimated(&quantity, difference, "1", "pairs of samples")
            }
        };
        for arm in &arms {
            if let Some(hits) = &arm.hits {
                outcome.estimate_detail(format!("{}: share recognised", arm.name), &Estimate::of(hits), "1");
            }
            outcome.estimate_detail(format!("{}: KID per class, mean", arm.name), &mean(&arm.distances), "1");
            outcome.detail(format!("{}: network evaluations per sample (NFE)", arm.name), arm.nfe, None, "1");
        }
        outcome.made.extend(arms.iter().map(|arm| arm.weights.clone()));
        outcome.figures.push(self.drawn(&arms, &references)?);
        Ok(outcome)
    }
}

impl ClassSamples {
    /// The changes to the preset under a weighting.
    fn changes(&self, weighting: &str) -> Vec<String> {
        let own = ["class_conditioning=true".to_owned(), format!("weighting={weighting}")];
        self.set.iter().cloned().chain(own).collect()
    }

    fn references(&self, context: &Context) -> Result<References, Error> {
        let first = self.weightings.first().map_or("", String::as_str);
        let settings = Settings::resolve(&self.preset, &self.changes(first))?;
        let train = context.open(&settings.data(Split::Train))?;
        let places: Vec<usize> = (0..self.references.unwrap_or(usize::MAX).min(train.len())).collect();
        let labels = train.labels(&places);
        let network = bundled_network(context, &self.network)?;
        let features = network.features(&images_of(train.as_ref(), &places)?, context.bar.as_ref())?;
        let by_class = (0..train.classes()).map(|class| features.select(&of_class(&labels, class))).collect();
        Ok(References { network, by_class })
    }

    fn arm(&self, context: &Context, weighting: &str, references: &References) -> Result<Arm, Error> {
        let model = context.trained(&self.preset, &self.changes(weighting))?;
        let train = context.open(&model.settings.data(Split::Train))?;
        let classes =
            Denoiser::from(&model.model).classes().ok_or_else(|| Error::internal("the model has no classes"))?;
        let request =
            Request { steps: self.steps, ..context.request(&model, self.per_class * classes, train.length()) };
        let drawn = context.sample(&model, &request)?;
        let shape = train.image().ok_or_else(|| Error::internal("classes are compared on images"))?;
        let images = Images::from_tokens(&drawn.tokens, train.values(), shape);
        let found = references.network.outputs_of(&images, context.bar.as_ref())?;
        let hits = match (self.quantity, &found.logits) {
            (Quantity::Recognised, Some(logits)) => Some(recognised(logits.rows(), &drawn.classes)),
            _ => None,
        };
        let distance = |(class, reference): (usize, &Features)| {
            let of_class = found.features.select(&of_class(&drawn.classes, class));
            kid_left_out(&of_class, reference, context.bar.as_ref())
        };
        let distances = references.by_class.iter().enumerate().map(distance).collect::<Result<Vec<_>, _>>()?;
        let (name, nfe, weights) = (weighting.to_owned(), drawn.nfe(), inputs::weights(&model));
        Ok(Arm { name, hits, distances, nfe, images, classes: drawn.classes, weights })
    }

    /// The samples of every arm, one row per class, and the distances of the classes.
    fn drawn(&self, arms: &[Arm], references: &References) -> Result<Figure, Error> {
        let mut series = Vec::new();
        for (place, arm) in arms.iter().enumerate() {
            // Side by side, so that no error bar covers another.
            let aside = 0.16 * (place as f64 - (arms.len() as f64 - 1.0) / 2.0);
            let of_class = |(class, one): (usize, &KidLeftOut)| Ok((class as f64 + aside, one.estimate()?));
            let points = arm.distances.iter().enumerate().map(of_class).collect::<Result<Vec<_>, Error>>()?;
            series.push(Series { style: Style::Points, ..means(&arm.name, points) });
        }
        let distances = plot("Distance by class", axis("class"), axis("KID"), series);
        let panels = arms.iter().map(|arm| self.grid(arm)).chain([distances]).collect();
        let recognised = match self.quantity {
            Quantity::Recognised => " and the share of them that a classifier recognises",
            Quantity::Distance => "",
        };
        let caption = format!(
            "The first {} samples of each class, not chosen, from the same noise: one row per class. {} ancestral steps on the              cosine grid, one training of each weighting, from the same weights on the same batches; no guidance. The titles have              the mean over classes of the kernel distance ({}) between the {} samples of a class and its training images{recognised};              the plot has the distance of each class. Errors are over samples and reference images.",
            self.shown,
            self.steps,
            format_args!("kid.{}", references.network.label()),
            self.per_class,
        );
        let title = "Class-conditional samples by weighting (in the manner of Figures 4 and 5 of the paper)";
        Ok(figure(&format!("class-samples-{}", self.preset), title, &caption, panels))
    }

    fn grid(&self, arm: &Arm) -> Panel {
        let Arm { images, classes, .. } = arm;
        let count = arm.distances.len();
        let percent = |share: Estimate| {
            format!(", {:.1} ± {:.1} % recognised", 100.0 * share.value, 100.0 * share.standard_error)
        };
        let distance = mean(&arm.distances);
        let recognised = arm.hits.as_ref().map(|hits| percent(Estimate::of(hits))).unwrap_or_default();
        Panel::Images {
            title: format!("{}: KID {:.4} ± {:.4}{recognised}", arm.name, distance.value, distance.standard_error),
            width: images.width,
            height: images.height,
            channels: images.channels,
            columns: self.shown,
            images: of_each_class(classes, count, self.shown).map(|i| images.pixels(i).to_vec()).collect(),
            row_labels: (0..count).map(|class| class.to_string()).collect(),
        }
    }
}

/// Some images of a data set.
fn images_of(data: &dyn Dataset, places: &[usize]) -> Result<Images, Error> {
    let shape = data.image().ok_or_else(|| Error::internal("classes are compared on images"))?;
    Ok(Images::from_tokens(&data.select(places)?, data.values(), shape))
}

/// The mean over classes of a kernel distance.
fn mean(distances: &[KidLeftOut]) -> Estimate {
    over_classes(distances, |one| one.value, |one| [one.without_x.clone(), one.without_y.clone()])
}

/// The mean over classes of the difference of two models' kernel distances.
///
/// Both leave out the sample of one index at once, as it was drawn from the same noise, and the reference image of one index:
/// what both have in common drops out of the error.
fn mean_difference(a: &[KidLeftOut], b: &[KidLeftOut]) -> Estimate {
    let pairs: Vec<(&KidLeftOut, &KidLeftOut)> = a.iter().zip(b).collect();
    let minus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
    over_classes(
        &pairs,
        |(a, b)| a.value - b.value,
        |(a, b)| [minus(&a.without_x, &b.without_x), minus(&a.without_y, &b.without_y)],
    )
}

/// A mean over classes, whose samples and reference images are independent of each other, by the jackknife: `left_out` are the
/// values of a class without each sample, and without each reference image. `n` counts the samples.
fn over_classes<T>(classes: &[T], value: impl Fn(&T) -> f64, left_out: impl Fn(&T) -> [Vec<f64>; 2]) -> Estimate {
    let count = classes.len() as f64;
    let (mut variance, mut n) = (0.0, 0);
    for class in classes {
        let sides = left_out(class);
        n += sides[0].len() as u64;
        variance += sides.iter().map(|side| spread_of_left_out(side).powi(2)).sum::<f64>();
    }
    Estimate { value: classes.iter().map(value).sum::<f64>() / count, standard_error: variance.sqrt() / count, n }
}

/// The places of a class.
fn of_class(classes: &[u32], class: usize) -> Vec<usize> {
    (0..classes.len()).filter(|&place| classes[place] as usize == class).collect()
}

/// 1 where the largest logit is that of the sample's class, else 0.
fn recognised<'a>(logits: impl Iterator<Item = &'a [f32]>, classes: &[u32]) -> Vec<f64> {
    let largest = |row: &[f32]| row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(class, _)| class as u32);
    logits.zip(classes).map(|(row, &class)| f64::from(u8::from(largest(row) == Some(class)))).collect()
}

/// The first `count` samples of class 0, then of class 1, and so on.
fn of_each_class(of: &[u32], classes: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..classes).flat_map(move |class| of_class(of, class).into_iter().take(count))
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
    #[test]
    fn a_mean_over_classes_is_paired() {
        let class = |value: f64, shift: f64| KidLeftOut {
            value,
            without_x: vec![value + shift, value - shift],
            without_y: vec![value + 2.0 * shift, value - 2.0 * shift],
        };
        let (a, b) = ([class(1.0, 0.3), class(3.0, 0.4)], [class(0.5, 0.2), class(1.5, 0.4)]);
        // The jackknife of two values v + s, v - s has the deviation s, so a class has the variance s^2 + (2 s)^2 = 5 s^2.
        let alone = mean(&a);
        assert_eq!((alone.value, alone.n), (2.0, 4));
        assert!((alone.standard_error - (5.0f64 * (0.09 + 0.16)).sqrt() / 2.0).abs() < 1e-12, "{alone:?}");
        let paired = mean_difference(&a, &b);
        assert!((paired.value - 1.0).abs() < 1e-12, "{paired:?}");
        assert!((paired.standard_error - (5.0f64 * 0.01).sqrt() / 2.0).abs() < 1e-12, "{paired:?}");
        // Witness: errors of models apart would be larger.
        assert!(alone.standard_error.hypot(mean(&b).standard_error) > 3.0 * paired.standard_error);
    }
}
