//! The tokens for which a last layer is computed.

/// The tokens for which the last layer is computed.
#[derive(Debug)]
pub struct Targets {
    /// These tokens by their place within a position of the network: one place, or the pixels of a patch.
    pub places: Vec<Vec<Target>>,
    /// Number of tokens that the result has a row for: all of the batch, or those asked for.
    pub tokens: usize,
}

/// One token for which the last layer is computed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its position in the network, counted through the batch.
    pub row: usize,
    /// Its row in the result, below [`Targets::tokens`].
    pub token: usize,
    /// Its true value x_n, which the cross-entropy looks at and logits do not.
    pub value: usize,
}
