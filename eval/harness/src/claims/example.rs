//! Claims to begin with: those of `examples/claims-repository`, which are tested there.

use std::path::{Path, PathBuf};

use elbow_base::{Error, atomic_file, nearest};
use include_dir::{Dir, include_dir};

use super::check::own::KINDS;

static EXAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../examples/claims-repository/claims");

/// A claim to begin with, and the files that it reads.
pub struct Example {
    /// The text of the claim file.
    pub text: &'static str,
    /// The files that it reads by their names, which lie beside it.
    pub files: Vec<(&'static str, &'static [u8])>,
}

/// The names of the kinds of checks for claims of users.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name)
}

/// The example of a kind of check.
pub fn example(name: &str) -> Result<Example, Error> {
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        let known: Vec<String> = kinds().map(str::to_owned).collect();
        let near = nearest(name, &known).map(|near| format!("did you mean {near}?"));
        let fix = near.unwrap_or_else(|| format!("choose one of {}", known.join(", ")));
        return Err(Error::input(format!("no kind of check is called {name:?}"), fix));
    };
    let contents = |name: &str| {
        let file = EXAMPLES.get_file(name).map(|file| file.contents());
        file.ok_or_else(|| Error::internal(format!("no example {name}")))
    };
    let text = std::str::from_utf8(contents(&format!("{}.toml", kind.example))?);
    let files = kind.files.iter().map(|file| Ok((*file, contents(file)?))).collect::<Result<_, Error>>()?;
    Ok(Example { text: text.map_err(|e| Error::internal(e.to_string()))?, files })
}

impl Example {
    /// Writes the claim, and beside it each file that it reads and that is not there yet. Returns those files.
    pub fn write(&self, path: &Path) -> Result<Vec<PathBuf>, Error> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let beside = self.files.iter().map(|(name, contents)| (folder.join(name), contents));
        let missing: Vec<_> = beside.filter(|(file, _)| !file.exists()).collect();
        for (file, contents) in &missing {
            atomic_file::write(file, contents)?;
        }
        atomic_file::write(path, self.text.as_bytes())?;
        Ok(missing.into_iter().map(|(file, _)| file).collect())
    }
}
