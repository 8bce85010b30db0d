//! Rotary positions.

/// Which coordinates of a head are rotated together (Su et al. 2021; both with base 10,000).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotary {
    /// Neighbours (2k, 2k + 1): MD4.
    Interleaved,
    /// Halves (k, k + size/2): MDLM.
    Halves,
}

/// Cosine and sine of position * 10000^(-k / half), each \[length, half\].
pub fn angles(length: usize, half: usize) -> [Vec<f32>; 2] {
    let rates: Vec<f64> = (0..half).map(|k| 10_000f64.powf(-(k as f64) / half as f64)).collect();
    let table = |f: fn(f64) -> f64| {
        let angles = (0..length).flat_map(|position| rates.iter().map(move |rate| position as f64 * rate));
        angles.map(|angle| f(angle) as f32).collect()
    };
    [table(f64::cos), table(f64::sin)]
}
