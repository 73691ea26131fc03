//! Every order of events that a small application can see, where the other simulations draw some.
//!
//! A state is the pure engine with a world around it: what there is of each resource, what is in flight, what may still
//! come from outside. From each state every step is taken that could be the next one, and each new state is looked at
//! once: states are remembered by a hash, in which times count from now. In every state every rule is checked
//! (`rules`, `commands`), from what was seen and commanded alone (`book`). The states that are few steps away come first, so that
//! a broken rule is told with the shortest way to it.
//!
//! Two steps are what is two steps in the driver: a task leaves the count, and its end is told; a guard is the last to
//! leave, and that is told; a task counts, and its start is told. Between the two anything else may happen. Time passes
//! to the next limit, whatever is under way: that is a hang.
//!
//! How much is explored is bounded for each application (`families`): how many events come from outside, how many
//! operations fail, how many limits are reached.
//!
//! | resources | graphs | variants | from outside | faults | limits |
//! |---|---|---|---|---|---|
//! | 1 | | everything alone, and much of it together | 1 of all, or up to 3 signals | 0 to 2 | any number |
//! | 2 | all | one optional, supplied or a foundation; 0 to 2 tasks, 0 or 1 guard | 1 of all, or 2 signals | 0 or 1 | 1 or 2 |
//! | 3 | all | one optional, supplied or a foundation; 0, 1 or 3 tasks | 0 to 2 signals | 0 to 2 | 0 to 3 |
//! | 1, 2, 3 | all of 2, a chain of 3; that reload | supplied, optional; 0 or 1 task | 2 or 3 reloads and signals | 0 or 1 | 1 or 2 |
//! | 4 | chain, diamond, fan-in, fan-out | the same; 0 or 1 task | 0 to 2 signals | 0 or 1 | 0 or 1 |

mod application;
mod book;
mod commands;
mod families;
mod moves;
mod reload;
mod rules;
mod seen;
mod state;
mod world;

use std::collections::HashSet;
use std::fmt::Write;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;

use self::application::*;
use self::moves::Steps;
use self::state::Step;
use self::world::{Frame, World};

/// How far an exploration came.
#[derive(Clone, Copy, Debug, Default)]
struct Explored {
    states: usize,
    steps: usize,
    ends: usize,
}

/// A hash that is one already.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("hashes are numbers")
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Folds each word into the hash by a wide multiplication: a state is a hundred small words, and the hasher of the
/// standard library takes a quarter of all the time.
#[derive(Default)]
struct Folded(u64);

impl Folded {
    fn fold(&mut self, word: u64) {
        // The sum keeps a zero from being swallowed.
        let product = u128::from((self.0 ^ word).wrapping_add(0x2545_f491_4f6c_dd1d)) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut padded = [0; 8];
            padded[..word.len()].copy_from_slice(word);
            self.fold(u64::from_le_bytes(padded));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.fold(byte.into());
    }

    fn write_u32(&mut self, word: u32) {
        self.fold(word.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.fold(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.fold(word as u64);
    }
}

fn hash(world: &World<'_>) -> u64 {
    let mut hasher = Folded::default();
    world.fingerprint(&mut hasher);
    hasher.finish()
}

/// Explores an application, states that are few steps away first. The error tells the shortest way to a broken rule.
fn explore(app: &Application) -> Result<Explored, String> {
    let frame = Frame::new(app);
    let root = World::new(&frame);
    let mut seen: HashSet<u64, BuildHasherDefault<Same>> = HashSet::default();
    seen.insert(hash(&root));
    let mut origins: Vec<(u32, Step)> = Vec::new();
    let mut explored = Explored { states: 1, ..Explored::default() };
    let mut frontier = vec![(u32::MAX, root)];
    let mut next = Vec::new();
    let mut steps = Steps::default();
    while !frontier.is_empty() {
        for (origin, mut world) in frontier.drain(..) {
            world.moves(&mut steps).map_err(|why| tell(&frame, &origins, origin, None, &why))?;
            for &step in &steps.0 {
                explored.steps += 1;
                let mut after = world.clone();
                after
                    .step(step, &mut |_| {})
                    .map_err(|why| tell(&frame, &origins, origin, Some(step), &why))?;
                if after.is_final() {
                    explored.ends += 1;
                } else if seen.insert(hash(&after)) {
                    explored.states += 1;
                    assert!(explored.states < 1_000_000, "it is too large to be explored:\n{app}");
                    next.push((origins.len() as u32, after));
                    origins.push((origin, step));
                }
            }
        }
        std::mem::swap(&mut frontier, &mut next);
    }
    Ok(explored)
}

/// The way to a broken rule: the steps, and what the engine put out at each.
fn tell(frame: &Frame<'_>, origins: &[(u32, Step)], last: u32, step: Option<Step>, why: &str) -> String {
    let mut path: Vec<Step> = step.into_iter().collect();
    let mut origin = last;
    while let Some((before, step)) = origins.get(origin as usize) {
        path.push(*step);
        origin = *before;
    }
    let mut text = format!("{why}\n");
    let mut world = World::new(frame);
    for step in path.iter().rev() {
        let mut said = String::new();
        let _ = world.step(*step, &mut |output| {
            let _ = writeln!(said, "{:>15}{output:?}", "");
        });
        let at_limit = if step.is_at_limit { ", at the limit" } else { "" };
        let _ = write!(text, "{:>12?} > {:?}{at_limit}\n{said}", world.now, step.what);
    }
    let _ = write!(text, "{}", frame.app);
    text
}

/// Explores some applications. That it is not less than it was is asserted, so that the exploration cannot shrink
/// without being noticed.
fn explore_all(applications: &[Application], at_least: usize) {
    let mut all = Explored::default();
    for app in applications {
        let Explored { states, steps, ends } = explore(app).unwrap_or_else(|why| panic!("{why}"));
        all.states += states;
        all.steps += steps;
        all.ends += ends;
    }
    let Explored { states, steps, ends } = all;
    // Written past the harness, which would keep it to itself: how much was explored is the result.
    let explored = format!("{states} states, {steps} steps, {ends} ends\n");
    io::Write::write_all(&mut io::stderr(), explored.as_bytes()).expect("standard error is open");
    assert!(states >= at_least, "only {states} states were explored, and there were {at_least}");
}

#[test]
fn one_resource_keeps_every_rule_in_every_schedule() {
    explore_all(&families::one(), 910_000);
}

#[test]
fn reloads_keep_every_rule_in_every_schedule() {
    explore_all(&families::reloading(), 31_000);
}

#[test]
fn two_resources_keep_every_rule_in_every_schedule() {
    explore_all(&families::two(), 1_500_000);
}

#[test]
fn three_resources_keep_every_rule_in_every_schedule() {
    explore_all(&families::three(), 800_000);
}

#[test]
fn four_resources_keep_every_rule_in_every_schedule() {
    explore_all(&families::four(), 240_000);
}
