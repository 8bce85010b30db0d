//! The order in which masked diffusion reveals tokens.
//!
//! Source: the authors' talk, slide "Masked Diffusion as Any-Order AR". A token of value v is masked at the random time
//! tau with P(tau <= t) = 1 - alpha_v(t); the reverse process reveals the latest first. With alpha_v = 1 - t^(w_v) the
//! -log tau are exponential with rates w_v, so the order has the law of Plackett and Luce.

use elbow_base::Key;
use elbow_base::key::open_uniform;
use elbow_process::schedule::VectorSchedule;

use super::estimators::permutations;
use crate::toy::Toy;

/// Every order of the positions with its probability under the reverse process, averaged over the data
/// [Demystifying, any-order AR]. The schedule has one power per value of the toy.
pub fn order_law(toy: &Toy, schedule: &VectorSchedule) -> Vec<(Vec<usize>, f64)> {
    let probability = |order: &Vec<usize>| {
        toy.outcomes.iter().map(|(word, q)| q * plackett_luce(order, &rates(word, schedule))).sum()
    };
    permutations(toy.length).into_iter().map(|order| (order.clone(), probability(&order))).collect()
}

/// Counts of each order of [`order_law`] in `draws` simulated runs: x from the data, each token's time of masking from
/// its own law, the latest first.
pub fn simulate(toy: &Toy, schedule: &VectorSchedule, draws: usize, key: &Key) -> Vec<usize> {
    let orders = permutations(toy.length);
    let data = toy.draw(draws, &key.fold(0));
    let mut rng = key.fold(1).rng();
    let mut counts = vec![0; orders.len()];
    for row in data.rows() {
        // The time at which 1 - alpha_v(t) = t^(w_v) passes a uniform number.
        let times: Vec<f64> =
            row.iter().map(|&v| open_uniform(&mut rng).powf(1.0 / schedule.powers()[v as usize])).collect();
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|&a, &b| times[b].total_cmp(&times[a]));
        let index = orders.iter().position(|o| *o == order).expect("every order is listed");
        counts[index] += 1;
    }
    counts
}

fn rates(word: &[u8], schedule: &VectorSchedule) -> Vec<f64> {
    word.iter().map(|&v| schedule.powers()[usize::from(v)]).collect()
}

/// The probability that independent exponential times with these rates, one per position, are in this order.
fn plackett_luce(order: &[usize], rates: &[f64]) -> f64 {
    let mut left: f64 = rates.iter().sum();
    let mut probability = 1.0;
    for &position in order {
        probability *= rates[position] / left;
        left -= rates[position];
    }
    probability
}
