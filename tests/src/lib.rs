//! Black-box tests of the `elbow` binary live in `tests/`; this library holds what they share.

pub mod files;
pub mod json_schema;
pub mod onnx;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's root").to_owned()
}

/// What a call of `elbow` left behind.
pub struct Call {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Call {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The JSON document on stdout of a call that ended well.
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.code, 0, "exit {}: {}", self.code, self.stderr);
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }
}

/// A command that runs the binary in the root of the repository, whatever the terminal and the data folders of the caller.
pub fn command(binary: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command.args(arguments).current_dir(root()).env_remove("ELBOW_DATA").env_remove("COLUMNS");
    command.env("XDG_DATA_HOME", "/nowhere");
    command
}

/// Runs the binary to its end.
pub fn elbow(binary: &str, arguments: &[&str]) -> Call {
    Call::of(command(binary, arguments).output().expect("the binary starts"))
}
