//! Initial weights, each tensor drawn from its own keyed stream.
//!
//! Parameters are lazy: a network that is only counted allocates nothing.

use burn::module::{Param, ParamId};
use burn::nn::conv::Conv2d;
use burn::nn::{Embedding, LayerNorm, LayerNormConfig, Linear, PaddingConfig2d, RmsNorm};
use burn::tensor::{Device, Shape, Tensor, TensorData};
use rand_distr::{Distribution, StandardNormal};

use crate::key::Key;

/// Makes the parameters of one network, in order.
pub(super) struct Init<'a> {
    key: Key,
    drawn: u64,
    device: &'a Device,
}

impl<'a> Init<'a> {
    pub fn new(key: &Key, device: &'a Device) -> Self {
        Self { key: key.clone(), drawn: 0, device }
    }

    /// Normal weights with this standard deviation.
    pub fn normal<const D: usize>(&mut self, shape: [usize; D], deviation: f64) -> Param<Tensor<D>> {
        let key = self.key.fold(self.drawn);
        self.drawn += 1;
        self.lazy(shape, move |count| {
            let mut rng = key.rng();
            let draw = |_| {
                let x: f64 = StandardNormal.sample(&mut rng);
                (x * deviation) as f32
            };
            (0..count).map(draw).collect()
        })
    }

    /// A constant tensor.
    pub fn constant<const D: usize>(&self, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        self.lazy(shape, move |count| vec![value; count])
    }

    fn lazy<const D: usize>(
        &self,
        shape: [usize; D],
        values: impl FnOnce(usize) -> Vec<f32> + Send + Sync + 'static,
    ) -> Param<Tensor<D>> {
        let make = move |device: &Device, require_grad: bool| {
            let data = TensorData::new(values(shape.iter().product()), shape);
            Tensor::from_data(data, device).set_require_grad(require_grad)
        };
        Param::uninitialized(ParamId::new(), make, self.device.clone(), true, Shape::from(shape))
    }

    /// A dense layer: normal weights of standard deviation `gain` / sqrt(fan in), zero bias.
    pub fn linear(&mut self, [from, to]: [usize; 2], gain: f64, bias: bool) -> Linear {
        let weight = self.normal([from, to], gain / (from as f64).sqrt());
        Linear { weight, bias: bias.then(|| self.constant([to], 0.0)) }
    }

    /// A dense layer that starts at zero.
    pub fn zero_linear(&mut self, [from, to]: [usize; 2], bias: bool) -> Linear {
        Linear { weight: self.constant([from, to], 0.0), bias: bias.then(|| self.constant([to], 0.0)) }
    }

    /// A table of embeddings, normal with standard deviation `deviation`.
    pub fn embedding(&mut self, [ids, width]: [usize; 2], deviation: f64) -> Embedding {
        Embedding { weight: self.normal([ids, width], deviation) }
    }

    /// A convolution that keeps the size of the image; it starts at zero where `gain` is 0.
    pub fn conv(&mut self, [from, to]: [usize; 2], kernel: usize, gain: f64) -> Conv2d {
        let fan_in = (from * kernel * kernel) as f64;
        Conv2d {
            weight: self.normal([to, from, kernel, kernel], gain / fan_in.sqrt()),
            bias: Some(self.constant([to], 0.0)),
            stride: [1, 1],
            kernel_size: [kernel, kernel],
            dilation: [1, 1],
            groups: 1,
            padding: PaddingConfig2d::Explicit(kernel / 2, kernel / 2, kernel / 2, kernel / 2),
        }
    }

    /// Root-mean-square norm with a learned scale.
    pub fn rms_norm(&self, width: usize, epsilon: f64) -> RmsNorm {
        RmsNorm { gamma: self.constant([width], 1.0), epsilon }
    }

    /// Layer norm with a learned scale and no bias.
    pub fn scaled_layer_norm(&self, width: usize) -> LayerNorm {
        LayerNormConfig::new(width).with_bias(false).init(self.device)
    }
}
