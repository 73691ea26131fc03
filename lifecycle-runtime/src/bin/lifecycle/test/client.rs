//! A client of HTTP/1.1 that knows whether an answer is complete.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1::handshake;
use hyper::header::{HOST, TRANSFER_ENCODING};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::sending::{Sending, Sent};

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    host: String,
    port: u16,
    authority: String,
}

/// An answer that came in full.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) bytes: u64,
    /// The head says where the end is. Otherwise a part cannot be told from the whole.
    pub(crate) has_known_end: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// Nobody listens.
    Refused(String),
    /// The connection was accepted, and nothing, or not everything, came.
    Lost(String),
}

impl NoAnswer {
    pub(crate) fn into_words(self) -> String {
        match self {
            Self::Refused(why) | Self::Lost(why) => why,
        }
    }
}

/// No attempt to connect takes longer.
const PATIENCE: Duration = Duration::from_secs(5);

impl Server {
    pub(crate) fn at(url: &str) -> Result<Self, String> {
        let expected = "expected something like http://127.0.0.1:8080";
        let uri: Uri = url.parse().map_err(|error| format!("{error}; {expected}"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                let script = "examples/test-graceful-shutdown.sh of the repository does, with curl";
                return Err(format!("this program does not speak TLS; {script}"));
            }
            _ => return Err(expected.to_owned()),
        }
        let has_path = uri.path() != "/" || uri.query().is_some();
        let authority = uri.authority().filter(|_| !has_path);
        let authority = authority.ok_or_else(|| format!("{expected}; the path is for --request"))?;
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(80);
        if host.is_empty() || port == 0 {
            return Err(expected.to_owned());
        }
        Ok(Self { host, port, authority: authority.to_string() })
    }

    pub(crate) fn address(&self) -> &str {
        &self.authority
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) async fn connect(&self) -> Result<TcpStream, NoAnswer> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let failed = match timeout(PATIENCE, connecting).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
                return Err(NoAnswer::Refused(error.to_string()));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no connection within {} s", PATIENCE.as_secs()),
        };
        Err(NoAnswer::Lost(failed))
    }

    pub(crate) async fn ask(&self, path: &str) -> Result<Answer, NoAnswer> {
        let stream = self.connect().await?;
        self.ask_on(stream, path, Sent::default()).await.map_err(NoAnswer::Lost)
    }

    /// Sends the request, and reads the answer to its end.
    pub(crate) async fn ask_on(&self, stream: TcpStream, path: &str, sent: Sent) -> Result<Answer, String> {
        let (mut sender, connection) =
            handshake(TokioIo::new(Sending { stream, sent })).await.map_err(|error| in_full(&error))?;
        // It ends with the connection, or with this program.
        tokio::spawn(connection);
        let request = Request::get(path).header(HOST, &self.authority).header("user-agent", "lifecycle-test");
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
        let response = sender.send_request(request).await.map_err(|error| in_full(&error))?;
        let status = response.status().as_u16();
        let is_chunked = response.headers().contains_key(TRANSFER_ENCODING);
        let mut body = response.into_body();
        let has_known_end = is_chunked || body.size_hint().exact().is_some();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                format!("after the status {status} and {bytes} bytes: {}", in_full(&error))
            })?;
            bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Ok(Answer { status, bytes, has_known_end })
    }
}

/// Whether it can stand in a request.
pub(crate) fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.parse::<Uri>().is_ok()
}

/// An error with its sources.
fn in_full(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_server_and_nothing_else() {
        let check = |url: &str, expected: Option<(&str, u16)>| {
            let server = Server::at(url);
            let found = server.as_ref().ok().map(|server| (server.host.as_str(), server.port));
            assert_eq!(found, expected, "{url} {server:?}");
        };
        check("http://127.0.0.1:8080", Some(("127.0.0.1", 8080)));
        check("http://localhost/", Some(("localhost", 80)));
        check("http://[::1]:3000", Some(("::1", 3000)));
        for refused in
            ["https://localhost", "localhost:80", "http://localhost/slow", "http://:80", "", "http://h:0"]
        {
            check(refused, None);
        }
        assert!(is_path("/slow?ms=2000") && !is_path("slow") && !is_path("/a b"));
    }
}
