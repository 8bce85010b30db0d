//! Infilling texts: known tokens with gaps.

use std::path::Path;

use elbow_base::Error;
use elbow_impls::data::Dataset;
use serde_json::Value;

/// The known tokens of an infilling text, by position of the window: those of the pieces between `gap`, and `None`, a
/// token to be drawn, for each `gap` and for the rest of the window.
pub fn infilling(text: &str, gap: &str, data: &dyn Dataset) -> Result<Vec<Option<u32>>, Error> {
    let wrong =
        |what: String| Error::input(format!("infilling: {what}"), format!("write {gap:?} for each token to be drawn"));
    let alphabet = data.text().ok_or_else(|| wrong("this model makes no text".into()))?.alphabet();
    let mut known = Vec::new();
    for (number, piece) in text.split(gap).enumerate() {
        known.extend((number > 0).then_some(None));
        known.extend(alphabet.tokens(piece).map_err(wrong)?.into_iter().map(Some));
    }
    if known.len() > data.length() {
        return Err(wrong(format!("{} tokens where the window has {}", known.len(), data.length())));
    }
    known.resize(data.length(), None);
    Ok(known)
}

/// The infilling texts of a file: one per line or, where its name ends in `.jsonl`, one JSON string or object with the
/// field `text` per line.
pub fn prompts(path: &Path) -> Result<Vec<String>, Error> {
    let content = std::fs::read_to_string(path).map_err(Error::reading(path))?;
    let json = path.extension().is_some_and(|extension| extension == "jsonl");
    let prompt = |(number, line): (usize, &str)| {
        if !json {
            return Ok(line.to_owned());
        }
        let value = serde_json::from_str(line).unwrap_or(Value::Null);
        let text = value.as_str().or_else(|| value["text"].as_str()).map(str::to_owned);
        text.ok_or_else(|| {
            let what = format!("{}, line {}: no text", path.display(), number + 1);
            Error::input(what, r#"write a JSON string or {"text": "..."} on each line"#)
        })
    };
    let texts = content.lines().enumerate().map(prompt).collect::<Result<Vec<_>, _>>()?;
    match texts.is_empty() {
        true => Err(Error::input(format!("{} is empty", path.display()), "write one text per line")),
        false => Ok(texts),
    }
}
