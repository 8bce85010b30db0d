//! The names that nearly every check uses: the interface of checks, and helpers for inputs, statistics and figures.

pub(super) use elbow_base::{Error, Estimate};
pub(super) use elbow_reports::record::{Axis, Figure, Input, Panel, Series, Style};
pub(super) use serde::Deserialize;

pub(super) use super::figures::{axis, curve, figure, first_images, log_axis, means, plot, ranking, table};
pub(super) use super::inputs;
pub(super) use super::statistics::{chi_square, largest, log_variance_ratio, paired_bits, smallest};
pub(super) use crate::claims::context::{Check, Context, Outcome};
