//! Self-attention of joined queries, keys and values, head by head.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::rotary::{Rotary, angles};
use super::simd::{Factor, LANES, exp, multiply, softmax, sum_of, vectorised};
use super::visibility::Visibility;
use super::{Operation, apply, composed, dims, numbers, runs_on, tensor};

/// softmax(q k^T / sqrt(size) + relative) v: \[batch, length, 3 width\] to \[batch, length, width\].
///
/// `relative` is \[heads, 2 length - 1\], added by relative position i - j + length - 1. Queries and keys are first
/// turned by `rotary`. A position mixes the values that it sees alone; where positions are counted from 0 again, `length`
/// is the number of those counted. The derivative keeps one number per row of scores and computes the scores again.
pub fn self_attention(
    qkv: Tensor<3>,
    heads: usize,
    rotary: Option<Rotary>,
    relative: Option<Tensor<2>>,
    visible: Visibility,
) -> Tensor<3> {
    if !runs_on(&qkv.device()) {
        return composed::self_attention(qkv, heads, rotary, relative, visible);
    }
    let [_, length, joined] = qkv.dims();
    let (size, period) = (joined / 3 / heads, visible.period(length));
    assert_eq!(joined, 3 * heads * size, "a width that {heads} heads share");
    if let Some(relative) = &relative {
        assert_eq!(relative.dims(), [heads, 2 * period - 1], "one score per head and relative position");
    }
    let turn = rotary.map(|rotary| Arc::new(Turn { rotary, period, angles: angles(period, size / 2) }));
    let attention = Attention { heads, turn, visible, is_relative: relative.is_some() };
    // The operation always has two inputs; the second is empty where nothing is added.
    let relative = relative.unwrap_or_else(|| Tensor::zeros([1, 1], &qkv.device()));
    apply(attention, [qkv.into_dispatch(), relative.into_dispatch()])
}

#[derive(Clone, Debug)]
struct Attention {
    heads: usize,
    turn: Option<Arc<Turn>>,
    visible: Visibility,
    is_relative: bool,
}

/// The inputs and sums that the derivative needs.
#[derive(Clone, Debug)]
struct Saved {
    qkv: FlexTensor,
    relative: FlexTensor,
    /// ln of the sum of e^score, by sequence, head and position.
    log_sums: Arc<Vec<f32>>,
}

impl Operation<2> for Attention {
    type Saved = Saved;

    fn forward(&self, [qkv, relative]: [FlexTensor; 2], keep: bool) -> (FlexTensor, Option<Saved>) {
        let [batch, length, joined] = dims(&qkv);
        let width = joined / 3;
        let mut mixed = vec![0.0; batch * length * width];
        let mut log_sums = vec![0.0; batch * self.heads * length];
        let bias = self.bias(&relative, self.visible.period(length));
        let rows = numbers(&qkv).par_chunks(length * joined).zip(mixed.par_chunks_mut(length * width));
        rows.zip(log_sums.par_chunks_mut(self.heads * length)).for_each_init(
            || Head::new(length, width / self.heads),
            |head, ((qkv, mixed), log_sums)| {
                attend_heads(self, head, &bias, qkv, mixed, log_sums);
            },
        );
        let saved = keep.then(|| Saved { qkv, relative, log_sums: Arc::new(log_sums) });
        (tensor(mixed, [batch, length, width]), saved)
    }

    fn backward(&self, saved: Saved, gradient: FlexTensor) -> [FlexTensor; 2] {
        let [batch, length, joined] = dims(&saved.qkv);
        let width = joined / 3;
        let mut of_qkv = vec![0.0; batch * length * joined];
        let period = self.visible.period(length);
        let bias = self.bias(&saved.relative, period);
        let rows = numbers(&saved.qkv).par_chunks(length * joined).zip(of_qkv.par_chunks_mut(length * joined));
        let rows = rows.zip(saved.log_sums.par_chunks(self.heads * length));
        // One gradient per sequence: their sum does not depend on the number of threads.
        let of_bias: Vec<Vec<f32>> = rows
            .zip(numbers(&gradient).par_chunks(length * width))
            .map_init(
                || (Head::new(length, width / self.heads), Slopes::new(length, width / self.heads)),
                |(head, slopes), (((qkv, of_qkv), log_sums), gradient)| {
                    let mut of_bias = vec![0.0; if self.is_relative { self.heads * (2 * period - 1) } else { 0 }];
                    let parts = (qkv, log_sums, gradient, of_qkv, &mut of_bias[..]);
                    attend_slopes(self, head, slopes, &bias, parts);
                    of_bias
                },
            )
            .collect();
        let mut of_relative = vec![0.0; numbers(&saved.relative).len()];
        if self.is_relative {
            for (number, row) in of_relative.chunks_exact_mut(2 * period - 1).enumerate() {
                let range = number * (2 * period - 1)..(number + 1) * (2 * period - 1);
                for (offset, sum) in row.iter_mut().rev().enumerate() {
                    *sum = of_bias.iter().map(|part| part[range.start + offset]).sum();
                }
            }
        }
        [tensor(of_qkv, [batch, length, joined]), tensor(of_relative, dims::<2>(&saved.relative))]
    }
}

impl Attention {
    /// The relative scores of each head, backwards: those of position i are the `period` numbers from period - 1 - i on.
    fn bias(&self, relative: &FlexTensor, period: usize) -> Vec<Vec<f32>> {
        if !self.is_relative {
            return Vec::new();
        }
        numbers(relative).chunks_exact(2 * period - 1).map(|row| row.iter().rev().copied().collect()).collect()
    }
}

vectorised! {
    /// The attention of all heads of one sequence.
    fn attend_heads(attention: &Attention, head: &mut Head, bias: &[Vec<f32>], qkv: &[f32], mixed: &mut [f32], log_sums: &mut [f32]) {
        let width = qkv.len() / head.length / 3;
        for (number, log_sums) in log_sums.chunks_exact_mut(head.length).enumerate() {
            head.load(qkv, number, width, attention.turn.as_deref());
            head.scores(bias.get(number), attention.visible);
            for (row, log_sum) in log_sums.iter_mut().enumerate() {
                *log_sum = softmax(head.gather(row, attention.visible));
                head.scatter(row, attention.visible);
            }
            head.mix();
            store(&head.mixed, mixed, [number * head.size, width, head.size], head.padded);
        }
    }
}

/// Inputs and their gradients: q, k and v, the log-sums of the scores, the gradient of the result, those of q, k and v,
/// and those of the relative scores.
type Parts<'a> = (&'a [f32], &'a [f32], &'a [f32], &'a mut [f32], &'a mut [f32]);

vectorised! {
    fn attend_slopes(attention: &Attention, head: &mut Head, slopes: &mut Slopes, bias: &[Vec<f32>], parts: Parts) {
        let (qkv, log_sums, gradient, of_qkv, of_bias) = parts;
        let width = qkv.len() / head.length / 3;
        for (number, log_sums) in log_sums.chunks_exact(head.length).enumerate() {
            head.load(qkv, number, width, attention.turn.as_deref());
            head.scores(bias.get(number), attention.visible);
            for (row, log_sum) in log_sums.iter().enumerate() {
                for score in head.gather(row, attention.visible) {
                    *score = exp(*score - log_sum);
                }
                head.scatter(row, attention.visible);
            }
            let period = attention.visible.period(head.length);
            let of_bias = of_bias.chunks_exact_mut(2 * period - 1).nth(number);
            slopes.of(head, gradient, number, width, of_bias.map(|of_bias| (of_bias, period)));
            slopes.store(of_qkv, number, width, head, attention.turn.as_deref());
        }
    }
}

/// The angles of the rotation of queries and keys.
#[derive(Debug)]
struct Turn {
    rotary: Rotary,
    /// The number of positions after which they are counted from 0 again.
    period: usize,
    /// Cosines and sines, position after position.
    angles: [Vec<f32>; 2],
}

impl Turn {
    /// Turns the vector of a position; `back` by the opposite angle.
    #[inline(always)]
    fn apply(&self, vector: &mut [f32], position: usize, back: bool) {
        let half = vector.len() / 2;
        let position = position % self.period;
        let [cos, sin] = self.angles.each_ref().map(|table| &table[position * half..][..half]);
        for k in 0..half {
            let (first, second) = match self.rotary {
                Rotary::Interleaved => (2 * k, 2 * k + 1),
                Rotary::Halves => (k, k + half),
            };
            let (a, b, sin) = (vector[first], vector[second], if back { -sin[k] } else { sin[k] });
            vector[first] = a * cos[k] - b * sin;
            vector[second] = a * sin + b * cos[k];
        }
    }
}

/// One head of one sequence, in rows padded with zeros to whole vectors.
struct Head {
    length: usize,
    /// Numbers per query.
    size: usize,
    /// `size`, padded.
    padded: usize,
    /// `length`, padded.
    across: usize,
    /// Queries over sqrt(size), keys, values: \[length, padded\].
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    /// Keys and values, transposed: \[size, across\].
    kt: Vec<f32>,
    vt: Vec<f32>,
    /// Scores, then probabilities: \[length, across\].
    p: Vec<f32>,
    /// \[length, padded\].
    mixed: Vec<f32>,
}

impl Head {
    fn new(length: usize, size: usize) -> Self {
        let (padded, across) = (size.next_multiple_of(LANES), length.next_multiple_of(LANES));
        let rows = || vec![0.0; length * padded];
        let columns = || vec![0.0; size * across];
        let p = vec![0.0; length * across];
        Self {
            length,
            size,
            padded,
            across,
            q: rows(),
            k: rows(),
            v: rows(),
            kt: columns(),
            vt: columns(),
            p,
            mixed: rows(),
        }
    }

    /// Cuts head `number` out of the rows of a sequence.
    #[inline(always)]
    fn load(&mut self, qkv: &[f32], number: usize, width: usize, turn: Option<&Turn>) {
        let scale = 1.0 / (self.size as f32).sqrt();
        let (size, padded, across) = (self.size, self.padded, self.across);
        for (position, row) in qkv.chunks_exact(3 * width).enumerate() {
            let part = |which: usize| &row[which * width + number * size..][..size];
            let q = &mut self.q[position * padded..][..size];
            q.copy_from_slice(part(0));
            let k = &mut self.k[position * padded..][..size];
            k.copy_from_slice(part(1));
            if let Some(turn) = turn {
                turn.apply(q, position, false);
                turn.apply(k, position, false);
            }
            for q in q {
                *q *= scale;
            }
            self.v[position * padded..][..size].copy_from_slice(part(2));
            for (i, (&k, &v)) in k.iter().zip(part(2)).enumerate() {
                self.kt[i * across + position] = k;
                self.vt[i * across + position] = v;
            }
        }
    }

    /// The scores of all rows.
    #[inline(always)]
    fn scores(&mut self, bias: Option<&Vec<f32>>, visible: Visibility) {
        let (length, across, period) = (self.length, self.across, visible.period(self.length));
        let q = Factor::<false> { numbers: &self.q, across: self.padded };
        multiply(q, &self.kt, &mut self.p, [length, self.size, across]);
        if let Some(bias) = bias {
            for (row, scores) in self.p.chunks_exact_mut(across).enumerate() {
                let bias = &bias[period - 1 - row % period..][..period];
                for scores in scores[..length].chunks_exact_mut(period) {
                    for (score, bias) in scores.iter_mut().zip(bias) {
                        *score += bias;
                    }
                }
            }
        }
    }

    /// The scores of the positions that a row sees, brought to the front of the row.
    #[inline(always)]
    fn gather(&mut self, row: usize, visible: Visibility) -> &mut [f32] {
        let [first, second] = visible.ranges(row, self.length);
        let (one, both) = (first.len(), first.len() + second.len());
        let scores = &mut self.p[row * self.across..][..self.across];
        scores.copy_within(first, 0);
        scores.copy_within(second, one);
        &mut scores[..both]
    }

    /// Takes what [`Self::gather`] brought to the front back to its places; what the row does not see becomes 0.
    #[inline(always)]
    fn scatter(&mut self, row: usize, visible: Visibility) {
        let [first, second] = visible.ranges(row, self.length);
        let (one, both) = (first.len(), first.len() + second.len());
        let scores = &mut self.p[row * self.across..][..self.across];
        // The second part first: its places begin where the first part's end, or later.
        scores.copy_within(one..both, second.start);
        scores.copy_within(0..one, first.start);
        scores[..first.start].fill(0.0);
        scores[first.end..second.start].fill(0.0);
        scores[second.end..].fill(0.0);
    }

    #[inline(always)]
    fn mix(&mut self) {
        let p = Factor::<false> { numbers: &self.p, across: self.across };
        multiply(p, &self.v, &mut self.mixed, [self.length, self.length, self.padded]);
    }
}

/// Gradients of one head.
struct Slopes {
    /// Gradients of the result, of q, k and v: \[length, padded\].
    out: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    /// Gradients of the probabilities, then of the scores: \[length, across\].
    p: Vec<f32>,
}

impl Slopes {
    fn new(length: usize, size: usize) -> Self {
        let rows = || vec![0.0; length * size.next_multiple_of(LANES)];
        let p = vec![0.0; length * length.next_multiple_of(LANES)];
        Self { out: rows(), q: rows(), k: rows(), v: rows(), p }
    }

    /// Computes them from the gradient of the result; those of the relative scores are added to `of_bias`, which comes with
    /// its period.
    #[inline(always)]
    fn of(
        &mut self,
        head: &Head,
        gradient: &[f32],
        number: usize,
        width: usize,
        mut of_bias: Option<(&mut [f32], usize)>,
    ) {
        let Head { length, size, padded, across, .. } = *head;
        for (row, gradient) in self.out.chunks_exact_mut(padded).zip(gradient.chunks_exact(width)) {
            row[..size].copy_from_slice(&gradient[number * size..][..size]);
        }
        let out = Factor::<false> { numbers: &self.out, across: padded };
        multiply(out, &head.vt, &mut self.p, [length, size, across]);
        multiply(Factor::<true> { numbers: &head.p, across }, &self.out, &mut self.v, [length, length, padded]);
        for (row, (slopes, p)) in self.p.chunks_exact_mut(across).zip(head.p.chunks_exact(across)).enumerate() {
            let along = sum_of(slopes, p, |a, b| a * b);
            for (slope, p) in slopes.iter_mut().zip(p) {
                *slope = p * (*slope - along);
            }
            if let Some((of_bias, period)) = &mut of_bias {
                let of_bias = &mut of_bias[*period - 1 - row % *period..][..*period];
                for slopes in slopes[..length].chunks_exact(*period) {
                    for (sum, slope) in of_bias.iter_mut().zip(slopes) {
                        *sum += slope;
                    }
                }
            }
        }
        let scores = Factor::<false> { numbers: &self.p, across };
        multiply(scores, &head.k, &mut self.q, [length, length, padded]);
        multiply(Factor::<true> { numbers: &self.p, across }, &head.q, &mut self.k, [length, length, padded]);
    }

    /// Puts the gradients of q, k and v into their places.
    #[inline(always)]
    fn store(&mut self, of_qkv: &mut [f32], number: usize, width: usize, head: &Head, turn: Option<&Turn>) {
        let Head { size, padded, .. } = *head;
        let scale = 1.0 / (size as f32).sqrt();
        for q in &mut self.q {
            *q *= scale;
        }
        if let Some(turn) = turn {
            for rows in [&mut self.q, &mut self.k] {
                for (position, row) in rows.chunks_exact_mut(padded).enumerate() {
                    turn.apply(&mut row[..size], position, true);
                }
            }
        }
        for (which, part) in [&self.q, &self.k, &self.v].into_iter().enumerate() {
            store(part, of_qkv, [which * width + number * size, 3 * width, size], padded);
        }
    }
}

/// Copies rows into columns `first`.. of rows of `across` numbers.
#[inline(always)]
fn store(rows: &[f32], into: &mut [f32], [first, across, size]: [usize; 3], padded: usize) {
    for (row, into) in rows.chunks_exact(padded).zip(into.chunks_exact_mut(across)) {
        into[first..first + size].copy_from_slice(&row[..size]);
    }
}
