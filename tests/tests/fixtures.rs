//! Every bundled file is listed in its folder's manifest, with source, licence and the hash that it has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use elbow_tests::root;
use sha2::{Digest, Sha256};

#[test]
fn manifests_list_every_file_with_its_hash() {
    let mut folders = 0;
    for folder in std::fs::read_dir(root().join("fixtures")).expect("fixtures").filter_map(|e| Some(e.ok()?.path())) {
        if !folder.is_dir() {
            continue;
        }
        folders += 1;
        let place = folder.display();
        let text = std::fs::read_to_string(folder.join("MANIFEST.toml")).unwrap_or_else(|e| panic!("{place}: {e}"));
        let manifest: toml::Table = text.parse().unwrap_or_else(|e| panic!("{place}: {e}"));
        let files = manifest["files"].as_array().unwrap_or_else(|| panic!("{place}: no files"));
        let mut listed = BTreeSet::new();
        for file in files {
            let field = |name: &str| file.get(name).and_then(|v| v.as_str()).filter(|v| !v.is_empty());
            let name = field("file").unwrap_or_else(|| panic!("{place}: a file without a name"));
            for needed in ["what", "source", "licence"] {
                assert!(field(needed).is_some(), "{place}: {name} has no {needed}");
            }
            let bytes = std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{place}: {name}: {e}"));
            let hash: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(field("sha256"), Some(hash.as_str()), "{place}: {name}");
            listed.insert(name.to_owned());
        }
        for path in files_in(&folder) {
            let name = path.strip_prefix(&folder).expect("inside").to_str().expect("UTF-8").replace('\\', "/");
            let own = name.ends_with(".py") || name == "MANIFEST.toml" || name.starts_with("__pycache__/");
            assert!(own || listed.contains(&name), "{place}: {name} is not in the manifest");
        }
    }
    assert!(folders >= 6, "{folders} folders");
}

/// The files of a folder and of the folders in it.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}
