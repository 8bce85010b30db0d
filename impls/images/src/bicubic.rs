//! Pillow's bicubic resizing of 8-bit images, to the bit: what `Image.resize` and torchvision's `Resize` of an image do.
//!
//! Weights are whole multiples of 2^-22 and each of the two passes, along rows and then along columns, rounds to whole levels.
//! A resizing in floating point, and one with fewer digits, differ from it by up to a level, which features of a network show.

/// Digits behind the point of a weight: a sum of levels times weights fits into 32 bits with room for overshoot.
const DIGITS: i32 = 22;

/// The weights of one output position.
struct Taps {
    /// The first input position.
    first: usize,
    weights: Vec<i32>,
}

/// Resizes one channel \[height, width\], row by row, from one height and width to another, both at least 1, with antialias where
/// it shrinks.
///
/// ```
/// // A step in a row of four, twice as wide: bicubic overshoots, and is cut at black and white.
/// let wide = elbow_images::pillow_bicubic(&[0, 0, 255, 255], [1, 4], [1, 8]);
/// assert_eq!(wide, [0, 0, 0, 52, 203, 255, 255, 255]);
/// ```
pub fn pillow_bicubic(levels: &[u8], from: [usize; 2], to: [usize; 2]) -> Vec<u8> {
    assert_eq!(levels.len(), from[0] * from[1], "levels of {from:?}");
    let along_rows: Vec<u8> = match from[1] == to[1] {
        true => levels.to_vec(),
        false => {
            let taps = taps(from[1], to[1]);
            levels.chunks(from[1]).flat_map(|row| taps.iter().map(move |taps| taps.of(|x| row[x]))).collect()
        }
    };
    if from[0] == to[0] {
        return along_rows;
    }
    let width = to[1];
    let row =
        |taps: &Taps| -> Vec<u8> { (0..width).map(|column| taps.of(|row| along_rows[row * width + column])).collect() };
    taps(from[0], to[0]).iter().flat_map(row).collect()
}

impl Taps {
    /// The weighted sum of the levels at the input positions, rounded to a level.
    fn of(&self, level: impl Fn(usize) -> u8) -> u8 {
        let terms = self.weights.iter().zip(self.first..).map(|(weight, place)| i32::from(level(place)) * weight);
        let sum: i32 = (1 << (DIGITS - 1)) + terms.sum::<i32>();
        (sum >> DIGITS).clamp(0, 255) as u8
    }
}

/// The weights of every output position along one axis.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    // Where it shrinks, the spline is as wide as the output's pixels.
    let width = scale.max(1.0);
    // Divided by as the tool does: the product with the reciprocal.
    let narrow = 1.0 / width;
    let support = 2.0 * width;
    (0..to)
        .map(|place| {
            let centre = (place as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let spline: Vec<f64> = (first..end).map(|x| catmull_rom((x as f64 - centre + 0.5) * narrow)).collect();
            let total: f64 = spline.iter().sum();
            Taps { first, weights: spline.iter().map(|weight| fixed_point(weight / total)).collect() }
        })
        .collect()
}

/// The cubic spline with a = -1/2.
fn catmull_rom(x: f64) -> f64 {
    let x = x.abs();
    match x {
        _ if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        _ if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5,
        _ => 0.0,
    }
}

/// Rounded to the nearest multiple of 2^-22, halves away from zero.
fn fixed_point(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << DIGITS);
    (scaled + if weight < 0.0 { -0.5 } else { 0.5 }) as i32
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The top 8 bits of splitmix64, as in `fixtures/pillow`.
    fn noise(seed: u64, count: usize) -> Vec<u8> {
        let level = |i: u64| {
            let mut z = ((seed << 32) + i).wrapping_add(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 56) as u8
        };
        (0..count as u64).map(level).collect()
    }

    /// The same weights in double precision, rounded once at the end.
    fn floating(levels: &[u8], from: [usize; 2], to: [usize; 2]) -> Vec<u8> {
        let exact = |from, to| -> Vec<(usize, Vec<f64>)> {
            let one = |taps: Taps| {
                (taps.first, taps.weights.iter().map(|w| f64::from(*w) / f64::from(1 << DIGITS)).collect())
            };
            taps(from, to).into_iter().map(one).collect()
        };
        let (rows, columns) = (exact(from[0], to[0]), exact(from[1], to[1]));
        let mut out = Vec::new();
        for (top, down) in &rows {
            for (left, across) in &columns {
                let along = |row: usize| -> f64 {
                    across.iter().zip(*left..).map(|(w, x)| w * f64::from(levels[row * from[1] + x])).sum()
                };
                let sum: f64 = down.iter().zip(*top..).map(|(w, row)| w * along(row)).sum();
                out.push(sum.round().clamp(0.0, 255.0) as u8);
            }
        }
        out
    }

    #[test]
    fn every_level_is_pillows() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/pillow/golden.json");
        let golden: Value = serde_json::from_slice(&std::fs::read(path).expect("a fixture")).expect("JSON");
        let (mut compared, mut rounded_once) = (0, 0);
        for case in golden["cases"].as_array().expect("cases") {
            let numbers = |value: &Value| -> Vec<u64> {
                value.as_array().expect("numbers").iter().map(|n| n.as_u64().expect("a whole number")).collect()
            };
            let size = |name: &str| {
                <[usize; 2]>::try_from(numbers(&case[name]).iter().map(|&n| n as usize).collect::<Vec<_>>())
            };
            let (from, to) = (size("from").expect("two"), size("to").expect("two"));
            let levels = noise(case["seed"].as_u64().expect("a seed"), from[0] * from[1]);
            let expected: Vec<u8> = numbers(&case["levels"]).into_iter().map(|level| level as u8).collect();
            assert_eq!(pillow_bicubic(&levels, from, to), expected, "{from:?} to {to:?}");
            compared += expected.len();
            let once = floating(&levels, from, to);
            rounded_once += once.iter().zip(&expected).filter(|(a, b)| a != b).count();
        }
        // Witness: without the rounding between the passes one level in twenty is another.
        assert!(compared > 5000 && rounded_once * 20 > compared, "{rounded_once} of {compared}");
    }
}
