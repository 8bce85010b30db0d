//! NVIDIA's GPUs: their driver and compiler are looked for before the backend starts.

use std::ffi::{c_int, c_uint};

use burn::tensor::Device;
use elbow_base::Error;
use libloading::Library;

/// Opens a GPU. Driver and compiler are looked for first: without them the backend panics in a thread of its own.
pub(super) fn open(name: &str, index: usize) -> Result<Device, Error> {
    let missing = |what: String, fix: &str| Error::environment(format!("device {name:?}: {what}"), fix);
    let count = gpus().map_err(|what| missing(what, "install NVIDIA's driver, or use the CPU"))?;
    if index >= count {
        return Err(missing(format!("this machine has {count} GPU(s)"), "count from 0, or use the CPU"));
    }
    compiler().map_err(|what| missing(what, "install the CUDA toolkit 12 or later, or use the CPU"))?;
    built(index).ok_or_else(|| {
        let what = "this program was built without CUDA".to_owned();
        missing(what, "build it with cargo build --release --features cuda, or use the CPU")
    })
}

#[cfg(feature = "cuda")]
fn built(index: usize) -> Option<Device> {
    Some(Device::cuda(index))
}

#[cfg(not(feature = "cuda"))]
fn built(_index: usize) -> Option<Device> {
    None
}

/// Whether this build can compute on NVIDIA's GPUs.
pub const HAS_CUDA: bool = cfg!(feature = "cuda");

/// NVIDIA's driver as the system names it.
const DRIVER: &str = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };

/// NVRTC, which compiles the backend's kernels, as the system names it, the latest first.
const COMPILERS: &[&str] = if cfg!(windows) {
    &["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"]
} else {
    &["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"]
};

/// Number of GPUs that NVIDIA's driver sees; the error says what is missing.
pub fn gpus() -> Result<usize, String> {
    let driver = library(DRIVER).ok_or_else(|| format!("no NVIDIA driver here ({DRIVER} cannot be loaded)"))?;
    let mut count: c_int = 0;
    // SAFETY: the driver's documented C interface: `CUresult cuInit(unsigned)`, `CUresult cuDeviceGetCount(int *)`; a
    // result of 0 is success. The library stays loaded for the life of the process.
    let status = unsafe {
        let init = driver.get::<extern "C" fn(c_uint) -> c_int>(c"cuInit");
        let device_count = driver.get::<extern "C" fn(*mut c_int) -> c_int>(c"cuDeviceGetCount");
        let (Ok(init), Ok(device_count)) = (init, device_count) else {
            return Err(format!("{DRIVER} is not NVIDIA's driver: it has no cuInit"));
        };
        match init(0) {
            0 => device_count(&raw mut count),
            status => status,
        }
    };
    match (status, usize::try_from(count)) {
        (0, Ok(count)) if count > 0 => Ok(count),
        // CUDA_ERROR_NO_DEVICE
        (0 | 100, _) => Err("NVIDIA's driver sees no GPU".into()),
        (status, _) => Err(format!("NVIDIA's driver does not start (CUDA error {status})")),
    }
}

fn compiler() -> Result<(), String> {
    match COMPILERS.iter().any(|name| library(name).is_some()) {
        true => Ok(()),
        false => Err(format!("no NVRTC here (none of {} can be loaded)", COMPILERS.join(", "))),
    }
}

/// A shared library by the loader's own search, never unloaded.
fn library(name: &str) -> Option<&'static Library> {
    // SAFETY: the initialisers of a system library, which is asked for by its name.
    let library = unsafe { Library::new(name) }.ok()?;
    Some(Box::leak(Box::new(library)))
}
