//! Texts with gaps to be filled.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use elbow_base::Error;
use elbow_harness::sampling::{infilling, prompts};
use elbow_impls::data::Dataset;

/// Texts with gaps to be filled.
#[derive(Args)]
pub struct InfillFlags {
    /// Known text, with '_' for each token that is to be drawn; what is left of the window is drawn too
    #[arg(long, value_name = "TEXT", group = "known")]
    infill: Option<String>,
    /// Known texts, which the samples take in turn: one per line or, in a file NAME.jsonl, one JSON string or object with
    /// the field text per line
    #[arg(long, value_name = "FILE", group = "known")]
    infill_file: Option<PathBuf>,
    /// What stands for a token that is to be drawn, where '_' is text [default: _]
    #[arg(long, value_name = "STRING", requires = "known", value_parser = NonEmptyStringValueParser::new())]
    mask_with: Option<String>,
}

impl InfillFlags {
    /// Whether a text was given.
    pub fn is_given(&self) -> bool {
        self.infill.is_some() || self.infill_file.is_some()
    }

    /// The file of texts.
    pub fn file(&self) -> Option<&Path> {
        self.infill_file.as_deref()
    }

    /// The known tokens of each text, by position.
    pub fn known(&self, data: Option<&dyn Dataset>) -> Result<Vec<Vec<Option<u32>>>, Error> {
        if !self.is_given() {
            return Ok(Vec::new());
        }
        let data = data.ok_or_else(|| {
            let what = "infilling: the model file names no data, which say what a text's tokens are";
            Error::input(what, "name them under [data] in the file")
        })?;
        let gap = self.mask_with.as_deref().unwrap_or("_");
        if let Some(text) = &self.infill {
            return Ok(vec![infilling(text, gap, data)?]);
        }
        let Some(file) = &self.infill_file else { return Ok(Vec::new()) };
        let line = |(number, text): (usize, &String)| {
            infilling(text, gap, data).map_err(|e| e.of(format_args!("{}, line {}", file.display(), number + 1)))
        };
        prompts(file)?.iter().enumerate().map(line).collect()
    }
}
