//! The engine of elbow: runs, likelihoods, samples, comparisons of images, timings, claims.
//!
//! | module | what |
//! |---|---|
//! | [`runs`] | training a preset to the end, and opening what was trained |
//! | [`outside`], [`models`] | models from outside; a run or a model from outside behind one type |
//! | [`likelihood`] | bounds on -log p(x) with standard errors; the likelihood of the probability-flow ODE |
//! | [`losses`] | the bound of a program that answers to noise from a file |
//! | [`shards`] | one work by several processes, put together bit for bit |
//! | [`sampling`] | drawing from a trained model |
//! | [`frontier`] | generative perplexity against entropy, and models at equal entropy |
//! | [`images`], [`networks`] | comparing two sets of images; the feature networks that have a name |
//! | [`denoisers`] | exact denoisers of toys for the losses that train networks |
//! | [`timing`] | how long steps, samples and distances take |
//! | [`threshold`] | limits on a number, judged by its interval |
//! | [`claims`] | claims, their checks and verdicts |
//! | [`report`] | the report of recorded rows |
//! | [`inventory`] | what a machine has, and what it lacks |
//! | [`workspace`], [`device`], [`provenance`], [`progress`] | where and how a command runs, and what its numbers come from |

#![warn(missing_docs)]

pub mod bundled;
pub mod claims;
pub mod denoisers;
pub mod device;
pub mod frontier;
pub mod images;
pub mod inventory;
pub mod likelihood;
pub mod losses;
pub mod models;
pub mod networks;
pub mod outside;
pub mod progress;
pub mod provenance;
pub mod report;
pub mod runs;
pub mod sampling;
pub mod shards;
pub mod threshold;
pub mod timing;
pub mod workspace;
