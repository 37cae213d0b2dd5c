//! HTTP/1.1 by hand, because a library would not let go of a connection in the middle of an answer. Keeps connections
//! alive, reads bodies by length or in chunks, writes answers whole, in half, or not at all.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::{Request, Response};

/// A request's head may be so long.
const HEAD_LIMIT_BYTES: usize = 64 * 1024;
/// A request's body may be so long.
const BODY_LIMIT_BYTES: usize = 32 * 1024 * 1024;
/// The first byte of a peer that begins with TLS: web servers answer it as a bad request.
const TLS_HANDSHAKE: u8 = 0x16;
/// Read at a time.
const READ_BYTES: usize = 16 * 1024;

/// A connection with what was read from it and not used yet.
pub(super) struct Connection<S> {
    stream: S,
    buffer: Vec<u8>,
    https: bool,
}

/// What goes wrong with the peer; the connection is given up.
fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(stream: S, https: bool) -> Self {
        Self { stream, buffer: Vec::new(), https }
    }

    /// The next request, `None` when the peer is done.
    pub(super) async fn request(&mut self) -> io::Result<Option<Request>> {
        let Some(head) = self.head().await? else { return Ok(None) };
        let text = String::from_utf8(head).map_err(|_| broken("the head is no UTF-8"))?;
        let mut lines = text.split("\r\n");
        let mut start = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target)) = (start.next(), start.next()) else { return Err(broken("no request line")) };
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut request = Request {
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            body: Vec::new(),
            https: self.https,
        };
        if request.header("expect").is_some_and(|expect| expect.eq_ignore_ascii_case("100-continue")) {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        request.body = match (request.header("transfer-encoding"), request.header("content-length")) {
            (Some(coding), _) if coding.to_ascii_lowercase().contains("chunked") => self.chunks().await?,
            (_, Some(length)) => {
                let length = length.parse().map_err(|_| broken("no length"))?;
                self.take(length).await?
            }
            _ => Vec::new(),
        };
        Ok(Some(request))
    }

    /// Sends an answer. `keep` says whether the connection may be used again.
    pub(super) async fn answer(&mut self, response: &Response, head_only: bool, keep: bool) -> io::Result<()> {
        let mut bytes = head(response, keep);
        if !head_only {
            bytes.extend_from_slice(&response.body);
        }
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await
    }

    /// Sends the head and the first half of the body.
    pub(super) async fn half(&mut self, response: &Response) -> io::Result<()> {
        let mut bytes = head(response, true);
        bytes.extend_from_slice(&response.body[..response.body.len() / 2]);
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await
    }

    /// Waits until the peer goes away.
    pub(super) async fn until_gone(&mut self) {
        let mut discarded = [0; 256];
        while matches!(self.stream.read(&mut discarded).await, Ok(1..)) {}
    }

    async fn head(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if self.buffer.first() == Some(&TLS_HANDSHAKE) {
                self.stream
                    .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .await?;
                return Err(broken("TLS on a port without it"));
            }
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = self.buffer.drain(..end + 4).take(end).collect();
                return Ok(Some(head));
            }
            if self.buffer.len() > HEAD_LIMIT_BYTES {
                return Err(broken("the head is too long"));
            }
            if !self.read_more().await? {
                return if self.buffer.is_empty() { Ok(None) } else { Err(broken("the head ends too early")) };
            }
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > BODY_LIMIT_BYTES {
            return Err(broken("the body is too long"));
        }
        while self.buffer.len() < length {
            if !self.read_more().await? {
                return Err(broken("the body ends too early"));
            }
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| broken("no chunk size"))?;
            if size == 0 {
                // Trailers, then an empty line.
                while !self.line().await?.is_empty() {}
                return Ok(body);
            }
            if body.len().saturating_add(size) > BODY_LIMIT_BYTES {
                return Err(broken("the body is too long"));
            }
            body.extend(self.take(size).await?);
            self.line().await?;
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(|_| broken("a line is no UTF-8"));
            }
            if self.buffer.len() > HEAD_LIMIT_BYTES || !self.read_more().await? {
                return Err(broken("a line has no end"));
            }
        }
    }

    async fn read_more(&mut self) -> io::Result<bool> {
        self.buffer.reserve(READ_BYTES);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }
}

fn head(response: &Response, keep: bool) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    for (name, value) in &response.headers {
        // What a shop echoes into a header must not end it.
        let value: String = value.chars().filter(|character| !character.is_control()).collect();
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n", response.body.len());
    head += if keep { "Connection: keep-alive\r\n\r\n" } else { "Connection: close\r\n\r\n" };
    head.into_bytes()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        301 => "Moved Permanently",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        410 => "Gone",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<Option<Request>> {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let mut connection = Connection::new(ours, false);
        let mut theirs = theirs;
        theirs.write_all(bytes).await?;
        theirs.shutdown().await?;
        connection.request().await
    }

    #[tokio::test]
    async fn bodies_are_read_by_length_and_in_chunks() {
        for text in [
            "POST /x?a=b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            "POST /x?a=b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=1\r\nllo\r\n0\r\n\r\n",
        ] {
            let request = read(text.as_bytes()).await.expect("readable").expect("a request");
            assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/x?a=b"));
            assert_eq!(request.header("host"), Some("a"));
            assert_eq!(request.body, b"hello");
        }
    }

    #[tokio::test]
    async fn what_is_no_http_is_refused() {
        for text in [
            "nonsense\r\n\r\n",
            "GET / HTTP/1.1\r\nHost",
            "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort",
            "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ] {
            assert!(read(text.as_bytes()).await.is_err(), "{text:?}");
        }
        assert!(read(b"").await.expect("no error").is_none(), "a peer that says nothing");
    }
}
