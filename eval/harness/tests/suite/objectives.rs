//! The code that trains every objective, run with a table denoiser, against the exact bound of the toy.

use burn::tensor::{Device, Tensor, TensorData};
use elbow_harness::denoisers::table_denoiser;
use elbow_harness::likelihood::Estimate;
use elbow_impls::any_order::{AnyOrder, DceForm, K_DCE, k_dce_draws};
use elbow_impls::corruption::{Corruption, MaskedBatch};
use elbow_impls::d3pm::{D3pmAbsorbing, D3pmUniform, ReverseKernel};
use elbow_impls::data::Tokens;
use elbow_impls::genmd4::{GenMd4, powers};
use elbow_impls::maskgit::{MaskGit, MaskRates, Normaliser};
use elbow_impls::md4::Md4;
use elbow_impls::mdlm::{Mdlm, Protocol};
use elbow_impls::network::{TableDenoiser, TokenDenoiser, to_f64_vec};
use elbow_impls::objective::{Batch, BoundTerms, TokenObjective};
use elbow_impls::schedule::{MaskedSchedule, VectorSchedule};
use elbow_impls::time_sampling::TimeSampling;
use elbow_impls::{Key, Weighting};
use elbow_theory::discrete::{self, DiscreteModel, Forward, ReverseParameterization};
use elbow_theory::masked::{Enumeration, any_order_nll, cascade, neg_elbo};
use elbow_theory::{Alphabet, Toy};

use crate::fixture::{REJECT, agrees, fixture, json, number, numbers, score};

const BATCHES: u64 = 300;
const BATCH: usize = 128;

fn toy(name: &str, alphabet: Alphabet) -> Toy {
    Toy::load(&fixture(&format!("{name}.json")), alphabet).expect("bundled")
}

/// Batches of draws from a toy: `f` of each, and the mean over batches with its error.
fn mean(toy: &Toy, f: impl Fn(&Batch, &Key) -> f64) -> Estimate {
    let one = |b: u64| {
        let key = |purpose| Key::new(11, purpose).fold(b);
        let u = TimeSampling::Stratified.draw(BATCH, &key("times"));
        f(&Batch::new(toy.draw(BATCH, &key("data")), u), &key("masks"))
    };
    Estimate::of(&(0..BATCHES).map(one).collect::<Vec<_>>())
}

/// The sum of a batch's bounds.
fn total(terms: &[BoundTerms]) -> f64 {
    terms.iter().map(BoundTerms::sum).sum()
}

/// The mean bound of an objective.
fn bound(objective: &dyn TokenObjective, toy: &Toy, table: &TableDenoiser) -> Estimate {
    mean(toy, |batch, key| total(&objective.nelbo(table, batch, key, &Device::flex()).expect("a bound")) / BATCH as f64)
}

/// Largest error of an exact mean, relative: cross-entropies, and the losses that train, are in single precision, whose
/// unit is 6e-8.
const ROUNDING: f64 = 1e-6;

/// A time, a mask, and their probability.
type Outcome = (f64, Vec<bool>, f64);

/// All masks of `length` tokens.
fn masks(length: usize) -> impl Iterator<Item = Vec<bool>> {
    (0..1u32 << length).map(move |mask| (0..length).map(|n| mask >> n & 1 == 1).collect())
}

fn count(mask: &[bool]) -> i32 {
    mask.iter().filter(|masked| **masked).count() as i32
}

/// Uniform times, and every token masked by itself. The three points of Gauss and Legendre are exact for the
/// polynomials in t, of degree below 6, that the weighted means over masks of three tokens are.
fn bernoulli(length: usize, probability: impl Fn(f64) -> f64) -> Vec<Outcome> {
    let off = 15f64.sqrt() / 10.0;
    let points = [(0.5 - off, 5.0 / 18.0), (0.5, 8.0 / 18.0), (0.5 + off, 5.0 / 18.0)];
    let at = |(t, weight): (f64, f64)| {
        let p = probability(t);
        let law = move |mask: &[bool]| p.powi(count(mask)) * (1.0 - p).powi(length as i32 - count(mask));
        masks(length).map(move |mask| (t, mask.clone(), weight * law(&mask)))
    };
    points.into_iter().flat_map(at).collect()
}

/// A uniform number of masks, uniformly chosen. The time is their share.
fn counts(length: usize) -> Vec<Outcome> {
    let same = |k: i32| masks(length).filter(|other| count(other) == k).count();
    let law = |mask: &[bool]| 1.0 / (length * same(count(mask))) as f64;
    let some = masks(length).filter(|mask| count(mask) > 0);
    some.map(|mask| (f64::from(count(&mask)) / length as f64, mask.clone(), law(&mask))).collect()
}

/// The exact mean over data and corruptions of `f`, a number per sequence of a corruption.
fn exact_mean(toy: &Toy, outcomes: &[Outcome], f: impl Fn(&Corruption) -> Vec<f64>) -> f64 {
    let pairs = || toy.outcomes.iter().flat_map(|x| outcomes.iter().map(move |outcome| (x, outcome)));
    let ids = pairs().flat_map(|((x, _), _)| x.iter().map(|&id| u32::from(id))).collect();
    let times: Vec<f64> = pairs().map(|(_, (time, ..))| *time).collect();
    let batch = Batch::new(Tokens::new(ids, toy.length), times.clone());
    let masked = pairs().flat_map(|(_, (_, mask, _))| mask.clone()).collect();
    let z = MaskedBatch::new(&batch, &times, toy.states, masked, &Device::flex()).expect("data values");
    f(&z.into()).iter().zip(pairs()).map(|(value, ((_, q), (.., p)))| value * q * p).sum()
}

#[test]
fn exact_means_of_bounds_over_all_masks() {
    for name in ["toys/example-a", "toys/three-tokens"] {
        let toy = toy(name, Alphabet::Masked);
        let all = Enumeration::new(&toy).expect("full support");
        let table = table_denoiser(&all, &Device::flex());
        let (any_order, log_linear) = (any_order_nll(&all), MaskedSchedule::LogLinear);
        let with_prior = neg_elbo(&all, &log_linear);
        let lambda = bernoulli(toy.length, |lambda| lambda);
        let noisy = bernoulli(toy.length, |t| log_linear.mask_probability(t));
        let k = counts(toy.length);
        let mdlm = |protocol| Mdlm { protocol };
        let any = |form| AnyOrder { form };
        let per_row = MaskGit { rates: MaskRates::Uniform, normaliser: Normaliser::PerRow, label_smoothing: 0.0 };
        let found = |objective: &dyn TokenObjective, outcomes: &[Outcome], exact: f64| {
            let nelbo = |corruption: &Corruption| objective.nelbo_of(&table, corruption).expect("a bound");
            let mean = exact_mean(&toy, outcomes, |z| nelbo(z).iter().map(BoundTerms::sum).collect());
            println!("{name}: {:.1e}", mean / exact - 1.0);
            (mean / exact - 1.0).abs()
        };
        assert!(found(&any(DceForm::LambdaDce), &lambda, any_order) < ROUNDING, "lambda-DCE");
        assert!(found(&any(DceForm::KDce), &k, any_order) < ROUNDING, "k-DCE");
        assert!(found(&any(DceForm::TDce(log_linear.clone())), &noisy, with_prior) < ROUNDING, "t-DCE");
        assert!(found(&Md4::new(log_linear, Weighting::Elbo), &noisy, with_prior) < ROUNDING, "MD4");
        assert!(found(&mdlm(Protocol::Exact), &noisy, with_prior) < ROUNDING, "MDLM");
        // The losses that train, where they are bounds: in single precision, MaskGIT's per token.
        let loss = |objective: &dyn TokenObjective, outcomes: &[Outcome], exact: f64| {
            let loss = |z: &Corruption| to_f64_vec(objective.loss_of(&table, z).expect("a loss"));
            (exact_mean(&toy, outcomes, loss) / exact - 1.0).abs()
        };
        assert!(loss(&any(DceForm::LambdaDce), &lambda, any_order) < ROUNDING, "lambda-DCE's loss");
        assert!(loss(&any(DceForm::KDce), &k, any_order) < ROUNDING, "k-DCE's loss");
        assert!(loss(&per_row, &k, any_order / toy.length as f64) < ROUNDING, "MaskGIT's loss");
        // Witnesses: a protocol that leaves the prior out, the weights of another schedule, the masks of another law.
        assert!(found(&mdlm(Protocol::Published), &noisy, with_prior) > 100.0 * ROUNDING, "the prior is left out");
        assert!(found(&any(DceForm::TDce(MaskedSchedule::Cosine)), &lambda, any_order) > 0.01, "other weights");
        let rarer = bernoulli(toy.length, |lambda| lambda * lambda);
        assert!(found(&any(DceForm::LambdaDce), &rarer, any_order) > 0.01, "other masks");
        let global = MaskGit { normaliser: Normaliser::Global, ..per_row };
        assert!(loss(&global, &k, any_order / toy.length as f64) > 0.01, "the other normaliser");
    }
}

#[test]
fn the_masked_objectives_report_their_exact_bound() {
    for name in ["toys/example-a", "toys/three-tokens"] {
        let toy = toy(name, Alphabet::Masked);
        let all = Enumeration::new(&toy).expect("full support");
        let table = table_denoiser(&all, &Device::flex());
        let exact = any_order_nll(&all);
        // Not lambda-DCE and MDLM, whose weights have no variance: their exact means are in the test above.
        for form in [DceForm::KDce, DceForm::TDce(MaskedSchedule::Cosine)] {
            agrees(&form.to_string(), &bound(&AnyOrder { form }, &toy, &table), exact);
        }
        let maskgit = MaskGit { rates: MaskRates::Cosine, normaliser: Normaliser::Global, label_smoothing: 0.1 };
        agrees("maskgit", &bound(&maskgit, &toy, &table), exact);
        let with_prior = neg_elbo(&all, &MaskedSchedule::LogLinear);
        // Where the mask probability is uniform in its logarithm the weight is constant, and the error small enough to
        // see the interval that the protocol leaves out: at t <= 1e-3 hardly more than one token is masked.
        let importance = bound(&Mdlm { protocol: Protocol::Importance }, &toy, &table);
        let one_masked = mean(&toy, |batch, key| {
            let single = Batch { u: vec![1e-9; BATCH], ..batch.clone() };
            total(&K_DCE.nelbo(&table, &single, key, &Device::flex()).expect("a bound")) / BATCH as f64
        });
        let prior = toy.length as f64 * MaskedSchedule::LogLinear.alpha(1.0) * (toy.states as f64).ln();
        let left_out = 1e-3 * (1.0 - 1e-3) * one_masked.value;
        agrees("importance", &importance, with_prior - prior - left_out);
        for steps in [1, 2, 3, 53] {
            let exact =
                -cascade(&all, &MaskedSchedule::Linear, steps as usize, &Weighting::Elbo).expect("small").elbo[0];
            agrees("d3pm-absorbing", &bound(&D3pmAbsorbing { steps, hybrid_ce_weight: 0.5 }, &toy, &table), exact);
            let md4 = Md4 { steps: Some(steps), ..Md4::new(MaskedSchedule::Linear, Weighting::Simple) };
            agrees("md4 in steps", &bound(&md4, &toy, &table), exact);
        }
        let cosine = cascade(&all, &MaskedSchedule::Cosine, 4, &Weighting::Elbo).expect("small");
        let md4 = Md4 { steps: Some(4), ..Md4::new(MaskedSchedule::Cosine, Weighting::Elbo) };
        agrees("md4, cosine", &bound(&md4, &toy, &table), -cosine.elbo[0]);
        let at_once = -cascade(&all, &MaskedSchedule::Linear, 1, &Weighting::Elbo).expect("small").elbo[0];
        assert!(score(&bound(&md4, &toy, &table), at_once) > REJECT, "witness: four steps look like one");
    }
}

#[test]
fn draws_that_share_an_order_have_the_exact_bound_as_mean() {
    let toy = toy("toys/three-tokens", Alphabet::Masked);
    let all = Enumeration::new(&toy).expect("full support");
    let table = table_denoiser(&all, &Device::flex());
    let device = Device::flex();
    let average = |batch: &Batch, u: &[Vec<f64>], key: &Key| {
        let draws = k_dce_draws(table.values(), batch.clone(), u.to_vec(), key, &device);
        let terms = draws.map(|z| K_DCE.nelbo_of(&table, &z.expect("data values")).expect("a bound"));
        terms.map(|terms| total(&terms)).sum::<f64>() / (u.len() * BATCH) as f64
    };
    let found = mean(&toy, |batch, key| {
        let shifted = |shift: f64| batch.u.iter().map(|u| (u + shift).fract()).collect();
        average(batch, &[0.0, 0.2, 0.4, 0.6, 0.8].map(shifted), key)
    });
    agrees("five draws", &found, any_order_nll(&all));
    // Witness: draws that all mask one count give no bound.
    let one_count = mean(&toy, |batch, key| average(batch, &[vec![0.9; BATCH], vec![0.9; BATCH]], key));
    assert!(score(&one_count, any_order_nll(&all)) > REJECT, "{one_count:?}");
}

#[test]
fn the_normaliser_of_maskgit_decides_which_loss_it_is() {
    // Uniform rates: the mean over each row's masked tokens is the any-order bound over N; the sum over all masked
    // tokens by their number weighs each count k by k and is another loss.
    let toy = toy("toys/three-tokens", Alphabet::Masked);
    let all = Enumeration::new(&toy).expect("full support");
    let table = table_denoiser(&all, &Device::flex());
    let loss = |normaliser| {
        let maskgit = MaskGit { rates: MaskRates::Uniform, normaliser, label_smoothing: 0.0 };
        mean(&toy, |batch, key| {
            let losses = maskgit.loss(&table, batch, key, &Device::flex()).expect("a loss");
            let sum: f64 = to_f64_vec(losses).iter().sum();
            sum / maskgit.divisor(batch)
        })
    };
    let exact = any_order_nll(&all) / 3.0;
    agrees("per row", &loss(Normaliser::PerRow), exact);
    assert!(score(&loss(Normaliser::Global), exact) > REJECT, "witness: the normalisers look alike");
    // Divided by E k = 2, the sum over k of E[sum of costs | k] / 3: every count at its own weight.
    let by_count = |k: usize| {
        mean(&toy, |batch, key| {
            let at = Batch { u: vec![(k as f64 - 0.5) / 3.0; BATCH], ..batch.clone() };
            let terms = K_DCE.nelbo(&table, &at, key, &Device::flex()).expect("a bound");
            total(&terms) / BATCH as f64 * k as f64 / 3.0
        })
    };
    let simple: f64 = (1..=3).map(|k| by_count(k).value).sum::<f64>() / 3.0 / 2.0;
    let global = loss(Normaliser::Global);
    assert!((global.value - simple).abs() < 4.0 * global.standard_error + 0.01, "{global:?} against {simple}");
}

#[test]
fn genmd4_reports_its_exact_bound() {
    // Its denoiser is a table: the true posterior depends on the time here, and no table is it.
    let toy = toy("toys/example-a", Alphabet::Masked);
    let device = Device::flex();
    let all = Enumeration::new(&toy).expect("full support");
    let theta: Vec<f32> = (0..toy.states).map(|v| 0.9 * v as f32 - 0.4).collect();
    let theta = Tensor::<1>::from_data(TensorData::new(theta, [toy.states]), &device);
    let table = table_denoiser(&all, &device).with_schedule(theta);
    let forward = Forward::vector(VectorSchedule::new(powers(&table).expect("a schedule")));
    let model = DiscreteModel::new(&toy, &forward, ReverseParameterization::Mixture).expect("small");
    let exact = discrete::weighted_loss(&model, &Weighting::Elbo).value;
    let found = bound(&GenMd4, &toy, &table);
    agrees("genmd4", &found, exact);
    assert!(score(&found, any_order_nll(&all)) > REJECT, "witness: the schedule makes no difference");
}

#[test]
fn uniform_d3pm_reports_its_exact_bound_under_both_kernels() {
    let toy = toy("discrete/pair-table", Alphabet::Values);
    let rows = value_table(&toy);
    let table = TableDenoiser::new(toy.states, toy.length, &rows, &Device::flex());
    let forward = Forward::uniform(toy.states, MaskedSchedule::Linear);
    for (kernel, parameterization) in [
        (ReverseKernel::D3pm, ReverseParameterization::D3pm),
        (ReverseKernel::Mixture, ReverseParameterization::Mixture),
    ] {
        let model = DiscreteModel::new(&toy, &forward, parameterization).expect("small");
        for steps in [1u32, 2, 3, 53] {
            let linear = MaskedSchedule::Linear;
            let d3pm = D3pmUniform { schedule: linear, steps: Some(steps), kernel, hybrid_ce_weight: 0.3 };
            let exact = -discrete::cascade(&model, steps as usize, &Weighting::Elbo, &elbow_base::Silent)
                .expect("small")
                .elbo[0];
            agrees(&format!("{kernel}, T = {steps}"), &bound(&d3pm, &toy, &table), exact);
        }
        let continuous = discrete::weighted_loss(&model, &Weighting::Elbo).value;
        match kernel {
            ReverseKernel::D3pm => {
                let linear = MaskedSchedule::Linear;
                let d3pm = D3pmUniform { schedule: linear, steps: None, kernel, hybrid_ce_weight: 0.0 };
                agrees("d3pm, continuous", &bound(&d3pm, &toy, &table), continuous);
            }
            // The mixture of a denoiser that is not exact has no finite limit, and no objective.
            ReverseKernel::Mixture => assert_eq!(continuous, f64::INFINITY),
        }
    }
}

/// The toy's own table, for the table denoiser: rows of patterns with masks are never read.
fn value_table(toy: &Toy) -> Vec<Vec<f64>> {
    let document = json("discrete/pair-table.json");
    let entries = document["denoiser"]["entries"].as_object().expect("a table");
    let base = toy.states + 1;
    let mut rows = vec![vec![1.0 / toy.states as f64; toy.length * toy.states]; base.pow(toy.length as u32)];
    for (word, table) in entries {
        let number = word.bytes().fold(0, |n, digit| n * base + usize::from(digit - b'0'));
        rows[number] = numbers(table);
    }
    rows
}

#[test]
fn the_gradient_of_genmd4s_schedule_is_unbiased() {
    // The toy of the fixture, its exact gradient by differentiation through the enumeration (JAX).
    let golden = json("objectives/golden.json");
    let device = Device::flex().autodiff();
    let cases = golden["cases"].as_array().expect("cases").iter();
    for case in cases.filter(|case| case["name"] == "genmd4-exact-gradient") {
        let t = case["t"].as_f64().or(case["time"].as_f64()).expect("a time");
        let rows: Vec<Vec<f64>> = numbers(&case["table"]).chunks(4).map(<[f64]>::to_vec).collect();
        let theta: Vec<f32> = numbers(&case["theta"]).iter().map(|&x| x as f32).collect();
        let law = numbers(&case["law"]);
        let outcomes = (0..4u8).map(|x| (vec![x / 2, x % 2], law[usize::from(x)])).collect();
        let toy = Toy { states: 2, length: 2, outcomes, denoiser: elbow_theory::DenoiserKind::Exact };
        let mut gradients = [Vec::new(), Vec::new()];
        let mut values = Vec::new();
        for b in 0..400u64 {
            let key = |purpose| Key::new(13, purpose).fold(b);
            let theta = Tensor::<1>::from_data(TensorData::new(theta.clone(), [2]), &device).require_grad();
            let table = TableDenoiser::new(2, 2, &rows, &device).with_schedule(theta.clone());
            let batch = Batch::new(toy.draw(256, &key("data")), vec![t; 256]);
            let loss = GenMd4.loss(&table, &batch, &key("masks"), &device).expect("a schedule").mean();
            values.push(f64::from(loss.clone().into_scalar::<f32>()));
            let gradient = theta.grad(&loss.backward()).expect("reached").into_data();
            gradient.iter::<f64>().zip(&mut gradients).for_each(|(g, all)| all.push(g));
        }
        agrees("value", &Estimate::of(&values), number(&case["value"]));
        for (v, found) in gradients.iter().enumerate() {
            let found = Estimate::of(found);
            agrees("gradient", &found, numbers(&case["gradient"])[v]);
            let biased = numbers(&case["gradient_without_score"])[v];
            assert!(score(&found, biased) > REJECT, "witness: without the score function it is {biased}: {found:?}");
        }
    }
}
