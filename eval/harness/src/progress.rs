//! Progress on stderr: a bar in a terminal, nothing under `--quiet` or where stderr is redirected.

use std::time::Duration;

use elbow_base::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar that may be hidden.
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar on stderr, hidden if `quiet`.
    pub fn new(quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(
            ProgressStyle::with_template("{prefix:28!} {bar:24} {pos}/{len} {per_sec} eta {eta} {msg}")
                .expect("a fixed template"),
        );
        Self(bar)
    }
}

impl Progress for Bar {
    fn start(&self, length: u64, what: &str) {
        self.0.reset();
        self.0.set_length(length);
        self.0.set_prefix(what.to_owned());
        self.0.set_message("");
        self.0.enable_steady_tick(Duration::from_millis(200));
    }

    fn advance(&self, units: u64) {
        self.0.inc(units);
    }

    fn set(&self, position: u64, message: String) {
        self.0.set_position(position);
        self.0.set_message(message);
    }

    fn finish(&self) {
        self.0.disable_steady_tick();
        self.0.finish_and_clear();
    }

    fn say(&self, line: &str) {
        if !self.0.is_hidden() {
            self.0.suspend(|| eprintln!("{line}"));
        }
    }
}
