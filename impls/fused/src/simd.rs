//! Arithmetic on rows that compiles to vector instructions of the processor's widest registers.

use gemm::Parallelism;

/// Numbers in a vector register of the widest processors.
pub const LANES: usize = 16;
/// Rows of a product that are kept in registers together.
const ROWS: usize = 6;
/// Multiplications from which a product is shared among threads.
const SHARED: usize = 1 << 22;

/// Functions compiled for each width of vectors, of which the processor's widest runs.
///
/// Every function that they call must be marked `#[inline(always)]` or be a small closure: code that stays a function of
/// its own is compiled for the oldest processor.
macro_rules! vectorised {
    ($($(#[$about:meta])* $visible:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block)+) => {$(
        $(#[$about])*
        $visible fn $name($($argument: $type),*) {
            #[inline(always)]
            fn body($($argument: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512cd,avx2,fma")]
                fn widest($($argument: $type),*) {
                    body($($argument),*)
                }

                #[target_feature(enable = "avx2,fma")]
                fn wide($($argument: $type),*) {
                    body($($argument),*)
                }

                if $crate::simd::has_avx512() {
                    // SAFETY: the processor has these instructions.
                    return unsafe { widest($($argument),*) };
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has these instructions.
                    return unsafe { wide($($argument),*) };
                }
            }
            body($($argument),*)
        }
    )+};
}

pub(crate) use vectorised;

/// Whether the processor has vectors of 16 numbers, with every extension that compilers use with them.
#[cfg(target_arch = "x86_64")]
pub fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("fma")
}

/// e^x for x clamped to \[-87, 88\], by Cephes' polynomial: relative error below 2e-7.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const POLYNOMIAL: [f32; 5] = [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1];
    // Adding 1.5 2^23 rounds to a whole number, which is then in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    // ln 2 in two parts, the first with few bits.
    let rest = whole.mul_add(-0.693_359_4, x);
    let rest = whole.mul_add(2.121_944_4e-4, rest);
    let mut sum = 1.987_569_2e-4_f32;
    for coefficient in POLYNOMIAL {
        sum = sum.mul_add(rest, coefficient);
    }
    let fraction = sum.mul_add(rest * rest, rest + 1.0);
    fraction * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// Sum over i of term(a\[i\], b\[i\]), in lanes.
#[inline(always)]
pub fn sum_of(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let mut tail = 0.0;
    for (&a, &b) in a_chunks.remainder().iter().zip(b_chunks.remainder()) {
        tail += term(a, b);
    }
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += term(a[lane], b[lane]);
        }
    }
    lanes.iter().sum::<f32>() + tail
}

/// The largest number of a row.
#[inline(always)]
pub fn largest(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = row.chunks_exact(LANES);
    let tail = chunks.remainder().iter().fold(f32::NEG_INFINITY, |a, &b| if a > b { a } else { b });
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = if lanes[lane] > chunk[lane] { lanes[lane] } else { chunk[lane] };
        }
    }
    lanes.iter().fold(tail, |a, &b| if a > b { a } else { b })
}

/// Turns scores into e^(score - largest) / sum, and returns ln of the sum of e^score.
#[inline(always)]
pub fn softmax(row: &mut [f32]) -> f32 {
    let top = largest(row);
    let mut lanes = [0.0f32; LANES];
    let mut total = 0.0;
    let mut chunks = row.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for lane in 0..LANES {
            chunk[lane] = exp(chunk[lane] - top);
            lanes[lane] += chunk[lane];
        }
    }
    for value in chunks.into_remainder() {
        *value = exp(*value - top);
        total += *value;
    }
    total += lanes.iter().sum::<f32>();
    let scale = 1.0 / total;
    for value in row {
        *value *= scale;
    }
    top + total.ln()
}

/// A product's factor, row after row of `across` numbers: itself, or its transpose.
#[derive(Clone, Copy)]
pub struct Factor<'a, const TRANSPOSED: bool> {
    pub numbers: &'a [f32],
    pub across: usize,
}

/// c = a b, for small matrices: a is m x k, b and c have rows of `across` numbers, a multiple of [`LANES`].
#[inline(always)]
pub fn multiply<const TRANSPOSED: bool>(a: Factor<TRANSPOSED>, b: &[f32], c: &mut [f32], [m, k, across]: [usize; 3]) {
    let whole = m - m % ROWS;
    for first in (0..whole).step_by(ROWS) {
        block::<ROWS, TRANSPOSED>(a, b, c, [first, k, across]);
    }
    for first in whole..m {
        block::<1, TRANSPOSED>(a, b, c, [first, k, across]);
    }
}

#[inline(always)]
fn block<const R: usize, const TRANSPOSED: bool>(
    a: Factor<TRANSPOSED>,
    b: &[f32],
    c: &mut [f32],
    [first, k, across]: [usize; 3],
) {
    let row = |r: usize| match TRANSPOSED {
        true => &a.numbers[..0],
        false => &a.numbers[(first + r) * a.across..][..k],
    };
    let rows: [&[f32]; R] = std::array::from_fn(row);
    for column in (0..across).step_by(LANES) {
        let mut sums = [[0.0f32; LANES]; R];
        for p in 0..k {
            let values: &[f32; LANES] = b[p * across + column..][..LANES].try_into().expect("as long");
            let factors: [f32; R] = match TRANSPOSED {
                true => a.numbers[p * a.across + first..][..R].try_into().expect("as long"),
                false => std::array::from_fn(|r| rows[r][p]),
            };
            for r in 0..R {
                for lane in 0..LANES {
                    sums[r][lane] = factors[r].mul_add(values[lane], sums[r][lane]);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            c[(first + r) * across + column..][..LANES].copy_from_slice(sums);
        }
    }
}

/// A matrix inside of a slice: entry (i, j) at i rows + j columns.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub numbers: &'a [f32],
    pub rows: usize,
    pub columns: usize,
}

impl<'a> View<'a> {
    /// Rows of this many numbers, one after the other.
    pub fn new(numbers: &'a [f32], across: usize) -> Self {
        Self { numbers, rows: across, columns: 1 }
    }

    pub fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, ..self }
    }

    fn holds(&self, m: usize, n: usize) -> bool {
        m == 0 || n == 0 || (m - 1) * self.rows + (n - 1) * self.columns < self.numbers.len()
    }
}

/// c = a b for matrices of any size, where c has rows of `across` numbers, of which n are written.
pub fn product(a: View, b: View, c: &mut [f32], across: usize, shape: [usize; 3]) {
    let [m, _, n] = shape;
    assert!(View::new(c, across).holds(m, n), "a product reaches beyond its place");
    // SAFETY: c is borrowed mutably, and every write lies inside of it.
    unsafe { write_product(a, b, c.as_mut_ptr(), across, shape) }
}

/// a b: m rows of n numbers.
pub fn product_of(a: View, b: View, shape: [usize; 3]) -> Vec<f32> {
    let [m, _, n] = shape;
    let mut c = Vec::with_capacity(m * n);
    // SAFETY: a product writes each of its m n numbers and reads none of them.
    unsafe {
        write_product(a, b, c.as_mut_ptr(), n, shape);
        c.set_len(m * n);
    }
    c
}

/// # Safety
///
/// At `c` there must be room for m rows of n numbers at distances of `across`, which nothing else uses.
unsafe fn write_product(a: View, b: View, c: *mut f32, across: usize, [m, k, n]: [usize; 3]) {
    assert!(a.holds(m, k) && b.holds(k, n), "a product reaches beyond its factors");
    let threads = if m * k * n < SHARED { Parallelism::None } else { Parallelism::Rayon(0) };
    // SAFETY: every read lies inside of the slices, as asserted above; the writes are the caller's promise.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c,
            1,
            across as isize,
            false,
            a.numbers.as_ptr(),
            a.columns as isize,
            a.rows as isize,
            b.numbers.as_ptr(),
            b.columns as isize,
            b.rows as isize,
            0.0f32,
            1.0f32,
            false,
            false,
            false,
            threads,
        );
    }
}

vectorised! {
    /// Adds `row` to each of the rows.
    pub fn add_rows(rows: &mut [f32], row: &[f32]) {
        for sums in rows.chunks_exact_mut(row.len()) {
            for (sum, x) in sums.iter_mut().zip(row) {
                *sum += x;
            }
        }
    }

    /// Adds up the rows.
    pub fn sum_rows(sums: &mut [f32], rows: &[f32]) {
        for row in rows.chunks_exact(sums.len()) {
            for (sum, x) in sums.iter_mut().zip(row) {
                *sum += x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Measured: 1.2e-7.
    const EXP_TOLERANCE: f64 = 2e-7;

    #[test]
    fn the_exponential_is_accurate_over_its_range() {
        let worst = (-870_000..=880_000)
            .map(|i| i as f32 * 1e-4)
            .map(|x| (f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs())
            .fold(0.0, f64::max);
        assert!(worst < EXP_TOLERANCE, "{worst:e}");
        assert!(exp(f32::NEG_INFINITY) < 1.7e-38);
    }

    #[test]
    fn small_products_equal_large_ones() {
        let (m, k, n) = (13, 7, 2 * LANES);
        let numbers = |count: usize, step: f32| (0..count).map(|i| (i as f32 * step).sin()).collect::<Vec<f32>>();
        let (a, b) = (numbers(m * k, 0.7), numbers(k * n, 0.3));
        let (mut small, mut large) = (vec![0.0; m * n], vec![0.0; m * n]);
        multiply(Factor::<false> { numbers: &a, across: k }, &b, &mut small, [m, k, n]);
        product(View::new(&a, k), View::new(&b, n), &mut large, n, [m, k, n]);
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(near(&small, &large));
        let across: Vec<f32> = (0..k * m).map(|i| a[i % m * k + i / m]).collect();
        let mut turned = vec![0.0; m * n];
        multiply(Factor::<true> { numbers: &across, across: m }, &b, &mut turned, [m, k, n]);
        assert!(near(&turned, &large));
        product(View::new(&across, m).transposed(), View::new(&b, n), &mut turned, n, [m, k, n]);
        assert!(near(&turned, &large));
    }
}
