//! Networks of other precisions, given a single-precision input and outputs.
//!
//! Half precision (float16, bfloat16) is widened throughout: the embedded runtime would sum a map in it, and lose most of
//! its digits. Double precision and bytes are cast at the ends.

use std::collections::BTreeSet;

use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto, type_proto};
use tract_onnx::tract_hir::internal::f16;

use crate::{Error, Result};

const SINGLE: i32 = DataType::Float as i32;
const ADVICE: &str = "export the network with floating-point input and outputs";

/// Gives the input and these outputs single precision. Returns the type that the input had, and whether anything was
/// changed.
pub fn make_single(graph: &mut GraphProto, input: usize, outputs: &BTreeSet<usize>) -> Result<(DataType, bool)> {
    let ends = [&graph.input[input]].into_iter().chain(outputs.iter().map(|&output| &graph.output[output]));
    let is_half = ends.map(elem_type).any(|kind| kind == DataType::Float16 as i32);
    let half = [DataType::Bfloat16 as i32, if is_half { DataType::Float16 as i32 } else { -1 }];
    let widened = widen(graph, half);
    let before = graph.node.len();
    let kind = kind(&graph.input[input], "input")?;
    if kind != DataType::Float {
        let name = renamed(&mut graph.input[input]);
        graph.node.insert(0, cast([&graph.input[input].name, &name], kind));
    }
    for &output in outputs {
        let kind = self::kind(&graph.output[output], "output")?;
        if kind == DataType::Uint8 {
            return Err(unfit(&graph.output[output], "output", kind));
        }
        if kind != DataType::Float {
            let name = renamed(&mut graph.output[output]);
            graph.node.push(cast([&name, &graph.output[output].name], DataType::Float));
        }
    }
    Ok((kind, widened || graph.node.len() > before))
}

/// Turns every tensor of these types into single precision, in a graph and those inside it. Whether there was one.
fn widen(graph: &mut GraphProto, half: [i32; 2]) -> bool {
    let mut found = false;
    let values = graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info);
    for tensor in values.filter_map(tensor_type_mut).filter(|tensor| half.contains(&tensor.elem_type)) {
        tensor.elem_type = SINGLE;
        found = true;
    }
    let attributes = graph.node.iter_mut().flat_map(|node| &mut node.attribute);
    let mut tensors: Vec<&mut TensorProto> = graph.initializer.iter_mut().collect();
    for attribute in attributes {
        if matches!(&*attribute.name, "to" | "dtype") && half.iter().any(|&kind| i64::from(kind) == attribute.i) {
            attribute.i = SINGLE.into();
            found = true;
        }
        found |=
            attribute.g.iter_mut().chain(&mut attribute.graphs).fold(false, |found, graph| widen(graph, half) | found);
        tensors.extend(attribute.t.iter_mut().chain(&mut attribute.tensors));
    }
    for tensor in tensors.into_iter().filter(|tensor| half.contains(&tensor.data_type)) {
        widen_tensor(tensor);
        found = true;
    }
    found
}

/// The bits of half precision are those of `raw_data`, or else the low ones of `int32_data`.
fn widen_tensor(tensor: &mut TensorProto) {
    let single = |bits: u16| match tensor.data_type == DataType::Float16 as i32 {
        true => f16::from_bits(bits).to_f32(),
        false => f32::from_bits(u32::from(bits) << 16),
    };
    let raw = tensor.raw_data.chunks_exact(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    let bits = raw.chain(tensor.int32_data.iter().map(|&bits| bits as u16));
    let bytes = bits.flat_map(|bits| single(bits).to_le_bytes()).collect();
    *tensor = TensorProto {
        name: std::mem::take(&mut tensor.name),
        dims: std::mem::take(&mut tensor.dims),
        data_type: SINGLE,
        raw_data: bytes,
        ..Default::default()
    };
}

fn tensor_type_mut(value: &mut ValueInfoProto) -> Option<&mut type_proto::Tensor> {
    let type_proto::Value::TensorType(tensor) = value.r#type.as_mut()?.value.as_mut()?;
    Some(tensor)
}

/// The number of a tensor's type; 0 where it is not said.
fn elem_type(value: &ValueInfoProto) -> i32 {
    let tensor = value.r#type.as_ref().and_then(|kind| kind.value.as_ref());
    tensor.map_or(0, |type_proto::Value::TensorType(tensor)| tensor.elem_type)
}

/// The type of an input or output, among those that can be cast. One that is not said is taken for single precision.
fn kind(value: &ValueInfoProto, role: &str) -> Result<DataType> {
    match DataType::try_from(elem_type(value)) {
        Ok(DataType::Undefined | DataType::Float) => Ok(DataType::Float),
        Ok(kind @ (DataType::Double | DataType::Uint8)) => Ok(kind),
        Ok(other) => Err(unfit(value, role, other)),
        Err(_) => Err(Error::input(format!("its {role} {} is of an unknown type", value.name), ADVICE)),
    }
}

fn unfit(value: &ValueInfoProto, role: &str, kind: DataType) -> Error {
    Error::input(format!("its {role} {} is {}", value.name, kind.as_str_name().to_ascii_lowercase()), ADVICE)
}

/// Renames an input or output and makes it single precision; returns the name that the graph knows it by.
fn renamed(value: &mut ValueInfoProto) -> String {
    if let Some(tensor) = tensor_type_mut(value) {
        tensor.elem_type = SINGLE;
    }
    let outside = format!("{} in single precision", value.name);
    std::mem::replace(&mut value.name, outside)
}

fn cast([from, to]: [&str; 2], kind: DataType) -> NodeProto {
    let r#type = AttributeType::Int as i32;
    NodeProto {
        input: vec![from.to_owned()],
        output: vec![to.to_owned()],
        op_type: "Cast".to_owned(),
        attribute: vec![AttributeProto { name: "to".to_owned(), i: kind as i64, r#type, ..Default::default() }],
        ..Default::default()
    }
}
