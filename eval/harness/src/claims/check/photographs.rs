//! Check: distances between crops of photographs and their disturbed copies, on the features of a bundled network.

use elbow_impls::Key;
use elbow_metrics::{Convention, FeatureNetwork, FeatureProvenance, GaussianFit, Images};
use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};
use rand_distr::{Distribution, StandardNormal};

use super::prelude::*;
use crate::networks::bundled_network;

const PHOTOS: [&str; 3] = ["photos/china.png", "photos/flower.png", "photos/grace_hopper.png"];
/// Height and width of a crop; crops do not overlap.
const SIDE: u32 = 64;

/// Disturbances of the bundled photographs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Photographs {
    measure: Measure,
    /// Standard deviations of Gaussian noise, levels.
    #[serde(default)]
    noise: Vec<f64>,
    /// Standard deviations of Gaussian blur, pixels.
    #[serde(default)]
    blur: Vec<f64>,
    /// JPEG qualities, in falling order.
    #[serde(default)]
    jpeg: Vec<f64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Smallest ratio of the distances at one level of a disturbance and at the level before.
    SmallestRise,
    /// Largest ratio of the distances of one disturbed set under two input conventions.
    Conventions,
}

/// A change to an image.
#[derive(Clone, Copy)]
enum Disturbance {
    Noise,
    Blur,
    Jpeg,
}

impl Check for Photographs {
    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let mut inputs = vec![inputs::network(&lite0(context)?)];
        inputs.extend(inputs::files(context, PHOTOS)?);
        Ok(inputs)
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let (network, crops) = (lite0(context)?, crops(context)?);
        match self.measure {
            Measure::SmallestRise => self.rise(context, &network, &crops),
            Measure::Conventions => self.conventions(context, &network, &crops),
        }
    }
}

impl Photographs {
    fn levels(&self) -> [(Disturbance, &'static str, &[f64]); 3] {
        [
            (Disturbance::Noise, "noise, standard deviation in levels", &self.noise),
            (Disturbance::Blur, "blur, standard deviation in pixels", &self.blur),
            (Disturbance::Jpeg, "JPEG, quality", &self.jpeg),
        ]
    }

    fn rise(&self, context: &Context, network: &FeatureNetwork, crops: &[RgbImage]) -> Result<Outcome, Error> {
        let metric = network.metric_name();
        let side = |images: &[RgbImage]| side(network, images, context);
        let reference = side(crops)?;
        let (mut panels, mut details, mut rises) = (Vec::new(), Vec::new(), Vec::new());
        for (disturbance, label, levels) in self.levels() {
            let mut distances = Vec::new();
            for &level in levels {
                let value = side(&disturbed(crops, disturbance, level, context.seed)?)?.to(&reference)?;
                details.push((format!("{metric}, {label}: {level}"), value));
                distances.push(value);
            }
            rises.extend(distances.windows(2).map(|pair| pair[1] / pair[0]));
            let shown = curve("", Style::LinePoints, levels.to_vec(), distances);
            panels.push(plot("", axis(label), axis(&metric), vec![shown]));
        }
        let rise = smallest(rises.iter().copied());
        let mut outcome =
            Outcome::exact("smallest ratio of neighbouring distances", rise, "1").over(rises.len(), "steps");
        outcome.exact_details(details, "1");
        let caption = format!(
            "{metric} between {} crops of photographs, {SIDE}x{SIDE} pixels, and the same crops disturbed. There are fewer \
             crops than features: the order of the distances is meant, not their size.",
            crops.len()
        );
        outcome.figures.push(figure("disturbed", "The distance rises with noise, blur and JPEG", &caption, panels));
        Ok(outcome)
    }

    /// The disturbed crops under each convention, and the crops as they are under one convention against another.
    fn conventions(&self, context: &Context, network: &FeatureNetwork, crops: &[RgbImage]) -> Result<Outcome, Error> {
        let (disturbance, label, level) = self
            .levels()
            .into_iter()
            .find_map(|(disturbance, label, levels)| Some((disturbance, label, *levels.first()?)))
            .ok_or_else(|| Error::input("conventions: no disturbance", "name noise, blur or jpeg in the claim"))?;
        let known = [Convention::Tf, Convention::Pytorch, Convention::Clean];
        // One name for all three: features of different conventions are compared on purpose.
        let sides = |images: &[RgbImage]| -> Result<Vec<GaussianFit>, Error> {
            known.iter().map(|&c| side(&network.with_convention(c), images, context)).collect()
        };
        let (changed, same) = (sides(&disturbed(crops, disturbance, level, context.seed)?)?, sides(crops)?);
        let own = changed.iter().zip(&same).map(|(a, b)| a.to(b)).collect::<Result<Vec<f64>, _>>()?;
        let ratio = largest(own.iter().copied()) / smallest(own.iter().copied());
        let mut outcome =
            Outcome::exact("largest ratio between two conventions", ratio, "1").over(crops.len(), "images");
        for (convention, value) in known.iter().zip(&own) {
            let metric = network.with_convention(*convention).metric_name();
            outcome.detail(format!("{metric}, {label}: {level}"), *value, None, "1");
        }
        let mut rows = Vec::new();
        for (i, (one, a)) in known.iter().zip(&same).enumerate() {
            let mut cells = vec![one.to_string()];
            for (j, (other, b)) in known.iter().zip(&same).enumerate() {
                // Rounding may make the diagonal negative.
                let value = a.to(b)?.max(0.0);
                cells.push(format!("{value:.2}"));
                if i < j {
                    outcome.detail(format!("the same images, {one} against {other}"), value, None, "1");
                }
            }
            rows.push(cells);
        }
        let names = known.map(|convention| convention.to_string());
        let header: Vec<&str> = [""].into_iter().chain(names.iter().map(String::as_str)).collect();
        let table = table("", &header, rows);
        let caption = format!(
            "{} crops of photographs and nothing else: distances of the set under one convention to the very same set under \
             another, as they come of statistics that another tool made.",
            crops.len()
        );
        outcome.figures.push(figure("conventions", "One set of images under every convention", &caption, vec![table]));
        Ok(outcome)
    }
}

fn lite0(context: &Context) -> Result<FeatureNetwork, Error> {
    bundled_network(context, "lite0")
}

fn crops(context: &Context) -> Result<Vec<RgbImage>, Error> {
    let mut crops = Vec::new();
    for photo in PHOTOS {
        let path = context.data_file(photo)?;
        let unreadable = |e| Error::input(format!("{}: {e}", path.display()), "restore the file");
        let photo = image::open(&path).map_err(unreadable)?.into_rgb8();
        let corners = |extent: u32| (0..=extent - SIDE).step_by(SIDE as usize);
        for top in corners(photo.height()) {
            crops.extend(
                corners(photo.width()).map(|left| imageops::crop_imm(&photo, left, top, SIDE, SIDE).to_image()),
            );
        }
    }
    Ok(crops)
}

fn side(network: &FeatureNetwork, crops: &[RgbImage], context: &Context) -> Result<GaussianFit, Error> {
    let pixels = crops.iter().flat_map(|crop| crop.as_raw()).copied().collect();
    let images = Images::new(pixels, [SIDE as usize, SIDE as usize, 3]);
    Ok(GaussianFit::of_features(
        &network.features(&images, context.bar.as_ref())?,
        &FeatureProvenance::named("crops of photographs"),
    )?)
}

fn disturbed(crops: &[RgbImage], disturbance: Disturbance, level: f64, seed: u64) -> Result<Vec<RgbImage>, Error> {
    let one = |(index, crop): (usize, &RgbImage)| match disturbance {
        Disturbance::Noise => {
            let mut rng = Key::new(seed, "noise on photographs").fold(index as u64).rng();
            let mut noisy = crop.clone();
            for value in noisy.iter_mut() {
                let normal: f64 = StandardNormal.sample(&mut rng);
                *value = (f64::from(*value) + level * normal).round().clamp(0.0, 255.0) as u8;
            }
            Ok(noisy)
        }
        Disturbance::Blur => Ok(imageops::blur(crop, level as f32)),
        Disturbance::Jpeg => {
            let failed = |e: image::ImageError| Error::internal(format!("JPEG: {e}"));
            let mut bytes = Vec::new();
            crop.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, level as u8)).map_err(failed)?;
            Ok(image::load_from_memory(&bytes).map_err(failed)?.into_rgb8())
        }
    };
    crops.iter().enumerate().map(one).collect()
}
