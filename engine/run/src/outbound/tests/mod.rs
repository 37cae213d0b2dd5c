//! Outbound calls against a loopback server that answers, stalls, cuts and redirects as told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use cartwright_core::call::ErrorClass;
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

mod certificates;
mod exchange;
mod redirects;
mod refusals;
mod transport;

/// What a server does with one connection after it has read one request.
type Behaviour = fn(&str, SocketAddr) -> Option<Vec<u8>>;

struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request with what `behave` gives and closes; `None`: keeps the connection open and silent.
    async fn start(behave: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let record = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, Arc::clone(&record), behave, address));
            }
        });
        Self { address, seen }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("not poisoned").clone()
    }
}

async fn connection(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, behave: Behaviour, address: SocketAddr) {
    let Some(request) = request_text(&mut stream).await else { return };
    seen.lock().expect("not poisoned").push(request.clone());
    match behave(&request, address) {
        Some(bytes) => {
            stream.write_all(&bytes).await.ok();
            stream.shutdown().await.ok();
        }
        None => std::future::pending().await,
    }
}

async fn request_text(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Option<Vec<u8>> {
    Some(
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
            .into_bytes(),
    )
}

fn outbound() -> HttpOutbound {
    let options = OutboundOptions {
        allowed: vec!["127.0.0.1".parse().expect("range")],
        max_response_bytes: 1000,
        ..OutboundOptions::default()
    };
    HttpOutbound::new(options).expect("a client")
}

fn request(spec: Json) -> OutboundRequest {
    OutboundRequest {
        spec,
        idempotency_key: "k".repeat(40),
        repeatable: false,
        secrets: vec![("token".into(), "s3cr3t-value".into())],
        allow: Arc::new(|_, _, _| Ok(())),
    }
}

async fn send(spec: Json) -> Result<Json, CallError> {
    outbound().send(request(spec)).await
}

fn failure(outcome: Result<Json, CallError>) -> (String, ErrorClass, Option<u16>) {
    let error = outcome.expect_err("a failure");
    (error.code, error.class, error.status)
}
