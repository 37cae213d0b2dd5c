//! The live stream as a program without any library reads it: server-sent events, or a WebSocket.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

use crate::wire::Request;

/// Longer than any sign of life is away.
const READ_TIMEOUT: Duration = Duration::from_secs(40);

/// A stream that was refused, or that is over.
#[derive(Debug, PartialEq, Eq)]
pub enum Over {
    /// Another status than was hoped for.
    Status(u16),
    /// A WebSocket's close code.
    Closed(u16),
    /// The connection ended.
    Ended,
}

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self::Ended
    }
}

fn open(address: SocketAddr, request: &Request, hoped: u16) -> Result<BufReader<TcpStream>, Over> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    let mut stream = BufReader::new(stream);
    stream.get_mut().write_all(&request.bytes())?;
    let mut status = None;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => status = status.or_else(|| line.split(' ').nth(1)?.parse::<u16>().ok()),
        }
    }
    match status {
        Some(status) if status == hoped => Ok(stream),
        Some(status) => Err(Over::Status(status)),
        None => Err(Over::Ended),
    }
}

/// Server-sent events.
pub struct Sse {
    stream: BufReader<TcpStream>,
    text: String,
    /// The id of the last item or position.
    pub last_id: String,
}

impl Sse {
    /// Asks with a token; `query` begins with `?` or is empty.
    pub fn open(address: SocketAddr, token: &str, query: &str) -> Result<Self, Over> {
        let request = Request::new("GET", &format!("/api/v1/live{query}"));
        let stream = open(address, &request.header("Authorization", &format!("Bearer {token}")), 200)?;
        let mut sse = Self { stream, text: String::new(), last_id: String::new() };
        sse.block()?;
        Ok(sse)
    }

    /// The next item.
    pub fn item(&mut self) -> Result<Value, Over> {
        loop {
            let block = self.block()?;
            if let Some(data) = block.lines().find_map(|line| line.strip_prefix("data: ")) {
                return Ok(serde_json::from_str(data).expect("an item is JSON on one line"));
            }
        }
    }

    fn block(&mut self) -> Result<String, Over> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(id) = block.lines().find_map(|line| line.strip_prefix("id: ")) {
                    id.clone_into(&mut self.last_id);
                }
                return Ok(block);
            }
            let mut size = String::new();
            self.stream.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim_end(), 16).map_err(|_| Over::Ended)?;
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk)?;
            if size == 0 {
                return Err(Over::Ended);
            }
            self.text.push_str(std::str::from_utf8(&chunk[..size]).expect("UTF-8"));
        }
    }
}

/// A WebSocket (RFC 6455); what the server sends is not masked.
pub struct Socket(BufReader<TcpStream>);

impl Socket {
    /// Upgrades with these headers.
    pub fn open(address: SocketAddr, headers: &[(&str, &str)], query: &str) -> Result<Self, Over> {
        let request = Request::new("GET", &format!("/api/v1/live{query}"))
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        Ok(Self(open(address, &request, 101)?))
    }

    /// The next item.
    pub fn item(&mut self) -> Result<Value, Over> {
        loop {
            let (kind, payload) = self.frame()?;
            match kind {
                1 => return Ok(serde_json::from_slice(&payload).expect("an item is JSON")),
                8 => return Err(Over::Closed(u16::from_be_bytes([payload[0], payload[1]]))),
                _ => {}
            }
        }
    }

    fn frame(&mut self) -> Result<(u8, Vec<u8>), Over> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        let mut length = u64::from(head[1] & 0x7f);
        if length >= 126 {
            let mut wide = [0; 8];
            let bytes = if length == 126 { 2 } else { 8 };
            self.0.read_exact(&mut wide[8 - bytes..])?;
            length = u64::from_be_bytes(wide);
        }
        let mut payload = vec![0; usize::try_from(length).expect("a short message")];
        self.0.read_exact(&mut payload)?;
        Ok((head[0] & 0x0f, payload))
    }
}
