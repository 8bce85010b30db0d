//! The evaluation suite behind `elbow`.

pub mod claims;
pub mod cli;
mod cmd;
pub mod device;
pub mod failure;
pub mod fid;
pub mod files;
pub mod likelihood;
pub mod progress;
pub mod provenance;
pub mod sampling;
pub mod theory;
pub mod workspace;
