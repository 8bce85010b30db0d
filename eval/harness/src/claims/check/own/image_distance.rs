//! Check: the distance of two sets of images of a user's, or of a model to a set.

use elbow_base::Named;
use elbow_impls::data::Dataset;
use elbow_metrics::{ArrayOptions, BadImagePolicy, Convention, FeatureCache, FeatureNetwork, ImageScan, Layer, Pool};
use schemars::JsonSchema;

use super::super::prelude::*;
use super::{OwnCheck, faults, files, in_range, without_effect};
use crate::images::{self, Drawing, MetricOptions, MetricValue, Scoring, balls, is_model};
use crate::models::AnyModel;
use crate::networks::Network;
use crate::sampling::Request;

/// The distance of two sets of images by the features of a network, or of a model's samples to a set, as `elbow fid calc`
/// computes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageDistance {
    /// The generated images: a folder, an npz or npy file of images, features or statistics, a data set as digits:test, or
    /// the folder of a run or a model file, whose samples are drawn. Paths are relative to the claim's file.
    generated: String,
    /// The reference images, named in the same way.
    reference: String,
    /// The metric.
    #[serde(default)]
    metric: OwnMetric,
    /// The feature network: digits-classifier, lite0, inception, or an ONNX file [default: digits-classifier for grey
    /// images of 8x8, lite0 for others].
    network: Option<String>,
    /// How pixels become the network's input: unit, signed, tf, pytorch, clean or lite [default: the bundled networks' own].
    convention: Option<String>,
    /// The output of the network that holds the features.
    features: Option<String>,
    /// How a map or tokens become one vector per image: mean or cls.
    pool: Option<String>,
    /// Metric fd: disjoint blocks of generated images, left out in turn, for its error, 2 to 50; 0 for no error.
    #[serde(default = "usual_blocks")]
    #[schemars(range(max = 50))]
    blocks: usize,
    /// How samples are drawn, where a side is a run or a model file.
    samples: Option<SamplesTable>,
}

fn usual_blocks() -> usize {
    10
}

/// Samples of a model.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SamplesTable {
    /// Number of samples, 2 or more [default: 1000].
    #[schemars(range(min = 2))]
    count: Option<usize>,
    /// The sampler by its name in `elbow sample` [default: the implementation's own].
    sampler: Option<String>,
    /// Steps of the sampler, 1 or more [default: 64].
    #[schemars(range(min = 1))]
    steps: Option<usize>,
}

/// A metric of two sets of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum OwnMetric {
    /// The Frechet distance; its error is that of the generated images, the reference fixed.
    #[default]
    Fd,
    /// The kernel inception distance.
    Kid,
    /// The Inception Score of the generated images.
    Is,
    /// The share of generated images near the reference.
    Precision,
    /// The share of reference images near the generated ones.
    Recall,
    /// Density.
    Density,
    /// Coverage.
    Coverage,
}

impl OwnMetric {
    /// The metric of `elbow fid calc` that holds it, and the start of its name there; none: the first number.
    fn place(self) -> (images::Metric, Option<&'static str>) {
        match self {
            Self::Fd => (images::Metric::Fd, None),
            Self::Kid => (images::Metric::Kid, None),
            Self::Is => (images::Metric::Is, None),
            Self::Precision => (images::Metric::Prdc, Some("precision.")),
            Self::Recall => (images::Metric::Prdc, Some("recall.")),
            Self::Density => (images::Metric::Prdc, Some("density.")),
            Self::Coverage => (images::Metric::Prdc, Some("coverage.")),
        }
    }
}

impl OwnCheck for ImageDistance {
    const NAME: &'static str = "image-distance";
    const FILES: &'static [&'static str] = &["generated.npz", "reference.npz"];
}

/// A value of a closed set of names.
fn parsed<T: Named>(name: &Option<String>) -> Result<Option<T>, Error> {
    Ok(name.as_deref().map(str::parse::<T>).transpose()?)
}

impl ImageDistance {
    fn network(&self, context: &Context) -> Result<Option<Network>, Error> {
        Ok(self.network.as_ref().map(|name| context.named(name).parse()).transpose()?)
    }

    fn layer(&self) -> Result<Layer, Error> {
        Ok(Layer { output: self.features.clone(), pool: parsed::<Pool>(&self.pool)? })
    }

    fn open(&self, context: &Context, scans: &[&ImageScan]) -> Result<FeatureNetwork, Error> {
        let small = scans.iter().all(|scan| scan.is_all([8, 8, 1]));
        let network = self.network(context)?.unwrap_or_else(|| Network::default_for(small));
        network.open(context, parsed::<Convention>(&self.convention)?, context.runtime()?, self.layer()?)
    }

    fn request(&self, context: &Context, model: &AnyModel, data: &dyn Dataset) -> Result<Request, Error> {
        let given = self.samples.as_ref();
        let count = given.and_then(|samples| samples.count).unwrap_or(1000);
        let own = Request::new(model, model.denoiser(), count, data.length(), context.seed);
        let sampler = given.and_then(|samples| samples.sampler.as_ref()).map(|name| name.parse()).transpose()?;
        let steps = given.and_then(|samples| samples.steps);
        let request = Request { sampler: sampler.unwrap_or(own.sampler), steps: steps.unwrap_or(own.steps), ..own };
        request.check_sampler(model)?;
        request.check(model, model.denoiser().classes().unwrap_or(0))?;
        request.place(model, model.denoiser(), None, None)
    }

    fn check_samples(&self, context: &Context) -> Result<(), Error> {
        let Some(samples) = &self.samples else { return Ok(()) };
        if ![&self.generated, &self.reference].iter().any(|name| is_model(&context.named(name))) {
            return without_effect(&[("samples", true)], "neither side is a run or a model file");
        }
        in_range("samples.count", samples.count.unwrap_or(1000), 2, 1_000_000)?;
        in_range("samples.steps", samples.steps.unwrap_or(64), 1, 100_000)?;
        samples
            .sampler
            .as_ref()
            .map_or(Ok(()), |name| name.parse::<crate::sampling::Sampler>().map(drop).map_err(Error::from))
    }

    fn check_blocks(&self) -> Result<(), Error> {
        if self.metric != OwnMetric::Fd && self.blocks != usual_blocks() {
            return without_effect(&[("blocks", true)], "it is one of metric = \"fd\"");
        }
        if self.blocks == 0 { Ok(()) } else { in_range("blocks", self.blocks, 2, 50) }
    }
}

impl Check for ImageDistance {
    fn faults(&self, context: &Context) -> Vec<Error> {
        faults([
            files::check_set(context, &self.generated),
            files::check_set(context, &self.reference),
            self.network(context)
                .and_then(|network| network.map_or(Ok(()), |network| network.place(context).map(drop))),
            parsed::<Convention>(&self.convention).map(drop),
            self.layer().map(drop),
            self.check_blocks(),
            self.check_samples(context),
        ])
    }

    fn inputs(&self, context: &Context) -> Result<Vec<Input>, Error> {
        let mut inputs = vec![files::named(context, &self.generated)?, files::named(context, &self.reference)?];
        if let Some(network) = self.network(context)? {
            inputs.push(crate::provenance::file_input(&network.place(context)?.0)?);
        }
        Ok(inputs)
    }

    fn is_statistical(&self) -> bool {
        self.metric != OwnMetric::Fd || self.blocks > 0
    }

    fn run(&self, context: &Context) -> Result<Outcome, Error> {
        let names = [&self.generated, &self.reference].map(|name| context.named(name));
        let request = |model: &AnyModel, data: &dyn Dataset| self.request(context, model, data);
        let runtime = || context.runtime();
        let (metric, start) = self.metric.place();
        let scoring = Scoring {
            names: names.each_ref().map(String::as_str),
            sampling: Some(Drawing { request: &request, runtime: &runtime }),
            on_bad: BadImagePolicy::Error,
            arrays: ArrayOptions::default(),
            cache: FeatureCache::new(Some(context.out.join("cache"))),
            metrics: vec![metric],
            options: MetricOptions {
                blocks: self.blocks,
                verify: false,
                splits: 10,
                extrapolate: None,
                per_class: false,
                balls: balls(None, None),
                seed: context.seed,
            },
        };
        let scores = scoring.run(context, |scans| match scans {
            [] => Ok(None),
            scans => self.open(context, scans).map(Some),
        })?;
        let found = scores.measures.iter().find(|found| start.is_none_or(|start| found.metric.starts_with(start)));
        let found = found.ok_or_else(|| Error::internal(format!("no {metric} among the measures")))?;
        let mut outcome = self.outcome(found);
        for beside in scores.measures.iter().filter(|other| other.metric != found.metric) {
            outcome.detail(&beside.metric, beside.value, beside.standard_error, "1");
        }
        outcome.made.extend(scores.network.iter().map(inputs::network));
        Ok(outcome)
    }
}

impl ImageDistance {
    fn outcome(&self, found: &MetricValue) -> Outcome {
        let images = |side: usize| found.n.get(side).copied().flatten().unwrap_or(0) as usize;
        // The units that the error is over decide how far its interval reaches.
        let (n, unit) = match (found.error_units, self.metric) {
            (None, _) => (images(0), "generated images"),
            (Some(n), OwnMetric::Fd) => (n as usize, "blocks of generated images"),
            (Some(n), OwnMetric::Is) => (n as usize, "splits of generated images"),
            (Some(n), OwnMetric::Recall | OwnMetric::Coverage) => (n as usize, "reference images"),
            (Some(n), _) => (n as usize, "images"),
        };
        let mut outcome = Outcome::exact(&found.metric, found.value, "1").over(n, unit);
        outcome.measured.standard_error = found.standard_error;
        outcome.detail("generated images", images(0) as f64, None, "1");
        outcome.detail("reference images", images(1) as f64, None, "1");
        outcome
    }
}
