//! What the Go-equivalent answers.

use std::net::SocketAddr;

use serde_json::json;

use crate::http::{Response, answered, connect};
use crate::machine;
use crate::program::{Process, Program};
use crate::scratch::Scratch;

/// A server with a database of its own.
struct Server {
    address: SocketAddr,
    process: Process,
    _scratch: Scratch,
}

impl Server {
    fn start() -> Self {
        let scratch = Scratch::new();
        let process =
            Program::example("go_equivalent").env("PORT", "0").env("TMPDIR", scratch.path()).spawn();
        let address = process.address();
        process.wait_for_line("running:");
        Self { address, process, _scratch: scratch }
    }

    #[track_caller]
    fn get(&self, path: &str) -> Response {
        answered(connect(self.address).get(path))
    }

    #[track_caller]
    fn pay(&self, body: &str) -> Response {
        answered(connect(self.address).post_json("/payments", body))
    }
}

#[test]
fn the_root_and_a_slow_request_answer_ok() {
    let _machine = machine::shared();
    let server = Server::start();
    for path in ["/", "/slow?ms=10"] {
        let response = server.get(path);
        assert_eq!((response.status, response.body.as_str()), (200, "OK"), "{path}");
    }
}

#[test]
fn a_payment_is_charged_once_however_often_it_is_sent() {
    let _machine = machine::shared();
    let server = Server::start();
    let payment = json!({"id": "p-1", "amount_cents": 123});
    let first = server.pay(&payment.to_string());
    assert_eq!((first.status, first.json()), (201, payment));

    let again = server.pay(&first.body);
    assert_eq!((again.status, &again.body), (200, &first.body));
    let with_another_amount = server.pay(r#"{"id": "p-1", "amount_cents": 456}"#);
    assert_eq!((with_another_amount.status, &with_another_amount.body), (200, &first.body));

    assert_eq!(server.pay(r#"{"id": "p-2", "amount_cents": 1}"#).status, 201);
    server.process.wait_for_line("receipt for payment p-1 written");
    server.process.wait_for_line("receipt for payment p-2 written");
    let totals = server.get("/payments");
    assert_eq!((totals.status, totals.json()), (200, json!({"count": 2, "total_cents": 124, "receipts": 2})));
}

#[test]
fn totals_are_zero_before_the_first_payment() {
    let _machine = machine::shared();
    let totals = Server::start().get("/payments");
    assert_eq!((totals.status, totals.json()), (200, json!({"count": 0, "total_cents": 0, "receipts": 0})));
}

#[test]
fn bad_input_is_refused_with_a_reason_and_not_charged() {
    let _machine = machine::shared();
    let server = Server::start();
    let long = format!(r#"{{"id": "{}", "amount_cents": 1}}"#, "x".repeat(101));
    for (body, reason) in [
        ("a payment, please", "Failed to parse the request body as JSON"),
        ("", "Failed to parse the request body as JSON"),
        ("[]", "invalid"),
        (r#"{"id": "p"}"#, "missing field `amount_cents`"),
        (r#"{"amount_cents": 1}"#, "missing field `id`"),
        (r#"{"id": "p", "amount_cents": 1, "amount": 1}"#, "unknown field `amount`"),
        (r#"{"id": "", "amount_cents": 1}"#, "`id` must have 1 to 100 bytes"),
        (&long, "`id` must have 1 to 100 bytes"),
        (r#"{"id": "p", "amount_cents": 0}"#, "`amount_cents` must be from 1 to"),
        (r#"{"id": "p", "amount_cents": -1}"#, "`amount_cents` must be from 1 to"),
        (r#"{"id": "p", "amount_cents": 100000000001}"#, "`amount_cents` must be from 1 to"),
        (r#"{"id": "p", "amount_cents": "1"}"#, "invalid type: string"),
        (r#"{"id": "p", "amount_cents": 1.5}"#, "invalid type: floating point"),
        (r#"{"id": "p", "amount_cents": 9223372036854775808}"#, "invalid value"),
        (r#"{"id": 1, "amount_cents": 1}"#, "invalid type: integer"),
    ] {
        let response = server.pay(body);
        assert_eq!(response.status, 400, "{body}");
        assert!(response.body.contains(reason), "{body} is refused without {reason:?}: {response:?}");
    }
    let payment = r#"{"id": "p", "amount_cents": 1}"#;
    let response = answered(connect(server.address).post("/payments", "", payment));
    assert_eq!(response.status, 400, "{response:?}");
    assert!(response.body.contains("Content-Type: application/json"), "{response:?}");
    assert_eq!(server.get("/payments").json()["count"], 0);
}
