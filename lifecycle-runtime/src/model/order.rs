//! The one sort of the library: each type and each order that the standard library's is made for is several kilobytes of
//! every program.

use std::cmp::Ordering;

/// The numbers below `count` in the order of `compare`, which is given two of them. Those that are equal stay in order.
pub(crate) fn order_by(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&one, &other| compare(one, other));
    order
}

/// The numbers, the smallest first.
pub(crate) fn sorted(numbers: &[usize]) -> Vec<usize> {
    let order = order_by(numbers.len(), &|one, other| numbers[one].cmp(&numbers[other]));
    order.into_iter().map(|place| numbers[place]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_equal_stays_in_order() {
        let words = ["pear", "fig", "plum", "date", "kiwi", "yam"];
        let by_length = order_by(words.len(), &|one, other| words[one].len().cmp(&words[other].len()));
        assert_eq!(
            by_length.iter().map(|&place| words[place]).collect::<Vec<_>>(),
            ["fig", "yam", "pear", "plum", "date", "kiwi"]
        );
        assert_eq!(sorted(&[3, 1, 2, 1]), [1, 1, 2, 3]);
    }
}
