//! `elbow report`: render recorded results again.

use std::path::PathBuf;

use clap::Args;
use reports::Rendered;
use serde_json::json;

use crate::failure::Failure;
use crate::workspace::Workspace;

#[derive(Args)]
pub struct Arguments {
    /// The rows to render [default: OUT/results.jsonl]
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Failure> {
    let rows = arguments.rows.clone().unwrap_or_else(|| workspace.out.join("results.jsonl"));
    if !rows.is_file() {
        let what = format!("{}: no recorded results", rows.display());
        return Err(Failure::input(what, "run `elbow eval all` first, or name the file with --rows"));
    }
    let rows =
        reports::record::read_rows(&rows).map_err(|e| Failure::input(format!("{e:#}"), "the file is damaged"))?;
    let rendered = render(workspace, &rows)?;
    if arguments.open {
        open_page(&rendered)?;
    }
    let result = json!({ "html": rendered.html, "markdown": rendered.markdown, "junit": rendered.junit, "figures": rendered.figures });
    workspace.print(&result, || rendered.html.display().to_string())
}

/// Renders rows into OUT/report.
pub fn render(workspace: &Workspace, rows: &[reports::record::Row]) -> Result<Rendered, Failure> {
    let folder = workspace.out.join("report");
    reports::render(rows, &folder).map_err(|e| {
        let what = format!("cannot write the report: {e}");
        // Rows that cannot be drawn are a defect of what made them.
        match e {
            reports::Error::Io { .. } => {
                Failure::environment(what, "choose a writable folder with --out, or free some room")
            }
            _ => Failure::internal(what),
        }
    })
}

fn open_page(rendered: &Rendered) -> Result<(), Failure> {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = std::process::Command::new(opener).arg(&rendered.html).spawn();
    started.map(|_| ()).map_err(|e| {
        Failure::environment(format!("cannot start {opener}: {e}"), format!("open {} by hand", rendered.html.display()))
    })
}
