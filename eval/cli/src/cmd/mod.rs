//! The verbs of the command line, one file each.

pub mod bench;
pub mod doctor;
pub mod eval;
pub mod fid;
pub mod import;
pub mod likelihood;
pub mod model;
pub mod report;
pub mod sample;
pub mod theory;
pub mod train;
