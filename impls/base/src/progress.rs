//! Progress of long work.

/// Receives the progress of long work, and by default shows nothing. The command line shows a bar.
pub trait Progress: Sync {
    /// Begins a piece of work of `length` units.
    fn start(&self, _length: u64, _what: &str) {}

    /// Moves on by this many units.
    fn advance(&self, _units: u64) {}

    /// Sets the position, for work that resumes in the middle, with a message.
    fn set(&self, _position: u64, _message: String) {}

    /// Ends the piece of work.
    fn finish(&self) {}

    /// Shows a line beside the progress.
    fn say(&self, _line: &str) {}
}

/// Progress that is not shown.
pub struct Silent;

impl Progress for Silent {}
