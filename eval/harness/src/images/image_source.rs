//! Images or statistics by name: files, folders, data sets, samples of a trained run.

use std::path::Path;

use elbow_base::Error;
use elbow_impls::data::catalogue::{Spec, holds_images};
use elbow_impls::data::{Dataset, Split};
use elbow_metrics::{
    ArrayImages, ArrayOptions, Contents, Features, Folder, ImageSet, Images, NetworkOutputs, Statistics,
};

use super::DatasetImages;
use crate::runs::Trained;
use crate::sampling::{self, Request};
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

/// The request for samples of a trained run that is named in place of images.
pub type SampleRequest<'a> = dyn Fn(&Trained, &dyn Dataset) -> Result<Request, Error> + 'a;

/// Opens a file of statistics or features, a trained run (whose samples are drawn and never written), a folder, a file of images, or a
/// data set with its split.
pub fn open(
    workspace: &Workspace,
    name: &str,
    arrays: &ArrayOptions,
    samples: Option<&SampleRequest>,
) -> Result<ImageSource, Error> {
    let path = Path::new(name);
    // What is said of an array says that it holds images.
    let plain = path.is_file() && *arrays == ArrayOptions::default();
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

/// Whether a name is that of a trained run, whose samples are drawn.
pub fn is_run(name: &str) -> bool {
    Path::new(name).join("config.toml").is_file()
}

/// Opens images as [`open`] does, without files of statistics or features. `arrays` says what npz and npy files mean.
pub fn images(
    workspace: &Workspace,
    name: &str,
    arrays: &ArrayOptions,
    samples: Option<&SampleRequest>,
) -> Result<Box<dyn ImageSet>, Error> {
    let path = Path::new(name);
    if let Some(samples) = samples.filter(|_| is_run(name)) {
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
    let fix = "give a folder, a file of images or statistics, a trained run, or a data set as digits:test";
    Err(Error::input(format!("{name}: no such file or folder"), fix))
}

/// Draws samples of a trained run.
fn draw(workspace: &Workspace, run: &Path, samples: &SampleRequest) -> Result<Box<dyn ImageSet>, Error> {
    let model = Trained::load(run, &workspace.device)?;
    let data = workspace.open(&model.settings.data(Split::Train))?;
    model.check_fits(data.as_ref())?;
    let Some(shape) = data.image() else {
        return Err(Error::input(format!("{}: its samples are no images", run.display()), "name a run on images"));
    };
    let request = samples(&model, data.as_ref())?;
    let made = sampling::draw(&workspace.device, &model.settings, &model.model, &request, workspace.bar.as_ref())?;
    let (nfe, weights) = (made.nfe(), &model.hash[..12]);
    let classes = request.classes(&model.settings).map_or(String::new(), |classes| format!(", {classes}"));
    let source = format!(
        "{}: {} samples by {}, NFE {nfe:.2}, {}{classes}, seed {}, weights {weights}",
        run.display(),
        request.count,
        request.sampler,
        request.placement(&model.settings),
        workspace.seed
    );
    Ok(Box::new(Images::from_tokens(&made.tokens, data.values(), shape).labelled(made.classes).named(source)))
}
