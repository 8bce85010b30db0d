//! `elbow doctor`: what this machine has, and what to do about what is missing.

use impls::data::catalogue;
use serde::Serialize;
use serde_json::json;

use elbow_harness::device;
use elbow_harness::failure::Failure;
use elbow_harness::fid::{Convention, FeatureNetwork, Runtime};
use elbow_harness::provenance;
use elbow_harness::workspace::Workspace;

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
        gpu(),
        native_runtime(),
        canonical_inception(workspace),
    ];
    let files = [
        ("digits classifier", "digits-classifier/digits-classifier.onnx"),
        ("EfficientNet-Lite0", "lite0/lite0.onnx"),
        ("toy distributions", "toys/example-a.json"),
    ];
    for (what, name) in files {
        findings.push(match workspace.data_file(name) {
            Ok(path) => Finding { what, found: true, detail: path.display().to_string(), advice: String::new() },
            Err(missing) => Finding { what, found: false, detail: missing.what, advice: missing.advice },
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

/// The network of the FID, which the user exports from its weights.
fn canonical_inception(workspace: &Workspace) -> Finding {
    let what = "FID's Inception";
    let found = workspace.data_file("inception.onnx").map(|path| {
        let network = FeatureNetwork::load(&path, Convention::Clean, Runtime::Embedded);
        (path.display().to_string(), network.map(|network| network.is_canonical()))
    });
    let advice = "for numbers called FID: fetch pt_inception-2015-12-05-6726825d.pth (pytorch-fid's releases on GitHub, 95.6 MB), \
                  then elbow fid export pt_inception-2015-12-05-6726825d.pth -o DIR/inception.onnx, and name DIR with --data or \
                  ELBOW_DATA";
    match found {
        Ok((detail, Ok(true))) => Finding { what, found: true, detail, advice: String::new() },
        Ok((path, Ok(false))) => {
            Finding { what, found: false, detail: format!("{path} has other weights"), advice: advice.into() }
        }
        Ok((_, Err(damaged))) => Finding { what, found: false, detail: damaged.to_string(), advice: advice.into() },
        Err(_) => Finding { what, found: false, detail: "no inception.onnx".into(), advice: advice.into() },
    }
}

/// GPUs, and whether this build computes on them.
fn gpu() -> Finding {
    let what = "CUDA device";
    let everything = "everything runs on the CPU";
    match (device::gpus(), device::HAS_CUDA) {
        (Ok(count), true) => {
            Finding { what, found: true, detail: format!("{count} GPU(s), --device cuda:0"), advice: String::new() }
        }
        (Ok(count), false) => Finding {
            what,
            found: false,
            detail: format!("{count} GPU(s), but this build is for the CPU"),
            advice:
                "cargo build --release --features cuda; feature networks alone: --device cuda:0 with onnxruntime-gpu"
                    .into(),
        },
        (Err(missing), _) => Finding { what, found: false, detail: missing, advice: everything.into() },
    }
}

fn native_runtime() -> Finding {
    let what = "ONNX Runtime";
    match Runtime::find(None, "cpu") {
        _ if cfg!(not(feature = "onnx")) => Finding {
            what,
            found: false,
            detail: "this build reads no networks".into(),
            advice: "build with the default features: cargo elbow".into(),
        },
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
