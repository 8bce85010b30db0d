//! Samples as files.

use std::io::Write;
use std::path::{Path, PathBuf};

use elbow_base::{Error, atomic_file};
use elbow_impls::data::Dataset;
use elbow_impls::sampler_state::Samples;
use elbow_metrics::{Images, NpzWriter};
use serde_json::json;

use crate::workspace::Workspace;

/// A file of samples.
pub struct Saved {
    /// What it holds: `npz`, `png`, `txt` or `jsonl`.
    pub kind: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Whether a file of this name was there, and is no more.
    pub replaced: bool,
}

/// Writes samples: images as `NAME.npz` (`arr_0`, uint8, NHWC, and their classes `arr_1`, where there are any) and a grid
/// `NAME.png`; texts as `NAME.txt` and, so that lines within them can be told from those between, `NAME.jsonl` (`text`,
/// `ids`, perhaps `class`). Other tokens are lines of numbers there. Without data that say what tokens are, their ids
/// become `NAME.npz` (`arr_0`, int64, \[samples, length\], perhaps `arr_1`) and `NAME.jsonl` (`ids`, perhaps `class`). None
/// of `inputs` is replaced.
pub fn save(
    workspace: &Workspace,
    folder: &Path,
    name: &str,
    samples: &Samples,
    data: Option<&dyn Dataset>,
    inputs: &[&Path],
) -> Result<Vec<Saved>, Error> {
    workspace.make_folder(folder)?;
    let image = data.and_then(|data| Some((data, data.image()?)));
    let kinds = match (data, image) {
        (_, Some(_)) => ["npz", "png"],
        (Some(_), None) => ["txt", "jsonl"],
        (None, _) => ["npz", "jsonl"],
    };
    let files = kinds.map(|kind| {
        let path = folder.join(format!("{name}.{kind}"));
        Saved { kind, replaced: path.exists(), path }
    });
    for file in &files {
        atomic_file::check_ordinary(&file.path)?;
        atomic_file::check_no_input(&file.path, inputs)?;
    }
    let [first, second] = [&files[0].path, &files[1].path];
    if let Some((data, shape)) = image {
        let images = Images::from_tokens(&samples.tokens, data.values(), shape).labelled(samples.classes.clone());
        images.save_npz(first)?;
        let shown: Vec<usize> = (0..images.len().min(256)).collect();
        let scale = (128 / shape[0].max(1)).clamp(1, 4);
        images.select(&shown).save_grid(second, (shown.len() as f64).sqrt().ceil() as usize, scale)?;
        return Ok(files.into());
    }
    let texts: Option<Vec<String>> = data.map(|data| samples.tokens.rows().map(|row| in_words(row, data)).collect());
    match &texts {
        Some(texts) => lines(first, texts.iter())?,
        None => save_ids(first, samples)?,
    }
    let document = |(i, row): (usize, &[u32])| {
        let mut document = json!({ "ids": row });
        if let Some(texts) = &texts {
            document["text"] = json!(texts[i]);
        }
        if let Some(class) = samples.classes.get(i) {
            document["class"] = json!(class);
        }
        document
    };
    lines(second, samples.tokens.rows().enumerate().map(document))?;
    Ok(files.into())
}

/// Writes the ids of samples, and their classes where there are any.
fn save_ids(path: &Path, samples: &Samples) -> Result<(), Error> {
    let wide = |ids: &[u32]| ids.iter().map(|&id| i64::from(id)).collect::<Vec<_>>();
    let mut file = NpzWriter::create(path)?;
    file.array("arr_0", &[samples.tokens.len(), samples.tokens.length()], &wide(samples.tokens.ids()))?;
    if !samples.classes.is_empty() {
        file.array("arr_1", &[samples.classes.len()], &wide(&samples.classes))?;
    }
    file.finish()
}

/// The text of a sample; its ids, where it is no text.
pub fn in_words(row: &[u32], data: &dyn Dataset) -> String {
    match data.text() {
        Some(text) => text.decode(row),
        None => row.iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
    }
}

/// Writes one item per line.
fn lines(path: &Path, items: impl Iterator<Item = impl std::fmt::Display>) -> Result<(), Error> {
    let mut file = std::io::BufWriter::new(atomic_file::beside(path)?);
    for item in items {
        writeln!(file, "{item}").map_err(Error::writing(path))?;
    }
    let file = file.into_inner().map_err(|e| Error::writing(path)(e.into_error()))?;
    atomic_file::persist(file, path)
}
