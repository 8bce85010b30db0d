//! Samples as files.

use std::path::{Path, PathBuf};

use elbow_base::{Error, atomic_file};
use elbow_impls::data::{Dataset, Tokens};
use elbow_metrics::Images;

use crate::workspace::Workspace;

/// Writes samples: images as `NAME.npz` (`arr_0`, uint8, NHWC) and a grid `NAME.png`, texts as `NAME.txt`, other tokens
/// as lines of numbers. Returns the files by kind: `npz`, `png`, `txt`.
pub fn save(
    workspace: &Workspace,
    folder: &Path,
    name: &str,
    tokens: &Tokens,
    data: &dyn Dataset,
) -> Result<Vec<(&'static str, PathBuf)>, Error> {
    workspace.make_folder(folder)?;
    if let Some(shape) = data.image() {
        let images = Images::from_tokens(tokens, data.values(), shape);
        let (npz, png) = (folder.join(format!("{name}.npz")), folder.join(format!("{name}.png")));
        images.save_npz(&npz)?;
        let shown: Vec<usize> = (0..images.len().min(256)).collect();
        let scale = (128 / shape[0].max(1)).clamp(1, 4);
        images.select(&shown).save_grid(&png, (shown.len() as f64).sqrt().ceil() as usize, scale)?;
        return Ok(vec![("npz", npz), ("png", png)]);
    }
    let path = folder.join(format!("{name}.txt"));
    let line = |row: &[u32]| match data.text() {
        Some(text) => text.decode(row),
        None => row.iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
    };
    let text: String = tokens.rows().map(|row| line(row) + "\n").collect();
    atomic_file::write(&path, text.as_bytes())?;
    Ok(vec![("txt", path)])
}
