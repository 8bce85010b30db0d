//! Images or statistics by name: files, folders, data sets, samples of a trained run.

use std::path::Path;

use elbow_base::Error;
use elbow_impls::data::catalogue::{Spec, holds_images};
use elbow_impls::data::{Dataset, Split};
use elbow_metrics::{ArrayImages, ArrayOptions, Folder, ImageSet, Images, Statistics, is_statistics};

use super::DatasetImages;
use crate::runs::Trained;
use crate::sampling::{self, Request};
use crate::workspace::Workspace;

/// One set of a comparison.
pub enum ImageSource {
    /// Images, whose features a network computes.
    Images(Box<dyn ImageSet>),
    /// Mean and covariance of features.
    Statistics(Statistics),
}

/// The request for samples of a trained run that is named in place of images.
pub type SampleRequest<'a> = dyn Fn(&Trained, &dyn Dataset) -> Result<Request, Error> + 'a;

/// Opens a statistics file, a trained run (whose samples are drawn and never written), a folder, a file of images, or a
/// data set with its split.
pub fn open(
    workspace: &Workspace,
    name: &str,
    arrays: &ArrayOptions,
    samples: Option<&SampleRequest>,
) -> Result<ImageSource, Error> {
    let path = Path::new(name);
    if path.is_file() && name.to_ascii_lowercase().ends_with(".npz") {
        let (statistics, images) = is_statistics(path)?;
        if statistics && images {
            workspace.bar.say(&format!("{name}: its statistics are used; its images (arr_0) are left alone"));
        }
        if statistics {
            return Ok(ImageSource::Statistics(Statistics::load(path)?));
        }
    }
    Ok(ImageSource::Images(images(workspace, name, arrays, samples)?))
}

/// Opens images as [`open`] does, without statistics files. `arrays` says what npz and npy files mean.
pub fn images(
    workspace: &Workspace,
    name: &str,
    arrays: &ArrayOptions,
    samples: Option<&SampleRequest>,
) -> Result<Box<dyn ImageSet>, Error> {
    let path = Path::new(name);
    if let Some(samples) = samples.filter(|_| path.join("config.toml").is_file()) {
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
        let spec = Spec { set: name.to_owned(), split: Split::All, alphabet: None, length: None };
        return Ok(Box::new(DatasetImages::new(workspace.open(&spec)?, name)?));
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
    let source = format!(
        "{}: {} samples by {}, NFE {nfe:.2}, {}, seed {}, weights {weights}",
        run.display(),
        request.count,
        request.sampler,
        request.placement(&model.settings),
        workspace.seed
    );
    Ok(Box::new(Images::from_tokens(&made.tokens, data.values(), shape).named(source)))
}
