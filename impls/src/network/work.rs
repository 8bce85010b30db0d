//! The arithmetic of a network, counted from its shape.

use super::{NetworkShape, TransformerShape};

impl NetworkShape {
    /// Floating-point operations of one evaluation of one sequence: two a multiplication with a weight, and those of attention;
    /// norms, activations and the making of the condition are left out. Counted for transformers only.
    pub fn operations(&self) -> Option<f64> {
        match self {
            Self::Transformer(shape) => Some(shape.operations()),
            Self::Dit(_) | Self::UNet(_) => None,
        }
    }
}

impl TransformerShape {
    fn operations(&self) -> f64 {
        let (tokens, positions) = (self.tokens(), self.positions());
        let gates = if self.perceptron == super::Perceptron::SquaredRelu { 2 } else { 3 };
        let block = 4 * self.width * self.width + gates * self.width * self.hidden;
        let weights = self.layers * block + self.width * (self.entering().unwrap_or(0) + self.outputs * tokens);
        // adaLN: six vectors a block and two at the end, once a sequence.
        let modulations = if self.conditioning.is_some() { 6 * self.layers + 2 } else { 0 };
        let modulation = 2 * self.conditioning.width * modulations * self.width;
        let attention = self.layers * 4 * positions * self.width;
        (positions * (2 * weights + attention) + modulation) as f64
    }
}
