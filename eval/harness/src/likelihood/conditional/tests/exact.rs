//! Exact likelihoods: all sets of hidden tokens, the network's time, left to right.

use super::*;

#[test]
fn all_sets_give_the_exact_bound_with_and_without_a_rest_of_the_window() {
    let (toy, all, table) = toy(4);
    for (prompt, target) in [(1, 3), (0, 4), (2, 2), (1, 2), (3, 1)] {
        let model = ConditionalModel { window: Window::Fixed(4), ..ConditionalModel::masked(&table) };
        let estimation = ConditionalEstimation { exact: true, ..ConditionalEstimation::new(model, 8, 0) };
        let bits = |from: usize, to: usize| (from..to).fold(0, |set, n| set | 1 << n);
        for (x, answer) in run(&estimation, &questions(&toy, prompt, target)).into_iter().enumerate() {
            let found = &answer.targets[0];
            let exact = conditional_any_order_nll(&all, x, bits(0, prompt), bits(prompt, prompt + target));
            assert!((found.log_likelihood + exact).abs() < SINGLE * exact.max(1.0), "{found:?} against {exact}");
            assert_eq!((found.standard_error, found.calls), (0.0, (1 << target) - 1));
            if prompt == 1 && target == 2 {
                let other = conditional_any_order_nll(&all, x, 0, bits(prompt, prompt + target));
                assert!((found.log_likelihood + other).abs() > 1e-4, "witness: without the prompt");
            }
        }
    }
}

#[test]
fn a_denoiser_is_told_the_time_at_which_its_schedule_hides_as_much() {
    let denoiser = CostOfCount { length: 4, timed: true };
    for schedule in [MaskedSchedule::Linear, MaskedSchedule::Cosine] {
        let order = Order::Any(schedule.clone());
        let model = ConditionalModel { order, ..ConditionalModel::masked(&denoiser) };
        assert!(model.protocol().iter().any(|(name, choice)| *name == "network time" && choice.contains("k of L")));
        // Cosine: 1 - alpha = sin(pi t/2) at the share k/4.
        let time = |share: f64| match schedule {
            MaskedSchedule::Cosine => share.asin() / std::f64::consts::FRAC_PI_2,
            _ => share,
        };
        let exact: f64 = (1..=4).map(|k| 0.5 + 3.0 * time(f64::from(k) / 4.0)).sum();
        let found =
            &run(&ConditionalEstimation::new(model, 16, 0), &[Question::new(vec![1], vec![vec![0; 4]])])[0].targets[0];
        assert!((found.log_likelihood + exact).abs() < SINGLE * exact, "{schedule}: {found:?} against {exact}");
    }
}

/// A causal denoiser of three values: a token's law depends on the input at its own place, which is the token before it.
struct Bigram;

impl TokenDenoiser for Bigram {
    fn values(&self) -> usize {
        3
    }

    fn sees_time(&self) -> bool {
        false
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        let [batch, length] = input.z.dims();
        let logit = |id: i64| [0.3 * id as f32, 1.0 - id as f32, (id as f32).sin()];
        let logits: Vec<f32> = input.z.to_data().iter::<i64>().flat_map(logit).collect();
        Tensor::from_data(TensorData::new(logits, [batch, length, 3]), &input.z.device())
    }
}

#[test]
fn from_left_to_right_the_likelihood_is_exact_and_one_call() {
    let whole = [0, 2, 1, 1, 0, 2];
    let nll = |ids: &[u32]| {
        let batch = Batch::new(Tokens::new(ids.to_vec(), ids.len()), vec![0.5]);
        Autoregressive.nelbo(&Bigram, &batch, &Key::new(0, "none"), &Device::flex()).expect("a code length")[0].sum()
    };
    let expected = nll(&whole[..2]) - nll(&whole[..5]);
    for window in [Window::Any, Window::Fixed(6)] {
        let model = ConditionalModel { order: Order::LeftToRight, window, ..ConditionalModel::masked(&Bigram) };
        let question = [Question::new(whole[..2].to_vec(), vec![whole[2..5].to_vec()])];
        let found = &run(&ConditionalEstimation::new(model, 8, 0), &question)[0].targets[0];
        assert!((found.log_likelihood - expected).abs() < SINGLE * 10.0, "{found:?} against {expected}");
        assert_eq!((found.standard_error, found.calls), (0.0, 1));
    }
}

#[test]
fn answers_do_not_depend_on_the_other_questions() {
    let (toy, _, table) = toy(8);
    let asked = questions(&toy, 2, 6);
    let estimation = ConditionalEstimation::new(ConditionalModel::masked(&table), 40, 7);
    let together = run(&estimation, &asked[..40]);
    let alone = run(&estimation, &asked[..1]);
    assert_eq!(together[0].targets[0].log_likelihood, alone[0].targets[0].log_likelihood);
    assert!(together[0].targets[0].standard_error > 0.0);
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let denoiser = CostOfCount { length: 4, timed: false };
    let model = ConditionalModel { window: Window::Fixed(6), ..ConditionalModel::masked(&denoiser) };
    let estimation = ConditionalEstimation::new(model, 8, 0);
    let refused = |estimation: &ConditionalEstimation, question: Question| {
        estimation.run(&[question], &Device::flex(), &Silent).expect_err("refused").to_string()
    };
    assert!(refused(&estimation, Question::new(vec![0; 3], vec![vec![0; 4]])).contains("window"));
    assert!(refused(&estimation, Question::new(vec![], vec![vec![]])).contains("no tokens"));
    assert!(refused(&estimation, Question::new(vec![7], vec![vec![0]])).contains("token 7"));
    let exact =
        ConditionalEstimation { exact: true, ..ConditionalEstimation::new(ConditionalModel::masked(&denoiser), 8, 0) };
    assert!(refused(&exact, Question::new(vec![], vec![vec![0; 17]])).contains("17 tokens"));
}
