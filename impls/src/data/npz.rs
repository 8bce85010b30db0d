//! Images in npz archives and npy files: downsampled ImageNet (arXiv:1707.08819), the samples that ADM
//! (arXiv:2105.05233) writes, and any array of 8-bit images.
//!
//! An array that lies in the file as it is, as `numpy.save` and `numpy.savez` write it, stays on disk and is read row
//! by row; one that is deflated (`numpy.savez_compressed`) is unpacked into memory when the set is opened.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use npyz::{DType, NpyFile, NpyHeader, Order};
use zip::{CompressionMethod, ZipArchive};

use super::images::interleave;
use super::{Dataset, Split, Tokens, file};
use crate::error::{Error, Result};
use crate::hash::sha256;

/// ImageNet's classes; the archives number them from 1.
const CLASSES: usize = 1000;
/// More than the header of any array of bytes takes.
const HEADER: u64 = 1 << 16;
/// How much of each end of a file enters the hash. The last part holds the archive's directory, with a checksum of
/// every array.
const ENDS: u64 = 1 << 20;

/// Images of one or more archives, 256 levels a channel.
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
    /// `arr_1`, 0 and up, if it has them. Planes before pixels, \[n, 1 or 3, height, width\], and grey images,
    /// \[n, height, width\], are read too, and so is an npy file of such an array.
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
    count: usize,
    shape: [usize; 3],
    /// Whether an image is a plane after another.
    planar: bool,
    /// The number of the first class: 1 in ImageNet's archives, 0 in others.
    numbered_from: i64,
    pixels: Pixels,
}

enum Pixels {
    /// The file, and the byte at which the first image begins.
    Disk(Mutex<File>, u64),
    Memory(Vec<u8>),
}

impl Archive {
    /// The images and their classes, if it has them.
    fn open(path: PathBuf) -> Result<(Self, Vec<u32>)> {
        let mut reader = BufReader::new(File::open(&path).map_err(Error::io(&path))?);
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy")) {
            let size = reader.get_ref().metadata().map_err(Error::io(&path))?.len();
            let mut bytes = Vec::new();
            reader.by_ref().take(HEADER).read_to_end(&mut bytes).map_err(Error::io(&path))?;
            let array = Array { name: "of images", from: Some(0), size, bytes };
            return Ok((array.images(path, 0)?, Vec::new()));
        }
        let mut zip = ZipArchive::new(reader)
            .map_err(|e| Error::format(&path, format!("not a whole npz archive ({e}): fetch the file again")))?;
        let imagenet = zip.index_for_name("data.npy").is_some();
        let (name, labels, first) =
            if imagenet { ("data.npy", "labels.npy", 1) } else { ("arr_0.npy", "arr_1.npy", 0) };
        let fail = |what: String| Error::format(&path, format!("array {name}: {what}"));

        let mut entry = zip.by_name(name).map_err(|e| fail(format!("{e}; data or arr_0 was expected")))?;
        let (stored, begin) = (entry.compression() == CompressionMethod::Stored, entry.data_start());
        let claimed = entry.size();
        let mut bytes = Vec::new();
        let read = entry.by_ref().take(if stored { HEADER } else { u64::MAX }).read_to_end(&mut bytes);
        read.map_err(|e| fail(format!("after {} bytes: {e}", bytes.len())))?;
        drop(entry);
        // What an archive says of its sizes need not be so.
        let on_disk = std::fs::metadata(&path).map_err(Error::io(&path))?.len().saturating_sub(begin);
        let size = if stored { claimed.min(on_disk) } else { bytes.len() as u64 };

        let array = Array { name, from: stored.then_some(begin), size, bytes };
        let images = array.images(path.clone(), first)?;
        let labels = match imagenet || zip.index_for_name(labels).is_some() {
            true => classes(&mut zip, labels, first, images.count)
                .map_err(|e| Error::format(&path, format!("array {labels}: {e}")))?,
            false => Vec::new(),
        };
        Ok((images, labels))
    }

    fn layout(&self) -> ([usize; 3], bool) {
        (self.shape, self.planar)
    }

    fn read(&self, index: usize, image: &mut [u8]) -> Result<()> {
        match &self.pixels {
            Pixels::Disk(file, begin) => {
                // Every read seeks first: whatever a panicking thread left of the file's position does no harm.
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                let place = SeekFrom::Start(begin + (index * image.len()) as u64);
                file.seek(place).and_then(|_| file.read_exact(image)).map_err(Error::io(&self.path))
            }
            Pixels::Memory(bytes) => {
                image.copy_from_slice(&bytes[index * image.len()..][..image.len()]);
                Ok(())
            }
        }
    }
}

/// An array as it was found: its name, where it begins on the disk if it lies there as it is, its size with the header,
/// and its first bytes, or all.
struct Array<'a> {
    name: &'a str,
    from: Option<u64>,
    size: u64,
    bytes: Vec<u8>,
}

impl Array<'_> {
    fn images(mut self, path: PathBuf, numbered_from: i64) -> Result<Archive> {
        let fail = |what: String| Error::format(&path, format!("array {}: {what}", self.name));
        let mut start = Cursor::new(&self.bytes[..]);
        let header = NpyHeader::from_reader(&mut start).map_err(|e| fail(e.to_string()))?;
        let header_size = start.position();
        let (count, shape, planar) = image_shape(&header, numbered_from == 1).map_err(fail)?;
        let expected =
            header.shape().iter().fold(1, |area: u64, &n| area.saturating_mul(n)).saturating_add(header_size);
        if self.size != expected {
            let what = format!("{} bytes where {expected} were expected for the shape {:?}", self.size, header.shape());
            return Err(fail(what));
        }
        let pixels = match self.from {
            Some(begin) => Pixels::Disk(Mutex::new(File::open(&path).map_err(Error::io(&path))?), begin + header_size),
            None => Pixels::Memory(self.bytes.split_off(header_size as usize)),
        };
        Ok(Archive { path, count, shape, planar, numbered_from, pixels })
    }
}

/// Number of images, their height, width and channels, and whether an image is a plane after another. `rows`: an image
/// is a row of planes, as in ImageNet's archives.
fn image_shape(header: &NpyHeader, rows: bool) -> std::result::Result<(usize, [usize; 3], bool), String> {
    let dtype = header.dtype().descr();
    if dtype != "'|u1'" || header.order() != Order::C {
        return Err(format!("{dtype} in {:?} order where uint8 in C order was expected", header.order()));
    }
    let dims: Vec<usize> = header.shape().iter().map(|&n| n as usize).collect();
    let found = match dims[..] {
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
fn classes<R: Read + Seek>(
    zip: &mut ZipArchive<R>,
    name: &str,
    first: i64,
    count: usize,
) -> std::result::Result<Vec<u32>, String> {
    let entry = zip.by_name(name).map_err(|e| e.to_string())?;
    let npy = NpyFile::new(entry).map_err(|e| e.to_string())?;
    if npy.shape() != [count as u64] {
        return Err(format!("shape {:?} where [{count}] was expected: a label for each image", npy.shape()));
    }
    let numbers = integers(npy)?;
    let last = if first == 1 { CLASSES as i64 } else { i64::from(u32::MAX) - 1 };
    let class = |(i, label): (usize, i64)| match (first..=last).contains(&label) {
        true => Ok((label - first) as u32),
        false => Err(format!("label {label} of image {i} is not in {first}..={last}")),
    };
    numbers.into_iter().enumerate().map(class).collect()
}

fn integers<R: Read>(npy: NpyFile<R>) -> std::result::Result<Vec<i64>, String> {
    let DType::Plain(kind) = npy.dtype() else { return Err("a record where an integer was expected".to_owned()) };
    let numbers = match kind.to_string().trim_start_matches(['<', '>']) {
        "u1" | "|u1" => npy.into_vec::<u8>().map(|v| v.into_iter().map(i64::from).collect()),
        "i2" => npy.into_vec::<i16>().map(|v| v.into_iter().map(i64::from).collect()),
        "u2" => npy.into_vec::<u16>().map(|v| v.into_iter().map(i64::from).collect()),
        "i4" => npy.into_vec::<i32>().map(|v| v.into_iter().map(i64::from).collect()),
        "i8" => npy.into_vec::<i64>(),
        _ => return Err(format!("type {kind} where an integer was expected")),
    };
    numbers.map_err(|e| e.to_string())
}

/// Of the size, and of the first and the last MiB.
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

    fn values(&self) -> usize {
        256
    }

    fn len(&self) -> usize {
        self.archives.iter().map(|archive| archive.count).sum()
    }

    fn length(&self) -> usize {
        self.archives[0].shape.iter().product()
    }

    fn select(&self, indices: &[usize]) -> Result<Tokens> {
        let mut image = vec![0; self.length()];
        let mut ids = Vec::with_capacity(indices.len() * image.len());
        for &index in indices {
            let (archive, within) = self.place(index);
            archive.read(within, &mut image)?;
            match archive.planar && archive.shape[2] == 3 {
                true => ids.extend(interleave(&image).map(u32::from)),
                false => ids.extend(image.iter().map(|&level| u32::from(level))),
            }
        }
        Ok(Tokens::new(ids, image.len()))
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn labels(&self, indices: &[usize]) -> Vec<u32> {
        match self.labels.is_empty() {
            true => Vec::new(),
            false => indices.iter().map(|&i| self.labels[i]).collect(),
        }
    }

    fn image(&self) -> Option<[usize; 3]> {
        Some(self.archives[0].shape)
    }

    fn hash(&self) -> &str {
        &self.hash
    }
}
