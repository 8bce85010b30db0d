//! Adapters of Vulkan, Metal or DirectX 12, through burn's wgpu backend.

use std::sync::{LazyLock, Mutex, PoisonError};

use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::wgpu::wgpu::{self, Backend, DeviceType, Instance, InstanceDescriptor};
use burn::tensor::{Device, DeviceKind};
use elbow_base::Error;
use futures_lite::future::block_on;

use super::Choice;

/// An adapter: a GPU, or a program that computes on the CPU like one.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// Its name, as the driver has it.
    pub name: String,
    /// The interface: `Vulkan`, `Metal`, `Dx12`.
    pub api: String,
    /// Its type in words.
    pub kind: &'static str,
    /// Bytes of the largest buffer, which is that of the largest tensor.
    pub largest: u64,
    pinned: WgpuBackend,
    selector: DeviceKind,
}

/// The interfaces, best first. OpenGL is left out: its drivers look for a display, and it has no half precision.
const APIS: [(Backend, WgpuBackend); 3] =
    [(Backend::Vulkan, WgpuBackend::Vulkan), (Backend::Metal, WgpuBackend::Metal), (Backend::Dx12, WgpuBackend::Dx12)];

/// What the process has opened, with the bytes of the largest tensor: the backend registers a device once.
static OPENED: Mutex<Vec<(DeviceKind, Device, u64)>> = Mutex::new(Vec::new());

/// The adapters of the first interface that has a GPU, or of the first that has any. The process looks once.
pub fn adapters() -> &'static [Adapter] {
    static FOUND: LazyLock<Vec<Adapter>> = LazyLock::new(|| {
        let found = APIS.map(of_api);
        let is_gpu = |adapters: &&Vec<Adapter>| adapters.iter().any(|adapter| adapter.selector != DeviceKind::Cpu);
        let chosen = found.iter().find(is_gpu).or_else(|| found.iter().find(|adapters| !adapters.is_empty()));
        chosen.cloned().unwrap_or_default()
    });
    &FOUND
}

fn of_api((api, pinned): (Backend, WgpuBackend)) -> Vec<Adapter> {
    let instance =
        Instance::new(InstanceDescriptor { backends: api.into(), ..InstanceDescriptor::new_without_display_handle() });
    let mut before = [0; 4];
    // The backend counts the adapters of each type, and knows one that computes on the CPU.
    let mut selector = |kind: DeviceType| {
        let (counter, select): (usize, fn(usize) -> DeviceKind) = match kind {
            DeviceType::DiscreteGpu => (0, DeviceKind::DiscreteGpu),
            DeviceType::IntegratedGpu => (1, DeviceKind::IntegratedGpu),
            DeviceType::VirtualGpu => (2, DeviceKind::VirtualGpu),
            DeviceType::Cpu => (3, |_| DeviceKind::Cpu),
            DeviceType::Other => return None,
        };
        before[counter] += 1;
        (counter < 3 || before[counter] == 1).then(|| select(before[counter] - 1))
    };
    let adapter = |adapter: &wgpu::Adapter| {
        let info = adapter.get_info();
        Some(Adapter {
            selector: selector(info.device_type)?,
            name: info.name,
            api: format!("{api:?}"),
            kind: in_words(info.device_type),
            largest: largest_buffer(adapter),
            pinned,
        })
    };
    block_on(instance.enumerate_adapters(api.into())).iter().filter_map(adapter).collect()
}

fn in_words(kind: DeviceType) -> &'static str {
    match kind {
        DeviceType::DiscreteGpu => "discrete GPU",
        DeviceType::IntegratedGpu => "integrated GPU",
        DeviceType::VirtualGpu => "virtual GPU",
        DeviceType::Cpu => "on the CPU",
        DeviceType::Other => "of another type",
    }
}

/// What the backend knows an adapter by.
fn selector(choice: Choice) -> Option<(WgpuBackend, DeviceKind)> {
    let adapters = adapters();
    match choice {
        Choice::Best => adapters.first().map(|adapter| (adapter.pinned, DeviceKind::DefaultDevice)),
        Choice::Number(number) => adapters.get(number).map(|adapter| (adapter.pinned, adapter.selector.clone())),
        Choice::Software => {
            let software = adapters.iter().find(|adapter| adapter.selector == DeviceKind::Cpu);
            software.map(|adapter| (adapter.pinned, DeviceKind::Cpu))
        }
    }
}

/// Bytes of the largest tensor of an adapter that is open.
pub(super) fn largest_tensor(choice: Choice) -> Option<u64> {
    let (_, wanted) = selector(choice)?;
    let opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    opened.iter().find(|(selector, ..)| *selector == wanted).map(|(.., largest)| *largest)
}

/// Opens an adapter.
pub(super) fn open(name: &str, choice: Choice) -> Result<Device, Error> {
    let missing = |what: String, fix: &str| Error::environment(format!("device {name:?}: {what}"), fix);
    let (api, wanted) = selector(choice).ok_or_else(|| match adapters().len() {
        0 => missing("no adapter of Vulkan, Metal or DirectX 12 here".into(), DRIVERS),
        count => missing(
            format!("not among the {count} adapter(s) here"),
            "elbow doctor lists them, counted from 0; or use the CPU",
        ),
    })?;
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, device, _)) = opened.iter().find(|(selector, ..)| *selector == wanted) {
        return Ok(device.clone());
    }
    let options = Device::wgpu_options().graphics_api(api).device_kind(wanted.clone());
    let (device, setup) = options
        .init_with_setup()
        .map_err(|what| missing(format!("it cannot be opened: {what}"), "update its driver, or use the CPU"))?;
    opened.push((wanted, device.clone(), largest_buffer(&setup.adapter)));
    Ok(device)
}

/// Bytes of the largest buffer that a kernel can use.
fn largest_buffer(adapter: &wgpu::Adapter) -> u64 {
    let limits = adapter.limits();
    limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
}

/// How to get an adapter.
const DRIVERS: &str = "install a Vulkan driver (Debian and Ubuntu: apt-get install mesa-vulkan-drivers libvulkan1, which \
                       also computes without a GPU), or use the CPU";
