//! `elbow report`: render recorded results again.

use std::path::PathBuf;

use clap::Args;
use elbow_base::Error;
use elbow_harness::claims;
use elbow_harness::report::render;
use elbow_harness::workspace::Workspace;
use elbow_reports::Rendered;
use serde_json::json;

#[derive(Args)]
pub struct Arguments {
    /// The rows to render [default: OUT/results.jsonl]
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
}

pub fn run(workspace: &Workspace, arguments: &Arguments) -> Result<(), Error> {
    let rows = arguments.rows.clone().unwrap_or_else(|| workspace.out.join("results.jsonl"));
    if !rows.is_file() {
        let what = format!("{}: no recorded results", rows.display());
        return Err(Error::input(what, "run `elbow eval all` first, or name the file with --rows"));
    }
    let recorded = claims::recorded(&rows, &claims::bundled()?)
        .map_err(|e| Error::input(format!("{e:#}"), "the file is damaged"))?;
    let rendered = render(workspace, &recorded.rows)?;
    if arguments.open {
        open_page(&rendered)?;
    }
    let result = json!({ "html": rendered.html, "markdown": rendered.markdown, "junit": rendered.junit, "figures": rendered.figures,
        "dropped": recorded.dropped });
    workspace.print(&result, || {
        let dropped = recorded.dropped.iter().map(|row| format!("left out of {}: {row}\n", rows.display()));
        dropped.collect::<String>() + &rendered.html.display().to_string()
    })
}

fn open_page(rendered: &Rendered) -> Result<(), Error> {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = std::process::Command::new(opener).arg(&rendered.html).spawn();
    started.map(|_| ()).map_err(|e| {
        Error::environment(format!("cannot start {opener}: {e}"), format!("open {} by hand", rendered.html.display()))
    })
}
