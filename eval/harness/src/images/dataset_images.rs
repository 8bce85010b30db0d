//! A data set of the catalogue, or a file that it reads, as a set of images.

use elbow_base::Error;
use elbow_impls::data::Dataset;
use elbow_metrics::{Image, ImageError, ImageSet, Images};

/// The images of a data set: its value v of V becomes the level round(255 v / (V - 1)).
pub struct DatasetImages {
    data: Box<dyn Dataset>,
    shape: [usize; 3],
    source: String,
}

impl DatasetImages {
    /// The images of `data`; `source` is its name in messages. Fails where it holds no grey or colour images.
    pub fn new(data: Box<dyn Dataset>, source: &str) -> Result<Self, Error> {
        let shape = data.image().filter(|&[_, _, channels]| matches!(channels, 1 | 3));
        let shape = shape.ok_or_else(|| {
            Error::input(format!("{} holds no grey or colour images", data.name()), "name a set of images")
        })?;
        Ok(Self { data, shape, source: source.to_owned() })
    }
}

impl ImageSet for DatasetImages {
    fn source(&self) -> String {
        self.source.clone()
    }

    fn len(&self) -> usize {
        self.data.len()
    }

    fn image(&self, index: usize) -> Result<Image, ImageError> {
        let tokens = self.data.select(&[index]).map_err(Error::from)?;
        ImageSet::image(&Images::from_tokens(&tokens, self.data.values(), self.shape), 0)
    }

    fn class(&self, index: usize) -> Option<String> {
        self.data.labels(&[index]).first().map(u32::to_string)
    }
}

/// All images of a data set in memory, its levels spread over 0..=255.
pub fn of_dataset(data: &dyn Dataset) -> Result<Images, Error> {
    let shape = data.image().ok_or_else(|| Error::input(format!("{} has no images", data.name()), ""))?;
    Ok(Images::from_tokens(&data.all()?, data.values(), shape))
}
