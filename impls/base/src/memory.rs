//! The memory that is free, against which large requests are held before anything is allocated.

use sysinfo::System;

use crate::error::Error;

/// Bytes of memory that this process can still take: the machine's, or those of its control group where they are fewer;
/// `None` where the system does not tell.
pub fn available() -> Option<u64> {
    let mut system = System::new();
    system.refresh_memory();
    let limit = system.cgroup_limits().map_or(u64::MAX, |group| group.total_memory);
    Some(system.available_memory().min(limit)).filter(|&bytes| bytes > 0)
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

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn only_what_does_not_fit_is_refused() {
        check(1, "a byte", "").expect("a byte is free");
        let error = check(u64::MAX, "18 EB", "take less").expect_err("no machine has so much").to_string();
        assert!(error.starts_with("18 EB take ") && error.ends_with("are free\n  take less"), "{error}");
    }
}
