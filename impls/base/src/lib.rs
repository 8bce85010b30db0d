//! Shared basics of the crates of elbow: keyed randomness, hashes, estimates with errors, atomic files, locks, errors, progress.

#![warn(missing_docs)]

pub mod atomic_file;
mod error;
mod estimate;
mod folder_lock;
pub mod hash;
pub mod key;
pub mod memory;
mod names;
mod panics;
mod progress;
mod tokens;
mod workers;

pub use error::{Error, Kind, Remedy, UnknownName, nearest};
pub use estimate::{Estimate, bits_per_dim, student_interval};
pub use folder_lock::FolderLock;
pub use key::Key;
pub use names::Named;
pub use panics::caught;
pub use progress::{Progress, Silent};
pub use tokens::Tokens;
pub use workers::Workers;
