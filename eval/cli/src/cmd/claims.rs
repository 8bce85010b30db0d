//! `elbow claims`: claim files of a user's own.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use elbow_base::{Error, atomic_file};
use elbow_harness::claims::{self, Checked};
use elbow_harness::workspace::Workspace;
use serde_json::json;

use crate::hints::written_by;

#[derive(Subcommand)]
pub enum Task {
    /// Check claim files without running them: all mistakes at once, and the files that they name
    Validate(ValidateArguments),
    /// The JSON Schema of claim files, by which editors complete them
    Schema,
    /// Write a claim that runs, to change it
    New(NewArguments),
}

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow claims validate claims
  elbow claims validate claims/bound.toml --json

Exit code 2 if there is a mistake. Nothing is trained, drawn or measured: files are read, networks are
not loaded.")]
pub struct ValidateArguments {
    /// Claim files, or folders of them
    #[arg(required = true, value_name = "DIR|FILE")]
    places: Vec<PathBuf>,
}

#[derive(Args)]
#[command(after_long_help = "Examples:
  elbow claims new toy-cascade
  elbow claims new model-bound -o claims/bound.toml

With -o the files that the claim reads are written beside it, where they are not there yet. The name of
the file is the id of the claim, the name of its folder is the suite.")]
pub struct NewArguments {
    /// The kind of check
    #[arg(value_name = "KIND", value_parser = PossibleValuesParser::new(claims::kinds()))]
    kind: String,
    /// The claim file to write; it must not exist [default: printed]
    #[arg(long, short, value_name = "FILE.toml")]
    output: Option<PathBuf>,
}

pub fn run(workspace: &Workspace, task: &Task) -> Result<u8, Error> {
    match task {
        Task::Validate(arguments) => validate(workspace, arguments),
        Task::Schema => {
            let schema = claims::schema();
            let text = serde_json::to_string_pretty(&schema).map_err(|e| Error::internal(e.to_string()))?;
            workspace.print(&schema, || text).map(|()| 0)
        }
        Task::New(arguments) => new(workspace, arguments).map(|()| 0),
    }
}

fn validate(workspace: &Workspace, arguments: &ValidateArguments) -> Result<u8, Error> {
    let checked = claims::validate(workspace, &arguments.places)?;
    let mistakes: usize = checked.iter().map(|file| file.mistakes.len()).sum();
    let files = checked.iter().map(|file| {
        let mistakes = file.mistakes.iter().map(|mistake| json!({ "what": mistake.what, "advice": mistake.advice }));
        json!({
            "file": file.file, "suite": file.suite, "id": file.id, "check": file.kind,
            "mistakes": mistakes.collect::<Vec<_>>(),
        })
    });
    let result = json!({ "claims": files.collect::<Vec<_>>(), "mistakes": mistakes });
    workspace.print(&result, || {
        let lines = checked.iter().map(describe).collect::<String>();
        let claims = if checked.len() == 1 { "claim" } else { "claims" };
        let found = match mistakes {
            0 => "no mistakes".to_owned(),
            1 => "1 mistake".to_owned(),
            n => format!("{n} mistakes"),
        };
        format!("{lines}{} {claims}: {found}", checked.len())
    })?;
    Ok(if mistakes > 0 { 2 } else { 0 })
}

fn describe(file: &Checked) -> String {
    if file.mistakes.is_empty() {
        return format!("{}: {}, suite {}\n", file.file.display(), file.kind.unwrap_or_default(), file.suite);
    }
    file.mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
}

fn new(workspace: &Workspace, arguments: &NewArguments) -> Result<(), Error> {
    let example = claims::example(&arguments.kind)?;
    let Some(path) = &arguments.output else {
        let files: Vec<&str> = example.files.iter().map(|(name, _)| *name).collect();
        return workspace
            .print(&json!({ "text": example.text, "files": files }), || example.text.trim_end().to_owned());
    };
    check_new(path)?;
    let beside = example.write(path).map_err(written_by("-o FILE.toml"))?;
    workspace.print(&json!({ "file": path, "beside": beside }), || {
        let beside = beside.iter().map(|file| format!("{}\n", file.display())).collect::<String>();
        format!("{beside}{}", path.display())
    })
}

/// Refuses a file that is there already, and one whose name is not that of a claim file.
fn check_new(path: &Path) -> Result<(), Error> {
    if path.extension().is_none_or(|ending| ending != "toml") {
        return Err(Error::input(format!("-o {}: a claim file ends in .toml", path.display()), "name it so"));
    }
    if path.exists() {
        return Err(Error::input(format!("-o {}: the file exists", path.display()), "name another one"));
    }
    atomic_file::check_ordinary(path)?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder).map_err(Error::writing(folder)),
        None => Ok(()),
    }
}
