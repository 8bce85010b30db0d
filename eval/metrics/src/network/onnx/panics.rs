//! Panics of a library as errors: tract has assertions and `unwrap`s that a damaged network can reach.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use tract_onnx::prelude::TractResult;

/// Longest text of a library's error that is passed on, in characters.
const LONGEST: usize = 300;

thread_local! {
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

/// The result of `work`; an error or a panic is a text of one line, and prints nothing.
pub fn caught<T>(work: impl FnOnce() -> TractResult<T>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !SILENT.get() {
                before(panic);
            }
        }));
    });
    let outer = SILENT.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    SILENT.set(outer);
    match done {
        Ok(result) => result.map_err(|e| one_line(&format!("{e:#}"))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
            Err(one_line(&format!("the embedded runtime gave up: {text}")))
        }
    }
}

/// The first line, cut where it is long: errors of tract show whole nodes with their weights.
pub fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}
