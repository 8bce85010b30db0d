//! Toy distributions.
