//! The devices of a command.

use std::str::FromStr;

use elbow_base::UnknownName;
use elbow_harness::device::DeviceName;

/// One device, or several separated by commas.
#[derive(Clone)]
pub struct Devices {
    /// Their names, as they were given.
    pub name: String,
    /// Whether the first is a GPU.
    pub on_gpu: bool,
}

impl FromStr for Devices {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let devices = name.split(',').map(str::parse).collect::<Result<Vec<DeviceName>, _>>()?;
        Ok(Self { name: name.to_owned(), on_gpu: devices[0] != DeviceName::Cpu })
    }
}
