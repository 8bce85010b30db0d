//! Images or statistics by name: files, folders, data sets, samples of a trained run or of a model from outside.

use std::path::Path;

use elbow_base::Error;
use elbow_impls::data::catalogue::Spec;
use elbow_impls::data::image_file::holds_images;
use elbow_impls::data::{Dataset, Split};
use elbow_metrics::{
    ArrayImages, ArrayOptions, Contents, Features, Folder, ImageSet, Images, NetworkOutputs, Runtime, Statistics,
};

use super::DatasetImages;
use crate::models::AnyModel;
use crate::sampling::Request;
use crate::workspace::Workspace;

/// One set of a comparison.
pub enum ImageSource {
    /// Images, whose features a network computes.
    Images(Box<dyn ImageSet>),
    /// Features that were given.
    Features(NetworkOutputs),
    /// Mean and covariance of features.
    Statistics(Statistics),
}

/// The request for samples of a model.
pub type SampleRequest<'a> = dyn Fn(&AnyModel, &dyn Dataset) -> Result<Request, Error> + 'a;

/// How samples are drawn of a model that is named in place of images.
#[derive(Clone, Copy)]
pub struct Drawing<'a> {
    /// The request for them.
    pub request: &'a SampleRequest<'a>,
    /// The runtime of a model from outside.
    pub runtime: &'a dyn Fn() -> Result<Runtime, Error>,
}

/// Opens a file of statistics or features, a trained run or a model file (whose samples are drawn and never written), a folder, a file
/// of images, or a data set with its split.
pub fn open(
    workspace: &Workspace,
    name: &str,
    arrays: &ArrayOptions,
    samples: Option<Drawing>,
) -> Result<ImageSource, Error> {
    let path = Path::new(name);
    // What is said of an array says that it holds images.
    let plain = path.is_file() && !is_model(name) && *arrays == ArrayOptions::default();
    let contents = if plain { Contents::of(path)? } else { Contents::Images };
    match contents {
        Contents::Images => Ok(ImageSource::Images(images(workspace, name, arrays, samples)?)),
        Contents::Features => {
            Ok(ImageSource::Features(NetworkOutputs { features: Features::load(path)?, logits: None }))
        }
        Contents::Statistics { images } => {
            if images {
                workspace.bar.say(&format!("{name}: its statistics are used; its images (arr_0) are left alone"));
            }
            Ok(ImageSource::Statistics(Statistics::load(path)?))
        }
    }
}

/// Whether a name is that of a trained run or of a model file, whose samples are drawn.
pub fn is_model(name: &str) -> bool {
    let path = Path::new(name);
    path.join("config.toml").is_file() || path.extension().is_some_and(|e| e == "toml") && path.is_file()
}

/// Opens images as [`open`] does, without files of statistics or features. `arrays` says what npz and npy files mean.
pub fn images(
    workspace: &Workspace,
    name: &str,
    arrays: &ArrayOptions,
    samples: Option<Drawing>,
) -> Result<Box<dyn ImageSet>, Error> {
    let path = Path::new(name);
    if let Some(samples) = samples.filter(|_| is_model(name)) {
        return draw(workspace, path, samples);
    }
    if path.is_dir() {
        return Ok(Box::new(Folder::open(path)?));
    }
    if path.is_file() {
        if !holds_images(path) {
            let fix = "give a folder of images, .npz, .npy, CIFAR's .bin, IDX's -ubyte[.gz], or digits:test";
            return Err(Error::input(format!("{name}: not a file of images"), fix));
        }
        if path.extension().is_some_and(|e| ["npz", "npy"].iter().any(|array| e.eq_ignore_ascii_case(array))) {
            return Ok(Box::new(ArrayImages::open(path, arrays)?));
        }
        return Ok(Box::new(DatasetImages::new(workspace.open(&Spec::new(name, Split::All))?, name)?));
    }
    if name.contains(':') {
        return Ok(Box::new(DatasetImages::new(workspace.dataset(name)?, name)?));
    }
    let fix =
        "give a folder, a file of images or statistics, a trained run, a model file, or a data set as digits:test";
    Err(Error::input(format!("{name}: no such file or folder"), fix))
}

/// Draws samples of a trained run or of a model from outside.
fn draw(workspace: &Workspace, place: &Path, samples: Drawing) -> Result<Box<dyn ImageSet>, Error> {
    let model = AnyModel::open(place, &workspace.device, samples.runtime)?;
    let data = model.written_as(workspace, None)?;
    let Some((data, shape)) = data.as_deref().and_then(|data| Some((data, data.image()?))) else {
        let fix = "name a run on images, or a model file that names images under [data]";
        return Err(Error::input(format!("{}: its samples are no images", place.display()), fix));
    };
    let request = (samples.request)(&model, data)?;
    let made = model.draw(&request, &workspace.device, workspace.bar.as_ref())?;
    let (nfe, weights) = (made.nfe(), &model.hash()[..12]);
    let classes = request.classes(&model).map_or(String::new(), |classes| format!(", {classes}"));
    let source = format!(
        "{}: {} samples by {}, NFE {nfe:.2}, {}{classes}, seed {}, weights {weights}",
        place.display(),
        request.count,
        request.sampler,
        request.placement(&model),
        workspace.seed
    );
    Ok(Box::new(Images::from_tokens(&made.tokens, data.values(), shape).labelled(made.classes).named(source)))
}
