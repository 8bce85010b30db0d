//! The any-order bound of some positions given others.

use super::enumeration::Enumeration;
use super::estimators::permutations;

/// The any-order bound on -log p(target | prompt) of outcome number `x`, nats: the mean over all orders of the target's
/// positions of the cost of telling one after the other, with the prompt visible from the first and all other positions hidden
/// to the last [LLaDA, conditional likelihood]. Both are sets of positions (bit n), which share none.
///
/// For the exact denoiser it is -log q(target | prompt) itself. Cost: O(L! L) for a target of L tokens.
pub fn conditional_any_order_nll(enumeration: &Enumeration, x: usize, prompt: u32, target: u32) -> f64 {
    let positions: Vec<usize> = (0..enumeration.length()).filter(|n| target >> n & 1 == 1).collect();
    let word = enumeration.outcomes[x].0;
    let orders = permutations(positions.len());
    let along = |order: &Vec<usize>| {
        let (mut visible, mut total) = (prompt, 0.0);
        for &place in order {
            total += enumeration.token_loss(word, visible, positions[place]);
            visible |= 1 << positions[place];
        }
        total
    };
    orders.iter().map(along).sum::<f64>() / orders.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masked::any_order_nll;
    use crate::{Alphabet, Toy};

    /// Measured: 4e-16.
    const ROUNDING: f64 = 4e-15;

    fn toy(denoiser: &str) -> (Toy, Enumeration) {
        let data = r#""states": 3, "length": 3, "data": {"000": 0.3, "012": 0.1, "122": 0.4, "021": 0.2}"#;
        let toy = Toy::parse(&format!(r#"{{{data}, "denoiser": {denoiser}}}"#), Alphabet::Masked).expect("a toy");
        let all = Enumeration::new(&toy).expect("small");
        (toy, all)
    }

    #[test]
    fn the_exact_denoiser_gives_the_conditional_probability() {
        let (toy, all) = toy(r#"{"kind": "exact"}"#);
        for (prompt, target) in [(0b001, 0b110), (0b010, 0b001), (0b000, 0b101), (0b100, 0b011)] {
            for (x, (word, _)) in toy.outcomes.iter().enumerate() {
                let mass = |set: u32| -> f64 {
                    let agrees = |other: &[u8]| (0..3).all(|n| set >> n & 1 == 0 || other[n] == word[n]);
                    toy.outcomes.iter().filter(|(other, _)| agrees(other)).map(|(_, q)| q).sum()
                };
                let expected = -(mass(prompt | target) / mass(prompt)).ln();
                let found = conditional_any_order_nll(&all, x, prompt, target);
                assert!((found - expected).abs() < ROUNDING, "{found} against {expected}");
            }
        }
    }

    #[test]
    fn with_nothing_given_it_is_the_any_order_bound() {
        let (toy, all) = toy(r#"{"kind": "tempered", "temperature": 1.4, "floor": 0.1}"#);
        let mean = |prompt: u32, target: u32| -> f64 {
            let of = |(x, (_, q)): (usize, &(_, f64))| q * conditional_any_order_nll(&all, x, prompt, target);
            toy.outcomes.iter().enumerate().map(of).sum()
        };
        assert!((mean(0, 0b111) - any_order_nll(&all)).abs() < ROUNDING);
        let apart = mean(0, 0b001) + mean(0b001, 0b110);
        assert!((apart - mean(0, 0b111)).abs() > 1e-3, "witness: one order is not the mean over all: {apart}");
    }
}
