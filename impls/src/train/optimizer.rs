//! AdamW with warm-up and cosine decay, clipping by the global norm, and its state as safetensors.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, GradientsParams, ModuleOptimizer, Optimizer};
use burn::tensor::{Bytes, DType, Device, Shape, Tensor};
use burn_pack::{Reader, Scalar, Writer};
use burn_store::ModuleSnapshot;
use safetensors::tensor::{Dtype, TensorView};

use super::setting_values::Decay;
use super::settings::Settings;
use elbow_fused::AdamStep;

/// PyTorch's (burn's is 1e-5).
const EPSILON: f32 = 1e-8;

/// A fresh optimiser.
pub fn adamw(settings: &Settings) -> ModuleOptimizer {
    let (betas, weight_decay) = ([settings.beta_1 as f32, settings.beta_2 as f32], settings.weight_decay as f32);
    let composed = AdamWConfig::new()
        .with_beta_1(betas[0])
        .with_beta_2(betas[1])
        .with_epsilon(EPSILON)
        .with_weight_decay(weight_decay)
        .build();
    ModuleOptimizer::from(OnePass { composed, betas, weight_decay })
}

/// burn's AdamW, which the CPU does in one pass over each tensor.
#[derive(Clone)]
struct OnePass {
    composed: AdamW,
    betas: [f32; 2],
    weight_decay: f32,
}

impl Optimizer for OnePass {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: f64,
        weights: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        let device = weights.device();
        if !elbow_fused::runs_on(&device) || device.is_autodiff() {
            return self.composed.step(learning_rate, weights, gradient, state);
        }
        let zeros = || Tensor::zeros(weights.shape(), &device);
        let (time, moments) = state.map_or_else(
            || (0, [zeros(), zeros()]),
            |AdamWState { momentum }| (momentum.time, [momentum.moment_1, momentum.moment_2]),
        );
        let time = time + 1;
        let step = AdamStep {
            learning_rate: learning_rate as f32,
            decay: (learning_rate * f64::from(self.weight_decay)) as f32,
            betas: self.betas,
            corrections: self.betas.map(|beta| 1.0 - beta.powi(time as i32)),
            epsilon: EPSILON,
        };
        let (weights, [moment_1, moment_2]) = elbow_fused::adamw(step, weights, gradient, moments);
        (weights, Some(AdamWState::new(AdaptiveMomentumState::new(time, moment_1, moment_2))))
    }

    fn to_device<const D: usize>(state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        AdamW::to_device(state, device)
    }
}

/// The learning rate of `step` (counted from 0): linear warm-up, then a cosine to zero at the last step, or constant.
pub fn learning_rate(settings: &Settings, step: u64) -> f64 {
    let (now, warm, all) = ((step + 1) as f64, settings.warmup_steps as f64, settings.steps as f64);
    if now <= warm {
        return settings.learning_rate * now / warm;
    }
    if settings.decay == Decay::Constant {
        return settings.learning_rate;
    }
    let progress = ((now - warm) / (all - warm).max(1.0)).min(1.0);
    settings.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
}

/// The norm of all gradients together; where it exceeds `limit` (> 0), they are scaled to it in place.
///
/// burn's own `GradientClippingConfig::Norm` clips each tensor separately, which changes the direction.
pub fn clip_by_global_norm<M: Module>(module: &M, gradients: &mut GradientsParams, limit: f32) -> f32 {
    let mut norm = SquaredNorm { gradients, sum: 0.0, parts: Vec::new() };
    module.visit(&mut norm);
    let SquaredNorm { sum, parts, .. } = norm;
    // One transfer from the device, not one per parameter.
    let others = if parts.is_empty() { 0.0 } else { Tensor::cat(parts, 0).sum().into_scalar::<f32>() };
    let norm = (sum + others).sqrt();
    if limit > 0.0 && norm > limit {
        module.visit(&mut Rescale { gradients, factor: limit / norm });
    }
    norm
}

/// The global norm of the gradient of a loss, \[1\], with respect to a model's parameters.
pub fn gradient_norm<M: Module>(model: &M, loss: Tensor<1>) -> f64 {
    let mut gradients = GradientsParams::from_grads(loss.backward(), model);
    f64::from(clip_by_global_norm(model, &mut gradients, 0.0))
}

struct SquaredNorm<'a> {
    gradients: &'a GradientsParams,
    /// Sum over the tensors of the CPU.
    sum: f32,
    /// Sums of the other devices' tensors.
    parts: Vec<Tensor<1>>,
}

impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            match elbow_fused::runs_on(&gradient.device()) {
                true => self.sum += elbow_fused::squared_norm(gradient),
                false => self.parts.push(gradient.square().sum()),
            }
        }
    }
}

struct Rescale<'a> {
    gradients: &'a mut GradientsParams,
    factor: f32,
}

impl ModuleVisitor for Rescale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}

/// Name of the metadata entry that holds AdamW's step counts and the tensors' ranks, by parameter, as JSON.
const COUNTS: &str = "counts";

/// The optimiser's state as a safetensors document, with tensors named after the parameters
/// (`network.Transformer.blocks.0.qkv.weight.momentum.moment_1`).
///
/// burn names them after parameter ids, which are new in every process; the names are the same in every process.
pub fn to_safetensors<M: Module>(optimizer: &ModuleOptimizer, module: &M) -> Result<Vec<u8>, String> {
    let paths: HashMap<String, String> = parameters(module).into_iter().map(|(path, id)| (id, path)).collect();
    let rename = |name: &str| swap_prefix(name, &paths);
    let reader = Reader::from_bytes(optimizer.into_bytes().map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    let mut counts = BTreeMap::new();
    for (name, scalar) in reader.scalars() {
        let Scalar::UInt(value) = scalar else { return Err(format!("{name}: {scalar:?} is not a count")) };
        counts.insert(rename(name)?, *value);
    }
    let mut tensors = Vec::new();
    for tensor in reader.into_tensors().map_err(|e| e.to_string())? {
        let (name, dtype, shape, _, bytes) = tensor.into_parts().map_err(|e| e.to_string())?;
        if dtype != DType::F32 {
            return Err(format!("{name}: {dtype:?} where f32 was expected"));
        }
        tensors.push((rename(&name)?, shape.to_vec(), bytes));
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| e.to_string())?;
    let counts = serde_json::to_string(&counts).map_err(|e| e.to_string())?;
    // One entry only: safetensors writes its metadata in random order, and equal states should give equal bytes.
    let metadata = HashMap::from([(COUNTS.to_owned(), counts)]);
    safetensors::serialize(views, Some(metadata)).map_err(|e| e.to_string())
}

/// Puts a state written by [`to_safetensors`] back, for the parameters of `module`.
pub fn from_safetensors<M: Module>(
    optimizer: ModuleOptimizer,
    module: &M,
    bytes: &[u8],
) -> Result<ModuleOptimizer, String> {
    let ids: HashMap<String, String> = parameters(module).into_iter().collect();
    let (_, header) = safetensors::SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let file = safetensors::SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let mut tensors = Vec::new();
    for (name, view) in file.tensors() {
        let name = swap_path(&name, &ids)?;
        let id = name.split('.').next().and_then(|id| id.parse::<u64>().ok());
        let data = Bytes::from_bytes_vec(view.data().to_vec());
        tensors.push(burn_pack::Tensor::new(name, DType::F32, Shape::from(view.shape().to_vec()), id, data));
    }
    let mut writer = Writer::new(tensors);
    let counts = header.metadata().as_ref().and_then(|m| m.get(COUNTS)).ok_or("no step counts")?;
    let counts: BTreeMap<String, u64> = serde_json::from_str(counts).map_err(|e| e.to_string())?;
    for (name, value) in counts {
        writer = writer.with_scalar(&swap_path(&name, &ids)?, Scalar::UInt(value));
    }
    let packed = writer.into_bytes().map_err(|e| e.to_string())?;
    optimizer.from_bytes(packed).map_err(|e| e.to_string())
}

/// Path and id of every parameter.
fn parameters<M: Module>(module: &M) -> Vec<(String, String)> {
    module
        .collect(None, None, false)
        .into_iter()
        .filter_map(|tensor| {
            let (name, _, _, id, _) = tensor.into_parts().ok()?;
            Some((name, id?.to_string()))
        })
        .collect()
}

/// `ID.field` to `path.field`.
fn swap_prefix(name: &str, paths: &HashMap<String, String>) -> Result<String, String> {
    let (id, field) = name.split_once('.').ok_or_else(|| format!("{name}: no parameter id"))?;
    let path = paths.get(id).ok_or_else(|| format!("{name}: no such parameter"))?;
    Ok(format!("{path}.{field}"))
}

/// `path.field` to `ID.field`: the longest parameter path that is a prefix.
fn swap_path(name: &str, ids: &HashMap<String, String>) -> Result<String, String> {
    let dots = name.match_indices('.').map(|(at, _)| at).rev();
    for at in dots {
        if let Some(id) = ids.get(&name[..at]) {
            return Ok(format!("{id}{}", &name[at..]));
        }
    }
    Err(format!("{name}: no such parameter in this network"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataShape;
    use crate::key::Key;
    use crate::network::{Input, Model, ids_tensor};

    /// Relative to the largest number. Measured: 1.2e-7.
    const TOLERANCE: f64 = 1e-6;

    #[test]
    fn one_pass_is_burns_adamw() {
        let device = Device::flex();
        let settings = Settings::resolve("md4-digits", &["weight_decay=0.3".into()]).expect("a valid preset");
        let wave = |step: f64| {
            let numbers: Vec<f32> = (0..40).map(|i| (f64::from(i) * step).sin() as f32).collect();
            Tensor::<1>::from_data(numbers.as_slice(), &device)
        };
        let betas = [settings.beta_1 as f32, settings.beta_2 as f32];
        let run = |weight_decay: f32, in_one_pass: bool| {
            let config = AdamWConfig::new().with_beta_1(betas[0]).with_beta_2(betas[1]).with_epsilon(EPSILON);
            let composed = config.with_weight_decay(weight_decay).build();
            let one_pass = OnePass { composed: composed.clone(), betas, weight_decay };
            let (mut weights, mut state) = (wave(0.1), None);
            for step in 0..5 {
                let gradient = wave(0.3 + f64::from(step));
                (weights, state) = match in_one_pass {
                    true => one_pass.step(0.01, weights, gradient, state),
                    false => composed.step(0.01, weights, gradient, state),
                };
            }
            let momentum = state.expect("a state").momentum;
            assert_eq!(momentum.time, 5);
            let parts = [weights, momentum.moment_1, momentum.moment_2];
            parts.map(|part| part.into_data().iter::<f64>().collect::<Vec<_>>())
        };
        let error = |a: &[Vec<f64>], b: &[Vec<f64>]| {
            let part = |(a, b): (&Vec<f64>, &Vec<f64>)| {
                let largest = b.iter().fold(0.0f64, |most, x| most.max(x.abs()));
                a.iter().zip(b).map(|(a, b)| (a - b).abs() / largest).fold(0.0, f64::max)
            };
            a.iter().zip(b).map(part).fold(0.0, f64::max)
        };
        let found = error(&run(0.3, true), &run(0.3, false));
        assert!(found < TOLERANCE, "{found:e}");
        assert!(error(&run(0.3, true), &run(0.0, false)) > 1e-4, "witness: the decay is seen");
    }

    #[test]
    fn the_state_survives_safetensors_whole() {
        let device = Device::flex().autodiff();
        let overrides = ["width=8", "heads=2", "layers=1", "hidden=16", "patch_size=none"].map(String::from);
        let settings = Settings::resolve("md4-digits", &overrides).expect("a valid preset");
        let shape = settings.network(&DataShape { values: 3, length: 4, classes: 0, image: None }).expect("a network");
        let model = Model::new(&shape, None, &Key::new(0, "weights"), &device).expect("a model");
        let mut optimizer = adamw(&settings);
        let input = Input::new(ids_tensor(&[0, 1, 2, 3], 4, &device), &[0.5]);
        let loss = (model.tokens().expect("tokens").logits(&input) + 1.0).square().mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        let model = optimizer.step(1e-3, model, gradients);
        let bytes = to_safetensors(&optimizer, &model).expect("serialises");
        let back = from_safetensors(adamw(&settings), &model, &bytes).expect("reads back");
        let again = to_safetensors(&back, &model).expect("serialises");
        assert!(bytes == again, "the state changed on its way");
        let file = safetensors::SafeTensors::deserialize(&bytes).expect("valid");
        assert!(file.tensor("network.Transformer.blocks.0.qkv.weight.momentum.moment_1").is_ok(), "{:?}", file.names());
        assert_eq!(file.len(), 2 * parameters(&model).len());
    }
}
