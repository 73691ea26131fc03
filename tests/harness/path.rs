//! A path to a server that is longer than loopback: what is on its way has neither arrived nor is it acknowledged.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// So many pieces of so many bytes are on their way at most, in each direction. The rest waits at the sender.
const PIECES: usize = 8;
const PIECE: usize = 8 << 10;

/// What was sent, and when. Nothing is the end.
type Piece = (Instant, Vec<u8>);

/// Returns an address that leads to `server`; each byte is on its way for `delay`.
pub fn path_to(server: SocketAddr, delay: Duration) -> SocketAddr {
    path_from(Ipv4Addr::LOCALHOST, server, delay)
}

/// The same, with an address on another network of this machine's.
pub fn path_from(here: Ipv4Addr, server: SocketAddr, delay: Duration) -> SocketAddr {
    let listener = TcpListener::bind((here, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) else { return };
            connect(&client, &server, delay);
            connect(&server, &client, delay);
        }
    });
    address
}

fn connect(from: &TcpStream, to: &TcpStream, delay: Duration) {
    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    to.set_nodelay(true).unwrap();
    let (sender, receiver) = sync_channel(PIECES);
    thread::spawn(move || take(from, &sender));
    thread::spawn(move || deliver(&receiver, to, delay));
}

fn take(mut from: TcpStream, pieces: &SyncSender<Piece>) {
    let mut piece = [0; PIECE];
    loop {
        // A reset is an end too: what it destroyed does not arrive.
        let length = from.read(&mut piece).unwrap_or(0);
        if pieces.send((Instant::now(), piece[..length].to_vec())).is_err() || length == 0 {
            return;
        }
    }
}

fn deliver(pieces: &Receiver<Piece>, mut to: TcpStream, delay: Duration) {
    for (sent, piece) in pieces {
        thread::sleep((sent + delay).saturating_duration_since(Instant::now()));
        if piece.is_empty() || to.write_all(&piece).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
