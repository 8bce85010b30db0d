//! The data that is part of the program: what the claims of the default tiers, the presets of the digits and of
//! Shakespeare, and the feature networks read.
//!
//! A program that was installed finds them in no folder, so it carries them and unpacks them, once per user, where the
//! system keeps caches. A folder with data always comes first.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use elbow_base::{Error, hash};
use etcetera::{BaseStrategy, choose_base_strategy};
use include_dir::{Dir, include_dir};

/// The bundled folders, as `build.rs` puts them together.
static BUNDLE: Dir<'_> = include_dir!("$OUT_DIR/bundle");

/// What the name of a network ends in whose bytes are stored by planes.
const PLANES: &str = "planes";

/// The file that lists a topic's files with their sources, licences and hashes.
const MANIFEST: &str = "MANIFEST.toml";

/// Hash of the manifests, and so of every bundled file.
static HASH: LazyLock<String> = LazyLock::new(|| {
    let manifests = BUNDLE.dirs().filter_map(|topic| topic.get_file(topic.path().join(MANIFEST)));
    hash::sha256(&manifests.flat_map(|file| file.contents()).copied().collect::<Vec<_>>())
});

/// Whether a file or folder with this path inside a data folder, such as `digits/digits.csv.gz`, is bundled.
pub fn has(name: &str) -> bool {
    BUNDLE.contains(name) || BUNDLE.contains(format!("{name}.{PLANES}"))
}

/// The folder of the bundled data below the user's cache folder, unpacked if it is not there.
pub fn folder() -> Result<PathBuf, Error> {
    folder_in(&user_cache())
}

/// The folder of elbow below the user's cache folder.
pub fn user_cache() -> PathBuf {
    let caches = choose_base_strategy().map(|system| system.cache_dir()).unwrap_or_else(|_| std::env::temp_dir());
    caches.join("elbow")
}

/// The same below another folder than the user's. Several processes may unpack at once: each unpacks into a folder of
/// its own, and the first that is ready gives it the name.
fn folder_in(caches: &Path) -> Result<PathBuf, Error> {
    let place = caches.join(format!("bundled-{}", &HASH[..16]));
    if place.is_dir() {
        return Ok(place);
    }
    let cannot = |e| {
        let what = format!("cannot unpack the bundled data into {}: {e}", place.display());
        Error::environment(what, "set XDG_CACHE_HOME to a folder that can be written")
    };
    std::fs::create_dir_all(caches).map_err(cannot)?;
    let new = tempfile::tempdir_in(caches).map_err(cannot)?;
    unpack(&BUNDLE, new.path()).map_err(cannot)?;
    match std::fs::rename(new.path(), &place) {
        Err(_) if place.is_dir() => Ok(place),
        renamed => renamed.map(|()| place.clone()).map_err(cannot),
    }
}

/// Writes a bundled folder and what is below it into `root`.
fn unpack(folder: &Dir<'_>, root: &Path) -> std::io::Result<()> {
    for file in folder.files() {
        let place = root.join(file.path());
        match place.extension() {
            Some(end) if end == PLANES => std::fs::write(place.with_extension(""), words(file.contents()))?,
            _ => std::fs::write(place, file.contents())?,
        }
    }
    folder.dirs().try_for_each(|below| {
        std::fs::create_dir(root.join(below.path()))?;
        unpack(below, root)
    })
}

/// The bytes whose four planes these are.
fn words(planes: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; planes.len()];
    let mut rest = planes.iter();
    for plane in 0..4 {
        bytes.iter_mut().skip(plane).step_by(4).zip(&mut rest).for_each(|(byte, &stored)| *byte = stored);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundled_files_unpack_once_with_the_bytes_of_the_fixtures() {
        let caches = tempfile::tempdir().expect("a folder");
        let folder = folder_in(caches.path()).expect("unpacked");
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
        for name in ["digits/digits.csv.gz", "lite0/lite0.onnx", "photos/jpeg/flower-small.jpg", "toys/example-a.json"]
        {
            assert!(has(name), "{name}");
            let read = |root: &Path| std::fs::read(root.join(name)).expect("a file");
            assert_eq!(read(&folder), read(&fixtures), "{name}");
        }
        assert!(!has("mnist") && !has("digits/other.csv"), "witness: what is not bundled");
        let kept = folder.join("kept");
        std::fs::write(&kept, "").expect("a mark");
        assert_eq!(folder_in(caches.path()).expect("found"), folder);
        assert!(kept.is_file(), "it was not unpacked again");
        assert_eq!(std::fs::read_dir(caches.path()).expect("a folder").count(), 1, "nothing else is left");
    }
}
