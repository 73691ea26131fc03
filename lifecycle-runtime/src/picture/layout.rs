//! Where the boxes of a graph stand: in columns by level, with few crossings, each near what it is connected to.
//!
//! The method is Sugiyama's: edges over several columns get a passing place in each, columns are sorted by the mean
//! places of their neighbours, back and forth, and then each box moves as near to its neighbours as its column allows.

use super::svg::float;
use crate::model::order::{order_by, sorted};

/// The distance of two columns, and of two boxes in one.
const BETWEEN_COLUMNS: f64 = 64.0;
const BETWEEN_BOXES: f64 = 16.0;

/// How often columns are sorted, and boxes are moved. More changes hardly anything.
const SWEEPS: usize = 12;

/// The result. Coordinates begin at 0.
pub(super) struct Layout {
    /// The upper left corner of each box.
    pub(super) corners: Vec<(f64, f64)>,
    /// For each edge, points from the right side of its first box to the left side of its second.
    pub(super) paths: Vec<Vec<(f64, f64)>>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Something with a place in a column: a box, or an edge that passes.
#[derive(Default)]
struct Item {
    height: f64,
    column: usize,
    left: Vec<usize>,
    right: Vec<usize>,
}

/// Lays out boxes of the given sizes. Each edge leads from a lower level to a higher one.
pub(super) fn layered(levels: &[usize], sizes: &[(f64, f64)], edges: &[(usize, usize)]) -> Layout {
    let boxes = levels.iter().zip(sizes);
    let mut items: Vec<Item> =
        boxes.map(|(&column, &(_, height))| Item { height, column, ..Item::default() }).collect();
    let routes: Vec<Vec<usize>> = edges.iter().map(|&edge| route(&mut items, edge)).collect();
    let mut columns = vec![Vec::new(); levels.iter().max().map_or(0, |last| last + 1)];
    for (id, item) in items.iter().enumerate() {
        columns[item.column].push(id);
    }
    sort(&mut columns, &items);
    let middles = middles(&columns, &items);

    let (mut top, mut bottom) = (f64::MAX, f64::MIN);
    for (item, middle) in items.iter().zip(&middles) {
        top = top.min(middle - item.height / 2.0);
        bottom = bottom.max(middle + item.height / 2.0);
    }
    let mut spans = Vec::new();
    let mut x = 0.0;
    for column in &columns {
        let mut width: f64 = 0.0;
        for &id in column {
            width = width.max(sizes.get(id).map_or(0.0, |(width, _)| *width));
        }
        spans.push((x, x + width));
        x += width + BETWEEN_COLUMNS;
    }
    let corners = (0..sizes.len())
        .map(|id| (spans[levels[id]].0, middles[id] - items[id].height / 2.0 - top))
        .collect();
    let paths = routes.iter().map(|route| path(route, &items, &middles, top, &spans, sizes)).collect();
    let height = if items.is_empty() { 0.0 } else { bottom - top };
    Layout { corners, paths, width: (x - BETWEEN_COLUMNS).max(0.0), height }
}

/// Adds the passing places of an edge, and returns all that it leads along.
fn route(items: &mut Vec<Item>, (from, to): (usize, usize)) -> Vec<usize> {
    let mut route = vec![from];
    for column in items[from].column + 1..items[to].column {
        route.push(items.len());
        items.push(Item { column, ..Item::default() });
    }
    route.push(to);
    for pair in route.windows(2) {
        items[pair[0]].right.push(pair[1]);
        items[pair[1]].left.push(pair[0]);
    }
    route
}

/// Sorts the columns so that few edges cross.
fn sort(columns: &mut [Vec<usize>], items: &[Item]) {
    let mut best = (crossings(columns, items), columns.to_vec());
    for sweep in 0..SWEEPS {
        let mut places = vec![0; items.len()];
        let order: Vec<usize> =
            if sweep % 2 == 0 { (0..columns.len()).collect() } else { (0..columns.len()).rev().collect() };
        for column in columns.iter() {
            note_places(column, &mut places);
        }
        for number in order {
            let column = &mut columns[number];
            let mut means = Vec::new();
            for &id in column.iter() {
                let neighbours = if sweep % 2 == 0 { &items[id].left } else { &items[id].right };
                means.push(mean(neighbours, &|id| float(places[id])).unwrap_or(float(places[id])));
            }
            let order = order_by(column.len(), &|one, other| means[one].total_cmp(&means[other]));
            *column = order.into_iter().map(|place| column[place]).collect();
            note_places(column, &mut places);
        }
        let count = crossings(columns, items);
        if count < best.0 {
            best = (count, columns.to_vec());
        }
    }
    columns.clone_from_slice(&best.1);
}

/// Where each item of a column stands.
fn note_places(column: &[usize], places: &mut [usize]) {
    for (place, &id) in column.iter().enumerate() {
        places[id] = place;
    }
}

fn mean(ids: &[usize], value: &dyn Fn(usize) -> f64) -> Option<f64> {
    let mut sum = 0.0;
    for &id in ids {
        sum += value(id);
    }
    (!ids.is_empty()).then(|| sum / float(ids.len()))
}

fn crossings(columns: &[Vec<usize>], items: &[Item]) -> usize {
    let mut places = vec![0; items.len()];
    for column in columns {
        note_places(column, &mut places);
    }
    let mut count = 0;
    for column in columns {
        // The right ends in the order of their left ends: each pair in the wrong order is a crossing.
        let mut ends = Vec::new();
        for &id in column {
            let right: Vec<usize> = items[id].right.iter().map(|&to| places[to]).collect();
            ends.extend(sorted(&right));
        }
        for (place, end) in ends.iter().enumerate() {
            for other in &ends[place + 1..] {
                count += usize::from(other < end);
            }
        }
    }
    count
}

/// The middle of each item: as near to the mean of its neighbours' as the order of its column allows.
fn middles(columns: &[Vec<usize>], items: &[Item]) -> Vec<f64> {
    let mut middles = vec![0.0; items.len()];
    for column in columns {
        settle(column, items, &mut middles, &|_| None);
    }
    for sweep in 0..2 * SWEEPS {
        let is_forward = sweep % 2 == 0;
        let order: Vec<&Vec<usize>> =
            if is_forward { columns.iter().collect() } else { columns.iter().rev().collect() };
        for column in order {
            let seen = middles.clone();
            settle(column, items, &mut middles, &|id| {
                let Item { left, right, .. } = &items[id];
                mean(if is_forward { left } else { right }, &|id| seen[id])
            });
        }
    }
    middles
}

/// Moves the items of a column to where they want to be, or stay, in their order and without overlap. Those that press
/// against one another share the way.
fn settle(column: &[usize], items: &[Item], middles: &mut [f64], wanted: &dyn Fn(usize) -> Option<f64>) {
    // Where each item would stand in a column that begins at 0.
    let mut stacked = Vec::new();
    let mut y = 0.0;
    for &id in column {
        stacked.push(y + items[id].height / 2.0);
        y += items[id].height + BETWEEN_BOXES;
    }
    // Runs of items that touch: the sum of the shifts that they want, and how many they are.
    let mut runs: Vec<(f64, usize)> = Vec::new();
    for (&id, place) in column.iter().zip(&stacked) {
        let shift = wanted(id).unwrap_or(middles[id]) - place;
        let mut run = (shift, 1);
        while let Some(&(sum, count)) = runs.last() {
            if sum / float(count) <= run.0 / float(run.1) {
                break;
            }
            run = (run.0 + sum, run.1 + count);
            runs.pop();
        }
        runs.push(run);
    }
    let mut next = 0;
    for (sum, count) in runs {
        for _ in 0..count {
            middles[column[next]] = stacked[next] + sum / float(count);
            next += 1;
        }
    }
}

/// The points of an edge: it leaves at the right side of its first box, passes columns straight, and ends at the left
/// side of its last box.
fn path(
    route: &[usize],
    items: &[Item],
    middles: &[f64],
    top: f64,
    spans: &[(f64, f64)],
    sizes: &[(f64, f64)],
) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    for (place, &id) in route.iter().enumerate() {
        let (left, right) = spans[items[id].column];
        let y = middles[id] - top;
        if place > 0 {
            points.push((left, y));
        }
        if place + 1 < route.len() {
            let end = sizes.get(id).map_or(right, |(width, _)| left + width);
            points.push((end, y));
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (f64, f64) = (100.0, 40.0);

    fn layout(levels: &[usize], edges: &[(usize, usize)]) -> Layout {
        layered(levels, &vec![SIZE; levels.len()], edges)
    }

    #[test]
    fn boxes_never_overlap() {
        // A graph of 60 boxes whose edges follow no pattern.
        let levels: Vec<usize> = (0..60).map(|id| id / 12).collect();
        let pairs = (0..60).flat_map(|from| (from + 1..60).map(move |to| (from, to)));
        let edges: Vec<(usize, usize)> =
            pairs.filter(|&(from, to)| levels[from] < levels[to] && (from * 7 + to * 13) % 11 == 0).collect();
        let Layout { corners, width, height, paths } = layout(&levels, &edges);
        for (one, a) in corners.iter().enumerate() {
            assert!(a.0 >= 0.0 && a.0 + SIZE.0 <= width && a.1 >= 0.0 && a.1 + SIZE.1 <= height, "{a:?}");
            for b in &corners[one + 1..] {
                let is_apart = (a.0 - b.0).abs() >= SIZE.0 || (a.1 - b.1).abs() >= SIZE.1;
                assert!(is_apart, "{a:?} {b:?}");
            }
        }
        assert_eq!(paths.len(), edges.len());
    }

    #[test]
    fn what_can_be_untangled_is() {
        // Two chains, given in opposite orders.
        let Layout { corners, .. } = layout(&[0, 0, 1, 1], &[(0, 3), (1, 2)]);
        assert!((corners[0].1 < corners[1].1) == (corners[3].1 < corners[2].1), "{corners:?}");
    }

    #[test]
    fn an_edge_passes_the_columns_between() {
        let Layout { paths, corners, .. } = layout(&[0, 1, 2], &[(0, 1), (1, 2), (0, 2)]);
        let around = &paths[2];
        assert_eq!(around.len(), 4);
        let (_, top) = corners[1];
        assert!(around[1].1 < top || around[1].1 > top + SIZE.1, "{around:?} {corners:?}");
    }

    #[test]
    fn nothing_is_an_empty_picture() {
        let Layout { width, height, .. } = layout(&[], &[]);
        assert!(width.abs() < 1.0 && height.abs() < 1.0);
    }
}
