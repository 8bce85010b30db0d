//! A bound on the memory of a network, which holds before anything is computed: a node of a few bytes can ask for a
//! tensor that no memory holds.

use tract_onnx::prelude::{InferenceModel, TDim, TractResult, TypedModel};
use tract_onnx::tract_hir::infer::{Factoid, InferenceFact, InferenceOp};
use tract_onnx::tract_hir::internal::{OutletId, TVec, anyhow, bail};

/// Largest tensor of any network, in bytes.
const LEAST: u64 = 1 << 27;

/// The largest tensor that a network may compute, in bytes: more than [`LEAST`] only for large inputs and large files.
/// Networks in use make up to 22 times their input of it, and may transpose their weights.
pub fn largest(input: usize, file: usize) -> u64 {
    LEAST.max(64 * input as u64).max(2 * file as u64)
}

/// Goes through the nodes in the order of the computation, and refuses one whose output would be larger than `most`
/// bytes before tract evaluates it, as it does with whatever does not depend on the input.
pub fn check(model: &InferenceModel, most: u64) -> TractResult<()> {
    let mut model = model.clone();
    for id in model.eval_order()? {
        let node = model.node(id);
        if node.inputs.is_empty() {
            continue;
        }
        let observed = node.op.observe_outlets(&model, node)?;
        let facts = observed.iter().map(|outlet| model.outlet_fact(*outlet)).collect::<TractResult<TVec<_>>>()?;
        let (inputs, outputs) = model.node_facts(id)?;
        let mut op: Box<dyn InferenceOp> = node.op.clone();
        let (_, found, _) = op.infer_facts(inputs.clone(), outputs.clone(), facts.clone())?;
        found.iter().try_for_each(|fact| fits(&node.name, bytes(fact), most))?;
        let (_, found, _) = op.infer(inputs, outputs, facts)?;
        for (slot, fact) in found.into_iter().enumerate() {
            let outlet = OutletId::new(id, slot);
            let known = model.outlet_fact(outlet)?.unify(&fact)?;
            model.set_outlet_fact(outlet, known)?;
        }
    }
    Ok(())
}

/// The same for shapes that are known only when all nodes are.
pub fn check_typed(model: &TypedModel, most: u64) -> TractResult<()> {
    for node in model.nodes.iter().filter(|node| !node.inputs.is_empty()) {
        node.outputs.iter().try_for_each(|output| fits(&node.name, output.fact.mem_size().as_i64(), most))?;
    }
    Ok(())
}

/// The size of a tensor of known shape and type.
fn bytes(fact: &InferenceFact) -> Option<i64> {
    let size = fact.datum_type.concretize()?.size_of() as i64;
    let dims: TVec<TDim> = fact.shape.concretize()?;
    dims.iter().try_fold(size, |bytes, n| bytes.checked_mul(n.to_i64().ok()?).or(Some(i64::MAX)))
}

fn fits(node: &str, bytes: Option<i64>, most: u64) -> TractResult<()> {
    match bytes.map(u64::try_from) {
        Some(Ok(bytes)) if bytes > most => {
            bail!("node {node} makes a tensor of {} MB, more than the limit of {} MB", bytes >> 20, most >> 20)
        }
        Some(Err(_)) => Err(anyhow!("node {node} makes a tensor of a negative size")),
        _ => Ok(()),
    }
}
