//! Inventory of a machine: devices, libraries, feature networks, data sets.

use std::path::PathBuf;

use elbow_impls::data::catalogue;
use elbow_metrics::{Convention, FeatureNetwork, Runtime};

use crate::device;
use crate::workspace::Workspace;

/// One part of the inventory.
pub struct Finding {
    /// Its name.
    pub what: &'static str,
    /// The part found, or what is missing of it.
    pub detail: String,
    /// Why it cannot be used; `None` where it can.
    pub lack: Option<Lack>,
}

/// The missing part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A GPU, or its driver.
    Gpu,
    /// Code for GPUs in this program.
    GpuCode,
    /// A driver of Vulkan, Metal or DirectX 12.
    Adapter,
    /// Code that reads networks in this program.
    NetworkCode,
    /// ONNX Runtime.
    Runtime,
    /// The library that `ORT_DYLIB_PATH` names.
    NamedRuntime,
    /// The Inception of the FID, or its published weights.
    Inception,
    /// A bundled file.
    Bundled,
    /// A data set, with the way to get it.
    DataSet(String),
}

impl Finding {
    fn found(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, detail: detail.into(), lack: None }
    }

    fn missing(what: &'static str, detail: impl Into<String>, lack: Lack) -> Self {
        Self { what, detail: detail.into(), lack: Some(lack) }
    }
}

/// Takes the inventory of everything that a command may need.
pub fn take(workspace: &Workspace) -> Vec<Finding> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let cpu = Finding::found("CPU", format!("{threads} threads, burn flex"));
    let files = [
        ("digits classifier", "digits-classifier/digits-classifier.onnx"),
        ("EfficientNet-Lite0", "lite0/lite0.onnx"),
        ("toy distributions", "toys/example-a.json"),
    ];
    let file = |(what, name)| match workspace.data_file(name) {
        Ok(path) => Finding::found(what, path.display().to_string()),
        Err(missing) => Finding::missing(what, missing.what, Lack::Bundled),
    };
    let set = |set: &catalogue::Set| match workspace.find(set) {
        Ok(path) => Finding::found(set.name, format!("{} ({})", path.display(), set.about)),
        Err(missing) => Finding::missing(set.name, format!("not here ({})", set.about), Lack::DataSet(missing.what)),
    };
    let machine = [vec![cpu, gpu()], adapters(), vec![runtime(), inception(workspace)]];
    machine.into_iter().flatten().chain(files.map(file)).chain(catalogue::SETS.iter().map(set)).collect()
}

/// The network of the FID, which users export from its weights.
fn inception(workspace: &Workspace) -> Finding {
    let what = "FID's Inception";
    let canonical = |path: &PathBuf| {
        FeatureNetwork::load(path, Convention::Clean, Runtime::Embedded).map(|network| network.is_canonical())
    };
    let Ok(path) = workspace.data_file("inception.onnx") else {
        return Finding::missing(what, "no inception.onnx", Lack::Inception);
    };
    match canonical(&path) {
        Ok(true) => Finding::found(what, path.display().to_string()),
        Ok(false) => Finding::missing(what, format!("{} has other weights", path.display()), Lack::Inception),
        Err(damaged) => Finding::missing(what, damaged.to_string(), Lack::Inception),
    }
}

/// GPUs, and whether this build computes on them.
fn gpu() -> Finding {
    let what = "CUDA device";
    match (device::gpus(), device::HAS_CUDA) {
        (Ok(count), true) => Finding::found(what, format!("{count} GPU(s), the first is cuda:0")),
        (Ok(count), false) => {
            Finding::missing(what, format!("{count} GPU(s), but this build is for the CPU"), Lack::GpuCode)
        }
        (Err(missing), _) => Finding::missing(what, missing, Lack::Gpu),
    }
}

/// The adapters of wgpu, in builds that compute on them.
fn adapters() -> Vec<Finding> {
    #[cfg(not(feature = "wgpu"))]
    return Vec::new();
    #[cfg(feature = "wgpu")]
    {
        let what = "wgpu device";
        let found = |(number, adapter): (usize, &device::Adapter)| {
            let device::Adapter { name, api, kind, largest, .. } = adapter;
            let megabytes = largest >> 20;
            Finding::found(what, format!("wgpu:{number} is {name} ({api}, {kind}), tensors of up to {megabytes} MiB"))
        };
        let found: Vec<Finding> = device::adapters().iter().enumerate().map(found).collect();
        let missing = || vec![Finding::missing(what, "no adapter of Vulkan, Metal or DirectX 12", Lack::Adapter)];
        if found.is_empty() { missing() } else { found }
    }
}

/// ONNX Runtime's shared library.
fn runtime() -> Finding {
    let what = "ONNX Runtime";
    match Runtime::find(None, "cpu") {
        _ if cfg!(not(feature = "onnx")) => Finding::missing(what, "this build reads no networks", Lack::NetworkCode),
        Ok(Runtime::Native { library, .. }) if library.is_file() => Finding::found(what, library.display().to_string()),
        Ok(Runtime::Native { library, .. }) => {
            let detail = format!("ORT_DYLIB_PATH names {}, which does not exist", library.display());
            Finding::missing(what, detail, Lack::NamedRuntime)
        }
        Ok(Runtime::Embedded) | Err(_) => {
            Finding::missing(what, "no library found; networks run on the embedded tract", Lack::Runtime)
        }
    }
}
