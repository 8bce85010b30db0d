//! The report of recorded rows, written into the folder of results.

use elbow_base::{Error, Remedy};
use elbow_reports::Rendered;
use elbow_reports::record::Row;

use crate::workspace::Workspace;

/// Renders rows into OUT/report.
pub fn render(workspace: &Workspace, rows: &[Row]) -> Result<Rendered, Error> {
    render_against(workspace, rows, None)
}

/// Renders rows into OUT/report, with what has changed since the rows of an earlier run.
pub fn render_against(workspace: &Workspace, rows: &[Row], earlier: Option<&[Row]>) -> Result<Rendered, Error> {
    elbow_reports::render_against(rows, earlier, &workspace.out.join("report")).map_err(|error| {
        let what = format!("cannot write the report: {error}");
        match error {
            elbow_reports::Error::Write(cause) => cause.of("cannot write the report"),
            elbow_reports::Error::Io { .. } => {
                Error::environment(what, "free some room, or choose a writable folder").mended_by(Remedy::Output)
            }
            // Rows that cannot be drawn are a defect of what made them.
            _ => Error::internal(what),
        }
    })
}
