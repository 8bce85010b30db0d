//! Where a number comes from: the program, its revision, the machine, the inputs.

#[cfg(unix)]
use std::ffi::{CStr, OsString};
#[cfg(unix)]
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use elbow_base::Error;
use elbow_impls::data::{Dataset, Lines};
use elbow_impls::hash::sha256;
use elbow_impls::train::TRAINING;
use elbow_metrics::FEATURES;
use elbow_reports::record::{Input, Provenance};
use sysinfo::{CpuRefreshKind, RefreshKind, System};

/// Version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// SHA-256 of a file, as a named input.
pub fn file_input(path: &Path) -> Result<Input, Error> {
    let bytes = std::fs::read(path).map_err(Error::reading(path))?;
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    Ok(Input { name, sha256: sha256(&bytes) })
}

/// A data set as a named input.
pub fn data_input(data: &dyn Dataset) -> Input {
    Input { name: data.name(), sha256: data.hash().to_owned() }
}

/// Sequences of different lengths as a named input.
pub fn lines_input(lines: &Lines) -> Input {
    Input { name: lines.name().to_owned(), sha256: lines.hash().to_owned() }
}

/// The version of the code behind each kind of number. Raise one by hand when the same settings give other numbers
/// there: results of the earlier version are then computed again.
const SUBSYSTEMS: [(&str, u32); 6] =
    [("training", TRAINING), ("likelihood", 1), ("sampling", 1), ("features", FEATURES), ("theory", 1), ("checks", 1)];

/// The versions of all subsystems, as a part of the key under which a row is found again.
pub fn subsystems() -> String {
    SUBSYSTEMS.map(|(name, version)| format!("{name} {version}")).join(", ")
}

/// SHA-256 of the running program, or of this library where another program has loaded it; recorded with each result.
pub fn program_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| {
        let read = library().map_or_else(std::env::current_exe, Ok).and_then(std::fs::read);
        read.map_or_else(|_| format!("unknown at {}", now()), |bytes| sha256(&bytes))
    })
}

/// The shared library that holds this code, where it is one.
#[cfg(unix)]
fn library() -> Option<PathBuf> {
    let mut found = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: dladdr fills the structure, which is valid when zeroed, for an address of this very code; the name that it points
    // to lives as long as the library is loaded.
    let name = unsafe {
        let known = libc::dladdr(program_hash as *const libc::c_void, found.as_mut_ptr()) != 0;
        let name = found.assume_init().dli_fname;
        (known && !name.is_null()).then(|| CStr::from_ptr(name).to_bytes().to_vec())
    }?;
    let path = PathBuf::from(OsString::from_vec(name));
    path.extension().is_some_and(|ending| ending == "so" || ending == "dylib").then_some(path)
}

#[cfg(not(unix))]
fn library() -> Option<PathBuf> {
    None
}

/// A provenance block for a result that was finished now.
pub fn block(seed: u64, device: &str, claim_hash: String, inputs: Vec<Input>) -> Provenance {
    Provenance {
        version: VERSION.to_owned(),
        git_revision: env!("ELBOW_GIT_REVISION").to_owned(),
        git_dirty: env!("ELBOW_GIT_DIRTY") == "true",
        program_hash: program_hash().to_owned(),
        seed,
        device: device.to_owned(),
        threads: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
        machine: processor(),
        claim_hash,
        inputs,
        finished: now(),
    }
}

/// The processor as the system names it.
fn processor() -> Option<String> {
    static NAME: OnceLock<Option<String>> = OnceLock::new();
    let ask = || {
        let wanted = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
        let system = System::new_with_specifics(wanted);
        system.cpus().first().map(|cpu| cpu.brand().trim().to_owned()).filter(|name| !name.is_empty())
    };
    NAME.get_or_init(ask).clone()
}

/// UTC, RFC 3339, second resolution.
fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
