//! Floating-point operations and activations of a network, counted from its shape layer by layer.

use super::dit::FREQUENCIES;
use super::patches::PATCH;
use super::{
    ConditioningShape, DitShape, NetworkShape, PatchTransformerShape, Perceptron, Signal, TransformerShape, UNetShape,
};

impl NetworkShape {
    /// Floating-point operations of one evaluation of one sequence, as PyTorch's counter has them: two per
    /// multiplication, in dense layers (the condition's too), in convolutions with their zero padding, and in the two
    /// products of attention, all of whose pairs are computed where it is causal too. Embeddings, norms, activations
    /// and biases are left out.
    pub fn operations(&self) -> f64 {
        self.operations_over(1)
    }

    /// The same where a transformer reads several copies of the sequence, `streams`, and gives the logits of one: 2 in the
    /// training of block diffusion.
    pub fn operations_over(&self, streams: usize) -> f64 {
        self.work(streams).operations
    }

    /// Numbers (f32) that the evaluation of one sequence in training leaves for its backward pass, without
    /// checkpointing: an estimate.
    ///
    /// Each tensor that burn keeps, once: the inputs of dense layers and convolutions; a norm's input less its mean,
    /// the normed and what comes out; q, k and v; scores less their maximum, their exponentials and the softmax; what
    /// activations and gates multiply; the masks of dropout; and what leaves the network, of which a loss keeps one
    /// copy. Left out are conditions, statistics of norms and the like, which have no number for each position and
    /// channel.
    pub fn activations(&self) -> f64 {
        self.activations_over(1)
    }

    /// The same of several copies: [`Self::operations_over`].
    pub fn activations_over(&self, streams: usize) -> f64 {
        self.work(streams).kept
    }

    /// Numbers of the largest tensor that the evaluation of one sequence, in several copies, surely makes: the output of a
    /// layer, or scores of attention. What leaves the network is left out, since a loss may take it for some tokens only.
    pub fn largest_activation_over(&self, streams: usize) -> f64 {
        self.work(streams).largest
    }

    fn work(&self, streams: usize) -> Work {
        match self {
            Self::Transformer(shape) => shape.work(streams),
            Self::Dit(shape) => shape.work(),
            Self::UNet(shape) => shape.work(),
        }
    }
}

/// The costs of some layers, in double precision: whole numbers up to 2^53, and no overflow where settings are absurd.
#[derive(Default)]
struct Work {
    /// Floating-point operations.
    operations: f64,
    /// Numbers left for the backward pass.
    kept: f64,
    /// Numbers of the largest tensor within the network.
    largest: f64,
}

/// The product of sizes.
fn product<const N: usize>(sizes: [usize; N]) -> f64 {
    sizes.into_iter().map(|size| size as f64).product()
}

impl Work {
    /// A dense layer within the network for `rows` vectors. Its input is counted where it is made, for several layers may
    /// share it.
    fn dense(&mut self, rows: usize, [from, to]: [usize; 2]) {
        self.leaving(rows, [from, to]);
        self.largest = self.largest.max(product([rows, to]));
    }

    /// The layer whose output leaves the network.
    fn leaving(&mut self, rows: usize, [from, to]: [usize; 2]) {
        self.operations += product([2, rows, from, to]);
    }

    /// A convolution with bias that keeps the size of the image.
    fn convolution(&mut self, pixels: usize, [from, to]: [usize; 2], side: usize) {
        self.dense(pixels, [side * side * from, to]);
    }

    /// The condition of a network.
    fn condition(&mut self, shape: &ConditioningShape) {
        let ConditioningShape { time, classes, width, sinusoid } = *shape;
        if time {
            self.dense(1, [sinusoid * (1 + usize::from(classes > 0)), 4 * sinusoid]);
            self.dense(1, [4 * sinusoid, width]);
        }
    }

    /// Norms of `rows` vectors, perhaps modulated by a condition of this width. `gated`: before a branch whose output
    /// the condition gates.
    fn norms(&mut self, norms: usize, rows: usize, width: usize, condition: Option<usize>, gated: bool) {
        self.kept += product([3, norms, rows, width]);
        if let Some(condition) = condition {
            let parts = 2 + usize::from(gated);
            self.dense(1, [condition, norms * parts * width]);
            self.kept += if gated { product([norms, rows, width]) } else { 0.0 };
        }
    }

    /// Self-attention, with the layer of q, k and v and the last one.
    fn attention(&mut self, positions: usize, width: usize, heads: usize) {
        self.dense(positions, [width, 3 * width]);
        self.dense(positions, [width; 2]);
        self.operations += product([4, positions, positions, width]);
        self.largest = self.largest.max(product([heads, positions, positions]));
        self.kept += product([4, positions, width]) + product([3, heads, positions, positions]);
    }

    /// A perceptron of tanh-GELU. Kept are x, the argument of tanh, 1 + tanh and the product.
    fn gelu_perceptron(&mut self, rows: usize, [width, hidden]: [usize; 2]) {
        self.dense(rows, [width, hidden]);
        self.dense(rows, [hidden, width]);
        self.kept += product([4, rows, hidden]);
    }

    /// The masks of several applications of dropout, of this many numbers each.
    fn dropout(&mut self, rate: f64, applications: usize, numbers: usize) {
        self.kept += if rate > 0.0 { product([applications, numbers]) } else { 0.0 };
    }
}

impl TransformerShape {
    fn work(&self, streams: usize) -> Work {
        let mut work = Work::default();
        let (positions, width) = (self.positions() * streams, self.width);
        let condition = self.conditioning.is_some().then_some(self.conditioning.width);
        if let Some(entering) = self.entering() {
            work.dense(positions, [entering, width]);
            work.kept += product([positions, entering]);
        }
        work.condition(&self.conditioning);
        // Layers before the activation, and the tensors kept: gate, sigmoid, up and product; with swish the gate times
        // its sigmoid too; or x, relu(x) and its square.
        let (inner, kept) = match self.perceptron {
            Perceptron::Glu => (2, 4),
            Perceptron::SwiGlu => (2, 5),
            Perceptron::SquaredRelu => (1, 3),
        };
        for _ in 0..self.layers {
            work.norms(2, positions, width, condition, true);
            work.attention(positions, width, self.heads);
            (0..inner).for_each(|_| work.dense(positions, [width, self.hidden]));
            work.dense(positions, [self.hidden, width]);
            work.kept += product([kept, positions, self.hidden]);
            work.dropout(self.dropout, 2, positions * width);
        }
        work.norms(1, positions, width, condition, false);
        let leaving = self.outputs * self.tokens();
        work.leaving(self.positions(), [width, leaving]);
        work.kept += product([self.positions(), leaving]);
        work
    }
}

impl DitShape {
    fn work(&self) -> Work {
        let mut work = Work::default();
        let (rows, width, condition) = (self.length, self.width, self.condition);
        work.dense(1, [FREQUENCIES, condition]);
        work.dense(1, [condition; 2]);
        let norms = |work: &mut Work, norms: usize, gated: bool| {
            work.norms(norms, rows, width, Some(condition), gated);
            // A learned scale comes before the modulation.
            work.kept += product([norms, rows, width]);
        };
        for _ in 0..self.layers {
            norms(&mut work, 2, true);
            work.attention(rows, width, self.heads);
            work.gelu_perceptron(rows, [width, 4 * width]);
            work.dropout(self.dropout, 2, rows * width);
        }
        norms(&mut work, 1, false);
        work.leaving(rows, [width, self.values + 1]);
        work.kept += product([rows, self.values + 1]);
        work
    }
}

impl UNetShape {
    fn work(&self) -> Work {
        let mut work = Work::default();
        let [height, across, channels] = self.image;
        let pixels = |level: usize| (height * across) >> (2 * level);
        let (entering, leaving) = match self.signal {
            Signal::Tokens => (self.width, self.values),
            Signal::Points { .. } => (self.signal.features(), 1),
        };
        work.condition(&self.conditioning);
        work.convolution(pixels(0), [channels * entering, self.width], 3);
        work.kept += product([pixels(0), channels, entering]);
        for (level, channels) in self.blocks().into_iter().flatten() {
            self.residual_block(&mut work, pixels(level), channels);
        }
        let (deepest, fewest) = (self.channels(self.levels - 1), pixels(self.levels - 1));
        match &self.patches {
            None => {
                self.residual_block(&mut work, fewest, [deepest; 2]);
                self.residual_block(&mut work, fewest, [deepest; 2]);
                group_norm(&mut work, fewest, deepest, None);
                work.attention(fewest, deepest, 1);
            }
            Some(patches) => self.patch_transformer(&mut work, patches, fewest / (PATCH * PATCH), deepest),
        }
        self.swished_norm(&mut work, pixels(0), self.width);
        work.leaving(pixels(0), [9 * self.width, channels * leaving]);
        work.kept += product([pixels(0), channels, leaving]);
        work
    }

    fn residual_block(&self, work: &mut Work, pixels: usize, [from, to]: [usize; 2]) {
        self.swished_norm(work, pixels, from);
        work.convolution(pixels, [from, to], 3);
        if self.conditioning.is_some() && self.film().is_none() {
            work.dense(1, [self.conditioning.width, to]);
        }
        self.swished_norm(work, pixels, to);
        work.dropout(self.dropout, 1, pixels * to);
        work.convolution(pixels, [to; 2], 3);
        if from != to {
            work.convolution(pixels, [from, to], 1);
            work.kept += product([pixels, from]);
        }
    }

    /// A norm and x sigmoid(x), of which the sigmoid and the product are kept beside x, the norm's output.
    fn swished_norm(&self, work: &mut Work, pixels: usize, channels: usize) {
        group_norm(work, pixels, channels, self.film());
        work.kept += product([2, pixels, channels]);
    }

    fn patch_transformer(&self, work: &mut Work, shape: &PatchTransformerShape, positions: usize, channels: usize) {
        let PatchTransformerShape { width, heads, layers } = *shape;
        let (patch, condition) = (PATCH * PATCH * channels, self.film());
        work.dense(positions, [patch, width]);
        work.kept += product([positions, patch]);
        for _ in 0..layers {
            work.norms(2, positions, width, condition, true);
            work.attention(positions, width, heads);
            work.gelu_perceptron(positions, [width, 4 * width]);
            work.dropout(self.dropout, 2, positions * width);
        }
        work.norms(1, positions, width, condition, false);
        work.dense(positions, [width, patch]);
    }
}

/// Group norm, perhaps with scale and shift from a condition of this width.
fn group_norm(work: &mut Work, pixels: usize, channels: usize, film: Option<usize>) {
    work.kept += product([3, pixels, channels]);
    if let Some(condition) = film {
        work.dense(1, [condition, 2 * channels]);
    }
}
