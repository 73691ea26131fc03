//! How far a client of HTTP/1 is in what it sends: whether the head of its next request has begun.

use std::io::BufRead;

/// Follows the bytes of a connection.
///
/// hyper reads heads and bodies as they come, and does not say how much of that it has used. But once every request is
/// answered, what is left is less than a head: all of it came behind the last request, and there is no empty line in it.
#[derive(Debug, Default)]
pub(super) struct Framing {
    /// The line ends that came last, with nothing in between.
    tail: Tail,
    head: Head,
    /// The length of the body of the last request. `None` if it is sent in chunks.
    body: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tail {
    bytes: u64,
    lines: usize,
}

/// Where the last head is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// It is not complete yet, and has perhaps not begun.
    Sought { has_begun: bool },
    /// It is complete, and so many bytes came behind it.
    Found { behind: u64 },
    /// The same, and it is that of the last request.
    Taken { behind: u64 },
    /// It came behind a request that was not answered by then, and where it ended was not seen.
    Missed,
}

impl Default for Head {
    fn default() -> Self {
        Self::Sought { has_begun: false }
    }
}

impl Framing {
    /// These bytes came. Returns whether there is nothing but line ends.
    pub(super) fn read(&mut self, bytes: &[u8]) -> bool {
        if matches!(self.head, Head::Sought { .. }) && is_one_head(bytes) {
            self.head = Head::Found { behind: 0 };
            self.tail = Tail { bytes: 4, lines: 2 };
            return false;
        }
        match &mut self.head {
            Head::Sought { has_begun } => self.head = seek(bytes, *has_begun, self.tail.lines),
            Head::Found { behind } | Head::Taken { behind } => *behind += bytes.len() as u64,
            Head::Missed => {}
        }
        let tail = Tail::of(bytes);
        let is_empty = tail.bytes == bytes.len() as u64;
        let before = if is_empty { self.tail } else { Tail::default() };
        self.tail = Tail { bytes: before.bytes + tail.bytes, lines: before.lines + tail.lines };
        is_empty
    }

    /// A request begins, with a body of this length.
    pub(super) fn begin(&mut self, body: Option<u64>) {
        self.head = match self.head {
            Head::Found { behind } => Head::Taken { behind },
            Head::Sought { .. } | Head::Taken { .. } | Head::Missed => Head::Missed,
        };
        self.body = body;
    }

    /// Every request is answered. Returns whether the head of the next has begun.
    ///
    /// If that is not known it may have begun. It is known unless the last request has a body of known length, and came
    /// behind another before that was answered.
    pub(super) fn rest(&mut self) -> bool {
        let has_begun = match (self.head, self.body) {
            // The body may end in anything, so its bytes are counted.
            (Head::Taken { behind }, Some(length @ 1..)) => behind > length.saturating_add(self.tail.bytes),
            // A head, and a body in chunks, end with an empty line.
            _ => self.tail.lines < 2,
        };
        self.head = Head::Sought { has_begun };
        has_begun
    }
}

/// Whether this is a head from its beginning to its end, and nothing else. Most that is read is that, and to see it takes
/// less than to look for the end.
fn is_one_head(bytes: &[u8]) -> bool {
    let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let Some(head @ [first, .., last]) = bytes.strip_suffix(b"\r\n\r\n") else { return false };
    !is_line_end(first) && !is_line_end(last) && !has_empty_line(head)
}

/// Looks at a block of bytes and at what is one behind each of them, then at the next block. The last one overlaps.
fn has_empty_line(bytes: &[u8]) -> bool {
    const BLOCK: usize = 16;
    let Some(last) = bytes.len().checked_sub(BLOCK + 1) else { return is_empty_line_in(bytes, &bytes[1..]) };
    let (mut at, mut has_one) = (0, false);
    loop {
        let (block, behind) = (bytes[at..].first_chunk::<BLOCK>(), bytes[at + 1..].first_chunk::<BLOCK>());
        has_one |= block.zip(behind).is_some_and(|(block, behind)| is_empty_line_in(block, behind));
        if at == last {
            return has_one;
        }
        at = (at + BLOCK).min(last);
    }
}

/// Without a branch, all bytes of a block are looked at in a few instructions.
#[inline]
fn is_empty_line_in(bytes: &[u8], behind: &[u8]) -> bool {
    bytes
        .iter()
        .zip(behind)
        .fold(false, |found, (byte, next)| found | ((*byte == b'\n') & ((*next == b'\r') | (*next == b'\n'))))
}

/// Looks for the end of a head, which is an empty line. So many lines ended just before `bytes`.
fn seek(mut bytes: &[u8], mut has_begun: bool, mut lines: usize) -> Head {
    loop {
        match bytes {
            [] => return Head::Sought { has_begun },
            [b'\r', rest @ ..] => bytes = rest,
            [b'\n', rest @ ..] if has_begun && lines > 0 => return Head::Found { behind: rest.len() as u64 },
            [b'\n', rest @ ..] => (bytes, lines) = (rest, lines + 1),
            // Empty lines before a head are not its beginning.
            [..] => {
                let line = bytes;
                // It cannot fail, and is the quickest way to the end of a line that the standard library has.
                let length = bytes.skip_until(b'\n').unwrap_or(line.len());
                (has_begun, lines) = (true, usize::from(line[..length].ends_with(b"\n")));
            }
        }
    }
}

impl Tail {
    fn of(bytes: &[u8]) -> Self {
        let ends = bytes.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        ends.fold(Self::default(), |Self { bytes, lines }, byte| Self {
            bytes: bytes + 1,
            lines: lines + usize::from(*byte == b'\n'),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    const POST: &str = "POST / HTTP/1.1\r\ncontent-length: 6\r\n\r\n";
    const CHUNKED: &str = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";

    /// Sends a request, and what is behind it, in two pieces, cut at every place. It begins with the piece that completes
    /// its head. The second request of a connection is like the first.
    #[track_caller]
    fn check(head: &str, body: &str, length: Option<u64>, behind: &str, has_begun: bool) {
        let all = format!("{head}{body}{behind}");
        for cut in 0..=all.len() {
            let mut framing = Framing::default();
            for before in ["", "\r\n"] {
                framing.read(before.as_bytes());
                framing.read(&all.as_bytes()[..cut]);
                if cut >= head.len() {
                    framing.begin(length);
                }
                framing.read(&all.as_bytes()[cut..]);
                if cut < head.len() {
                    framing.begin(length);
                }
                assert_eq!(framing.rest(), has_begun, "{all:?} cut at {cut}");
                if has_begun {
                    break;
                }
            }
        }
    }

    #[test]
    fn nothing_and_empty_lines_are_not_the_beginning_of_a_head() {
        for behind in ["", "\r", "\r\n", "\n", "\r\n\r\n"] {
            check(GET, "", Some(0), behind, false);
            check(POST, "abcdef", Some(6), behind, false);
            check(POST, "abcd\r\n", Some(6), behind, false);
            check(POST, "\r\n\r\n\r\n", Some(6), behind, false);
            check(CHUNKED, "6\r\nabcdef\r\n0\r\n\r\n", None, behind, false);
        }
    }

    #[test]
    fn anything_else_is() {
        for behind in ["G", "\r\nG", "GET / HTTP/1.1\r\n", "\r\n\r\nGET / HTTP/1.1\r\nhost: test\r"] {
            check(GET, "", Some(0), behind, true);
            check(POST, "abcdef", Some(6), behind, true);
            check(POST, "\r\n\r\n\r\n", Some(6), behind, true);
            check(CHUNKED, "6\r\nabcdef\r\n0\r\n\r\n", None, behind, true);
        }
    }

    #[test]
    fn a_head_that_is_continued_ends_where_it_ends() {
        let mut framing = Framing::default();
        framing.read(format!("{POST}abcdefPOST / HTTP/1.1\r\n").as_bytes());
        framing.begin(Some(6));
        assert!(framing.rest());
        framing.read(b"\r\nabcdef");
        framing.begin(Some(6));
        assert!(!framing.rest());
    }

    /// Bytes of every kind, in every order.
    #[test]
    fn it_makes_no_difference_in_how_many_pieces_bytes_come() {
        const LENGTH: u32 = 9;
        for number in 0..3_usize.pow(LENGTH) {
            let bytes: Vec<u8> = (0..LENGTH).map(|place| b"a\r\n"[number / 3_usize.pow(place) % 3]).collect();
            let (mut whole, mut pieces) = (Framing::default(), Framing::default());
            whole.read(&bytes);
            for byte in bytes.chunks(1) {
                pieces.read(byte);
            }
            assert_eq!((whole.head, whole.tail), (pieces.head, pieces.tail), "{:?}", bytes.escape_ascii());
        }
    }

    /// Where the head of a request ended that came behind another is not known. It matters with a body of known length.
    #[test]
    fn behind_several_requests_a_head_may_have_begun() {
        for (requests, lengths, has_begun) in [
            (format!("{POST}abcdef{GET}"), [Some(6), Some(0)], false),
            (format!("{POST}abcdef{GET}G"), [Some(6), Some(0)], true),
            (format!("{GET}{POST}abcdefG"), [Some(0), Some(6)], true),
            (format!("{GET}{POST}abcdef"), [Some(0), Some(6)], true),
        ] {
            let mut framing = Framing::default();
            framing.read(requests.as_bytes());
            lengths.into_iter().for_each(|length| framing.begin(length));
            assert_eq!(framing.rest(), has_begun, "{requests:?}");
            if !has_begun {
                framing.read(format!("{POST}abcdef").as_bytes());
                framing.begin(Some(6));
                assert!(!framing.rest(), "it is known again");
            }
        }
    }
}
