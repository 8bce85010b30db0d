//! Errors and panics of the runtimes as texts of one line.

use tract_onnx::prelude::TractResult;

/// Longest text of a runtime's error that is passed on, in characters.
const LONGEST: usize = 300;

/// The result of tract; its errors and panics are texts of one line. It has assertions that a damaged network can reach.
pub(super) fn guarded<T>(work: impl FnOnce() -> TractResult<T>) -> std::result::Result<T, String> {
    match elbow_base::caught(work) {
        Ok(done) => done.map_err(|e| one_line(&format!("{e:#}"))),
        Err(panic) => Err(one_line(&format!("the embedded runtime gave up: {panic}"))),
    }
}

/// The first line, cut where it is long: errors of tract show whole nodes with their weights.
pub(super) fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}
