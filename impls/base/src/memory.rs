//! The memory that is free, against which large requests are held before anything is allocated.

use std::fs;
use std::path::{Path, PathBuf};

use sysinfo::System;

use crate::error::Error;

/// Bytes of memory that this process can still take: the least of what the machine has left, the control groups of the
/// process and its limit of address space leave; `None` where the system does not tell.
pub fn available() -> Option<u64> {
    let mut system = System::new();
    system.refresh_memory();
    let machine = Some(system.available_memory()).filter(|&bytes| bytes > 0);
    [machine, address_space(), control_group()].into_iter().flatten().min()
}

/// Refuses work that takes more bytes than are free. `what` says what it is, in numbers; `advice` what makes it smaller.
pub fn check(bytes: u64, what: &str, advice: &str) -> Result<(), Error> {
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    match available().filter(|&free| bytes > free) {
        None => Ok(()),
        Some(free) => {
            let what =
                format!("{what} take {:.1} GB of memory, and {:.1} GB are free", gigabytes(bytes), gigabytes(free));
            Err(Error::input(what, advice))
        }
    }
}

/// What the limit of address space leaves; none without a limit.
#[cfg(unix)]
fn address_space() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the call writes into the struct that it is given.
    let failed = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) } != 0;
    if failed || limit.rlim_cur == libc::RLIM_INFINITY {
        return None;
    }
    let used = 1024 * field(&fs::read_to_string("/proc/self/status").ok()?, "VmSize:")?;
    Some(limit.rlim_cur.saturating_sub(used))
}

#[cfg(not(unix))]
fn address_space() -> Option<u64> {
    None
}

/// The least that the control group of this process and those above it leave; none without a limit.
fn control_group() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    // Version 2 has one line, 0::/PATH; version 1 a line per controller.
    let place = |line: &str| -> Option<(PathBuf, [&'static str; 3])> {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let (root, names) = match controllers {
            "" => ("/sys/fs/cgroup", ["memory.max", "memory.current", "inactive_file"]),
            "memory" => {
                ("/sys/fs/cgroup/memory", ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"])
            }
            _ => return None,
        };
        Some((Path::new(root).join(path.trim_start_matches('/')), names))
    };
    let left = |(group, [most, used, cache]): (PathBuf, [&str; 3])| {
        let number = |folder: &Path, name| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
        let of = |folder: &Path| {
            let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
            // What the files in the cache take is given back when it is needed.
            let used = number(folder, used)?.saturating_sub(field(&stat, cache).unwrap_or(0));
            Some(number(folder, most)?.saturating_sub(used))
        };
        group.ancestors().filter_map(of).min()
    };
    groups.lines().filter_map(place).filter_map(left).min()
}

/// The number after a name, which begins a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_fit_is_refused() {
        check(1, "a byte", "").expect("a byte is free");
        let error = check(u64::MAX, "18 EB", "take less").expect_err("no machine has so much").to_string();
        assert!(error.starts_with("18 EB take ") && error.ends_with("are free\n  take less"), "{error}");
    }

    #[test]
    fn memory_is_left() {
        // A running test has some, and no machine has an exabyte.
        if let Some(bytes) = available() {
            assert!((1 << 20..1 << 60).contains(&bytes), "{bytes}");
        }
        assert_eq!(field("MemTotal:  12 kB\nMemAvailable:    34 kB\n", "MemAvailable:"), Some(34));
    }
}
