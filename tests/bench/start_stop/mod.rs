//! How long an application takes to start and to stop when its resources do nothing: what the framework itself costs,
//! per resource, beside the same graph as tasks written by hand.

mod by_hand;
mod critical_path;
mod framework;
mod graph;

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

pub(crate) use self::critical_path::measure as measure_critical_path;
use self::graph::{Edges, SHAPES, Shape};
use crate::options::Options;
use crate::rounds::{Taken, round, time};
use crate::series::Series;
use crate::table::{Show, Table};

/// In one slice of a round, small applications run until so many resources have been started and stopped.
const RESOURCES_PER_SLICE: usize = 2_000;

#[derive(Clone, Copy)]
enum Peer {
    ByHand,
    Framework,
}

/// What one resource took, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Cost {
    start: f64,
    stop: f64,
    both: f64,
    cpu: f64,
}

/// The same for every round.
#[derive(Debug, Default)]
struct Costs {
    start: Series,
    stop: Series,
    both: Series,
    cpu: Series,
}

/// One shape in one size.
struct Row {
    shape: Shape,
    edges: Edges,
    by_hand: Costs,
    framework: Costs,
}

pub(crate) fn measure(options: &Options) -> Vec<Table> {
    let sizes: &[usize] = if options.is_quick { &[10, 50] } else { &[10, 100, 1_000, 10_000] };
    measure_sizes(options, sizes)
}

/// From here on, the process has a subscriber.
pub(crate) fn measure_logged(options: &Options) -> Vec<Table> {
    tracing_subscriber::fmt().with_writer(std::io::sink).init();
    let sizes: &[usize] = if options.is_quick { &[10] } else { &[100, 1_000] };
    measure_sizes(options, sizes)
}

fn measure_sizes(options: &Options, sizes: &[usize]) -> Vec<Table> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("the system gives threads");
    let mut rows: Vec<Row> = Vec::new();
    for &shape in SHAPES {
        let row = |&size: &usize| Row {
            shape,
            edges: shape.edges(size),
            by_hand: Costs::default(),
            framework: Costs::default(),
        };
        rows.extend(sizes.iter().map(row));
    }
    let resources_per_slice = if options.is_quick { 0 } else { RESOURCES_PER_SLICE };
    for _ in 0..options.rounds {
        for row in &mut rows {
            let times = (resources_per_slice / row.edges.len()).max(1);
            let run = |peer| run(&runtime, peer, &row.edges, times);
            let [by_hand, framework] = round([Peer::ByHand, Peer::Framework], run);
            row.by_hand.push(&by_hand);
            row.framework.push(&framework);
        }
    }
    std::iter::once(costs(&rows)).chain(growth(&rows, sizes)).collect()
}

/// Runs an application so many times.
fn run(runtime: &Runtime, peer: Peer, edges: &Edges, times: usize) -> Cost {
    let mut starts = Duration::ZERO;
    let mut whole = Taken::default();
    for _ in 0..times {
        let edges = edges.clone();
        let began = Instant::now();
        let (started, taken) = time(|| match peer {
            Peer::ByHand => runtime.block_on(by_hand::run(edges)),
            Peer::Framework => runtime.block_on(framework::run(edges)),
        });
        starts += started - began;
        whole.wall += taken.wall;
        whole.cpu += taken.cpu;
    }
    let per_resource = |taken: Duration| taken.as_secs_f64() * 1e6 / (times * edges.len()) as f64;
    Cost {
        start: per_resource(starts),
        stop: per_resource(whole.wall.saturating_sub(starts)),
        both: per_resource(whole.wall),
        cpu: per_resource(whole.cpu),
    }
}

impl Costs {
    fn push(&mut self, slices: &[Cost]) {
        let median = |figure: fn(&Cost) -> f64| slices.iter().map(figure).collect::<Series>().median();
        self.start.push(median(|cost| cost.start));
        self.stop.push(median(|cost| cost.stop));
        self.both.push(median(|cost| cost.both));
        self.cpu.push(median(|cost| cost.cpu));
    }
}

fn costs(rows: &[Row]) -> Table {
    let columns = vec![
        ("by hand: start", Show::Median),
        ("stop", Show::Median),
        ("both", Show::Range),
        ("lifecycle: start", Show::Median),
        ("stop ", Show::Median),
        ("both ", Show::Range),
        ("ratio", Show::Ratio),
        ("ratio of CPU time", Show::Ratio),
    ];
    let row = |row: &Row| {
        let Row { shape, edges, by_hand, framework } = row;
        let cells = vec![
            by_hand.start.clone(),
            by_hand.stop.clone(),
            by_hand.both.clone(),
            framework.start.clone(),
            framework.stop.clone(),
            framework.both.clone(),
            framework.both.ratio_to(&by_hand.both),
            framework.cpu.ratio_to(&by_hand.cpu),
        ];
        (format!("{} {}", shape.name(), edges.len()), cells)
    };
    Table {
        title: "us per resource: the median of the rounds (the least to the greatest)".to_owned(),
        columns,
        rows: rows.iter().map(row).collect(),
    }
}

/// What one resource costs in the largest application, beside what it costs in one of a hundred: if the cost is
/// linear, this is 1.
fn growth(rows: &[Row], sizes: &[usize]) -> Option<Table> {
    let last = sizes.len() - 1;
    let first = sizes[..last].iter().position(|&size| size >= 100)?;
    let row = |rows: &[Row]| {
        let (small, large) = (&rows[first], &rows[last]);
        let cells = vec![
            large.by_hand.both.ratio_to(&small.by_hand.both),
            large.framework.both.ratio_to(&small.framework.both),
        ];
        (small.shape.name().to_owned(), cells)
    };
    Some(Table {
        title: format!("one resource of {}, beside one of {}", sizes[last], sizes[first]),
        columns: vec![("by hand", Show::Ratio), ("lifecycle", Show::Ratio)],
        rows: rows.chunks(sizes.len()).map(row).collect(),
    })
}
