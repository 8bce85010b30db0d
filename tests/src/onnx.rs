//! ONNX files of a few bytes, written field by field (protocol buffers, `onnx.proto3`).

/// The number of single precision among ONNX's types.
pub const FLOAT: u64 = 1;

/// A number in base 128, the lowest digit first.
pub fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A field of bytes: a text, or a message.
fn field(id: u64, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [varint(id << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A field of a number.
fn number(id: u64, value: u64) -> Vec<u8> {
    [varint(id << 3), varint(value)].concat()
}

/// An attribute of whole numbers.
pub fn ints(name: &str, values: &[u64]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|&value| number(8, value)).collect();
    [field(1, name), values, number(20, 7)].concat()
}

/// An attribute of one whole number.
pub fn int(name: &str, value: u64) -> Vec<u8> {
    [field(1, name), number(3, value), number(20, 2)].concat()
}

/// An attribute of a tensor, as [`tensor`] makes it.
pub fn constant(name: &str, tensor: &[u8]) -> Vec<u8> {
    [field(1, name), field(5, tensor), number(20, 4)].concat()
}

/// A node.
pub fn node(op: &str, inputs: &[&str], outputs: &[&str], attributes: &[Vec<u8>]) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|name| field(1, name));
    let outputs = outputs.iter().flat_map(|name| field(2, name));
    let attributes = attributes.iter().flat_map(|attribute| field(5, attribute));
    inputs.chain(outputs).chain(field(4, op)).chain(attributes).collect()
}

/// An input or output of this type; an extent is a number, or a name where it is free.
pub fn value(name: &str, kind: u64, shape: &[&str]) -> Vec<u8> {
    let dim = |dim: &&str| match dim.parse() {
        Ok(extent) => field(1, number(1, extent)),
        Err(_) => field(1, field(2, dim)),
    };
    let shape: Vec<u8> = shape.iter().flat_map(dim).collect();
    let tensor = [number(1, kind), field(2, shape)].concat();
    [field(1, name), field(2, field(1, tensor))].concat()
}

/// A weight in its bytes.
pub fn tensor(name: &str, kind: u64, shape: &[u64], bytes: &[u8]) -> Vec<u8> {
    let shape: Vec<u8> = shape.iter().flat_map(|&extent| number(1, extent)).collect();
    [shape, number(2, kind), field(8, name), field(9, bytes)].concat()
}

/// A file: nodes, weights, inputs, outputs.
pub fn model(nodes: &[Vec<u8>], weights: &[Vec<u8>], inputs: &[Vec<u8>], outputs: &[Vec<u8>]) -> Vec<u8> {
    let parts = [(1, nodes), (5, weights), (11, inputs), (12, outputs)];
    let parts = parts.iter().flat_map(|(id, parts)| parts.iter().flat_map(|part| field(*id, part)));
    let graph: Vec<u8> = parts.chain(field(2, "g")).collect();
    let opset = [field(1, ""), number(2, 13)].concat();
    [number(1, 8), field(7, graph), field(8, opset)].concat()
}
