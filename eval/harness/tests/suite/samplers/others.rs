//! Samplers of the other processes, long texts, guidance.

use std::sync::Mutex;

use burn::tensor::{Device, Tensor, TensorData};
use elbow_impls::Key;
use elbow_impls::any_order::one_by_one;
use elbow_impls::autoregressive::left_to_right;
use elbow_impls::d3pm::{D3pmUniform, ReverseKernel, absorbing_ancestral, uniform_ancestral};
use elbow_impls::genmd4::{powers, vector_ancestral};
use elbow_impls::md4::Grid;
use elbow_impls::mdlm::semi_autoregressive;
use elbow_impls::network::{Input, TableDenoiser, TokenDenoiser, to_f64_vec};
use elbow_impls::sampler_state::{Predictor, Samples, TokenState};
use elbow_impls::schedule::MaskedSchedule;
use elbow_impls::tempering::Tempering;
use elbow_theory::masked::sampler_law::{any_order_law, sampler_law};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::laws::{absorbing_law, left_to_right_law, pair_rows, uniform_law, vector_law};
use super::{ALARM, Bench, DRAWS, FnDenoiser, follows, rejects};

#[test]
fn a_schedule_for_each_value_has_its_chains_law() {
    let bench = Bench::new("example-a");
    let theta = Tensor::<1>::from_data(TensorData::new(vec![-0.5f32, 1.5], [2]), &bench.device);
    let table = bench.table.clone().with_schedule(theta);
    let w = powers(&table).expect("a schedule");
    let steps = 3;
    let law = vector_law(&bench, steps, &w);
    let draw = |table: &TableDenoiser| {
        vector_ancestral(Predictor::new(table, &bench.device), Grid::Uniform, steps, bench.masks()).expect("a schedule")
    };
    follows(&bench, &draw(&table), &law);
    let equal = Tensor::<1>::from_data(TensorData::new(vec![0.5413f32, 0.5413], [2]), &bench.device);
    rejects(&bench, &draw(&bench.table.clone().with_schedule(equal)), &law);
}

/// The table with a constant logit for the mask: mass m, the values sharing 1 - m.
pub fn with_mask(table: &TableDenoiser, mass: f64) -> impl TokenDenoiser + '_ {
    let logits = move |input: &Input| {
        let values = table.logits(input);
        let [batch, length, _] = values.dims();
        let mask = (mass / (1.0 - mass)).ln();
        Tensor::cat(vec![values.clone(), Tensor::full([batch, length, 1], mask, &values.device())], 2)
    };
    FnDenoiser { values: table.values(), sees_time: false, logits }
}

#[test]
fn absorbing_d3pm_keeps_the_mass_on_the_mask() {
    let bench = Bench::new("example-a");
    let (steps, mass) = (3usize, 0.4);
    let law = absorbing_law(&bench, steps, mass);
    let draw = |mass: f64| {
        absorbing_ancestral(Predictor::new(&with_mask(&bench.table, mass), &bench.device), steps, bench.masks())
            .expect("samples")
    };
    follows(&bench, &draw(mass), &law);
    rejects(&bench, &draw(1e-9), &law);
    let plain = absorbing_ancestral(bench.predictor(), steps, bench.masks()).expect("samples");
    let times: Vec<f64> = (0..=steps).map(|i| i as f64 / steps as f64).collect();
    follows(&bench, &plain, &sampler_law(&bench.all, &MaskedSchedule::Linear, &times));
}

#[test]
fn uniform_d3pm_has_its_chains_law_under_both_kernels() {
    let bench = Bench::new("example-a");
    let steps = 3usize;
    let rows = pair_rows();
    let table = TableDenoiser::new(2, 2, &rows, &bench.device);
    for kernel in [ReverseKernel::D3pm, ReverseKernel::Mixture] {
        let law = uniform_law(&bench, steps, kernel, |_, pattern, n| rows[pattern][2 * n..2 * n + 2].to_vec());
        let objective = D3pmUniform { schedule: MaskedSchedule::Linear, steps: Some(3), kernel, hybrid_ce_weight: 0.0 };
        let key = Key::new(6, "uniform");
        let samples = uniform_ancestral(
            Predictor::new(&table, &bench.device),
            &objective,
            steps,
            [DRAWS, 2],
            &key,
            &bench.device,
        )
        .expect("samples");
        follows(&bench, &samples, &law);
        let other = if kernel == ReverseKernel::D3pm { ReverseKernel::Mixture } else { ReverseKernel::D3pm };
        let other = D3pmUniform { kernel: other, ..objective };
        rejects(
            &bench,
            &uniform_ancestral(Predictor::new(&table, &bench.device), &other, steps, [DRAWS, 2], &key, &bench.device)
                .expect("samples"),
            &law,
        );
    }
}

#[test]
fn a_uniform_network_is_evaluated_at_the_times_that_it_was_trained_at() {
    let bench = Bench::new("example-a");
    let times = Mutex::new(Vec::new());
    let logits = |input: &Input| {
        times.lock().expect("one thread").push(to_f64_vec(input.time.clone())[0]);
        bench.table.value_logits(input)
    };
    let watched = FnDenoiser { values: 2, sees_time: true, logits };
    let kernel = ReverseKernel::D3pm;
    let objective = D3pmUniform { schedule: MaskedSchedule::Linear, steps: None, kernel, hybrid_ce_weight: 0.0 };
    // Half of the tokens survive at t = 1/2 under the linear schedule, and at t = 1/3 under the cosine schedule.
    for (trained, expected) in [(MaskedSchedule::Linear, 0.5), (MaskedSchedule::Cosine, 1.0 / 3.0)] {
        let predictor = Predictor::new(&watched, &bench.device).trained_under(trained);
        uniform_ancestral(predictor, &objective, 2, [4, 2], &Key::new(1, "times"), &bench.device).expect("samples");
        let seen = std::mem::take(&mut *times.lock().expect("one thread"));
        assert!(seen.len() == 2 && (seen[0] - 1.0).abs() < 1e-6 && (seen[1] - expected).abs() < 1e-6, "{seen:?}");
    }
}

/// A causal reading of the table: position n knows the tokens before it, shifted by one behind the mask.
pub fn causal(table: &TableDenoiser) -> impl TokenDenoiser + '_ {
    let logits = |input: &Input| {
        let z = input.z.clone();
        let [batch, length] = z.dims();
        let mask = z.clone().slice([0..batch, 0..1]);
        let row = |n: usize| {
            let known = z.clone().slice([0..batch, 1..n + 1]);
            let pattern = Tensor::cat(vec![known, mask.clone().repeat_dim(1, length - n)], 1);
            table.logits(&Input::new(pattern, &vec![0.0; batch])).slice([0..batch, n..n + 1])
        };
        Tensor::cat((0..length).map(row).collect(), 1)
    };
    FnDenoiser { values: table.values(), sees_time: false, logits }
}

#[test]
fn left_to_right_has_the_product_law() {
    let bench = Bench::new("example-a");
    let law = left_to_right_law(&bench);
    let causal = causal(&bench.table);
    let samples = left_to_right(Predictor::new(&causal, &bench.device), bench.masks()).expect("samples");
    follows(&bench, &samples, &law);
    rejects(&bench, &samples, &any_order_law(&bench.all));
    assert!(samples.evaluations.iter().all(|&n| n == 2));
}

#[test]
fn windows_continue_the_text_before_them() {
    // Windows of two, one new token each: x3 is drawn from mu_2 given x2 in the first place of its window.
    let bench = Bench::new("example-a");
    let key = Key::new(8, "windows");
    let fill = |state: TokenState| one_by_one(bench.predictor(), state);
    let samples = semi_autoregressive(DRAWS, 3, [2, 1], 2, &key, fill).expect("a stride below the window");
    assert_eq!((samples.tokens.len(), samples.tokens.length()), (DRAWS, 3));
    assert!(samples.evaluations.iter().all(|&n| n == 3), "two for the first window, one for the second");
    let pairs = any_order_law(&bench.all);
    let mut statistic = 0.0;
    for code in 0..8u32 {
        let x = [code >> 2, code >> 1 & 1, code & 1];
        let p = pairs[bench.all.number(&x[..2])] * bench.mu(&[x[1], 2], 1)[x[2] as usize];
        let count = samples.tokens.rows().filter(|row| *row == x).count() as f64;
        statistic += (count - DRAWS as f64 * p).powi(2) / (DRAWS as f64 * p);
    }
    assert!(1.0 - ChiSquared::new(7.0).expect("seven").cdf(statistic) > ALARM, "chi-square {statistic}");
}

/// Fixed logits for each class of a single token; the last class means "no class".
const CLASSES: [[f32; 3]; 3] = [[0.3, -1.0, 0.8], [1.5, 0.2, -0.7], [0.1, 0.4, -0.2]];

fn class_logits(input: &Input) -> Tensor<3> {
    let batch = input.z.dims()[0];
    let class = input.class.clone().map(|class| class.into_data().iter::<i64>().collect::<Vec<_>>());
    let rows = (0..batch).flat_map(|row| CLASSES[class.as_ref().map_or(2, |class| class[row] as usize)]);
    Tensor::from_data(TensorData::new(rows.collect::<Vec<f32>>(), [batch, 1, 3]), &input.z.device())
}

#[test]
fn guidance_and_nucleus_change_the_law_as_defined() {
    let device = Device::flex();
    let classes = FnDenoiser { values: 3, sees_time: false, logits: class_logits };
    let probabilities = |logits: [f32; 3]| {
        let weights = logits.map(|l| f64::from(l).exp());
        weights.map(|w| w / weights.iter().sum::<f64>())
    };
    let masks = || TokenState::all_masks(DRAWS, 1, 3, &Key::new(9, "guided"));
    let check = |samples: &Samples, law: [f64; 3]| {
        let count = |v: u32| samples.tokens.rows().filter(|row| row[0] == v).count() as f64;
        let term = |v: usize| (count(v as u32) - DRAWS as f64 * law[v]).powi(2) / (DRAWS as f64 * law[v]);
        let possible: Vec<usize> = (0..3).filter(|&v| law[v] > 0.0).collect();
        assert!((0..3).all(|v| law[v] > 0.0 || count(v as u32) == 0.0), "an impossible value was drawn");
        let freedom = possible.len() as f64 - 1.0;
        1.0 - ChiSquared::new(freedom).expect("positive").cdf(possible.into_iter().map(term).sum())
    };
    let (conditional, unconditional) = (probabilities(CLASSES[1]), probabilities(CLASSES[2]));
    for (w, evaluations) in [(0.0, 1), (1.0, 1), (2.5, 2), (-0.5, 2)] {
        let weights: [f64; 3] = std::array::from_fn(|v| conditional[v].powf(w) * unconditional[v].powf(1.0 - w));
        let law = weights.map(|x| x / weights.iter().sum::<f64>());
        let predictor = Predictor::new(&classes, &device).guided(vec![1; DRAWS], w);
        let samples = one_by_one(predictor, masks()).expect("samples");
        assert!(check(&samples, law) > ALARM, "w = {w}");
        assert!(samples.evaluations.iter().all(|&n| n == evaluations), "w = {w}");
        let witness = if w == 1.0 { unconditional } else { conditional };
        assert!(check(&samples, witness) < ALARM, "witness: w = {w} makes no difference");
    }
    // The nucleus of mass 0.6 keeps the two most probable values, as the first two do; of 0.3 the first alone.
    let cut = |nucleus, top_k| {
        let predictor = Predictor::new(&classes, &device).tempered(Tempering { nucleus, top_k, ..Tempering::NONE });
        one_by_one(predictor, masks()).expect("samples")
    };
    let [a, b, _] = unconditional;
    for two in [cut(0.6, None), cut(1.0, Some(2))] {
        assert!(check(&two, [a / (a + b), b / (a + b), 0.0]) > ALARM);
    }
    assert!(cut(0.3, None).tokens.rows().all(|row| row[0] == 1));
    // The temperature is that of the guided logits.
    let guided = Predictor::new(&classes, &device).guided(vec![1; DRAWS], 2.5);
    let cold = guided.tempered(Tempering { temperature: 0.7, ..Tempering::NONE });
    let weights: [f64; 3] =
        std::array::from_fn(|v| (conditional[v].powf(2.5) * unconditional[v].powf(-1.5)).powf(1.0 / 0.7));
    let law = weights.map(|x| x / weights.iter().sum::<f64>());
    assert!(check(&one_by_one(cold, masks()).expect("samples"), law) > ALARM);
}
