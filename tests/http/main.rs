//! `serve_http` and `InFlight` against clients of every kind, in real time. What a test waits for is an event, and each
//! waits for twenty seconds at most.

mod accept;
mod bounds;
mod cut_off;
mod delay;
mod endless;
mod finish;
mod grace;
mod grpc;
mod http1;
mod http2;
mod in_flight;
mod inherited;
mod leaving;
mod limits;
mod linger;
mod make_service;
mod settings;
mod support;
mod tls;
mod units;
mod websocket;
mod wire;
