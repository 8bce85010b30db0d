//! Progress on stderr: a bar in a terminal, lines alone where stderr is redirected, nothing under `--quiet`.

use std::time::Duration;

use elbow_base::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar, which is hidden where stderr is redirected.
pub struct Bar {
    bar: ProgressBar,
    quiet: bool,
}

impl Bar {
    /// A bar on stderr; if `quiet`, neither bar nor lines.
    pub fn new(quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(
            ProgressStyle::with_template("{prefix:28!} {bar:24} {pos}/{len} {per_sec} eta {eta} {msg}")
                .expect("a fixed template"),
        );
        Self { bar, quiet }
    }
}

impl Progress for Bar {
    fn start(&self, length: u64, what: &str) {
        self.bar.reset();
        self.bar.set_length(length);
        self.bar.set_prefix(what.to_owned());
        self.bar.set_message("");
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }

    fn advance(&self, units: u64) {
        self.bar.inc(units);
    }

    fn set(&self, position: u64, message: String) {
        self.bar.set_position(position);
        self.bar.set_message(message);
    }

    fn finish(&self) {
        self.bar.disable_steady_tick();
        self.bar.finish_and_clear();
    }

    fn say(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| eprintln!("{line}"));
        }
    }
}
