//! The exponential moving average of the weights, which evaluation and sampling use.

use std::collections::HashMap;

use burn::backend::DispatchTensor;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// The decay at `step` (counted from 0), warmed up so that early weights are forgotten soon.
pub fn warmed_decay(decay: f64, step: u64) -> f64 {
    decay.min((1.0 + step as f64) / (10.0 + step as f64))
}

/// `average <- decay * average + (1 - decay) * current`, parameter by parameter.
pub fn update<M: Module>(average: M, current: &M, decay: f64) -> M {
    let mut weights = Weights(HashMap::new());
    current.visit(&mut weights);
    average.map(&mut Blend { current: weights.0, decay })
}

/// The weights by parameter; of whatever rank they are, as dispatched tensors.
struct Weights(HashMap<ParamId, DispatchTensor>);

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.insert(param.id, param.val().into_dispatch());
    }
}

struct Blend {
    current: HashMap<ParamId, DispatchTensor>,
    decay: f64,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, average, mapper) = param.consume();
        let blended = match self.current.remove(&id) {
            Some(current) => elbow_fused::blend(average, Tensor::<D>::from_dispatch(current), self.decay),
            None => average,
        };
        Param::from_mapped_value(id, blended, mapper)
    }
}
