//! One table that compares several ways to do the same, of which the first is what the others are measured by.

use crate::options::Options;
use crate::rounds::{Taken, round};
use crate::series::Series;
use crate::table::{Show, Table};

/// One way to do it, under the name that the table shows.
pub(crate) type Peer<P> = (&'static str, P);

/// Runs the peers in turn, and shows what one of the `count` units that a run consists of took.
pub(crate) fn compare<P: Copy, const N: usize>(
    options: &Options,
    title: String,
    peers: [Peer<P>; N],
    count: usize,
    mut run: impl FnMut(P) -> Taken,
) -> Table {
    let mut wall = [const { Series::new() }; N];
    let mut cpu = [const { Series::new() }; N];
    for _ in 0..options.rounds {
        let taken = round(peers, |(_, peer)| run(peer));
        for (peer, slices) in taken.iter().enumerate() {
            let median = |figure: fn(&Taken) -> f64| {
                slices.iter().map(|taken| figure(taken) * 1e9 / count as f64).collect::<Series>().median()
            };
            wall[peer].push(median(|taken| taken.wall.as_secs_f64()));
            cpu[peer].push(median(|taken| taken.cpu.as_secs_f64()));
        }
    }
    let row = |(position, (name, _)): (usize, &Peer<P>)| {
        let (wall_ratio, cpu_ratio) = (wall[position].ratio_to(&wall[0]), cpu[position].ratio_to(&cpu[0]));
        ((*name).to_owned(), vec![wall[position].clone(), wall_ratio, cpu[position].clone(), cpu_ratio])
    };
    Table {
        title,
        columns: vec![
            ("ns", Show::Median),
            ("ratio", Show::Ratio),
            ("ns of CPU time", Show::Median),
            ("ratio of CPU time", Show::Ratio),
        ],
        rows: peers.iter().enumerate().map(row).collect(),
    }
}
