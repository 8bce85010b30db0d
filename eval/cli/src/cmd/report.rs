//! `elbow report`: render recorded results again.

use std::path::{Path, PathBuf};

use clap::Args;
use elbow_base::Error;
use elbow_harness::claims::{self, Recorded};
use elbow_harness::report::render_against;
use elbow_harness::workspace::Workspace;
use elbow_reports::Rendered;
use serde_json::json;

#[derive(Args)]
pub struct Arguments {
    /// The rows to render [default: OUT/results.jsonl]
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// Rows of an earlier run: the report says what has changed since
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
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
    let recorded = read(&rows)?;
    let earlier = arguments.against.as_deref().map(read).transpose()?;
    if let (Some(path), Some(earlier)) = (&arguments.against, &earlier)
        && earlier.rows.is_empty()
    {
        return Err(Error::input(format!("{}: no rows", path.display()), "name the results.jsonl of an earlier run"));
    }
    let rendered = render_against(workspace, &recorded.rows, earlier.as_ref().map(|earlier| earlier.rows.as_slice()))?;
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

/// The rows of a file that count.
fn read(path: &Path) -> Result<Recorded, Error> {
    claims::recorded(path, &claims::bundled()?).map_err(|e| Error::input(format!("{e:#}"), "the file is damaged"))
}

fn open_page(rendered: &Rendered) -> Result<(), Error> {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = std::process::Command::new(opener).arg(&rendered.html).spawn();
    started.map(|_| ()).map_err(|e| {
        Error::environment(format!("cannot start {opener}: {e}"), format!("open {} by hand", rendered.html.display()))
    })
}
