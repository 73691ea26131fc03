//! A process that is killed at a random moment, two hundred times: its black box says where it was.
//!
//! The test knows where the process is, since the process takes no step but those that the test lets it take, one at a
//! time. After each step the test waits until the black box shows it, so that a record which is wrong, or late by a
//! step, is found at every step and not only at the last. Some time after the last step, perhaps none, the test sends
//! SIGKILL. By then that step may have been recorded or not; nothing else may.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use rustix::process::Signal;

use crate::http::{Connection, answered, connect, get};
use crate::machine;
use crate::program::{Process, Program, wait_until};
use crate::scratch::Scratch;

/// How many lives there are, side by side and one after the other.
const LANES: u64 = 4;
const LIVES: u64 = 50;

/// Half of the records come sooner than that after what they record. One that came a second late would be lost with a
/// process that is killed within that second. The median is indifferent to a machine that pauses.
const PROMPT: Duration = Duration::from_millis(250);

/// How many clients keep the process busy.
const CLIENTS: usize = 2;

/// Where an application stands, as far as the test leads it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    phase: String,
    /// Who is waited for, and what for.
    waiting: Vec<(String, String)>,
    /// How many requests of Http, and how many tasks of Worker, are in flight.
    requests: usize,
    tasks: usize,
}

impl Place {
    fn new(phase: &str, waiting: &[(&str, &str)], requests: usize, tasks: usize) -> Self {
        let waiting = waiting.iter().map(|(name, doing)| ((*name).to_owned(), (*doing).to_owned()));
        Self { phase: phase.to_owned(), waiting: waiting.collect(), requests, tasks }
    }

    fn is_running(&self) -> bool {
        self.phase == "running"
    }

    /// Reads it from a record.
    fn of(record: &str) -> Self {
        let values = |key: &str| {
            let key = format!("{key}: ");
            let values = record.lines().filter_map(|line| line.strip_prefix(&key));
            values.map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        let phase = values("phase").concat();
        let phase = phase.split(' ').next().unwrap_or_default().to_owned();
        let waiting = values("waiting for");
        let named =
            |value: &String| value.split_once(" (").map(|(name, rest)| (name.to_owned(), rest.to_owned()));
        let doing = |(name, rest): (String, String)| {
            let doing = rest.split(" for ").next().unwrap_or_default().to_owned();
            (name, doing)
        };
        let all: BTreeMap<String, String> =
            waiting.iter().chain(&values("also in flight")).filter_map(named).collect();
        let of = |name: &str, what: &str| all.get(name).map_or(0, |text| number_before(text, what));
        assert!(of("Load", " request") <= CLIENTS, "{record}");
        Self {
            phase,
            waiting: waiting.iter().filter_map(named).map(doing).collect(),
            requests: of("Http", " request"),
            tasks: of("Worker", " in flight"),
        }
    }
}

/// The number in front of these words.
fn number_before(text: &str, words: &str) -> usize {
    let Some((before, _)) = text.split_once(words) else { return 0 };
    before.rsplit([' ', '(']).next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The record of this process; nothing if there is none.
fn record(path: &Path, process: &Process) -> Option<String> {
    let pid = format!("pid: {}", process.pid().as_raw_pid());
    fs::read_to_string(path).ok().filter(|text| text.lines().any(|line| line == pid))
}

/// One thing that the test has the process do.
#[derive(Clone, Debug)]
enum Step {
    /// A line on its stdin.
    Line(String),
    /// A task of Worker begins.
    Task(usize),
    /// A request to Http comes.
    Request(usize),
    /// A request is answered, and its client gone.
    Answer(usize),
    Stop,
}

/// A step, and what the record may show from then on: the last of these in the end. `None` is no record.
#[derive(Debug)]
struct Move {
    step: Option<Step>,
    through: Vec<Option<Place>>,
}

/// The same sequence of numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        // xorshift
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("it is below the limit")
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}

/// All that a life does if nobody kills it.
fn moves(random: &mut Random) -> Vec<Move> {
    let mut moves = Vec::new();
    let mut add = |step: Option<Step>, through: Vec<Place>| {
        moves.push(Move { step, through: through.into_iter().map(Some).collect() });
    };
    let line = |line: &str| Some(Step::Line(line.to_owned()));
    let starting = |name: &str| Place::new("starting", &[(name, "acquiring")], 0, 0);
    add(None, vec![Place::new("starting", &[], 0, 0), starting("Load"), starting("Db")]);
    add(line("acquire Db"), vec![starting("Worker")]);
    add(line("acquire Worker"), vec![starting("Http")]);
    add(line("acquire Http"), vec![Place::new("running", &[], 0, 0)]);

    let (all_requests, all_tasks) = (1 + random.below(3), 1 + random.below(3));
    let mut steps: Vec<Step> =
        (0..all_requests).map(Step::Request).chain((0..all_tasks).map(Step::Task)).collect();
    random.shuffle(&mut steps);
    let (mut requests, mut tasks) = (0, 0);
    for step in steps {
        match step {
            Step::Request(_) => requests += 1,
            _ => tasks += 1,
        }
        add(Some(step), vec![Place::new("running", &[], requests, tasks)]);
    }

    let stopping =
        |name: &str, doing: &str, requests, tasks| Place::new("stopping", &[(name, doing)], requests, tasks);
    add(Some(Step::Stop), vec![stopping("Http", "draining", requests, tasks)]);
    // Some tasks end while Http drains, and some later; one at least when Worker drains.
    let early = random.below(tasks);
    let mut steps: Vec<Step> = (0..all_requests)
        .map(Step::Answer)
        .chain((0..early).map(|task| Step::Line(format!("end {task}"))))
        .collect();
    random.shuffle(&mut steps);
    for step in steps {
        match step {
            Step::Answer(_) => requests -= 1,
            _ => tasks -= 1,
        }
        let mut through = vec![stopping("Http", "draining", requests, tasks)];
        if requests == 0 {
            through.push(stopping("Http", "releasing", 0, tasks));
        }
        add(Some(step), through);
    }
    add(line("release Http"), vec![stopping("Worker", "draining", 0, tasks)]);
    for task in early..all_tasks {
        tasks -= 1;
        let mut through = vec![stopping("Worker", "draining", 0, tasks)];
        if tasks == 0 {
            through.push(stopping("Worker", "releasing", 0, 0));
        }
        add(line(&format!("end {task}")), through);
    }
    add(line("release Worker"), vec![stopping("Db", "releasing", 0, 0)]);
    let load = |doing| stopping("Load", doing, 0, 0);
    add(line("release Db"), vec![load("draining"), load("releasing"), Place::new("stopping", &[], 0, 0)]);
    moves.last_mut().expect("there are some").through.push(None);
    moves
}

/// One life of the program, and what leads it.
struct Life<'a> {
    path: &'a Path,
    process: Process,
    http: Option<SocketAddr>,
    clients: BTreeMap<usize, Connection>,
}

impl Life<'_> {
    fn take(&mut self, step: &Step) {
        match step {
            Step::Line(line) => {
                self.process.write_line(line);
                if line == "acquire Http" {
                    self.http = Some(self.process.address());
                }
            }
            Step::Task(number) => {
                self.process.write_line(&format!("task {number}"));
                self.process.wait_for_line(&format!("task {number} has begun"));
            }
            Step::Request(number) => {
                let mut client = connect(self.http.expect("Http is acquired"));
                client.send(&get(&format!("/{number}"))).expect("it can be sent");
                self.clients.insert(*number, client);
                self.process.wait_for_line(&format!("request {number} has arrived"));
            }
            Step::Answer(number) => {
                self.process.write_line(&format!("answer {number}"));
                let mut client = self.clients.remove(number).expect("it has asked");
                answered(client.read_response());
            }
            Step::Stop => self.process.signal(Signal::TERM),
        }
    }

    fn place(&self) -> Option<Place> {
        record(self.path, &self.process).map(|record| Place::of(&record))
    }

    /// Whether the record may show this when these moves were made, the last of them just now: where the application
    /// stood before it, where it stands after it, and what it passes through in between. While the application runs, what
    /// is in flight may be that of an earlier moment at which it ran.
    fn may_be(shown: Option<&Place>, made: &[Move]) -> bool {
        let (last, before) = made.split_last().expect("one was made");
        let settled = |made: &Move| made.through.last().cloned().flatten();
        let mut allowed = last.through.clone();
        allowed.push(before.last().and_then(settled));
        if allowed.iter().flatten().any(Place::is_running) {
            allowed.extend(
                before.iter().map(settled).filter(|place| place.as_ref().is_some_and(Place::is_running)),
            );
        }
        allowed.iter().any(|place| place.as_ref() == shown)
    }
}

/// Clients that ask without a pause, until they are told to stop.
fn load(process: &Process, is_over: &Arc<AtomicBool>) -> Vec<thread::JoinHandle<usize>> {
    let address = process.address_after("loading on http://");
    let ask = move |is_over: Arc<AtomicBool>| {
        let mut answers = 0;
        while !is_over.load(Ordering::Relaxed) {
            let Ok(mut client) = Connection::open(address) else { break };
            while !is_over.load(Ordering::Relaxed) && client.get("/").is_ok() {
                answers += 1;
            }
        }
        answers
    };
    let start = |_| {
        let is_over = Arc::clone(is_over);
        thread::spawn(move || ask(is_over))
    };
    (0..CLIENTS).map(start).collect()
}

/// What was seen in all lives.
#[derive(Default)]
struct Seen {
    /// How many requests were answered by Load.
    answers: usize,
    /// In which phase a record was found, and how often; none counts as another.
    phases: BTreeMap<String, usize>,
    /// How often the record showed the place before the last move.
    earlier: usize,
    /// How long a record took that shows another activity, and one that shows another count.
    activities: Vec<Duration>,
    counts: Vec<Duration>,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.earlier += other.earlier;
        for (phase, count) in other.phases {
            *self.phases.entry(phase).or_default() += count;
        }
        self.activities.extend(other.activities);
        self.counts.extend(other.counts);
    }
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    durations[durations.len() / 2]
}

/// Leads one life, and kills it. `left` is the record that the last life has left. Returns what this one leaves.
fn live(
    path: &Path,
    random: &mut Random,
    is_quiet: bool,
    left: Option<&str>,
    seen: &mut Seen,
) -> Option<String> {
    let moves = moves(random);
    let last = random.below(moves.len());
    let pause =
        Duration::from_micros([0, random.below(500) as u64, random.below(20_000) as u64][random.below(3)]);
    let program = Program::new(env!("CARGO_BIN_EXE_black_box"));
    let program = program.with_open_stdin().env("LIFECYCLE_BLACK_BOX", path);
    let process = if is_quiet { program.env("QUIET", "1") } else { program }.spawn();
    let mut life = Life { path, process, http: None, clients: BTreeMap::new() };
    let (is_over, mut clients) = (Arc::new(AtomicBool::new(false)), Vec::new());
    for (number, Move { step, through }) in moves.iter().enumerate().take(last + 1) {
        if let Some(step) = step {
            life.take(step);
        }
        if number == last {
            thread::sleep(pause);
            break;
        }
        let aim = through.last().expect("it leads somewhere").as_ref();
        let has_run = number > 0 && moves[number - 1].through.iter().flatten().any(Place::is_running);
        if has_run && aim.is_some_and(Place::is_running) {
            let shown = life.place();
            assert!(Life::may_be(shown.as_ref(), &moves[..=number]), "{step:?}: {shown:?}");
        } else {
            let since = Instant::now();
            wait_until(&format!("{step:?} is recorded as {aim:?}"), || life.place().as_ref() == aim);
            let waiting = |place: Option<&Place>| place.map(|place| place.waiting.clone());
            let before = number.checked_sub(1).and_then(|number| moves[number].through.last()?.as_ref());
            let list = if waiting(before) == waiting(aim) { &mut seen.counts } else { &mut seen.activities };
            // The first includes the start of the program.
            list.extend((number > 0).then(|| since.elapsed()));
        }
        if number == 0 {
            clients = if is_quiet { Vec::new() } else { load(&life.process, &is_over) };
            if let Some(left) = left {
                is_told(&life.process, left);
            }
        }
    }
    life.process.signal(Signal::KILL);
    is_over.store(true, Ordering::Relaxed);
    let pid = life.process.pid();
    let text = {
        let Life { process, clients, .. } = life;
        drop(clients);
        let exit = process.wait_for_exit();
        assert!(exit.killed_by() == Some(9) || last + 1 == moves.len(), "{:?}", exit.code());
        fs::read_to_string(path).ok()
    };
    let own = format!("pid: {}", pid.as_raw_pid());
    let own = text.as_ref().filter(|text| text.lines().any(|line| line == own));
    let place = own.map(|text| Place::of(text));
    let made = &moves[..=last];
    assert!(
        Life::may_be(place.as_ref(), made),
        "killed {pause:?} after {:?}; the record shows {place:?}, and may show {:#?}\n{text:?}",
        made.last().map(|it| &it.step),
        &made[made.len().saturating_sub(2)..],
    );
    for client in clients {
        seen.answers += client.join().expect("it does not panic");
    }
    let settled = last.checked_sub(1).and_then(|before| moves[before].through.last()?.as_ref());
    seen.earlier += usize::from(place.as_ref() == settled);
    *seen.phases.entry(place.map_or("none".to_owned(), |place| place.phase)).or_default() += 1;
    text.filter(|text| !text.is_empty())
}

/// What a life has left is told by the next.
#[track_caller]
fn is_told(process: &Process, left: &str) {
    let value = |key: &str| left.lines().find_map(|line| line.strip_prefix(key));
    let pid = value("pid: ").expect("it has one");
    let line = process.wait_for_line(&format!("the last life (pid {pid}, last seen "));
    let Place { phase, waiting, .. } = Place::of(left);
    assert!(
        line.text.contains(&format!("was killed, or exited without a word, while {phase} for ")),
        "{line:?}"
    );
    for (name, doing) in waiting {
        assert!(line.text.contains(&format!("{name} ({doing} for ")), "{line:?}");
    }
}

#[test]
fn two_hundred_lives_that_are_killed_at_random_moments_under_load_leave_where_they_were() {
    let _machine = machine::shared();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_nanos();
    let seed = env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(now as u64);
    println!("SEED={seed}");
    let mut seen = Seen::default();
    thread::scope(|scope| {
        let start = |lane| {
            scope.spawn(move || {
                let scratch = Scratch::new();
                let path = scratch.path().join("box");
                let mut random = Random(seed.wrapping_mul(2 * lane + 3) | 1);
                let (mut left, mut seen) = (None, Seen::default());
                for _ in 0..LIVES {
                    // Load changes the record all the time, and so corrects it. In one lane there is none.
                    left = live(&path, &mut random, lane == 0, left.as_deref(), &mut seen);
                    let there = scratch.content();
                    let is_known = |name: &String| name == "box" || name == "box.lifecycle-new";
                    assert!(there.iter().all(is_known), "{there:?}");
                }
                seen
            })
        };
        let lanes: Vec<_> = (0..LANES).map(start).collect();
        for lane in lanes {
            seen.add(lane.join().expect("nothing unexpected was recorded"));
        }
    });
    let Seen { answers, phases, earlier, activities, counts } = seen;
    let (activities, counts) = (median(activities), median(counts));
    println!("{answers} requests; {phases:?}, {earlier} before the last move; {activities:?}, {counts:?}");
    assert!(answers > 1_000, "that is no load: {answers} answers");
    assert!(activities < PROMPT && counts < PROMPT, "{activities:?} and {counts:?} are too late");
    for phase in ["starting", "running", "stopping"] {
        assert!(phases.contains_key(phase), "nobody was killed while {phase}");
    }
}

/// The check finds a record that is two moves old, names another resource, or counts wrong.
#[test]
fn a_record_that_is_late_or_wrong_is_found() {
    for seed in 1..100 {
        let moves = moves(&mut Random(seed));
        let stop = moves.iter().position(|made| matches!(made.step, Some(Step::Stop))).expect("it stops");
        for number in stop + 1..moves.len() {
            let made = &moves[..=number];
            let may_be = |place: Option<&Place>| Life::may_be(place, made);
            let right = moves[number].through.last().and_then(Option::as_ref);
            let late = moves[number - 2].through.last().and_then(Option::as_ref);
            assert!(may_be(right) && !may_be(late), "{number}: {late:?}");
            let Some(right) = right else { continue };
            let other_name =
                right.waiting.iter().map(|(_, doing)| ("Log".to_owned(), doing.clone())).collect();
            let wrong = [
                Place { waiting: other_name, ..right.clone() },
                Place { requests: right.requests + 2, ..right.clone() },
                Place { tasks: right.tasks + 2, ..right.clone() },
                Place { phase: "draining".to_owned(), ..right.clone() },
            ];
            for wrong in &wrong {
                assert!(!may_be(Some(wrong)), "{number}: {wrong:?}");
            }
            assert!(!may_be(None), "{number}");
        }
    }
}
