//! An upgraded connection, for as long as its handler is there.

use std::sync::{Arc, OnceLock};

use super::ledger::Connection;

/// What the notice of a request that asks for an upgrade holds. The handler of a WebSocket runs in a task that is not
/// the server's. It is done with its connection when it has dropped the socket, but it may go on after that, and use
/// what the resource comes after. The last thing that it drops is its notice, an argument like the socket.
///
/// Empty until the upgrade happens: most requests are over with their response.
#[derive(Default)]
pub(super) struct Upgrade(OnceLock<Arc<Connection>>);

impl Upgrade {
    pub(super) fn happens(&self, connection: &Arc<Connection>) {
        self.0.get_or_init(|| {
            connection.has_handler();
            Arc::clone(connection)
        });
    }
}

impl Drop for Upgrade {
    fn drop(&mut self) {
        if let Some(connection) = self.0.get() {
            connection.handler_has_ended();
        }
    }
}
