//! The report of recorded rows, written into the folder of results.

use reports::Rendered;
use reports::record::Row;

use crate::failure::{Failure, Remedy};
use crate::workspace::Workspace;

/// Renders rows into OUT/report.
pub fn render(workspace: &Workspace, rows: &[Row]) -> Result<Rendered, Failure> {
    reports::render(rows, &workspace.out.join("report")).map_err(|e| {
        let what = format!("cannot write the report: {e:#}");
        // Rows that cannot be drawn are a defect of what made them.
        match e.chain().any(|cause| cause.is::<std::io::Error>()) {
            true => Failure::environment(what, "free some room, or choose a writable folder").mended_by(Remedy::Output),
            false => Failure::internal(what),
        }
    })
}
