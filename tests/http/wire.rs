//! Connections within the process, for tests under virtual time: what is on the way takes no time, and a side that does
//! not read holds up the other one after a known number of bytes.

use std::future::{Ready, ready};
use std::io;
use std::time::Duration;

use lifecycle::http::Listener;
use lifecycle::{Acquire, Builder};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::support::{Peer, Running, Web, begin, patient};

/// More than any limit that is tested.
pub(crate) const LONG: Duration = Duration::from_secs(3_600);

/// So many bytes are on the way at most.
const ON_THE_WAY: usize = 1 << 10;

/// The server's end.
pub(crate) struct Wires(UnboundedReceiver<DuplexStream>);

/// The clients' end.
pub(crate) struct Wire(UnboundedSender<DuplexStream>);

impl Wire {
    pub(crate) fn connect(&self) -> Peer<DuplexStream> {
        let (ours, theirs) = duplex(ON_THE_WAY);
        self.0.send(theirs).expect("the server accepts");
        Peer(ours)
    }
}

type Accepted = (Ready<io::Result<DuplexStream>>, ());

impl Listener for Wires {
    type Io = DuplexStream;
    type Addr = ();
    type Handshake = Ready<io::Result<DuplexStream>>;

    async fn accept(&mut self) -> io::Result<Accepted> {
        let stream = self.0.recv().await.ok_or(io::ErrorKind::InvalidInput)?;
        Ok((ready(Ok(stream)), ()))
    }

    fn close(mut self) -> impl Iterator<Item = io::Result<Accepted>> + Send {
        std::iter::from_fn(move || Some(Ok((ready(Ok(self.0.try_recv().ok()?)), ()))))
    }
}

/// A server under virtual time.
pub(crate) async fn serve(begins: impl FnOnce(&Acquire<Web>, Wires) + Send + 'static) -> (Running, Wire) {
    serve_with(patient(), begins).await
}

/// The same with another builder.
pub(crate) async fn serve_with(
    builder: Builder,
    begins: impl FnOnce(&Acquire<Web>, Wires) + Send + 'static,
) -> (Running, Wire) {
    let (sender, receiver) = unbounded_channel();
    let running = begin(builder.virtual_time(), |cx, _| begins(cx, Wires(receiver))).await;
    (running, Wire(sender))
}

/// Waits under virtual time, which passes at once when nothing else happens.
pub(crate) async fn bounded<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LONG, future).await.expect("it never happens")
}
