//! Geometry of data series: markers, dash patterns, clipping.

use crate::renderer::{Dashes, Point};

/// The patterns of dashed series.
pub const DASHES: [Dashes; 3] = [
    Dashes { length: 7, gap: 4, dotted: false },
    Dashes { length: 2, gap: 3, dotted: false },
    Dashes { length: 9, gap: 8, dotted: true },
];

/// Outline of the `shape`-th marker around `(x, y)`. The shapes differ, so that series can be told apart without colour.
pub fn marker(shape: usize, (x, y): Point, radius: f64) -> Vec<Point> {
    // Corners, angle of the first in quarter turns from the right, size that looks equally large.
    let (corners, turn, size) = match shape % 5 {
        0 => (16, 0.0, 1.0),
        1 => (4, 0.5, 1.25),
        2 => (3, -1.0, 1.4),
        3 => (4, 0.0, 1.35),
        _ => (3, 1.0, 1.4),
    };
    (0..corners)
        .map(|corner| {
            let turn = turn / 4.0 + f64::from(corner) / f64::from(corners);
            let (sin, cos) = (turn * std::f64::consts::TAU).sin_cos();
            (x + radius * size * cos, y + radius * size * sin)
        })
        .collect()
}

/// The parts of a polyline inside of the unit square. A missing point breaks the line.
pub fn clip(points: &[Option<Point>]) -> Vec<Vec<Point>> {
    let mut runs: Vec<Vec<Point>> = Vec::new();
    for pair in points.windows(2) {
        let [Some(from), Some(to)] = *pair else { continue };
        let Some((from, to)) = clip_segment(from, to) else { continue };
        match runs.last_mut() {
            Some(run) if run.last() == Some(&from) => run.push(to),
            _ => runs.push(vec![from, to]),
        }
    }
    runs
}

/// Liang and Barsky's clipping of one segment against the unit square.
fn clip_segment(from: Point, to: Point) -> Option<(Point, Point)> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut enter, mut leave) = (0.0f64, 1.0f64);
    for (step, room) in [(-dx, from.0), (dx, 1.0 - from.0), (-dy, from.1), (dy, 1.0 - from.1)] {
        if step == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if step < 0.0 {
            enter = enter.max(room / step);
        } else {
            leave = leave.min(room / step);
        }
    }
    let at = |part: f64| (from.0 + part * dx, from.1 + part * dy);
    let end = |part: f64| if part == 0.0 { from } else { at(part) };
    let start = end(enter);
    let stop = if leave == 1.0 { to } else { at(leave) };
    (enter <= leave).then_some((start, stop))
}

/// The places at the given parts of the path's length.
pub fn along(path: &[Point], parts: impl Iterator<Item = f64>) -> Vec<Point> {
    let length = |pair: &[Point]| (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1);
    let whole: f64 = path.windows(2).map(length).sum();
    parts
        .filter_map(|part| {
            let mut left = part * whole;
            path.windows(2).find_map(|pair| {
                let step = length(pair);
                if left > step || step == 0.0 {
                    left -= step;
                    return None;
                }
                let (from, to) = (pair[0], pair[1]);
                let part = left / step;
                Some((from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1)))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_the_frame_and_break_at_missing_points() {
        let line = [
            Some((-0.5, 0.5)),
            Some((0.5, 0.5)),
            Some((0.5, 2.5)),
            None,
            Some((0.1, 0.1)),
            Some((0.2, 0.2)),
            Some((0.2, 0.4)),
        ];
        assert_eq!(clip(&line), [vec![(0.0, 0.5), (0.5, 0.5), (0.5, 1.0)], vec![(0.1, 0.1), (0.2, 0.2), (0.2, 0.4)],]);
        assert!(clip(&[Some((2.0, 0.0)), Some((3.0, 1.0))]).is_empty());
        assert!(clip(&[Some((-1.0, 1.5)), Some((2.0, 1.5))]).is_empty());
    }

    #[test]
    fn places_along_a_path_are_by_length() {
        let path = [(0.0, 0.0), (0.0, 0.0), (4.0, 0.0), (4.0, 4.0)];
        let places = along(&path, [0.25, 0.75].into_iter());
        assert_eq!(places, [(2.0, 0.0), (4.0, 2.0)]);
        assert!(along(&path[..1], [0.5].into_iter()).is_empty());
    }
}
