//! Images in npz archives and npy files: downsampled ImageNet (arXiv:1707.08819), the samples that ADM
//! (arXiv:2105.05233) writes, and any array of 8-bit images. Uncompressed arrays stay on disk ([`ByteRows`]).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use elbow_arrays::{Array, ByteRows, NpzReader};

use super::images::interleave;
use super::{DataShape, Dataset, Split, Tokens, file};
use crate::error::{Error, Result};
use crate::hash::sha256;

/// ImageNet's classes; the archives number them from 1.
const CLASSES: usize = 1000;
/// Bytes of each end of a file that enter the hash. The last part holds the archive's directory, with a checksum of
/// every array.
const ENDS: u64 = 1 << 20;

/// Images of one or more archives, 256 levels per channel.
pub struct Npz {
    name: String,
    archives: Vec<Archive>,
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
        Self::open(format!("{name}:{split}"), files.iter().map(|file| folder.join(file)))
    }

    /// Reads one archive, as ImageNet's or as ADM's: `arr_0`, uint8 \[n, height, width, channels\], and its classes
    /// `arr_1`, 0 and up, if it has them. Also read are planes before pixels, \[n, 1 or 3, height, width\], grey
    /// images, \[n, height, width\], and an npy file of such an array.
    pub fn file(path: &Path, split: Split) -> Result<Self> {
        split.choose(&[(Split::All, ())])?;
        Self::open(format!("{}:{split}", file::stem(path)), [path.to_owned()])
    }

    fn open(name: String, paths: impl IntoIterator<Item = PathBuf>) -> Result<Self> {
        let (mut archives, mut labels, mut hashes) = (Vec::<Archive>::new(), Vec::new(), Vec::new());
        let mut known = 0;
        for path in paths {
            hashes.push(hash_of_ends(&path).map_err(Error::io(&path))?);
            let (archive, classes) = Archive::open(path)?;
            if let Some(first) = archives.first().filter(|first| first.layout() != archive.layout()) {
                let ([h, w, c], other) = (archive.shape, first.path.display());
                return Err(Error::format(&archive.path, format!("images of {h}x{w}x{c}, unlike those of {other}")));
            }
            // ImageNet's classes are known; those of samples are as many as occur.
            known =
                if archive.numbered_from == 1 { CLASSES } else { classes.iter().max().map_or(0, |&c| c as usize + 1) };
            archives.push(archive);
            labels.extend(classes);
        }
        Ok(Self { name, archives, labels, classes: known, hash: file::combine(hashes) })
    }

    /// The archive that holds an image, and the image's number there.
    fn place(&self, index: usize) -> (&Archive, usize) {
        let mut within = index;
        for archive in &self.archives {
            match within.checked_sub(archive.count) {
                Some(rest) => within = rest,
                None => return (archive, within),
            }
        }
        panic!("image {index} of {}", self.len())
    }
}

/// The images of one archive.
struct Archive {
    path: PathBuf,
    rows: ByteRows,
    count: usize,
    /// Height, width, channels.
    shape: [usize; 3],
    /// Whether an image is stored plane by plane.
    planar: bool,
    /// The number of the first class: 1 in ImageNet's archives, 0 in others.
    numbered_from: i64,
}

impl Archive {
    /// The images and their classes, if the file has them.
    fn open(path: PathBuf) -> Result<(Self, Vec<u32>)> {
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy")) {
            let rows = ByteRows::open_npy(&path)?;
            return Ok((Self::new(path, rows, "of images", 0)?, Vec::new()));
        }
        let mut npz = NpzReader::open(&path)?;
        let imagenet = npz.has("data");
        let (name, labels, first) = if imagenet { ("data", "labels", 1) } else { ("arr_0", "arr_1", 0) };
        if !npz.has(name) {
            return Err(Error::format(&path, format!("array {name}.npy: not found; data or arr_0 was expected")));
        }
        let images = Self::new(path, npz.rows(name)?, &format!("{name}.npy"), first)?;
        let labels = match imagenet || npz.has(labels) {
            true => classes(&npz.integers(labels)?, first, images.count)
                .map_err(|e| Error::format(&images.path, format!("array {labels}.npy: {e}")))?,
            false => Vec::new(),
        };
        Ok((images, labels))
    }

    fn new(path: PathBuf, rows: ByteRows, name: &str, numbered_from: i64) -> Result<Self> {
        let (count, shape, planar) = image_shape(rows.shape(), numbered_from == 1)
            .map_err(|what| Error::format(&path, format!("array {name}: {what}")))?;
        Ok(Self { path, rows, count, shape, planar, numbered_from })
    }

    fn layout(&self) -> ([usize; 3], bool) {
        (self.shape, self.planar)
    }
}

/// Number of images, their height, width and channels, and whether an image is stored plane by plane. `rows`: an image
/// is a row of planes, as in ImageNet's archives.
fn image_shape(dims: &[usize], rows: bool) -> std::result::Result<(usize, [usize; 3], bool), String> {
    let found = match *dims {
        [n, row] if rows => {
            let side = (row / 3).isqrt();
            Some((n, [side, side, 3], true)).filter(|_| side * side * 3 == row)
        }
        [n, height, width, channels @ (1 | 3)] if !rows => Some((n, [height, width, channels], false)),
        [n, channels @ (1 | 3), height, width] if !rows => Some((n, [height, width, channels], true)),
        [n, height, width] if !rows => Some((n, [height, width, 1], false)),
        _ => None,
    };
    found.filter(|_| !dims.contains(&0)).ok_or_else(|| {
        let expected =
            if rows { "[n, 3 s s]" } else { "[n, height, width, channels], of 1 or 3 channels, or [n, height, width]" };
        format!("shape {dims:?} where {expected} was expected")
    })
}

/// Classes 0 and up from labels that begin at `first`: ImageNet's are 1..=1000.
fn classes(labels: &Array<i64>, first: i64, count: usize) -> std::result::Result<Vec<u32>, String> {
    if labels.shape != [count] {
        return Err(format!("shape {:?} where [{count}] was expected: a label for each image", labels.shape));
    }
    let last = if first == 1 { CLASSES as i64 } else { i64::from(u32::MAX) - 1 };
    let class = |(i, &label): (usize, &i64)| match (first..=last).contains(&label) {
        true => Ok((label - first) as u32),
        false => Err(format!("label {label} of image {i} is not in {first}..={last}")),
    };
    labels.data.iter().enumerate().map(class).collect()
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
        let image = self.archives[0].shape;
        DataShape { values: 256, length: image.iter().product(), classes: self.classes, image: Some(image) }
    }

    fn len(&self) -> usize {
        self.archives.iter().map(|archive| archive.count).sum()
    }

    fn select(&self, indices: &[usize]) -> Result<Tokens> {
        let mut image = vec![0; self.length()];
        let mut ids = Vec::with_capacity(indices.len() * image.len());
        for &index in indices {
            let (archive, within) = self.place(index);
            archive.rows.read(within, &mut image)?;
            match archive.planar && archive.shape[2] == 3 {
                true => ids.extend(interleave(&image).map(u32::from)),
                false => ids.extend(image.iter().map(|&level| u32::from(level))),
            }
        }
        Ok(Tokens::new(ids, image.len()))
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
