//! A transformer of any size with random weights, as an ONNX file with its model file.

use std::path::{Path, PathBuf};

use elbow_tests::onnx::{FLOAT, int, ints, model, node, tensor, value};

/// ONNX's number of 64-bit integers.
const INT64: u64 = 7;

/// The size of a pre-norm transformer over tokens.
pub struct Shape {
    pub values: usize,
    pub length: usize,
    pub width: usize,
    pub heads: usize,
    pub layers: usize,
}

/// Nodes and weights; each operator gives the name of its output.
#[derive(Default)]
struct Graph {
    nodes: Vec<Vec<u8>>,
    weights: Vec<Vec<u8>>,
    seed: u64,
}

impl Graph {
    fn add(&mut self, op: &str, inputs: &[&str], attributes: &[Vec<u8>]) -> String {
        let name = format!("n{}", self.nodes.len());
        self.nodes.push(node(op, inputs, &[&name], attributes));
        name
    }

    /// Uniform numbers whose products with inputs of variance 1 have variance 1.
    fn weight(&mut self, shape: [usize; 2]) -> String {
        let scale = (3.0 / shape[0] as f32).sqrt();
        let mut next = || {
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((self.seed >> 40) as f32 / (1 << 23) as f32 - 1.0) * scale
        };
        let bytes: Vec<u8> = (0..shape[0] * shape[1]).flat_map(|_| next().to_le_bytes()).collect();
        self.hold(FLOAT, &shape.map(|n| n as u64), &bytes)
    }

    fn hold(&mut self, kind: u64, shape: &[u64], bytes: &[u8]) -> String {
        let name = format!("w{}", self.weights.len());
        self.weights.push(tensor(&name, kind, shape, bytes));
        name
    }

    fn number(&mut self, value: f32) -> String {
        self.hold(FLOAT, &[], &value.to_le_bytes())
    }

    fn dense(&mut self, x: &str, shape: [usize; 2]) -> String {
        let weight = self.weight(shape);
        self.add("MatMul", &[x, &weight], &[])
    }

    fn reshape(&mut self, x: &str, shape: &[i64]) -> String {
        let bytes: Vec<u8> = shape.iter().flat_map(|n| n.to_le_bytes()).collect();
        let shape = self.hold(INT64, &[shape.len() as u64], &bytes);
        self.add("Reshape", &[x, &shape], &[])
    }

    fn norm(&mut self, x: &str) -> String {
        let square = self.add("Mul", &[x, x], &[]);
        let mean = self.add("ReduceMean", &[&square], &[ints("axes", &[2])]);
        let small = self.number(1e-5);
        let sum = self.add("Add", &[&mean, &small], &[]);
        let root = self.add("Sqrt", &[&sum], &[]);
        self.add("Div", &[x, &root], &[])
    }

    fn attention(&mut self, x: &str, shape: &Shape) -> String {
        let Shape { length, width, heads, .. } = *shape;
        let size = width / heads;
        let split = [0, length as i64, heads as i64, size as i64];
        let mut part = |order: &[u64]| {
            let flat = self.dense(x, [width, width]);
            let by_head = self.reshape(&flat, &split);
            self.add("Transpose", &[&by_head], &[ints("perm", order)])
        };
        let (q, k, v) = (part(&[0, 2, 1, 3]), part(&[0, 2, 3, 1]), part(&[0, 2, 1, 3]));
        let scores = self.add("MatMul", &[&q, &k], &[]);
        let scale = self.number((size as f32).sqrt().recip());
        let scaled = self.add("Mul", &[&scores, &scale], &[]);
        let shares = self.add("Softmax", &[&scaled], &[int("axis", 3)]);
        let mixed = self.add("MatMul", &[&shares, &v], &[]);
        let joined = self.add("Transpose", &[&mixed], &[ints("perm", &[0, 2, 1, 3])]);
        let flat = self.reshape(&joined, &[0, length as i64, width as i64]);
        self.dense(&flat, [width, width])
    }
}

impl Shape {
    /// Number of weights.
    pub fn parameters(&self) -> usize {
        2 * (self.values + 1) * self.width + self.layers * 12 * self.width * self.width
    }

    /// Writes `network.onnx` and its model file, which it returns.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let Self { values, length, width, layers, .. } = *self;
        let mut graph = Graph { seed: 1, ..Graph::default() };
        let table = graph.weight([values + 1, width]);
        let mut x = graph.add("Gather", &[&table, "tokens"], &[]);
        for _ in 0..layers {
            let normed = graph.norm(&x);
            let attention = graph.attention(&normed, self);
            x = graph.add("Add", &[&x, &attention], &[]);
            let normed = graph.norm(&x);
            let up = graph.dense(&normed, [width, 4 * width]);
            let hidden = graph.add("Relu", &[&up], &[]);
            let down = graph.dense(&hidden, [4 * width, width]);
            x = graph.add("Add", &[&x, &down], &[]);
        }
        let normed = graph.norm(&x);
        let head = graph.weight([width, values]);
        graph.nodes.push(node("MatMul", &[&normed, &head], &["logits"], &[]));
        let (length_text, values_text) = (length.to_string(), values.to_string());
        let inputs = [value("tokens", INT64, &["batch", &length_text])];
        let outputs = [value("logits", FLOAT, &["batch", &length_text, &values_text])];
        let bytes = model(&graph.nodes, &graph.weights, &inputs, &outputs);
        std::fs::write(folder.join("network.onnx"), bytes).expect("a file");
        let file = folder.join("network.toml");
        let text = format!(
            "[model]\nonnx = \"network.onnx\"\nkind = \"masked\"\nvalues = {values}\nlength = {length}\nmask_id = {values}\n\
             [inputs]\ntokens = \"tokens\"\n[output]\nname = \"logits\"\nmeans = \"logits\"\n[process]\nschedule = \"linear\"\n"
        );
        std::fs::write(&file, text).expect("a file");
        file
    }
}
