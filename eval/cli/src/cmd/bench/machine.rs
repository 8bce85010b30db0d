//! `elbow bench machine`: what the machine does at best.

use elbow_harness::timing::{Machine, measure_machine};

use elbow_harness::failure::Failure;
use elbow_harness::workspace::Workspace;

pub fn run(workspace: &Workspace) -> Result<(), Failure> {
    let machine = measure_machine();
    workspace.print(&machine, || {
        let Machine { threads, gflops, gigabytes } = machine;
        format!("{threads} threads: {gflops:.0} GFLOP/s (f32 matrix products), {gigabytes:.1} GB/s (streaming)")
    })
}
