//! What Linux tells of connections.

/// Whether the server has accepted the connection from our port `here`, and has read everything that was sent. `None` if
/// that cannot be seen: on other systems, and where the server is elsewhere.
pub(crate) fn is_read(here: u16, server: u16) -> Option<bool> {
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| std::fs::read_to_string(path).unwrap_or_default());
    tables.iter().flat_map(|table| table.lines()).find_map(|line| is_read_by(line, here, server))
}

/// What a line says, if it is about the server's end of the connection: `sl local remote st tx:rx … inode`.
fn is_read_by(line: &str, here: u16, server: u16) -> Option<bool> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, remote, "01", queues, _, _, _, _, inode, ..] = fields[..] else { return None };
    let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
    let is_ours = port(local) == Some(server) && port(remote) == Some(here);
    let unread = queues.split(':').nth(1)?;
    // What is not accepted yet has no inode.
    is_ours.then(|| unread.bytes().all(|digit| digit == b'0') && inode != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_of_one_end() {
        let line = |queues: &str, inode: &str| {
            format!(
                "   3: 0100007F:1F90 0100007F:C350 01 {queues} 00:00000000 00000000  1000        0 {inode} 1"
            )
        };
        let check = |line: &str, here, expected| assert_eq!(is_read_by(line, here, 8080), expected, "{line}");
        check(&line("00000000:00000000", "4711"), 50_000, Some(true));
        check(&line("00000000:00000000", "0"), 50_000, Some(false));
        check(&line("00000000:0000004E", "4711"), 50_000, Some(false));
        check(&line("00000000:00000000", "4711"), 50_001, None);
        check("  sl  local_address rem_address   st tx_queue rx_queue", 50_000, None);
    }
}
