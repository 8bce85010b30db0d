//! Operations of networks and optimiser, each one step of the autodiff graph on the CPU, with hand-written derivatives.
//!
//! burn's flex backend runs one elementary operation at a time: a softmax over relative scores is a dozen passes over
//! memory and as many nodes of the graph. Each operation here makes one pass over rows that stay in the cache, with the
//! widest vectors of the processor. On other devices the same functions run [`composed`] operations of burn. Values and
//! gradients of both agree to rounding (`tests/parity.rs`).

#![warn(missing_docs)]

mod activation;
mod attention;
pub mod composed;
mod cross_entropy;
mod dense;
mod norm;
mod optimizer;
mod rotary;
mod simd;
mod targets;
mod visibility;

pub use activation::{gated, gelu_tanh, squared_relu};
pub use attention::self_attention;
pub use cross_entropy::{log_sum_exp, logits, masked_cross_entropy};
pub use dense::dense;
pub use norm::{modulated_norm, rms_norm};
pub use optimizer::{AdamStep, adamw, blend, squared_norm};
pub use rotary::Rotary;
pub use targets::{Target, Targets};
pub use visibility::Visibility;

use std::fmt::Debug;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{
    Autodiff, BackendTensor, DType, DispatchDevice, DispatchKindConversion, DispatchTensor, Flex, TensorMetadata,
};
use burn::tensor::{Bytes, Device, Shape, Tensor};
use burn_flex::{FlexTensor, Layout};

/// Whether a device runs these operations in one pass: a CPU with fused multiply-add, with or without autodiff.
pub fn runs_on(device: &Device) -> bool {
    // Without fused multiply-add in hardware each one is a call of a function.
    #[cfg(target_arch = "x86_64")]
    if !is_x86_feature_detected!("fma") {
        return false;
    }
    match device.as_dispatch() {
        DispatchDevice::Flex(_) => true,
        DispatchDevice::Autodiff(device) => matches!(**device, DispatchDevice::Flex(_)),
        #[allow(unreachable_patterns)] // other backends exist with the feature cuda
        _ => false,
    }
}

/// An operation of `N` tensors with its derivative.
trait Operation<const N: usize>: Clone + Debug + Send + 'static {
    /// The tensors that the derivative needs beside the gradient.
    type Saved: Clone + Debug + Send + 'static;

    /// The result, and with `keep` the tensors for the derivative.
    fn forward(&self, inputs: [FlexTensor; N], keep: bool) -> (FlexTensor, Option<Self::Saved>);

    /// The gradients of the inputs from that of the result.
    fn backward(&self, saved: Self::Saved, gradient: FlexTensor) -> [FlexTensor; N];
}

/// An operation as a node of burn's autodiff graph.
#[derive(Clone, Debug)]
struct Step<O>(O);

impl<const N: usize, O: Operation<N>> Backward<Flex, N> for Step<O> {
    type State = O::Saved;

    fn backward(self, ops: Ops<O::Saved, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(gradients.consume::<Flex>(&ops.node));
        let found = self.0.backward(ops.state, gradient);
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(parent) = parent {
                gradients.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// Runs an operation on tensors of the CPU that all belong to an autodiff device or all to none; those of the first
/// kind that are not tracked get no gradient.
fn apply<const N: usize, const D: usize, O: Operation<N>>(operation: O, inputs: [DispatchTensor; N]) -> Tensor<D> {
    let is_plain = matches!(&inputs[0].device(), DispatchDevice::Flex(_));
    if is_plain {
        let inputs = inputs.map(|input| contiguous(unwrapped::<Flex>(input)));
        return Tensor::from_primitive::<Flex>(operation.forward(inputs, false).0);
    }
    let inputs = inputs.map(unwrapped::<Autodiff<Flex>>);
    let values = inputs.each_ref().map(|input| contiguous(input.primitive().clone()));
    let nodes = inputs.each_ref().map(|input| input.node());
    let prepared = Step(operation.clone()).prepare::<NoCheckpointing>(nodes).compute_bound().stateful();
    let result = match prepared {
        OpsKind::Tracked(step) => {
            let (result, saved) = operation.forward(values, true);
            step.finish(saved.expect("an operation keeps what it is asked to keep"), result)
        }
        OpsKind::UnTracked(step) => step.finish(operation.forward(values, false).0),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(result)
}

fn unwrapped<B: burn::backend::Backend>(tensor: DispatchTensor) -> B::FloatTensorPrimitive
where
    DispatchTensor: DispatchKindConversion<B>,
{
    match DispatchTensor::try_into_backend(tensor) {
        Ok(BackendTensor::Float(tensor)) => tensor,
        Ok(_) => panic!("a fused operation takes floats"),
        Err(what) => panic!("a fused operation takes tensors of one CPU device: {what}"),
    }
}

/// The numbers in row-major order, from the start of their storage.
fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() }
}

/// The numbers of a contiguous tensor, to be changed; they are copied first where another tensor shares them.
fn numbers_mut(tensor: &mut FlexTensor) -> &mut [f32] {
    let count = tensor.shape().num_elements();
    if tensor.storage::<f32>().len() != count {
        // A part of a larger one.
        let shape = tensor.shape();
        let numbers = numbers(tensor).to_vec();
        *tensor = FlexTensor::new(Bytes::from_elems(numbers), Layout::contiguous(shape), DType::F32);
    }
    tensor.storage_mut()
}

/// The numbers of a contiguous tensor.
fn numbers(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("contiguous f32")
}

/// A tensor of these numbers.
fn tensor<const D: usize>(numbers: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(numbers), Layout::contiguous(Shape::from(shape)), DType::F32)
}

/// The shape of a tensor of `D` dimensions.
fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    tensor.shape().dims()
}
