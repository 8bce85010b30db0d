//! A document's commands, run in a folder of its own.

use std::fmt;
use std::path::Path;
use std::process::Command;

use super::fences;
use super::matching::lines_match;

/// The folder of a document and the program that it calls.
pub struct Session {
    folder: tempfile::TempDir,
    status: i32,
}

/// A command whose output is not what the document shows.
pub struct Wrong {
    /// First and last line of the output in the document, from 0, the last one exclusive.
    lines: (usize, usize),
    command: String,
    shown: String,
    printed: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lines, command, shown, printed } = self;
        write!(f, "{}: $ {command}\nshown:\n{shown}printed:\n{printed}", lines.0 + 1)
    }
}

/// What became of a document's commands.
pub struct Outcome {
    pub commands: usize,
    pub wrong: Vec<Wrong>,
}

impl Session {
    /// An empty folder but for the repository's `fixtures`, and a `bin` with the program.
    pub fn new(program: &Path, root: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(".bin")).expect("a folder");
        let link = |from: &Path, to: &str| {
            std::os::unix::fs::symlink(from, folder.path().join(to)).expect("a link");
        };
        link(program, ".bin/elbow");
        link(&root.join("fixtures"), "fixtures");
        Self { folder, status: 0 }
    }

    /// Writes the document's files and runs its commands, in the document's order.
    pub fn run(&mut self, text: &str) -> Outcome {
        let mut outcome = Outcome { commands: 0, wrong: Vec::new() };
        for fence in fences(text) {
            if let Some(name) = fence.attributes.iter().find_map(|attribute| attribute.strip_prefix("file=")) {
                let path = self.folder.path().join(name);
                std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                std::fs::write(path, &fence.text).expect("written");
            }
            if fence.language != "console" {
                continue;
            }
            let lines: Vec<&str> = fence.text.lines().collect();
            let starts: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].starts_with("$ ")).collect();
            for (i, &start) in starts.iter().enumerate() {
                let end = starts.get(i + 1).copied().unwrap_or(lines.len());
                let (command, output) = command_and_output(&lines[start..end]);
                let printed = self.output(&command);
                let shown = &lines[end - output..end];
                outcome.commands += 1;
                if !lines_match(shown, &printed.lines().collect::<Vec<_>>()) {
                    let shown = shown.iter().map(|line| format!("{line}\n")).collect();
                    let lines = (fence.line + end - output, fence.line + end);
                    outcome.wrong.push(Wrong { lines, command, shown, printed });
                }
            }
        }
        outcome
    }

    /// What a command prints; of one that fails, its message too.
    fn output(&mut self, command: &str) -> String {
        let folder = self.folder.path();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        // The status of the command before, for `echo $?`.
        shell.args(["-c", &format!("(exit {})\n{command}", self.status)]).current_dir(folder);
        shell.env("PATH", format!("{}:{path}", folder.join(".bin").display()));
        shell.env("XDG_DATA_HOME", "/nowhere").env("XDG_CACHE_HOME", folder.join(".cache"));
        for variable in ["ELBOW_DATA", "COLUMNS", "ORT_DYLIB_PATH"] {
            shell.env_remove(variable);
        }
        let output = shell.output().expect("a shell");
        self.status = output.status.code().unwrap_or(-1);
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        if self.status != 0 {
            text += &String::from_utf8_lossy(&output.stderr);
        }
        text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

/// The command of a block that begins with `$ `, and how many lines below it are output. A line that ends with a backslash
/// goes on with the next.
fn command_and_output(lines: &[&str]) -> (String, usize) {
    let continued = lines.iter().take_while(|line| line.ends_with('\\')).count();
    let command = lines[..=continued].join("\n");
    (command["$ ".len()..].to_owned(), lines.len() - continued - 1)
}

/// The document with the outputs that were printed; shown lines with wildcards stay where they still match.
pub fn replaced(text: &str, wrong: &[Wrong]) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    for Wrong { lines: (from, to), shown, printed, .. } in wrong.iter().rev() {
        let wildcards: Vec<&str> = shown.lines().filter(|line| line.contains("...") && line.trim() != "...").collect();
        let kept = |line| wildcards.iter().copied().find(|shown| lines_match(&[shown], &[line])).unwrap_or(line);
        lines.splice(from..to, printed.lines().map(kept));
    }
    lines.join("\n") + "\n"
}

#[test]
fn outputs_are_compared_and_written_into_the_document() {
    let root = tempfile::tempdir().expect("a folder");
    let mut session = Session::new(Path::new("/bin/true"), root.path());
    let text = "```txt file=a/b.txt\nx\n```\n```console\n$ cat a/b.txt\nx\n$ echo 1 \\\n 2\n$ false\n$ echo $?\n0\n\
                $ echo a; echo b\na...\nc\n```\nend\n";
    let outcome = session.run(text);
    assert_eq!((outcome.commands, outcome.wrong.len()), (5, 3));
    let right = replaced(text, &outcome.wrong);
    assert_eq!(right, text.replace(" 2\n", " 2\n1 2\n").replace("$?\n0\n", "$?\n1\n").replace("c\n", "b\n"));
    assert!(session.run(&right).wrong.is_empty());
}
