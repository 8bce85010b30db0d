//! Settings of the C library's allocator.

use std::ffi::OsString;

/// Sets the allocator for a command with these words, before other threads run.
pub fn suit(words: impl IntoIterator<Item = OsString>) {
    match words.into_iter().any(|word| word == "fid") {
        true => return_large_buffers(),
        false => keep_large_buffers(),
    }
}

/// Keeps the large buffers of tensors: giving them back to the system after every operation costs a fifth of a training
/// step in page faults.
fn keep_large_buffers() {
    set([(Setting::MmapThreshold, 1 << 30), (Setting::TrimThreshold, i32::MAX), (Setting::TopPad, 64 << 20)]);
}

/// Gives the large buffers of images and covariances back: they are made and dropped per image and per block of
/// images, and those that are aligned leave gaps that no later one fits into, so that memory would grow with the images.
fn return_large_buffers() {
    set([(Setting::MmapThreshold, 1 << 17)]);
}

enum Setting {
    MmapThreshold,
    TrimThreshold,
    TopPad,
}

fn set<const N: usize>(settings: [(Setting, i32); N]) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (setting, value) in settings {
        let name = match setting {
            Setting::MmapThreshold => libc::M_MMAP_THRESHOLD,
            Setting::TrimThreshold => libc::M_TRIM_THRESHOLD,
            Setting::TopPad => libc::M_TOP_PAD,
        };
        // SAFETY: mallopt only sets parameters of the allocator, and no other thread runs yet.
        unsafe { libc::mallopt(name, value) };
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    drop(settings);
}
