//! One figure, once for every round.

use serde_json::{Value, json};

/// One figure, once for every round, in the order of the rounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series(Vec<f64>);

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        Self(figures.into_iter().collect())
    }
}

impl Series {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// How often the other series is contained in this one, round by round.
    pub(crate) fn ratio_to(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(ours, theirs)| ours / theirs).collect())
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(crate) fn min(&self) -> f64 {
        self.quantile(0.0)
    }

    pub(crate) fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    /// How far the middle half of the rounds lies apart, as a part of the median: the noise.
    pub(crate) fn spread(&self) -> f64 {
        (self.quantile(0.75) - self.quantile(0.25)) / self.median()
    }

    fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
        let position = part * last as f64;
        let (below, above) = (position.floor(), position.ceil());
        let (low, high) = (sorted[below as usize], sorted[above as usize]);
        low + (high - low) * (position - below)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "median": self.median(),
            "min": self.min(),
            "max": self.max(),
            "spread": self.spread(),
            "rounds": self.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_spread_do_not_see_a_single_outlier() {
        let series = Series(vec![4.0, 2.0, 900.0, 3.0, 5.0]);
        assert_eq!((series.min(), series.median(), series.max()), (2.0, 4.0, 900.0));
        assert_eq!(series.spread(), 0.5);
    }

    #[test]
    fn between_two_figures_the_median_is_in_the_middle() {
        assert_eq!(Series(vec![1.0, 2.0]).median(), 1.5);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let (ours, theirs) = (Series(vec![2.0, 30.0]), Series(vec![1.0, 10.0]));
        assert_eq!(ours.ratio_to(&theirs), Series(vec![2.0, 3.0]));
    }
}
