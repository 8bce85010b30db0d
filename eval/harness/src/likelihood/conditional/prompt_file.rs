//! A file of prompts with their targets.

use std::path::Path;

use elbow_base::Error;
use elbow_impls::data::Alphabet;
use elbow_impls::hash::sha256;
use elbow_reports::record::Input;
use serde::Deserialize;

use super::estimation::Question;
use super::ranking::Normalisation;

/// The questions of a file, one JSON object per line: `{"prompt": "...", "target": "..."}`, or with several targets
/// `{"prompt": "...", "targets": ["...", "..."], "answer": 0}`. A text may be given as an array of ids.
pub struct PromptFile {
    /// The questions, in order.
    pub questions: Vec<Question>,
    /// The right target of each, counted from 0, where the file says it.
    pub answers: Vec<Option<usize>>,
    /// The file's name and hash.
    pub input: Input,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    prompt: Words,
    target: Option<Words>,
    targets: Option<Vec<Words>>,
    answer: Option<usize>,
}

/// A text, or ids.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text, or an array of the ids of tokens")]
enum Words {
    Text(String),
    Ids(Vec<u32>),
}

impl Words {
    fn tokens(&self, alphabet: Option<&Alphabet>) -> Result<Vec<u32>, String> {
        match (self, alphabet) {
            (Self::Ids(ids), _) => Ok(ids.clone()),
            (Self::Text(text), Some(alphabet)) => alphabet.tokens(text),
            (Self::Text(_), None) => {
                Err("a text, where the model names no alphabet: give ids, or an alphabet under [data]".into())
            }
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Ids(_) => None,
        }
    }
}

impl PromptFile {
    /// Reads a file. Empty lines are none. Prompt and target are cut into tokens apart, as they stand.
    pub fn load(path: &Path, alphabet: Option<&Alphabet>, normalisation: Normalisation) -> Result<Self, Error> {
        let content = std::fs::read_to_string(path).map_err(Error::reading(path))?;
        let (mut questions, mut answers) = (Vec::new(), Vec::new());
        for (number, line) in (1..).zip(content.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let (question, answer) = question(line, alphabet, normalisation).map_err(|what| {
                let what = format!("{}, line {number}: {what}", path.display());
                let form = r#"{"prompt": "...", "target": "..."} or {"prompt": "...", "targets": ["...", "..."], "answer": 0}"#;
                Error::input(what, format!("write {form}"))
            })?;
            questions.push(question);
            answers.push(answer);
        }
        if questions.is_empty() {
            return Err(Error::input(format!("{}: no prompts", path.display()), "write one JSON object per line"));
        }
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(Self { questions, answers, input: Input { name, sha256: sha256(content.as_bytes()) } })
    }
}

fn question(
    line: &str,
    alphabet: Option<&Alphabet>,
    normalisation: Normalisation,
) -> Result<(Question, Option<usize>), String> {
    let line: Line = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let targets = match (line.target, line.targets) {
        (Some(target), None) if line.answer.is_none() => vec![target],
        (None, Some(targets)) if targets.len() > 1 => targets,
        (None, Some(_)) => return Err("targets holds fewer than two".into()),
        (Some(_), None) => return Err("answer is for several targets".into()),
        _ => return Err("either target or targets".into()),
    };
    if let Some(answer) = line.answer.filter(|answer| *answer >= targets.len()) {
        return Err(format!("answer {answer}, counted from 0, of {} targets", targets.len()));
    }
    let prompt = line.prompt.tokens(alphabet)?;
    let mut question = Question { prompt, targets: Vec::new(), divisors: Vec::new() };
    for target in &targets {
        let tokens = target.tokens(alphabet)?;
        if tokens.is_empty() {
            return Err("a target has no tokens".into());
        }
        let divisor = normalisation.divisor(tokens.len(), target.text());
        question.divisors.push(divisor.ok_or_else(|| format!("{normalisation} needs targets as texts, not ids"))?);
        question.targets.push(tokens);
    }
    Ok((question, line.answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, normalisation: Normalisation) -> Result<PromptFile, Error> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("prompts.jsonl");
        std::fs::write(&path, text).expect("a file");
        PromptFile::load(&path, Some(&Alphabet::Text8), normalisation)
    }

    #[test]
    fn a_line_is_a_question_of_texts_or_ids() {
        let lines =
            "{\"prompt\": \"ab\", \"target\": [3]}\n\n{\"prompt\": [], \"targets\": [\"a\", \"bcd\"], \"answer\": 1}\n";
        let file = load(lines, Normalisation::PerToken).expect("questions");
        let expected = [
            Question { prompt: vec![1, 2], targets: vec![vec![3]], divisors: vec![1.0] },
            Question { prompt: vec![], targets: vec![vec![1], vec![2, 3, 4]], divisors: vec![1.0, 3.0] },
        ];
        assert_eq!((file.questions, file.answers), (expected.to_vec(), vec![None, Some(1)]));
    }

    #[test]
    fn what_is_no_question_is_refused_with_its_line() {
        for (line, what) in [
            (r#"{"prompt": "a"}"#, "either target or targets"),
            (r#"{"prompt": "a", "targets": ["b"]}"#, "fewer than two"),
            (r#"{"prompt": "a", "targets": ["b", "c"], "answer": 2}"#, "answer 2"),
            (r#"{"prompt": "A", "target": "b"}"#, "not in the alphabet"),
            (r#"{"prompt": "a", "target": ""}"#, "no tokens"),
            (r#"{"prompt": "a", "target": [1], "gold": 1}"#, "gold"),
            (r#"{"prompt": 3, "target": [1]}"#, "a text, or an array"),
        ] {
            let error = load(&format!("{{\"prompt\": \"\", \"target\": \"a\"}}\n{line}\n"), Normalisation::None)
                .map(|_| ())
                .expect_err("refused")
                .to_string();
            assert!(error.contains("line 2") && error.contains(what), "{error}");
        }
        let ids = r#"{"prompt": "a", "targets": [[1], "b"]}"#;
        assert!(load(ids, Normalisation::PerByte).map(|_| ()).expect_err("no bytes").to_string().contains("per-byte"));
    }
}
