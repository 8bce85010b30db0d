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

/// The bundled folders by their name inside a data folder.
static TOPICS: [(&str, Dir<'_>); 13] = [
    ("cascade", include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/cascade")),
    ("digits", include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/digits")),
    ("digits-classifier", include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/digits-classifier")),
    ("discrete", include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/discrete")),
    ("frechet", include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/frechet")),
    ("gaussian", include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/gaussian")),
    ("gaussian-objectives", include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/gaussian-objectives")),
    ("inception", include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/inception")),
    ("lite0", include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/lite0")),
    ("metrics", include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/metrics")),
    ("photos", include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/photos")),
    ("text", include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/text")),
    ("toys", include_dir!("$CARGO_MANIFEST_DIR/../../fixtures/toys")),
];

/// The file that lists a topic's files with their sources, licences and hashes.
const MANIFEST: &str = "MANIFEST.toml";

/// Hash of the manifests, and so of every bundled file.
static HASH: LazyLock<String> = LazyLock::new(|| {
    let manifests = TOPICS.iter().filter_map(|(_, topic)| topic.get_file(MANIFEST));
    hash::sha256(&manifests.flat_map(|file| file.contents()).copied().collect::<Vec<_>>())
});

/// Whether a file or folder with this path inside a data folder, such as `digits/digits.csv.gz`, is bundled.
pub fn has(name: &str) -> bool {
    let (topic, rest) = name.split_once('/').unwrap_or((name, ""));
    let found = TOPICS.iter().find(|(known, _)| *known == topic);
    found.is_some_and(|(_, files)| rest.is_empty() || files.contains(rest))
}

/// The folder of the bundled data below the user's cache folder, unpacked if it is not there.
pub fn folder() -> Result<PathBuf, Error> {
    let caches = choose_base_strategy().map(|system| system.cache_dir()).unwrap_or_else(|_| std::env::temp_dir());
    folder_in(&caches.join("elbow"))
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
    for (name, files) in &TOPICS {
        let topic = new.path().join(name);
        std::fs::create_dir(&topic).and_then(|()| files.extract(&topic)).map_err(cannot)?;
    }
    match std::fs::rename(new.path(), &place) {
        Err(_) if place.is_dir() => Ok(place),
        renamed => renamed.map(|()| place.clone()).map_err(cannot),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundled_files_unpack_once_with_the_bytes_of_the_fixtures() {
        let caches = tempfile::tempdir().expect("a folder");
        let folder = folder_in(caches.path()).expect("unpacked");
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
        for name in ["digits/digits.csv.gz", "photos/jpeg/flower-small.jpg", "toys/example-a.json"] {
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
