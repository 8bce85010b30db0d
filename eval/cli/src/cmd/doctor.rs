//! `elbow doctor`: the inventory of this machine, with advice on missing parts.

use elbow_base::Error;
use elbow_harness::inventory::{self, Finding, Lack};
use elbow_harness::networks::INCEPTION;
use elbow_harness::provenance;
use elbow_harness::workspace::Workspace;
use serde_json::{Value, json};

pub fn run(workspace: &Workspace) -> Result<(), Error> {
    let findings = inventory::take(workspace);
    let rows: Vec<Value> = findings
        .iter()
        .map(|f| json!({ "what": f.what, "found": f.lack.is_none(), "detail": f.detail, "advice": advice(f) }))
        .collect();
    let next = next(&findings);
    let result = json!({
        "version": provenance::VERSION, "program_hash": provenance::program_hash(), "findings": rows, "next": next,
    });
    workspace.print(&result, || {
        let line = |f: &Finding| {
            let mark = if f.lack.is_none() { "ok     " } else { "missing" };
            let advice = advice(f);
            let advice = if advice.is_empty() { advice } else { format!("\n          {advice}") };
            format!("{mark}   {}: {}{advice}", f.what, f.detail)
        };
        let lines = findings.iter().map(line).collect::<Vec<_>>().join("\n");
        format!("{lines}\nnext: {next}")
    })
}

/// What to do first on this machine.
fn next(findings: &[Finding]) -> &'static str {
    let is_broken =
        |finding: &Finding| matches!(finding.lack, Some(Lack::Bundled | Lack::NetworkCode | Lack::NamedRuntime));
    match findings.iter().any(is_broken) {
        true => "repair what is missing of the program itself, above; everything else is optional",
        false => "elbow eval theory (half a minute), or elbow eval all; nothing that is missing is needed for them",
    }
}

/// Advice on a missing part; empty where nothing is missing.
fn advice(finding: &Finding) -> String {
    let text = match &finding.lack {
        None => "",
        Some(Lack::Gpu) => "everything runs on the CPU",
        Some(Lack::GpuCode) => {
            "cargo build --release --features cuda; feature networks alone: --device cuda:0 with onnxruntime-gpu"
        }
        Some(Lack::Adapter) => {
            "install a Vulkan driver: apt-get install mesa-vulkan-drivers libvulkan1 also computes without a GPU"
        }
        Some(Lack::NetworkCode) => "build with the default features: cargo elbow",
        Some(Lack::Runtime) => {
            "for speed: pip install onnxruntime, then set ORT_DYLIB_PATH to its capi/libonnxruntime.so.*"
        }
        Some(Lack::NamedRuntime) => "correct or unset ORT_DYLIB_PATH",
        Some(Lack::Inception) => INCEPTION,
        Some(Lack::Bundled) => {
            "it is part of the program, which unpacks it into the user's cache folder: set XDG_CACHE_HOME to a folder that can be written"
        }
        Some(Lack::DataSet(what)) => return format!("{what}; put it into DIR, and name DIR with --data or ELBOW_DATA"),
    };
    text.to_owned()
}
