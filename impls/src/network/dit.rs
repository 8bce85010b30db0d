//! The diffusion transformer of MDLM (Sahoo et al. 2024) and SEDD, whose published weights can be imported.
//!
//! Differences from [`super::Transformer`]: layer norms with a scale, rotary positions on the halves of a head, a
//! tanh-GELU perceptron with biases, the noise level sigma as the condition (not 1000 t), and a logit for the mask.

use std::path::Path;

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::Input;
use super::blocks::{Dropout, chunks, dense, modulate, waves};
use super::init::Init;
use super::state_dict::StateDict;
use super::weight_set::{Layout, WeightSet};
use crate::error::{Error, Result};
use crate::key::Key;
use elbow_fused::{Rotary, Visibility, gelu_tanh, self_attention};

/// Number of sinusoids of the noise level.
pub(super) const FREQUENCIES: usize = 256;

/// The size of a [`Dit`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DitShape {
    /// Data values V; the table and the output have V + 1 rows, the last for the mask.
    pub values: usize,
    /// Tokens per sequence. No weight depends on it; the work and the memory do.
    pub length: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Blocks.
    pub layers: usize,
    /// Width of the conditioning vector (published: 128).
    pub condition: usize,
    /// Whether the network sees the noise level. Where not, it sees sigma = 0: the path and its parameters stay.
    pub time: bool,
    /// Share of coordinates dropped in training.
    pub dropout: f64,
}

impl DitShape {
    /// The parameters of a published checkpoint.
    fn layout(&self) -> Layout {
        let (ids, width, condition) = (self.values + 1, self.width, self.condition);
        let mut layout: Layout = vec![("vocab_embed.embedding".into(), vec![ids, width])];
        add_dense(&mut layout, "sigma_map.mlp.0", [FREQUENCIES, condition]);
        add_dense(&mut layout, "sigma_map.mlp.2", [condition; 2]);
        for number in 0..self.layers {
            let name = |rest: &str| format!("blocks.{number}.{rest}");
            layout.push((name("norm1.weight"), vec![width]));
            layout.push((name("attn_qkv.weight"), vec![3 * width, width]));
            layout.push((name("attn_out.weight"), vec![width, width]));
            layout.push((name("norm2.weight"), vec![width]));
            add_dense(&mut layout, &name("mlp.0"), [width, 4 * width]);
            add_dense(&mut layout, &name("mlp.2"), [4 * width, width]);
            add_dense(&mut layout, &name("adaLN_modulation"), [condition, 6 * width]);
        }
        layout.push(("output_layer.norm_final.weight".into(), vec![width]));
        add_dense(&mut layout, "output_layer.linear", [width, ids]);
        add_dense(&mut layout, "output_layer.adaLN_modulation", [condition, 2 * width]);
        layout
    }
}

fn add_dense(layout: &mut Layout, name: &str, [from, to]: [usize; 2]) {
    layout.push((format!("{name}.weight"), vec![to, from]));
    layout.push((format!("{name}.bias"), vec![to]));
}

/// What a file of weights does not say.
#[derive(Clone, Copy, Debug)]
pub struct DitImport {
    /// Tokens per sequence.
    pub length: usize,
    /// Whether the network was trained with the noise level. The published ones were not.
    pub time: bool,
    /// Attention heads, where the file has no rotary frequencies.
    pub heads: Option<usize>,
    /// Take the raw weights where there are averaged ones too.
    pub raw: bool,
}

/// The published layout, for messages.
const EXPECTED: &str = "MDLM's names (backbone.vocab_embed.embedding, backbone.sigma_map.mlp.0.weight, \
                        backbone.blocks.0.attn_qkv.weight, ...) under any prefix";

/// Attention heads by the rotary frequencies 10000^(-k / count) of the halves of a head.
fn heads_of(width: usize, rates: &[f32]) -> std::result::Result<usize, String> {
    let count = rates.len();
    if count == 0 || !width.is_multiple_of(2 * count) {
        return Err(format!("{count} rotary frequencies do not divide a width of {width}"));
    }
    // A file in bfloat16 has them to 0.4 %.
    let is_ours =
        |(k, &rate): (usize, &f32)| (f64::from(rate) * 10_000f64.powf(k as f64 / count as f64) - 1.0).abs() < 0.01;
    match rates.iter().enumerate().all(is_ours) {
        true => Ok(width / (2 * count)),
        false => {
            Err("its rotary frequencies are not 10000^(-k / count), k = 0, 1, ..., as this network has them".to_owned())
        }
    }
}

/// The network. Fields are named after the published checkpoints' tensors.
#[derive(Module, Debug)]
pub struct Dit {
    vocab_embed: Param<Tensor<2>>,
    sigma_map: Vec<Linear>,
    blocks: Vec<DitBlock>,
    output_layer: FinalLayer,
    #[module(skip)]
    shape: DitShape,
}

#[derive(Module, Debug)]
struct DitBlock {
    norm1: LayerNorm,
    attn_qkv: Linear,
    attn_out: Linear,
    norm2: LayerNorm,
    mlp: Vec<Linear>,
    adaln_modulation: Linear,
}

#[derive(Module, Debug)]
struct FinalLayer {
    norm_final: LayerNorm,
    linear: Linear,
    adaln_modulation: Linear,
}

impl Dit {
    /// A freshly initialised network: modulations and output zero, so that it predicts the uniform distribution.
    pub fn new(shape: &DitShape, key: &Key, device: &Device) -> Self {
        let mut init = Init::new(key, device);
        let (width, condition) = (shape.width, shape.condition);
        let vocab_embed = init.normal([shape.values + 1, width], 0.02);
        let sigma_map =
            vec![init.linear([FREQUENCIES, condition], 1.0, true), init.linear([condition, condition], 1.0, true)];
        let blocks = (0..shape.layers)
            .map(|_| DitBlock {
                norm1: init.scaled_layer_norm(width),
                attn_qkv: init.linear([width, 3 * width], 1.0, false),
                attn_out: init.linear([width, width], 1.0, false),
                norm2: init.scaled_layer_norm(width),
                mlp: vec![init.linear([width, 4 * width], 1.0, true), init.linear([4 * width, width], 1.0, true)],
                adaln_modulation: init.zero_linear([condition, 6 * width], true),
            })
            .collect();
        let output_layer = FinalLayer {
            norm_final: init.scaled_layer_norm(width),
            linear: init.zero_linear([width, shape.values + 1], true),
            adaln_modulation: init.zero_linear([condition, 2 * width], true),
        };
        Self { vocab_embed, sigma_map, blocks, output_layer, shape: *shape }
    }

    /// Reads the weights of a published checkpoint (`backbone.vocab_embed.embedding`, `backbone.blocks.0.norm1.weight`, ...,
    /// whatever prefix they share), and says which weights of the file they are. The shape is that of the tensors, and every
    /// tensor must have its place.
    pub fn import(path: &Path, about: &DitImport, device: &Device) -> Result<(Self, WeightSet)> {
        let mut file = StateDict::load_all(path)?;
        let selected = file.select("vocab_embed.embedding", EXPECTED, about.raw)?;
        let [ids, width] = file.shape("vocab_embed.embedding")?;
        let [condition, _] = file.shape("sigma_map.mlp.0.weight")?;
        let heads = match (file.take_values("rotary_emb.inv_freq")?, about.heads) {
            (Some(rates), _) => heads_of(width, &rates).map_err(|what| file.wrong(what))?,
            (None, Some(heads)) if heads > 0 && width.is_multiple_of(2 * heads) => heads,
            (None, _) => {
                let what = "it has no rotary frequencies, whose number would tell the heads";
                return Err(
                    file.wrong(format!("{what}: name their number, of which {width} is an even multiple (heads)"))
                );
            }
        };
        let (layers, length, time) = (file.count("blocks"), about.length, about.time);
        if ids == 0 {
            return Err(file.wrong("the table of embeddings is empty".to_owned()));
        }
        let shape = DitShape { values: ids - 1, length, width, heads, layers, condition, time, dropout: 0.0 };
        let set = selected.set.clone();
        file.fill(&shape.layout(), selected)?;
        let mut network = Self::new(&shape, &Key::new(0, "replaced"), device);
        network.vocab_embed = file.take("vocab_embed.embedding", device)?;
        for (layer, number) in network.sigma_map.iter_mut().zip([0, 2]) {
            *layer = file.linear(&format!("sigma_map.mlp.{number}"), true, device)?;
        }
        for (number, block) in network.blocks.iter_mut().enumerate() {
            let name = |rest: &str| format!("blocks.{number}.{rest}");
            block.norm1 = file.layer_norm(&name("norm1"), block.norm1.clone(), device)?;
            block.attn_qkv = file.linear(&name("attn_qkv"), false, device)?;
            block.attn_out = file.linear(&name("attn_out"), false, device)?;
            block.norm2 = file.layer_norm(&name("norm2"), block.norm2.clone(), device)?;
            for (layer, number) in block.mlp.iter_mut().zip([0, 2]) {
                *layer = file.linear(&name(&format!("mlp.{number}")), true, device)?;
            }
            block.adaln_modulation = file.linear(&name("adaLN_modulation"), true, device)?;
        }
        let last = &mut network.output_layer;
        last.norm_final = file.layer_norm("output_layer.norm_final", last.norm_final.clone(), device)?;
        last.linear = file.linear("output_layer.linear", true, device)?;
        last.adaln_modulation = file.linear("output_layer.adaLN_modulation", true, device)?;
        file.finish()?;
        Ok((network, set))
    }

    /// The same network with the id `mask` last, where the mask's is, and the ids above it one lower. Published networks
    /// over the tokens of BERT have their mask among the values.
    pub fn with_mask_last(mut self, mask: usize) -> Result<Self> {
        let values = self.shape.values;
        if mask > values {
            return Err(Error::Setting(format!("mask_id {mask}: the network has the ids 0 to {values}")));
        }
        let order: Vec<i64> = (0..=values).filter(|id| *id != mask).chain([mask]).map(|id| id as i64).collect();
        let order = Tensor::<1, Int>::from_data(TensorData::new(order, [values + 1]), &self.vocab_embed.val().device());
        self.vocab_embed = self.vocab_embed.map(|table| table.select(0, order.clone()));
        let linear = &mut self.output_layer.linear;
        linear.weight = linear.weight.clone().map(|weight| weight.select(1, order.clone()));
        linear.bias = linear.bias.clone().map(|bias| bias.map(|bias| bias.select(0, order)));
        Ok(self)
    }

    /// The size of the network.
    pub fn shape(&self) -> &DitShape {
        &self.shape
    }

    /// The logits of every id, the mask's last, at these noise levels: `sigma` is \[batch\].
    pub fn all_logits(&self, input: &Input, sigma: Tensor<1>) -> Tensor<3> {
        let [batch, length] = input.z.dims();
        let dropout = Dropout::new(self.shape.dropout, input.dropout.as_ref());
        let condition = self.sigma_map[0].forward(sinusoid(sigma));
        let condition = silu(self.sigma_map[1].forward(silu(condition)));
        let ids = input.z.clone().reshape([batch * length]);
        let mut x: Tensor<3> = self.vocab_embed.val().select(0, ids).reshape([batch, length, self.shape.width]);
        for (number, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, condition.clone(), self.shape.heads, &dropout.fold(number));
        }
        self.output_layer.forward(x, condition)
    }

    /// The time is turned into sigma = -log(1 - (1 - 1e-3) t), the log-linear noise of the published models.
    pub(super) fn logits(&self, input: &Input) -> Tensor<3> {
        let sigma = match self.shape.time {
            true => input.time.clone().mul_scalar(-(1.0 - 1e-3)).log1p().neg(),
            false => input.time.zeros_like(),
        };
        self.all_logits(input, sigma)
    }
}

impl DitBlock {
    fn forward(&self, x: Tensor<3>, condition: Tensor<2>, heads: usize, dropout: &Dropout) -> Tensor<3> {
        let [shift_a, scale_a, gate_a, shift_m, scale_m, gate_m] =
            chunks::<6>(self.adaln_modulation.forward(condition));
        let h = modulate(self.norm1.forward(x.clone()), shift_a, scale_a);
        let mixed = self_attention(dense(&self.attn_qkv, h), heads, Some(Rotary::Halves), None, Visibility::All);
        let x = x + gate_a * dropout.fold(0).apply(dense(&self.attn_out, mixed));
        let h = modulate(self.norm2.forward(x.clone()), shift_m, scale_m);
        let h = dense(&self.mlp[1], gelu_tanh(dense(&self.mlp[0], h)));
        x + gate_m * dropout.fold(1).apply(h)
    }
}

impl FinalLayer {
    fn forward(&self, x: Tensor<3>, condition: Tensor<2>) -> Tensor<3> {
        let [shift, scale] = chunks::<2>(self.adaln_modulation.forward(condition));
        dense(&self.linear, modulate(self.norm_final.forward(x), shift, scale))
    }
}

/// \[cos, sin\] of sigma 10000^(-k/128), k = 0..128: \[batch\] to \[batch, 256\].
fn sinusoid(sigma: Tensor<1>) -> Tensor<2> {
    let half = FREQUENCIES / 2;
    let [sin, cos] = waves(sigma, half, half as f64);
    Tensor::cat(vec![cos, sin], 1)
}
