//! The samplers by name.

/// A way to draw sequences from a trained model. Which of them draw from a model is up to its objective:
/// [`crate::train::ObjectiveConfig::samplers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampler {
    /// Ancestral steps on a grid: MD4's, or VDM's.
    Ancestral,
    /// MDLM's ancestral steps with a cache.
    Cached,
    /// Ancestral steps that can mask a token again: ReMDM's.
    Remasking,
    /// Ancestral steps, each followed by corrector steps: those of Campbell et al.
    PredictorCorrector,
    /// The continuous-time process without a grid.
    FirstHitting,
    /// A uniformly random order.
    OneByOne,
    /// MaskGIT's confident values first.
    Confidence,
    /// GenMD4's ancestral steps, with a schedule for each value.
    Vector,
    /// D3PM's ancestral steps, absorbing or uniform.
    D3pm,
    /// The autoregressive order.
    LeftToRight,
    /// DDIM without noise: Euler's method for the probability-flow ODE, of flow matching too.
    Ddim,
    /// EDM's sampler: Heun's method for the same ODE, with churn or without.
    Heun,
}

crate::names!(Sampler, "sampler":
    Ancestral = "ancestral",
    Cached = "cached",
    Remasking = "remasking",
    PredictorCorrector = "predictor-corrector",
    FirstHitting = "first-hitting",
    OneByOne = "one-by-one",
    Confidence = "confidence",
    Vector = "vector",
    D3pm = "d3pm",
    LeftToRight = "left-to-right",
    Ddim = "ddim",
    Heun = "heun",
);
