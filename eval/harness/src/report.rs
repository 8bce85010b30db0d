//! The report of recorded rows, written into the folder of results.

use elbow_base::{Error, Remedy};
use elbow_reports::Rendered;
use elbow_reports::record::Row;

use crate::workspace::Workspace;

/// Renders rows into OUT/report.
pub fn render(workspace: &Workspace, rows: &[Row]) -> Result<Rendered, Error> {
    elbow_reports::render(rows, &workspace.out.join("report")).map_err(|e| {
        let what = format!("cannot write the report: {e:#}");
        // Rows that cannot be drawn are a defect of the check that made them.
        match e.chain().any(|cause| cause.is::<std::io::Error>()) {
            true => Error::environment(what, "free some room, or choose a writable folder").mended_by(Remedy::Output),
            false => Error::internal(what),
        }
    })
}
