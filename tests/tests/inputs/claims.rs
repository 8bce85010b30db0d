//! Claims and recorded rows.
