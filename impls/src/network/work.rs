//! The arithmetic of a network, counted from its shape.

use super::{NetworkShape, Signal, TransformerShape};

impl NetworkShape {
    /// Floating-point operations of one evaluation of one sequence: two a multiplication with a weight, and those of attention;
    /// norms, activations and the condition's perceptron are left out. Counted for transformers only.
    pub fn operations(&self) -> Option<f64> {
        match self {
            Self::Transformer(shape) => Some(shape.operations()),
            Self::Dit(_) | Self::UNet(_) => None,
        }
    }
}

impl TransformerShape {
    fn operations(&self) -> f64 {
        let tokens = self.patches.map_or(1, |patches| patches.tokens());
        let positions = self.length / tokens;
        let gates = if self.perceptron == super::Perceptron::SquaredRelu { 2 } else { 3 };
        let block = 4 * self.width * self.width + gates * self.width * self.hidden;
        let entering = match (self.signal, self.embedding) {
            (Signal::Tokens, Some(embedding)) => embedding * tokens,
            (Signal::Tokens, None) if tokens == 1 => 0,
            (Signal::Tokens, None) => self.width * tokens,
            (Signal::Points { .. }, _) => self.signal.features() * tokens,
        };
        let weights = self.layers * block + self.width * (entering + self.outputs * tokens);
        let attention = self.layers * 4 * positions * self.width;
        (positions * (2 * weights + attention)) as f64
    }
}
