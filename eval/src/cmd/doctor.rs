//! `elbow doctor`: what this machine has, and what to do about what is missing.

use impls::data::catalogue;
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;
use crate::fid::Runtime;
use crate::provenance;
use crate::workspace::Workspace;

/// One thing that was looked for.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    found: bool,
    detail: String,
    /// What to do where it is missing.
    advice: String,
}

pub fn run(workspace: &Workspace) -> Result<(), Failure> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut findings = vec![
        Finding { what: "CPU", found: true, detail: format!("{threads} threads, burn flex"), advice: String::new() },
        Finding {
            what: "CUDA device",
            found: false,
            detail: "not in this build".into(),
            advice: "nothing here needs one; everything runs on the CPU".into(),
        },
        native_runtime(),
    ];
    let files = [
        ("digits classifier", "digits-classifier/digits-classifier.onnx"),
        ("EfficientNet-Lite0", "lite0/lite0.onnx"),
        ("toy distributions", "toys/example-a.json"),
    ];
    for (what, name) in files {
        findings.push(match workspace.data_file(name) {
            Ok(path) => Finding { what, found: true, detail: path.display().to_string(), advice: String::new() },
            Err(missing) => Finding { what, found: false, detail: missing.what, advice: missing.fix },
        });
    }
    for set in catalogue::SETS {
        findings.push(match set.find(&workspace.data_folders()) {
            Ok(path) => {
                let detail = format!("{} ({})", path.display(), set.about);
                Finding { what: set.name, found: true, detail, advice: String::new() }
            }
            Err(missing) => {
                let detail = format!("{} is not here", set.about);
                Finding { what: set.name, found: false, detail, advice: missing.to_string() }
            }
        });
    }
    let result =
        json!({ "version": provenance::VERSION, "program_hash": provenance::program_hash(), "findings": findings });
    workspace.print(&result, || {
        let line = |f: &Finding| {
            let mark = if f.found { "ok     " } else { "missing" };
            let advice = if f.advice.is_empty() { String::new() } else { format!("\n          {}", f.advice) };
            format!("{mark}   {}: {}{advice}", f.what, f.detail)
        };
        findings.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}

fn native_runtime() -> Finding {
    let what = "ONNX Runtime";
    match Runtime::find(None, "cpu") {
        Ok(Runtime::Native { library, .. }) if library.is_file() => {
            Finding { what, found: true, detail: library.display().to_string(), advice: String::new() }
        }
        Ok(Runtime::Native { library, .. }) => Finding {
            what,
            found: false,
            detail: format!("ORT_DYLIB_PATH names {}, which does not exist", library.display()),
            advice: "correct or unset ORT_DYLIB_PATH".into(),
        },
        Ok(Runtime::Embedded) | Err(_) => Finding {
            what,
            found: false,
            detail: "no library found; networks run on the embedded tract".into(),
            advice: "for speed: pip install onnxruntime, then set ORT_DYLIB_PATH to its capi/libonnxruntime.so.*"
                .into(),
        },
    }
}
