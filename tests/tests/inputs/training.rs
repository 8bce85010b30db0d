//! Trainings, checkpoints and imported weights.
