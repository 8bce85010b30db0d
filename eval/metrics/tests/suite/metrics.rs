//! KID, precision and recall, density and coverage, the Inception Score and the Frechet distance on given features,
//! against exact values and the reference tools (`fixtures/metrics`).

use elbow_base::{Key, Silent};
use elbow_metrics::{
    Balls, Boundary, FeatureProvenance, Features, GaussianFit, Prdc, Statistics, between_features, directions,
    inception_score, kid, mind, prdc, spread_of_left_out,
};
use serde_json::Value;

use crate::{agrees, features_of, json, made, number, numbers};

fn pair(name: &str) -> [Features; 2] {
    ["generated", "reference"].map(|side| features_of(&format!("metrics/{name}.{side}.npy")))
}

fn close(value: f64, exact: f64, tolerance: f64, what: &str) {
    println!("{what}: {:e}", (value / exact - 1.0).abs());
    assert!(agrees(value, exact, tolerance), "{what}: {value} against {exact}");
}

#[test]
fn frechet_distance_is_exact_and_that_of_the_tools() {
    let golden = &json("metrics/golden.json")["frechet"];
    for name in ["full", "uneven", "thin"] {
        let [x, y] = pair(name);
        let ours = between_features(&x, &y, &FeatureProvenance::named("fixture")).expect("comparable");
        let golden = &golden[name];
        // Measured 3.1e-14 (uneven).
        close(ours.value, number(&golden["distance"]), 3e-13, name);
        assert_eq!(ours.rank_deficient, name == "thin");
        for (tool, theirs) in golden["tools"].as_object().expect("tools") {
            // They are off by up to 4.1e-7 (the mean in single precision) and 2.1e-7 (too few images).
            close(ours.value, number(&theirs["value"]), 1e-6, &format!("{name}, {tool}"));
        }
    }
    // Witness: torch-fidelity's rank-deficient value fails the test against the exact one.
    let thin = &golden["thin"];
    assert!(!agrees(number(&thin["tools"]["torch-fidelity"]["value"]), number(&thin["distance"]), 3e-13));
}

#[test]
fn frechet_distance_of_singular_covariances_is_exact() {
    let golden = &json("metrics/golden.json")["nan_square_root"];
    let statistics = |name: &str| {
        let sigma = features_of_f64(&format!("metrics/{name}.npy"));
        let d = sigma.len().isqrt();
        let covariance = faer::Mat::from_fn(d, d, |i, j| sigma[i * d + j]);
        GaussianFit::of_statistics(Statistics { mean: vec![0.0; d], covariance, n: None, provenance: None })
            .expect("a root")
    };
    // Witness: sqrt of the eigenvalues of the product, without complex numbers, is NaN here.
    let witness = golden.as_object().expect("an object").iter().find(|(key, _)| key.contains("eigvals"));
    assert_eq!(witness.map(|(_, value)| value.as_str()), Some(Some("nan")));
    let ours = statistics("nan.sigma1").distance(&statistics("nan.sigma2")).expect("agree");
    // Zero eigenvalues are rounding errors of 1e-16, their roots 1e-8: measured 1.1e-14 here.
    close(ours.value, number(&golden["distance_with_equal_means"]), 1e-13, "rank 3 of 8");
}

fn features_of_f64(name: &str) -> Vec<f64> {
    let file = std::fs::File::open(crate::fixture::fixture(name)).expect("bundled");
    npyz::NpyFile::new(std::io::BufReader::new(file)).expect("npy").into_vec().expect("f64")
}

#[test]
fn kid_is_exact_and_that_of_the_tools() {
    let golden = &json("metrics/golden.json")["kid"];
    for name in ["full", "uneven", "thin", "ties"] {
        let [x, y] = pair(name);
        let ours = kid(&x, &y, &Silent).expect("enough");
        let golden = &golden[name];
        // Measured 9.4e-14 (uneven, where the terms cancel) and 1.1e-14.
        close(ours.value, number(&golden["unbiased"]), 9e-13, name);
        close(ours.standard_error, number(&golden["standard_error"]), 1e-13, name);
        for (tool, theirs) in golden["tools"].as_object().expect("tools") {
            // They compute in single precision: 6.1e-6 off at most.
            close(ours.value, number(&theirs["value"]), 2e-5, &format!("{name}, {tool}"));
        }
        // Witness: the biased estimate, with the diagonal of the kernel matrix.
        assert!(!agrees(number(&golden["biased"]), ours.value, 2e-5));
    }
    // Witness: the standard deviation over subsets, which tools print beside it, depends on their size.
    let error = number(&golden["full"]["standard_error"]);
    for subsets in golden["full"]["witness"]["subsets"].as_array().expect("subsets") {
        assert!(!agrees(number(&subsets["std"]), error, 0.2), "{subsets}");
    }
    let [x, y] = pair("full");
    assert!(kid(&x.select(&[0, 1]), &y, &Silent).expect_err("too few").to_string().contains("2 and 300"));
    assert!(kid(&x, &pair("thin")[1], &Silent).expect_err("other features").to_string().contains("32 and of 128"));
}

fn shares(name: &str, balls: Balls) -> Prdc {
    let [x, y] = pair(name);
    prdc(&x, &y, balls, balls, &Silent).expect("enough")
}

fn four(found: &Prdc) -> [(&'static str, f64); 4] {
    let Prdc { precision, recall, density, coverage } = found;
    [("precision", precision), ("recall", recall), ("density", density), ("coverage", coverage)]
        .map(|(n, e)| (n, e.value))
}

#[test]
fn prdc_is_exact_and_that_of_the_tools() {
    let golden = &json("metrics/golden.json")["precision_recall"];
    for name in ["full", "uneven", "thin", "ties"] {
        for k in [3, 5] {
            let golden = &golden[name][k.to_string()];
            for boundary in [Boundary::Closed, Boundary::Open] {
                let found = shares(name, Balls { k, boundary });
                let what = format!("{name}, k = {k}, {boundary}");
                for (share, value) in four(&found) {
                    // Counts divided by counts: the last bit of a sum of shares is all that may differ.
                    let exact = number(&golden[boundary.to_string()][share]["value"]);
                    assert!((value - exact).abs() < 1e-13, "{what}: {share} {value} against {exact}");
                    for (tool, theirs) in golden["tools"].as_object().expect("tools") {
                        if theirs["rule"] == boundary.to_string() && !theirs[share].is_null() {
                            // torch-fidelity averages in single precision.
                            let gap = (value - number(&theirs[share]["value"])).abs();
                            assert!(gap < 1e-7, "{what}: {share} of {tool}");
                        }
                    }
                }
            }
            // Witnesses: precision and recall exchanged; an image as its own first neighbour.
            let found = four(&shares(name, Balls { k, boundary: Boundary::Closed }));
            assert!(
                (number(&golden["witness"]["swapped"]["precision"]) - found[0].1).abs() > 1e-7,
                "{name}: exchanged"
            );
            let own = &golden["witness"]["self_counted"]["closed"];
            assert!(found.iter().any(|(share, value)| (number(&own[share]) - value).abs() > 1e-7), "{name}: itself");
        }
    }
    // A tight cluster inside the reference: precise, and far from complete.
    let found = shares("full", Balls::PRECISION_RECALL);
    assert!(found.precision.value > 0.9 && found.recall.value < 0.3);
    // Witness: with duplicates the two rules differ.
    let rules = [Boundary::Closed, Boundary::Open].map(|boundary| four(&shares("ties", Balls { k: 3, boundary })));
    assert!(rules[0].iter().zip(rules[1]).all(|(closed, open)| closed.1 > open.1 + 0.1));
}

#[test]
fn prdc_far_from_the_origin_is_exact() {
    // The offset of 10,000 leaves single-precision inner products no digits: torch-fidelity finds 1 and 1 here.
    let golden = &json("metrics/golden.json")["offset_neighbours"];
    let all = features_of("metrics/offset.npy");
    let [x, y] = [all.select(&(0..150).collect::<Vec<_>>()), all.select(&(150..300).collect::<Vec<_>>())];
    let found = prdc(&x, &y, Balls::PRECISION_RECALL, Balls::DENSITY_COVERAGE, &Silent).expect("enough");
    assert!((found.precision.value - number(&golden["precision"])).abs() < 1e-13);
    assert!((found.recall.value - number(&golden["recall"])).abs() < 1e-13);
    assert_eq!(number(&golden["torch-fidelity"]["precision"]), 1.0);
}

#[test]
fn statistics_far_from_the_origin_are_exact() {
    let golden = &json("metrics/golden.json")["merging"];
    let all = features_of("metrics/offset.npy");
    let trace = |s: &Statistics| (0..32).map(|i| s.covariance[(i, i)]).sum::<f64>();
    let whole = Statistics::of(&all, &FeatureProvenance::named("fixture")).expect("enough");
    let sizes = numbers(&golden["parts"]);
    let mut first = 0;
    let parts: Vec<Statistics> = sizes
        .iter()
        .map(|&size| {
            let rows: Vec<usize> = (first..first + size as usize).collect();
            first += size as usize;
            Statistics::of(&all.select(&rows), &FeatureProvenance::named("fixture")).expect("enough")
        })
        .collect();
    let merged = parts[1..].iter().try_fold(parts[0].clone(), |all, part| all.merge(part)).expect("comparable");
    for (what, statistics) in [("whole", &whole), ("merged", &merged)] {
        // Measured 3.9e-14 and 7.9e-14.
        close(trace(statistics), number(&golden["trace"]), 3e-13, what);
        let entries = (0..32 * 32).map(|i| statistics.covariance[(i / 32, i % 32)].powi(2)).sum::<f64>();
        close(entries, number(&golden["sum_of_squared_entries"]), 6e-13, what);
        for (ours, exact) in statistics.mean.iter().zip(numbers(&golden["mean"])) {
            assert!((ours - exact).abs() < 1e-11, "{what}: mean {ours} against {exact}");
        }
    }
    // Witness: raw moments, in double and in single precision.
    for raw in ["raw_float64", "raw_float32"] {
        assert!(!agrees(number(&golden["witness"][raw]["trace"]), number(&golden["trace"]), 3e-13), "{raw}");
    }
}

#[test]
fn inception_score_is_exact_and_that_of_torch_fidelity() {
    let golden: Value = json("metrics/golden.json");
    let in_order = |logits: &Features| (0..logits.len()).collect::<Vec<usize>>();
    for name in ["logits", "sorted_logits"] {
        let logits = features_of(&format!("metrics/{name}.npy"));
        let golden = &golden["inception_score"][name];
        for splits in [1, 10] {
            let ours = inception_score(&logits, &in_order(&logits), splits).expect("enough");
            let golden = &golden[splits.to_string()];
            // Measured 1.4e-15.
            close(ours.value, number(&golden["mean"]), 1e-14, name);
            close(ours.value, number(&golden["tools"]["torch-fidelity"]["mean"]["value"]), 1e-14, name);
            if splits > 1 {
                close(ours.standard_error, number(&golden["standard_error_sample"]), 1e-14, name);
                // Witnesses: exp of the mean over everything; the splits' spread instead of the error of their mean.
                assert!(!agrees(number(&golden["witness"]["exp_of_mean"]["value"]), ours.value, 1e-14));
                assert!(!agrees(number(&golden["std"]), ours.standard_error, 1e-14));
            }
        }
    }
    // Witness: splits of images in the order of their classes see few classes each, and the score is halved.
    let of = |name: &str| {
        let logits = features_of(&format!("metrics/{name}.npy"));
        inception_score(&logits, &in_order(&logits), 10).expect("enough").value
    };
    assert!(of("sorted_logits") < 0.5 * of("logits"));
    // Probabilities that underflow count as the zeros that they are; torch-fidelity's score is NaN here.
    let tiny = Features { dimension: 2, values: vec![0.0, -800.0, 0.0, -900.0] };
    assert_eq!(inception_score(&tiny, &[0, 1], 1).expect("enough").value, 1.0);
    assert_eq!(golden["inception_score_underflow"]["torch-fidelity"]["value"], "nan");
    assert!(inception_score(&tiny, &[0, 1], 3).expect_err("too few").to_string().contains("it needs 3 images or more"));
}

/// More images than a block of rows (512), of columns (4096) and of statistics (1024), against brute force.
#[test]
fn kid_prdc_and_statistics_do_not_depend_on_blocks() {
    let (x, y) = (made(1025, 3, 1), made(4200, 3, 2));
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let kernel = |a: &[f32], b: &[f32]| (product(a, b) / 3.0 + 1.0).powi(3);
    let mean = |a: &Features, b: &Features, same: bool| {
        let sum: f64 = a
            .rows()
            .enumerate()
            .map(|(i, p)| {
                b.rows().enumerate().filter(|(j, _)| !(same && i == *j)).map(|(_, q)| kernel(p, q)).sum::<f64>()
            })
            .sum();
        sum / (a.len() * (b.len() - usize::from(same))) as f64
    };
    let brute = mean(&x, &x, true) + mean(&y, &y, true) - 2.0 * mean(&x, &y, false);
    let ours = kid(&x, &y, &Silent).expect("enough");
    // The terms are about 2: measured 1e-14.
    assert!((ours.value - brute).abs() < 1e-13, "{} against {brute}", ours.value);

    let squared =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum::<f64>();
    let radius = |set: &Features, i: usize, k: usize| {
        let mut all: Vec<f64> = (0..set.len()).filter(|&j| j != i).map(|j| squared(set.row(i), set.row(j))).collect();
        *all.select_nth_unstable_by(k - 1, f64::total_cmp).1
    };
    let radii: Vec<f64> = (0..y.len()).map(|j| radius(&y, j, 3)).collect();
    let precise = (0..x.len()).filter(|&i| (0..y.len()).any(|j| squared(x.row(i), y.row(j)) <= radii[j])).count();
    let found = prdc(&x, &y, Balls::PRECISION_RECALL, Balls::DENSITY_COVERAGE, &Silent).expect("enough");
    assert_eq!(found.precision.value, precise as f64 / x.len() as f64);

    let whole = Statistics::of(&x, &FeatureProvenance::named("made")).expect("enough");
    let mean: f64 = x.rows().map(|row| f64::from(row[1])).sum::<f64>() / 1025.0;
    let variance = x.rows().map(|row| (f64::from(row[1]) - mean).powi(2)).sum::<f64>() / 1024.0;
    close(whole.covariance[(1, 1)], variance, 1e-13, "a last block of one image");
    assert_eq!(whole.n, Some(1025));
}

fn mind_of(name: &str) -> elbow_metrics::Mind {
    let [x, y] = pair(name);
    let directions = features_of(&format!("mind/{name}.directions.npy"));
    mind(&x, &y, &directions, 10, &Key::new(0, "blocks"), &Silent).expect("comparable")
}

#[test]
fn mind_is_exact_for_sets_of_any_sizes() {
    let golden = json("mind/golden.json");
    for name in ["full", "uneven", "thin", "ties"] {
        let ours = mind_of(name);
        // Measured below 1.1e-15.
        close(ours.value, number(&golden[name]["mind"]), 1e-14, name);
        // Witnesses: unsorted numbers, absolute differences; the larger set cut to the size of the other.
        for (witness, value) in golden[name]["witness"].as_object().expect("an object") {
            let is_equal = witness == "truncated" && name != "uneven";
            assert_eq!(agrees(ours.value, number(value), 1e-14), is_equal, "{name}: {witness}");
        }
    }
}

#[test]
fn mind_of_a_shift_is_three_times_its_squared_length() {
    let [x, _] = pair("full");
    let shift: Vec<f32> = (0..x.dimension).map(|i| if i < 4 { 0.5 } else { 0.0 }).collect();
    let moved = x.rows().flat_map(|row| row.iter().zip(&shift).map(|(v, s)| v + s)).collect();
    let moved = Features { dimension: x.dimension, values: moved };
    let directions = directions(x.dimension, 4000, &Key::new(1, "directions"));
    let found = mind(&moved, &x, &directions, 10, &Key::new(0, "blocks"), &Silent).expect("comparable");
    // 4 * 0.25 = 1, over directions.
    let error = spread_of_left_out(&found.without_direction);
    assert!((found.value - 3.0).abs() < 4.0 * error && error < 0.1, "{} +- {error}", found.value);
    assert!(mind(&x, &x, &directions, 10, &Key::new(0, "blocks"), &Silent).expect("comparable").value == 0.0);
}

#[test]
fn mind_has_no_error_without_blocks_and_does_not_depend_on_them() {
    let [x, y] = pair("thin");
    let directions = features_of("mind/thin.directions.npy");
    let with = |blocks: usize| mind(&x, &y, &directions, blocks, &Key::new(0, "blocks"), &Silent).expect("comparable");
    let ten = with(10);
    assert_eq!((ten.without_block.len(), ten.without_direction.len()), (10, 12));
    for blocks in [0, 1, 61] {
        let found = with(blocks);
        assert_eq!((found.value, found.standard_error()), (ten.value, None), "{blocks}");
    }
    // Without a block it is the MIND of the others.
    let order = elbow_metrics::shuffled(60, &Key::new(0, "blocks"));
    let others = mind(&x.select(&order[6..]), &y, &directions, 0, &Key::new(0, "blocks"), &Silent).expect("comparable");
    assert!(agrees(ten.without_block[0], others.value, 1e-14), "{} {}", ten.without_block[0], others.value);
}
