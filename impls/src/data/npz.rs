//! Images in npz archives and npy files: downsampled ImageNet (arXiv:1707.08819), the samples that ADM
//! (arXiv:2105.05233) writes, and any array of 8-bit images. Uncompressed arrays stay on disk ([`ArrayImages`]).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use elbow_images::{ArrayImages, ArrayOptions, ImageSet};

use super::{DataShape, Dataset, Split, Tokens, file};
use crate::error::{Error, Result};
use crate::hash::sha256;

/// ImageNet's classes.
const CLASSES: usize = 1000;
/// Bytes of each end of a file that enter the hash. The last part holds the archive's directory, with a checksum of
/// every array.
const ENDS: u64 = 1 << 20;

/// Images of one or more archives, 256 levels per channel.
pub struct Npz {
    name: String,
    archives: Vec<ArrayImages>,
    labels: Vec<u32>,
    classes: usize,
    hash: String,
}

impl Npz {
    /// Reads one split of downsampled ImageNet, of any size: `train_data_batch_1.npz` to `_10.npz`, or `val_data.npz`
    /// as the test split. Arrays `data`, uint8 \[n, 3 s s\] with a plane for each channel, and `labels`, 1..=1000.
    pub fn imagenet(folder: &Path, name: &str, split: Split) -> Result<Self> {
        let files = match split.choose(&[(Split::Train, true), (Split::Test, false)])? {
            true => (1..=10).map(|i| format!("train_data_batch_{i}.npz")).collect(),
            false => vec!["val_data.npz".to_owned()],
        };
        if let Some(missing) = files.iter().find(|file| !folder.join(file).is_file()) {
            let what = format!("{missing} is missing: put the npz files of downsampled ImageNet there");
            return Err(Error::format(folder, what));
        }
        let archives = files.iter().map(|file| ArrayImages::imagenet(&folder.join(file)));
        Ok(Self { classes: CLASSES, ..Self::new(format!("{name}:{split}"), archives)? })
    }

    /// Reads one npz or npy file, as [`ArrayImages::open`] does without options; its classes are as many as occur.
    pub fn file(path: &Path, split: Split) -> Result<Self> {
        split.choose(&[(Split::All, ())])?;
        let archive = ArrayImages::open(path, &ArrayOptions::default());
        Self::new(format!("{}:{split}", file::stem(path)), [archive])
    }

    fn new(name: String, found: impl IntoIterator<Item = elbow_images::Result<ArrayImages>>) -> Result<Self> {
        let (mut archives, mut labels, mut hashes) = (Vec::<ArrayImages>::new(), Vec::new(), Vec::new());
        for archive in found {
            let archive = archive?;
            let path = archive.path();
            hashes.push(hash_of_ends(path).map_err(Error::io(path))?);
            if let Some(first) = archives.first().filter(|first| first.shape() != archive.shape()) {
                let ([h, w, c], other) = (archive.shape(), first.path().display());
                return Err(Error::format(path, format!("images of {h}x{w}x{c}, unlike those of {other}")));
            }
            labels.extend(archive.classes());
            archives.push(archive);
        }
        let classes = labels.iter().max().map_or(0, |&class| class as usize + 1);
        Ok(Self { name, archives, labels, classes, hash: file::combine(hashes) })
    }

    /// The archive that holds an image, and the image's number there.
    fn place(&self, index: usize) -> (&ArrayImages, usize) {
        let mut within = index;
        for archive in &self.archives {
            match within.checked_sub(archive.len()) {
                Some(rest) => within = rest,
                None => return (archive, within),
            }
        }
        panic!("image {index} of {}", self.len())
    }
}

/// SHA-256 of the size and of the first and last MiB of a file.
fn hash_of_ends(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut bytes = size.to_le_bytes().to_vec();
    file.by_ref().take(ENDS).read_to_end(&mut bytes)?;
    file.seek(SeekFrom::Start(size.saturating_sub(ENDS)))?;
    file.read_to_end(&mut bytes)?;
    Ok(sha256(&bytes))
}

impl Dataset for Npz {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn shape(&self) -> DataShape {
        let image = self.archives[0].shape();
        DataShape { values: 256, length: image.iter().product(), classes: self.classes, image: Some(image) }
    }

    fn len(&self) -> usize {
        self.archives.iter().map(ArrayImages::len).sum()
    }

    fn select(&self, indices: &[usize]) -> Result<Tokens> {
        let mut ids = Vec::with_capacity(indices.len() * self.length());
        for &index in indices {
            let (archive, within) = self.place(index);
            ids.extend(archive.image(within)?.pixels.into_iter().map(u32::from));
        }
        Ok(Tokens::new(ids, self.length()))
    }

    fn labels(&self, indices: &[usize]) -> Vec<u32> {
        match self.labels.is_empty() {
            true => Vec::new(),
            false => indices.iter().map(|&i| self.labels[i]).collect(),
        }
    }

    fn hash(&self) -> &str {
        &self.hash
    }
}
