//! The bundled presets: the TOML files of `impls/presets`.

use std::sync::LazyLock;

use include_dir::{Dir, include_dir};

static FOLDER: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/presets");

/// Name and text of each bundled preset, in the order of the names.
pub static PRESETS: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
    let named = FOLDER.files().filter(|file| file.path().extension().is_some_and(|ending| ending == "toml"));
    let mut presets: Vec<_> =
        named.filter_map(|file| Some((file.path().file_stem()?.to_str()?, file.contents_utf8()?))).collect();
    presets.sort_unstable();
    presets
});
