//! A real browser, without a window: Chromium, driven by its DevTools protocol.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::SinkExt;
use lifecycle_tests::harness::program::{PATIENCE, Process, Program};
use lifecycle_tests::harness::scratch::Scratch;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// One browser at a time: each has several processes.
static ONE: Mutex<()> = Mutex::new(());

pub(crate) struct Browser {
    runtime: Runtime,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The one tab that it has.
    session: Value,
    asked: u64,
    /// What the tab told that nobody asked for.
    events: Vec<Value>,
    // In this order: the directory goes when the process is gone.
    process: Option<Process>,
    _profile: Scratch,
    _one: MutexGuard<'static, ()>,
}

/// What the tab pretends to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) size: (u32, u32),
    pub(crate) scheme: &'static str,
    pub(crate) motion: &'static str,
}

impl Browser {
    /// Starts a browser and opens a page in it.
    #[track_caller]
    pub(crate) fn open(url: &str) -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let profile = Scratch::new();
        let process = Program::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--remote-debugging-port=0",
            ])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("HOME", profile.path())
            .spawn();
        let line = process.wait_for_line("DevTools listening on ").text;
        let address = line.split_whitespace().last().expect("the address ends the line").to_owned();
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be had");
        let connected = runtime.block_on(async { timeout(PATIENCE, connect_async(address)).await });
        let (socket, _) = connected.expect("it answers in time").expect("it speaks WebSocket");
        let session = Value::Null;
        let process = Some(process);
        let mut browser = Self {
            runtime,
            socket,
            session,
            asked: 0,
            events: Vec::new(),
            process,
            _profile: profile,
            _one: one,
        };
        let tab = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": tab["targetId"], "flatten": true});
        browser.session = browser.call("Target.attachToTarget", &attach)["sessionId"].clone();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser.call("Page.navigate", &json!({"url": url}));
        browser
    }

    pub(crate) fn look(&mut self, Look { size: (width, height), scheme, motion }: Look) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", &size);
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": motion},
        ]);
        self.call("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    /// The value of an expression in the page; of a promise, what it resolves to.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let ask = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", &ask);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Waits until an expression holds in the page.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        let limit = PATIENCE.as_millis() / 2;
        let waits = format!(
            "new Promise(done => {{
                const began = performance.now()
                const look = () => {{
                    let holds = false
                    try {{ holds = {expression} }} catch {{}}
                    if (holds || performance.now() - began > {limit}) done(!!holds)
                    else setTimeout(look, 10)
                }}
                look()
            }})"
        );
        if self.value(&waits) != true {
            let text = self.value("document.body.innerText");
            panic!("not within {limit} ms: {expression}\n{}", text.as_str().unwrap_or_default());
        }
    }

    /// Presses a key and lets it go.
    pub(crate) fn press(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            let text = if key == "Enter" { "\r" } else { "" };
            let event = json!({"type": kind, "key": key, "code": key, "text": text});
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// The addresses of everything that the page asked for.
    pub(crate) fn requests(&self) -> Vec<String> {
        let requests = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        let url = |event: &Value| event["params"]["request"]["url"].as_str().unwrap_or_default().to_owned();
        requests.map(url).collect()
    }

    /// What the console has of errors and warnings, but for a server that is not there.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let is_complaint = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => {
                matches!(event["params"]["type"].as_str(), Some("error" | "warning" | "assert"))
            }
            Some("Log.entryAdded") => {
                let entry = &event["params"]["entry"];
                let is_unreachable = entry["source"] == "network"
                    && entry["text"].as_str().is_some_and(|text| text.contains("net::ERR_"));
                !is_unreachable
            }
            _ => false,
        };
        self.events.iter().filter(is_complaint).map(ToString::to_string).collect()
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        let mut ask = json!({"id": id, "method": method, "params": params});
        if !self.session.is_null() {
            ask["sessionId"] = self.session.clone();
        }
        let (socket, events) = (&mut self.socket, &mut self.events);
        let talk = async {
            socket.send(Message::text(ask.to_string())).await.ok()?;
            loop {
                let Message::Text(text) = socket.next().await?.ok()? else { continue };
                let told: Value = serde_json::from_str(&text).ok()?;
                if told["id"] == id {
                    return Some(told);
                }
                events.push(told);
            }
        };
        let answer = self.runtime.block_on(async { timeout(PATIENCE, talk).await });
        let answer = answer.ok().flatten().unwrap_or_else(|| panic!("{method}: the browser does not answer"));
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }
}

impl Drop for Browser {
    /// Asked to end, it takes its other processes with it.
    fn drop(&mut self) {
        let Some(process) = self.process.take() else { return };
        let close = Message::text(json!({"id": 0, "method": "Browser.close"}).to_string());
        let _ = self.runtime.block_on(async { timeout(PATIENCE, self.socket.send(close)).await });
        process.wait_or_kill(PATIENCE);
    }
}
