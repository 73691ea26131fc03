//! `/status` in a browser: who gets the page, and what it shows, in Chromium.

use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};

use lifecycle_tests::harness::machine;
use rustix::process::Signal;
use serde_json::Value;

use crate::browser::{Browser, Look};
use crate::client::{Answer, connect, parse, send};
use crate::process::{Process, start_program};

/// What Chromium asks for.
const BROWSER: &str =
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8";

const LIGHT: Look = Look { size: (1280, 900), scheme: "light", motion: "no-preference" };

/// A name of a resource that would be markup if it were not escaped.
const SCRIPT: &str = "<script>document.title='taken'</script><b>and a long name</b>";

fn board(variables: &[(&str, &str)]) -> Process {
    start_program(env!("CARGO_BIN_EXE_board"), variables)
}

#[track_caller]
fn ask(probe: SocketAddr, method: &str, path: &str, accept: &str) -> Answer {
    let accept = if accept.is_empty() { String::new() } else { format!("Accept: {accept}\r\n") };
    let text = send(probe, &format!("{method} {path} HTTP/1.1\r\nHost: {probe}\r\n{accept}\r\n"));
    parse(&text).unwrap_or_else(|| panic!("no answer but {text:?}"))
}

fn open(process: &Process, look: Look) -> Browser {
    let mut browser = Browser::open(&format!("http://{}/status", process.probe()));
    browser.look(look);
    browser.until("now !== undefined");
    browser
}

/// Requests that hang until "go request", once all of them do.
fn requests(process: &Process, count: usize) -> Vec<JoinHandle<Option<u16>>> {
    let web = process.web();
    let request = "GET /slow HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n";
    (0..count).map(|_| thread::spawn(move || parse(&send(web, request)).map(|answer| answer.code))).collect()
}

/// Texts that cover one another, and texts that stick out of their box or of the page.
const COVERED: &str = "(() => {
    const texts = [...document.querySelectorAll('h1,h2,p,#phase,#since,#about,#left,#of,#delay,#waits b,#waits span,dt,dd,.name,.load,.what,.card>svg,#log time,#log b,#log span')]
    const boxes = texts.map(text => ({text, box: text.getBoundingClientRect()})).filter(({box}) => box.width && box.height)
    const wrong = []
    boxes.forEach(({text, box: a}, place) => {
        for (const {text: other, box: b} of boxes.slice(place + 1)) {
            const isApart = a.right <= b.left + .5 || b.right <= a.left + .5 || a.bottom <= b.top + .5 || b.bottom <= a.top + .5
            if (!isApart && !text.contains(other)) wrong.push(`${text.textContent} | ${other.textContent}`)
        }
        const around = text.closest('.card')?.getBoundingClientRect()
        if (around && (a.left < around.left || a.right > around.right || a.top < around.top || a.bottom > around.bottom)) wrong.push(`out of its box: ${text.textContent}`)
    })
    if (document.documentElement.scrollWidth > innerWidth) wrong.push('the page is wider than the window')
    return wrong
})()";

/// The least contrast between a text and what is behind it (WCAG 2), among texts that must be readable.
const CONTRAST: &str = "(() => {
    const channels = colour => colour.match(/[\\d.]+/g).map(Number)
    const light = colour => { const [r, g, b] = channels(colour).map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b }
    const behind = element => { const colour = getComputedStyle(element).backgroundColor; return channels(colour)[3] === 0 ? behind(element.parentElement) : colour }
    const contrast = element => { const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a); return (a + .05) / (b + .05) }
    return Math.min(...[...document.querySelectorAll('h1,h2,#word,#since,#about,#of,#reason,dt,dd,.name,.load,.what,#log time,#log span')].map(contrast))
})()";

#[track_caller]
fn assert_readable(browser: &mut Browser, look: Look) {
    browser.look(look);
    browser.until(&format!("innerWidth === {}", look.size.0));
    // The place of the cards follows a change of the size.
    browser.value("new Promise(requestAnimationFrame)");
    assert_eq!(browser.value(COVERED), Value::Array(Vec::new()), "{look:?}");
    let contrast = browser.value(CONTRAST).as_f64().unwrap_or_default();
    assert!(contrast >= 4.5, "{contrast} {look:?}");
}

#[track_caller]
fn assert_well_behaved(browser: &Browser, probe: SocketAddr) {
    assert_eq!(browser.complaints(), [""; 0]);
    let page = format!("http://{probe}/status");
    // The second is the icon of the page, which is empty.
    let is_ours = |url: &&String| **url == page || **url == "data:,";
    let others: Vec<_> = browser.requests().into_iter().filter(|url| !is_ours(&url)).collect();
    assert_eq!(others, [""; 0]);
    assert!(browser.requests().len() > 1, "it asks for the JSON");
}

#[test]
fn browsers_get_the_page_and_everybody_else_the_json() {
    let process = board(&[]);
    let probe = process.probe();
    process.line("body runs");
    let is_page = |answer: &Answer| answer.header("content-type") == Some("text/html; charset=utf-8");
    for (accept, path, expected) in [
        ("", "/status", false),
        ("*/*", "/status", false),
        ("application/json", "/status", false),
        ("application/json, text/html;q=0.1", "/status", false),
        (BROWSER, "/status?json", false),
        (BROWSER, "/status", true),
        (BROWSER, "/status?", true),
        ("text/html", "/status", true),
    ] {
        let answer = ask(probe, "GET", path, accept);
        assert_eq!((answer.code, is_page(&answer)), (200, expected), "{accept:?} {path}");
        assert_eq!(answer.body.starts_with("<!doctype html>"), expected, "{accept:?} {path}");
        let headers = ["vary", "cache-control", "x-content-type-options"].map(|name| answer.header(name));
        assert_eq!(headers, [Some("accept"), Some("no-store"), Some("nosniff")]);
        let head = ask(probe, "HEAD", path, accept);
        assert_eq!((head.code, is_page(&head), head.body.as_str()), (200, expected, ""));
        if expected {
            assert!(answer.body.len() < 20 * 1024, "{}", answer.body.len());
            assert_eq!(head.header("content-length"), Some(answer.body.len().to_string().as_str()));
            let policy = answer.header("content-security-policy").unwrap_or_default();
            assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
        }
    }
    // Where the JSON is not for a client, neither is the page.
    let rebound = format!("GET /status HTTP/1.1\r\nHost: rebound.example\r\nAccept: {BROWSER}\r\n\r\n");
    assert_eq!(parse(&send(probe, &rebound)).map(|answer| answer.code), Some(403));
    process.stop();
}

#[test]
fn it_shows_a_life_from_the_start_to_the_end() {
    let _machine = machine::shared();
    let process =
        board(&[("HOLD", "Api"), ("LIFECYCLE_DRAIN_DELAY", "2s"), ("LIFECYCLE_SHUTDOWN_TIMEOUT", "20s")]);
    let probe = process.probe();
    process.line("Api is held");
    let mut browser = open(&process, LIGHT);
    browser.until("$('word').textContent === 'starting'");
    let card = |name: &str| {
        format!(
            "[...document.querySelectorAll('.card')].find(card => card.querySelector('.name').textContent === {})",
            Value::from(name)
        )
    };
    let what = |name: &str| format!("{}.querySelector('.what').textContent", card(name));
    let load = |name: &str| format!("{}.querySelector('.load').textContent", card(name));
    browser.until(&format!("{}.startsWith('acquiring ')", what("Api")));
    assert_eq!(browser.value("document.querySelectorAll('.card').length"), 3);
    assert_eq!(browser.value("document.querySelectorAll('#edges .head').length"), 2);
    assert_eq!(browser.value("$('of').textContent"), "left of 1 min for the start");
    assert_eq!(browser.value("$('waits').children[0].firstChild.textContent"), "Api");
    // Between two answers, the time runs down by itself.
    let falls = "new Promise(done => {
        const seen = []
        const look = () => {
            const left = parseFloat($('left').textContent)
            if (seen.at(-1) !== left) seen.push(left)
            if (seen.length === 8) done(seen)
            else setTimeout(look, 5)
        }
        look()
    })";
    let seen: Vec<f64> =
        browser.value(falls).as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    assert!(seen.len() == 8 && seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");
    // What is written in names and tasks is text.
    assert!(browser.value(&what(SCRIPT)).as_str().is_some_and(|state| state.starts_with("ready")));
    assert_eq!(browser.value("document.querySelectorAll('body script').length"), 1);
    assert_eq!(browser.value("document.title"), "board: starting");
    assert!(
        browser
            .value(&format!("{}.title", card(SCRIPT)))
            .as_str()
            .is_some_and(|title| title.contains(SCRIPT))
    );
    assert_readable(&mut browser, LIGHT);

    process.order("go acquire");
    browser.until("$('word').textContent === 'running'");
    assert_eq!(browser.value("$('limit').hidden"), true);
    let requests = requests(&process, 3);
    let idle: Vec<TcpStream> = (0..2).map(|_| connect(process.web())).collect();
    // The task that accepts, and the one that is called <i>refresh</i>.
    let counts = "['requests', 'streams', 'upgraded', 'tasks', 'idle'].map(kind => $(kind).lastChild.textContent).join()";
    browser.until(&format!("{counts} === '3,0,0,2,2'"));
    assert_eq!(browser.value(&load("Api")), "5");
    browser.until(
        "[...$('log').children].some(line => line.textContent.includes('running: everything was acquired'))",
    );
    assert_readable(&mut browser, LIGHT);

    process.signal(Signal::TERM);
    browser.until("$('word').textContent === 'draining'");
    browser.until("$('delay').textContent.startsWith('serving for another ')");
    assert_eq!(browser.value("$('reason').textContent"), "SIGTERM received");
    assert_eq!(browser.value("$('of').textContent"), "left of 20 s for the stop");
    assert_readable(&mut browser, LIGHT);
    browser.until("$('word').textContent === 'stopping'");
    drop(idle);
    browser.until("[...$('waits').children].some(line => line.textContent.startsWith('Apidraining for ') && line.textContent.includes('3 requests'))");
    assert_eq!(browser.value(&what(SCRIPT)), "waits for Api");
    assert_eq!(browser.value(&load("Api")), "3");
    assert_readable(&mut browser, Look { scheme: "dark", ..LIGHT });

    process.order("go request");
    assert!(requests.into_iter().all(|request| request.join().ok() == Some(Some(200))));
    browser.until("$('word').textContent === 'ended'");
    assert!(
        browser.value("$('message').textContent").as_str().is_some_and(|text| text.starts_with("Ended: "))
    );
    assert_readable(&mut browser, LIGHT);
    assert_well_behaved(&browser, probe);
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
}

#[test]
fn sixty_resources_are_readable_in_every_phase_and_on_every_screen() {
    let _machine = machine::shared();
    let process = board(&[("RESOURCES", "60"), ("HOLD", "Ledger"), ("LIFECYCLE_SHUTDOWN_TIMEOUT", "20s")]);
    process.line("Ledger is held");
    let mut browser = open(&process, LIGHT);
    let dark = Look { scheme: "dark", motion: "reduce", ..LIGHT };
    let looks = [
        LIGHT,
        dark,
        Look { size: (1600, 1000), ..dark },
        Look { size: (700, 900), ..LIGHT },
        Look { size: (390, 844), ..dark },
    ];
    let readable = |browser: &mut Browser| looks.into_iter().for_each(|look| assert_readable(browser, look));
    let states = |state: &str| format!("document.querySelectorAll('.card[data-tone={state}]').length");

    browser.until("$('word').textContent === 'starting'");
    browser.until(&format!("{} === 1", states("acquire")));
    assert_eq!(browser.value("document.querySelectorAll('.card').length"), 60);
    readable(&mut browser);
    // By shape and word too, not by colour alone.
    let shapes = browser.value("new Set(['wait', 'acquire', 'ready'].map(tone => document.querySelector(`.card[data-tone=${tone}] svg`).innerHTML)).size");
    assert_eq!(shapes, 3);
    let moves = "getComputedStyle(document.querySelector('.card.busy svg')).animationName";
    assert_eq!(browser.value(moves), "none");
    browser.look(LIGHT);
    assert_eq!(browser.value(moves), "pulse");
    let back = "getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.value(back), "rgb(255, 255, 255)");
    browser.look(dark);
    assert_eq!(browser.value(back), "rgb(13, 17, 23)");

    process.order("go acquire");
    browser.until("$('word').textContent === 'running'");
    browser.until(&format!("{} === 60", states("ready")));
    readable(&mut browser);

    let requests = requests(&process, 2);
    browser.until("$('requests').lastChild.textContent === '2'");
    process.signal(Signal::TERM);
    browser.until("$('word').textContent === 'stopping'");
    browser.until(&format!("{} === 1", states("drain")));
    readable(&mut browser);
    process.order("go request");
    assert!(requests.into_iter().all(|request| request.join().ok() == Some(Some(200))));
    browser.until("$('word').textContent === 'ended'");
    readable(&mut browser);
    assert_well_behaved(&browser, process.probe());
    let (code, printed) = process.end();
    assert_eq!(code, Some(0), "{printed}");
}

#[test]
fn the_keyboard_gets_everywhere() {
    let _machine = machine::shared();
    let process = board(&[]);
    process.line("body runs");
    let mut browser = open(&process, LIGHT);
    browser.until("$('word').textContent === 'running'");
    let focused = "document.activeElement.textContent";
    for expected in ["JSON", "Store", SCRIPT] {
        browser.press("Tab");
        assert!(browser.value(focused).as_str().is_some_and(|text| text.starts_with(expected)), "{expected}");
    }
    assert_eq!(browser.value("document.querySelectorAll('#edges .near').length"), 2);
    browser.press("Enter");
    browser.until("!$('details').hidden");
    assert_eq!(browser.value("document.activeElement.ariaPressed"), "true");
    assert_eq!(browser.value("$('chosen').textContent"), SCRIPT);
    let detail = browser.value("$('detail').innerText").as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("Store") && detail.contains("Api"), "{detail}");
    browser.press("Tab");
    browser.press("Enter");
    browser.until("$('detail').textContent.includes('<i>refresh</i>')");
    assert_eq!(browser.value("document.querySelectorAll('i').length"), 0);
    assert_readable(&mut browser, LIGHT);
    assert_well_behaved(&browser, process.probe());
    process.stop();
}

#[test]
fn a_process_that_is_gone_and_the_next_one_are_noticed() {
    let _machine = machine::shared();
    let process = board(&[]);
    let probe = process.probe();
    process.line("body runs");
    let mut browser = open(&process, LIGHT);
    browser.until("$('word').textContent === 'running'");
    let pid = process.pid().as_raw_pid();
    process.signal(Signal::KILL);
    let (code, _) = process.end();
    assert_eq!(code, None);
    browser.until("$('word').textContent === 'not reachable'");
    browser.until("$('message').textContent.startsWith('Not reachable: ')");
    assert_eq!(browser.value("document.querySelectorAll('.card').length"), 3, "the last state stays");

    let next = board(&[("RESOURCES", "60"), ("LIFECYCLE_PROBE_ADDR", &probe.to_string())]);
    next.line("body runs");
    browser.until("$('word').textContent === 'running'");
    browser.until("document.querySelectorAll('.card').length === 60");
    let message = browser.value("$('message').textContent").as_str().unwrap_or_default().to_owned();
    assert!(message.starts_with("Another process since "), "{message}");
    assert!(message.ends_with(&format!("pid {}, after {pid}.", next.pid().as_raw_pid())), "{message}");
    assert_well_behaved(&browser, probe);
    next.stop();
}
