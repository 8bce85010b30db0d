//! Devices by name: `cpu`, `cuda:N`, `wgpu:N`.

mod cuda;
mod failures;
#[cfg(feature = "wgpu")]
mod wgpu;

use std::str::FromStr;

use burn::tensor::Device;
use elbow_base::{Error, Remedy};
use elbow_impls::UnknownName;

pub use cuda::{HAS_CUDA, gpus};
pub use failures::guarded;
#[cfg(feature = "wgpu")]
pub use wgpu::{Adapter, adapters};

/// A device by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceName {
    /// The CPU: `cpu`.
    Cpu,
    /// The NVIDIA GPU with this index, counted from 0: `cuda:N`, or `cuda` for the first.
    Cuda(usize),
    /// An adapter of Vulkan, Metal or DirectX 12.
    Wgpu(Choice),
}

/// The choice of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The fastest, as the system says: `wgpu`.
    Best,
    /// The one with this index in the list of `elbow doctor`, counted from 0: `wgpu:N`.
    Number(usize),
    /// One that computes on the CPU, such as Mesa's lavapipe: `wgpu:cpu`.
    Software,
}

impl FromStr for DeviceName {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let unknown = || UnknownName::new("device", name, &["cpu", "cuda:N", "wgpu:N", "wgpu:cpu"]);
        let (backend, choice) = name.split_once(':').map_or((name, None), |(backend, choice)| (backend, Some(choice)));
        let number = |choice: &str| choice.parse().map_err(|_| unknown());
        match (backend, choice) {
            ("cpu", None) => Ok(Self::Cpu),
            ("cuda", choice) => Ok(Self::Cuda(choice.map_or(Ok(0), number)?)),
            ("wgpu", None) => Ok(Self::Wgpu(Choice::Best)),
            ("wgpu", Some("cpu")) => Ok(Self::Wgpu(Choice::Software)),
            ("wgpu", Some(choice)) => Ok(Self::Wgpu(Choice::Number(number(choice)?))),
            _ => Err(unknown()),
        }
    }
}

/// Opens a device of tensors.
pub fn open(name: &str) -> Result<Device, Error> {
    let opened = match name.parse()? {
        DeviceName::Cpu => Ok(Device::flex()),
        DeviceName::Cuda(index) => cuda::open(name, index),
        DeviceName::Wgpu(choice) => open_adapter(name, choice),
    };
    opened.map_err(|failure| failure.mended_by(Remedy::Device))
}

/// Bytes of the largest tensor that a device holds, where it has such a limit. It is open already.
pub fn largest_tensor(name: &str) -> Option<u64> {
    match name.parse() {
        Ok(DeviceName::Wgpu(choice)) => largest_of_adapter(choice),
        _ => None,
    }
}

#[cfg(feature = "wgpu")]
use wgpu::{largest_tensor as largest_of_adapter, open as open_adapter};

#[cfg(not(feature = "wgpu"))]
fn open_adapter(name: &str, _: Choice) -> Result<Device, Error> {
    let what = format!("device {name:?}: this program was built without wgpu");
    Err(Error::environment(what, "build it with cargo build --release --features wgpu, or use the CPU"))
}

#[cfg(not(feature = "wgpu"))]
fn largest_of_adapter(_: Choice) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use elbow_base::Kind;

    #[test]
    fn names_are_checked_before_machines() {
        assert!(open("cpu").is_ok());
        let failure = open("gpu").expect_err("no such device");
        assert_eq!(failure.kind, Kind::Input);
        for name in ["cuda:x", "wgpu:x", "wgpu:", "cpu:0"] {
            assert!(open(name).is_err_and(|failure| failure.kind == Kind::Input), "{name}");
        }
        let read = |name: &str| name.parse::<DeviceName>().expect("a name");
        assert_eq!(read("wgpu"), DeviceName::Wgpu(Choice::Best));
        assert_eq!(read("wgpu:1"), DeviceName::Wgpu(Choice::Number(1)));
        assert_eq!(read("wgpu:cpu"), DeviceName::Wgpu(Choice::Software));
    }

    #[test]
    fn a_missing_gpu_is_one_clear_line() {
        if HAS_CUDA && gpus().is_ok() {
            return;
        }
        let failure = open("cuda:0").expect_err("no GPU, or a build for the CPU");
        assert_eq!(failure.kind, Kind::Environment);
        assert!(failure.what.starts_with("device \"cuda:0\": "), "{}", failure.what);
    }

    #[test]
    #[cfg(not(feature = "wgpu"))]
    fn a_build_without_wgpu_is_one_clear_line() {
        let failure = open("wgpu").expect_err("not built in");
        assert_eq!(failure.kind, Kind::Environment);
        assert_eq!(failure.what, "device \"wgpu\": this program was built without wgpu");
    }
}
