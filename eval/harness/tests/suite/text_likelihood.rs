//! Likelihoods of texts: every token is accounted for, and what is not finite is no result.

use burn::tensor::{Device, Tensor, TensorData};
use elbow_base::Silent;
use elbow_harness::likelihood::{Bound, BoundEstimation};
use elbow_impls::DiffusionModel;
use elbow_impls::any_order::K_DCE;
use elbow_impls::autoregressive::Autoregressive;
use elbow_impls::data::{Alphabet, Dataset, InMemory, Reading, Split, TextData, TextOptions, Tokens};
use elbow_impls::network::{Input, TableDenoiser, TokenDenoiser};

const LETTERS: usize = 27;
const WINDOW: usize = 8;

/// The logits of each position depend on the id there alone: for an autoregressive model, on the token before it.
struct Bigram {
    /// \[(V + 1) V\], the row of the begin mark last.
    logits: Vec<f64>,
}

impl Bigram {
    fn new() -> Self {
        Self { logits: (0..(LETTERS + 1) * LETTERS).map(|i| ((i * i) as f64 * 0.37).sin() * 3.0).collect() }
    }

    /// -log p(next | before), nats.
    fn nats(&self, before: usize, next: usize) -> f64 {
        let row = &self.logits[before * LETTERS..(before + 1) * LETTERS];
        row.iter().map(|logit| logit.exp()).sum::<f64>().ln() - row[next]
    }

    /// The code length of a window: its first token after the begin mark.
    fn window(&self, ids: &[u32]) -> f64 {
        let before = std::iter::once(LETTERS).chain(ids.iter().map(|&id| id as usize));
        before.zip(ids).map(|(before, &next)| self.nats(before, next as usize)).sum()
    }
}

impl TokenDenoiser for Bigram {
    fn values(&self) -> usize {
        LETTERS
    }

    fn sees_time(&self) -> bool {
        false
    }

    fn logits(&self, input: &Input) -> Tensor<3> {
        let [batch, length] = input.z.dims();
        let table = TensorData::new(self.logits.iter().map(|&x| x as f32).collect(), [LETTERS + 1, LETTERS]);
        let table = Tensor::<2>::from_data(table, &input.z.device());
        table.select(0, input.z.clone().reshape([batch * length])).reshape([batch, length, LETTERS])
    }
}

/// Three windows and three letters.
fn text() -> TextData {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("text.txt");
    std::fs::write(&path, "sphinx of black quartz judg").expect("writable");
    TextData::load(&path, Alphabet::Text8, WINDOW, Split::All, &TextOptions::default(), &Reading::in_memory())
        .expect("a text")
}

fn bound(model: DiffusionModel, data: &dyn Dataset, sequences: Option<usize>) -> Result<Bound, elbow_base::Error> {
    BoundEstimation { sequences, ..BoundEstimation::new(model, data, 2, 0) }.run(&Device::flex(), &Silent)
}

#[test]
fn the_end_of_a_text_is_scored_given_what_comes_before_it() {
    let (model, data) = (Bigram::new(), text());
    let ids: Vec<u32> = data.all().expect("ids").ids().to_vec();
    let last = data.text().expect("a text").last_window().expect("three letters are left").ids().to_vec();
    let whole: f64 = ids.chunks(WINDOW).map(|window| model.window(window)).sum();
    let pairs = last[WINDOW - 4..].windows(2);
    let rest: f64 = pairs.map(|pair| model.nats(pair[0] as usize, pair[1] as usize)).sum();

    let ar = DiffusionModel::Tokens(&Autoregressive, &model);
    let all = bound(ar, &data, None).expect("a bound");
    assert_eq!((all.sequences, all.tokens_scored, all.tokens_dropped, all.nats.n), (3, 27, 0, 4));
    let per_token = |nats: f64, tokens: f64| nats / (tokens * std::f64::consts::LN_2);
    // Rounding of single precision.
    assert!((all.bits_per_dim.value - per_token(whole + rest, 27.0)).abs() < 4e-7, "{:?}", all.bits_per_dim);
    assert!((all.bits_per_dim.value - all.nats.value / (WINDOW as f64 * std::f64::consts::LN_2)).abs() < 1e-12);
    let restarted = model.window(&last[WINDOW - 3..]);
    let wrong = per_token(whole + restarted, 27.0);
    assert!((all.bits_per_dim.value - wrong).abs() > 1e-3, "witness: the end after a begin mark of its own");
    assert!((all.bits_per_dim.value - per_token(whole, 24.0)).abs() > 1e-3, "witness: without the end");
    assert_eq!(all.text.expect("a text").bits_per_byte.expect("no loss").value, all.bits_per_dim.value);

    // A choice of sequences is one of whole windows, and its error that of a plain mean.
    let three = bound(ar, &data, Some(3)).expect("a bound");
    assert_eq!((three.tokens_scored, three.tokens_dropped, three.nats.n), (24, 3, 3));
    assert!((three.nats.value - whole / 3.0).abs() < 1e-5);
    // The any-order bound of the end given the rest would be one of another process.
    let masked = bound(DiffusionModel::Tokens(&K_DCE, &model), &data, None).expect("a bound");
    assert_eq!((masked.tokens_scored, masked.tokens_dropped), (24, 3));
    assert!(masked.protocol["end of the text"].contains("not scored"));
    assert!(all.protocol["end of the text"].contains("are scored"));
}

#[test]
fn a_code_length_that_is_not_finite_is_an_error_that_names_the_sequence() {
    let device = Device::flex();
    let sure = TableDenoiser::new(2, 1, &[vec![1.0, 0.0], vec![0.0, 1.0], vec![1.0, 0.0]], &device);
    let bits = |ids: Vec<u32>| InMemory::new("bits", 2, Tokens::new(ids, 1));
    let sure = DiffusionModel::Tokens(&K_DCE, &sure);
    assert_eq!(bound(sure, &bits(vec![0, 0, 0]), None).expect("possible").nats.value, 0.0);
    let refused = bound(sure, &bits(vec![0, 0, 1]), None).expect_err("impossible").to_string();
    assert!(refused.contains("bits: sequence 2") && refused.contains("probability 0"), "{refused}");

    let data = text();
    for (logit, words) in [(f64::NAN, "code length is NaN"), (1e30, "perplexity is beyond double precision")] {
        let mut model = Bigram::new();
        // Of the space, after every letter.
        model.logits.iter_mut().step_by(LETTERS).for_each(|first| *first = logit);
        let refused = bound(DiffusionModel::Tokens(&Autoregressive, &model), &data, None).expect_err("not finite");
        assert!(refused.to_string().contains(words), "{refused}");
    }
    let one = bound(DiffusionModel::Tokens(&Autoregressive, &Bigram::new()), &data, Some(1)).expect_err("no error");
    assert!(one.to_string().contains("two or more"), "{one}");
}
