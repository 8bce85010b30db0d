//! Panics of libraries as errors, for readers of files that others wrote.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static SILENT: Cell<bool> = const { Cell::new(false) };
}

/// Whether panics of this thread are printed.
pub(crate) fn are_printed() -> bool {
    !SILENT.get()
}

/// Sets whether panics of this thread are printed: a thread that works for another one follows that.
pub(crate) fn print(printed: bool) {
    SILENT.set(!printed);
}

/// The result of `work`, or what its panic said: nothing is printed. What `work` changes must not be used after a panic.
///
/// ```
/// assert_eq!(elbow_base::caught(|| 3), Ok(3));
/// assert_eq!(elbow_base::caught(|| -> u8 { panic!("a damaged file") }), Err("a damaged file".to_owned()));
/// ```
///
/// # Errors
///
/// The message of the panic.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
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
    done.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default().to_owned()
    })
}
