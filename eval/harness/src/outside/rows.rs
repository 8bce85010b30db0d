//! The sequences of a call of a network from outside, and the numbers of tensors.

use burn::tensor::kind::Basic;
use burn::tensor::{Int, Tensor};
use elbow_impls::network::{Input, to_f64_vec};
use elbow_metrics::InputArray;

/// The sequences of a call, framed: ids or points.
pub(super) struct Rows {
    pub values: RowValues,
    /// Entries per sequence.
    pub length: usize,
}

/// The entries of all sequences, row after row.
pub(super) enum RowValues {
    Ids(Vec<i64>),
    Points(Vec<f32>),
}

impl Rows {
    /// The input array of these sequences.
    pub fn of(&self, members: &[usize]) -> InputArray {
        let shape = vec![members.len(), self.length];
        let range = |&row: &usize| row * self.length..(row + 1) * self.length;
        match &self.values {
            RowValues::Ids(ids) => {
                InputArray::Ids(members.iter().flat_map(|m| &ids[range(m)]).copied().collect(), shape)
            }
            RowValues::Points(points) => {
                InputArray::Numbers(members.iter().flat_map(|m| &points[range(m)]).copied().collect(), shape)
            }
        }
    }
}

/// The ids of a tensor in row-major order.
pub(super) fn ids<const D: usize>(tensor: Tensor<D, Int>) -> Vec<i64> {
    tensor.into_data().iter::<i64>().collect()
}

/// The times of an input.
pub(super) fn times<K: Basic>(input: &Input<K>) -> Vec<f64> {
    to_f64_vec(input.time.clone())
}
