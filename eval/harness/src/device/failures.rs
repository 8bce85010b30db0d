//! Failures of a device while it computes, as errors.

use elbow_base::{Error, Remedy, caught};

/// What cubecl says of memory that it cannot have, before the number of bytes.
const TOO_LARGE: [&str; 3] = ["can't allocate buffer of size: ", "out of device memory allocating ", "Can't allocate "];

/// The result of `work` on the devices of this name, which tell what goes wrong by a panic.
///
/// # Errors
///
/// The error of `work`; one of the environment where a device has too little memory for it; an internal one for any other panic
/// on a device that is not the CPU. On the CPU a panic stays one.
pub fn guarded<T>(devices: &str, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    if devices == "cpu" {
        return work();
    }
    caught(work).unwrap_or_else(|panic| {
        let Some(bytes) = too_large(&panic) else {
            let first: String = panic.chars().take(300).collect();
            return Err(Error::internal(format!("device {devices:?}: {first}")));
        };
        let what = format!("device {devices:?} has no memory for a tensor of {} MiB", bytes.div_ceil(1 << 20));
        let advice = "train with a smaller batch_size or a larger accumulation, take a smaller network, or use the CPU";
        Err(Error::environment(what, advice).mended_by(Remedy::Device))
    })
}

/// Bytes of the allocation that failed, where that is what a panic says.
fn too_large(panic: &str) -> Option<u64> {
    let (_, rest) = TOO_LARGE.iter().find_map(|words| panic.split_once(words))?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use elbow_base::Kind;

    use super::*;

    #[test]
    fn panics_of_devices_are_errors_in_words() {
        let told = |panic: &str| guarded("wgpu", || -> Result<(), Error> { panic!("{panic}") }).expect_err("a panic");
        let large = told("reading: can't allocate buffer of size: 209715201\n  at ...");
        assert_eq!(
            (large.kind, large.what.as_str()),
            (Kind::Environment, "device \"wgpu\" has no memory for a tensor of 201 MiB")
        );
        let other = told("index out of bounds");
        assert_eq!((other.kind, other.what.as_str()), (Kind::Internal, "device \"wgpu\": index out of bounds"));
        let own = guarded("wgpu", || -> Result<(), Error> { Err(Error::input("a wrong setting", "")) });
        assert_eq!(own.expect_err("an error").what, "a wrong setting");
        assert!(std::panic::catch_unwind(|| guarded("cpu", || -> Result<(), Error> { panic!("a defect") })).is_err());
    }
}
