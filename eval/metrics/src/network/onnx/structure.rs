//! What must hold in an ONNX file before a runtime sees it: runtimes panic at tensors that come from nowhere, and at
//! shapes that no memory holds.

use std::collections::HashSet;

use tract_onnx::pb::{GraphProto, TensorProto};

use crate::{Error, Result};

/// Checks a graph and those inside it.
pub fn check(graph: &GraphProto) -> Result<()> {
    scope(graph, &HashSet::new())
}

/// Checks a graph whose nodes also see the tensors named in `outer`.
fn scope(graph: &GraphProto, outer: &HashSet<&str>) -> Result<()> {
    let wrong = |what: String| Error::input(what, "the file is damaged, or was edited: export the network again");
    let mut known: HashSet<&str> = graph.input.iter().map(|input| &*input.name).collect();
    for tensor in &graph.initializer {
        check_tensor(tensor)?;
        known.insert(&tensor.name);
    }
    for output in graph.node.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty()) {
        if !known.insert(output) {
            return Err(wrong(format!("tensor {output} is computed twice")));
        }
    }
    known.extend(outer);
    for node in &graph.node {
        if let Some(missing) = node.input.iter().find(|name| !name.is_empty() && !known.contains(&***name)) {
            return Err(wrong(format!("a node {} takes tensor {missing}, which no node computes", node.op_type)));
        }
        for attribute in &node.attribute {
            if attribute.name == "perm" && !is_permutation(&attribute.ints) {
                return Err(wrong(format!("a node {} has perm = {:?}, no permutation", node.op_type, attribute.ints)));
            }
            attribute.t.iter().chain(&attribute.tensors).try_for_each(check_tensor)?;
            attribute.g.iter().chain(&attribute.graphs).try_for_each(|graph| scope(graph, &known))?;
        }
    }
    match graph.output.iter().find(|output| !known.contains(&*output.name)) {
        Some(dangling) => Err(wrong(format!("no node computes its output {}", dangling.name))),
        None => Ok(()),
    }
}

/// Whether each axis occurs once. tract takes no end with another order of axes.
fn is_permutation(axes: &[i64]) -> bool {
    (0..axes.len() as i64).all(|axis| axes.contains(&axis))
}

/// Refuses a tensor whose data lie in another file, or are fewer than its shape says.
fn check_tensor(tensor: &TensorProto) -> Result<()> {
    let name = &tensor.name;
    if !tensor.external_data.is_empty() || tensor.data_location.unwrap_or(0) != 0 {
        let what = format!("tensor {name} lies in another file, which a hash of this one does not see");
        let advice = "save the network with its weights inside: torch.onnx.export(..., external_data=False), or in Python \
                      onnx.save(onnx.load(FILE), FILE)";
        return Err(Error::input(what, advice));
    }
    let TensorProto { raw_data, float_data, int32_data, int64_data, double_data, string_data, .. } = tensor;
    let fields = [float_data.len(), int32_data.len(), int64_data.len(), double_data.len(), string_data.len()];
    let held = fields.into_iter().fold(raw_data.len(), usize::max);
    let entries = tensor.dims.iter().try_fold(1_usize, |entries, &n| entries.checked_mul(usize::try_from(n).ok()?));
    match entries {
        Some(entries) if entries <= held => Ok(()),
        _ => {
            let what = format!("tensor {name} has the shape {:?}, but data of {held} numbers or bytes", tensor.dims);
            Err(Error::input(what, "the file is damaged: export the network again"))
        }
    }
}
