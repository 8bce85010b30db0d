//! The numbering of sequences against a count by hand.

use elbow_theory::PatternIndex;

#[test]
fn numbers_and_digits_are_inverse_and_the_first_position_is_most_significant() {
    let index = PatternIndex::new(3, 4);
    for number in 0..index.count() {
        assert_eq!(index.number(index.digits(number)), number);
        let digits: Vec<usize> = (0..4).map(|n| index.digit(number, n)).collect();
        assert_eq!(index.digits(number).collect::<Vec<_>>(), digits);
        assert_eq!(index.with_digit(number, 1, digits[1]), number);
    }
    assert_eq!(index.number([1, 0, 0, 2]), 29);
    // Witness: the same digits with the last position most significant.
    assert_ne!(index.number([2, 0, 0, 1]), 29);
}

#[test]
fn masks_are_the_last_symbol_and_pairs_are_counted_by_enumeration() {
    let index = PatternIndex::with_mask(2, 3);
    assert_eq!((index.mask(), index.count()), (2, 27));
    assert_eq!(index.masks(index.number([2, 0, 2])), 2);
    let reachable = |z: usize, s: usize| index.digits(z).zip(index.digits(s)).all(|(z, s)| z == s || z == index.mask());
    let pairs = (0..27).flat_map(|z| (0..27).map(move |s| (z, s))).filter(|&(z, s)| reachable(z, s)).count();
    assert_eq!(index.pairs(), pairs as f64);
}
