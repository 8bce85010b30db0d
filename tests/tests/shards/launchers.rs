//! The shard's number from the variables of launchers.

use elbow_tests::command;
use serde_json::Value;

use crate::work::{ELBOW, RUN};

#[test]
fn launchers_name_the_shard() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("UTF-8");
    let call = |variables: &[(&str, &str)]| {
        let words = ["likelihood", "--checkpoint", RUN, "--sequences", "64", "--draws", "1", "--out", out];
        let mut command = command(ELBOW, &[&words[..], &["--shard", "env", "--json"]].concat());
        for name in ["RANK", "WORLD_SIZE", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"] {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied()).output().expect("the binary starts")
    };
    let shard = |variables: &[(&str, &str)]| {
        let document: Value = serde_json::from_slice(&call(variables).stdout).expect("JSON");
        document["shard"].clone()
    };
    assert_eq!(shard(&[("RANK", "0"), ("WORLD_SIZE", "2")]), serde_json::json!({ "number": 1, "of": 2 }));
    let array = |id: &'static str, first: &'static str| {
        [("SLURM_ARRAY_TASK_ID", id), ("SLURM_ARRAY_TASK_COUNT", "2"), ("SLURM_ARRAY_TASK_MIN", first)]
    };
    assert_eq!(shard(&array("1", "0")), serde_json::json!({ "number": 2, "of": 2 }));
    assert_eq!(shard(&array("1", "1")), serde_json::json!({ "number": 1, "of": 2 }));
    let nothing = call(&[]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("neither RANK and WORLD_SIZE"));
}
