//! The shapes that are measured.

/// For each resource, the positions of those that it comes after, all of them smaller than its own.
pub(super) type Edges = Vec<Vec<usize>>;

/// The random graphs are the same ones in every run.
const SEED: u64 = 20_260_101;

#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// Each resource comes after the one before it.
    Chain,
    /// No resource comes after another.
    SideBySide,
    /// Each resource comes after three others, drawn from those before it.
    Random,
}

pub(super) const SHAPES: &[Shape] = &[Shape::Chain, Shape::SideBySide, Shape::Random];

impl Shape {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::SideBySide => "side by side",
            Self::Random => "random",
        }
    }

    pub(super) fn edges(self, size: usize) -> Edges {
        let mut random = SplitMix(SEED);
        let after = |position: usize| match self {
            Self::Chain => position.checked_sub(1).into_iter().collect(),
            Self::SideBySide => Vec::new(),
            Self::Random if position == 0 => Vec::new(),
            Self::Random => {
                let mut after: Vec<usize> = (0..3).map(|_| random.below(position)).collect();
                after.sort_unstable();
                after.dedup();
                after
            }
        };
        (0..size).map(after).collect()
    }
}

/// The generator of Steele, Lea and Flood: four lines that are random enough for a graph.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_comes_after_earlier_ones_only() {
        for shape in SHAPES {
            for (position, after) in shape.edges(1_000).iter().enumerate() {
                assert!(after.iter().all(|&other| other < position), "{shape:?}: {position} after {after:?}");
            }
        }
    }

    #[test]
    fn a_random_graph_has_about_three_edges_per_resource_and_is_the_same_in_every_run() {
        let edges = Shape::Random.edges(1_000);
        let count: usize = edges.iter().map(Vec::len).sum();
        assert!((2_900..=3_000).contains(&count), "{count} edges");
        assert_eq!(edges, Shape::Random.edges(1_000));
    }
}
