//! Features and statistics of one's own, and options of `fid`.
