//! The inputs of a network beside the corrupted sequence: the diffusion time, and a class.

use burn::module::Module;
use burn::nn::{Embedding, Linear};
use burn::tensor::activation::silu;
use burn::tensor::kind::Basic;
use burn::tensor::{Device, Tensor};

use super::Input;
use super::blocks::waves;
use super::init::Init;
use super::state_dict::StateDict;
use crate::error::Result;

/// The conditioning of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConditioningShape {
    /// Whether it sees the diffusion time.
    pub time: bool,
    /// Number of classes; 0 for an unconditional network. Id `classes` means "no class" (for guidance).
    pub classes: usize,
    /// Width of the conditioning vector.
    pub width: usize,
    /// Width of the sinusoid of the time, and of a class's embedding; the perceptron has four times as many hidden units.
    pub sinusoid: usize,
}

impl ConditioningShape {
    /// Whether there is anything to condition on.
    pub fn is_some(&self) -> bool {
        self.time || self.classes > 0
    }
}

/// The conditioning vector of each sequence, as in MD4: a sinusoid of 1000 t, joined by the class's embedding, through
/// a perceptron; the class's embedding alone where the network sees no time.
#[derive(Module, Debug)]
pub(super) struct Conditioning {
    class: Option<Embedding>,
    inner: Option<Linear>,
    outer: Option<Linear>,
    sinusoid: usize,
}

impl Conditioning {
    pub fn new(shape: &ConditioningShape, init: &mut Init) -> Self {
        let ConditioningShape { width, sinusoid, .. } = *shape;
        // Alone, the class's embedding is the condition.
        let embedded = if shape.time { sinusoid } else { width };
        let class = (shape.classes > 0).then(|| init.embedding([shape.classes + 1, embedded], 1.0));
        let features = sinusoid * (1 + usize::from(class.is_some()));
        let inner = shape.time.then(|| init.linear([features, 4 * sinusoid], 1.0, true));
        let outer = shape.time.then(|| init.linear([4 * sinusoid, width], 1.0, true));
        Self { class, inner, outer, sinusoid }
    }

    /// Takes the weights out of a file: `class`, `time.0` and `time.2`.
    pub fn import(&mut self, file: &mut StateDict, device: &Device) -> Result<()> {
        if let Some(table) = &mut self.class {
            table.weight = file.take("class.weight", device)?;
        }
        for (layer, name) in [(&mut self.inner, "time.0"), (&mut self.outer, "time.2")] {
            if let Some(layer) = layer {
                *layer = file.linear(name, true, device)?;
            }
        }
        Ok(())
    }

    /// \[batch, width\]; nothing for an unconditional network.
    ///
    /// A class network given no classes takes "no class" for every sequence.
    pub fn forward<K: Basic>(&self, input: &Input<K>) -> Option<Tensor<2>> {
        let class = self.class.as_ref().map(|table| {
            let [batch] = input.time.dims();
            let null = table.weight.lazy_shape()[0] as i64 - 1;
            let ids = input.class.clone().unwrap_or_else(|| Tensor::full([batch], null, &input.time.device()));
            table.forward(ids.unsqueeze_dim(1)).squeeze_dim::<2>(1)
        });
        let (Some(inner), Some(outer)) = (&self.inner, &self.outer) else { return class };
        let time = sinusoid(input.time.clone().mul_scalar(1000.0), self.sinusoid);
        let features = match class {
            Some(class) => Tensor::cat(vec![time, class], 1),
            None => time,
        };
        Some(outer.forward(silu(inner.forward(features))))
    }
}

/// \[sin, cos\] of t 10000^(-k / (width/2 - 1)), k = 0..width/2: \[batch\] to \[batch, width\].
fn sinusoid(t: Tensor<1>, width: usize) -> Tensor<2> {
    Tensor::cat(waves(t, width / 2, (width / 2) as f64 - 1.0).into(), 1)
}
