//! What acceptance is compared with: an axum handler that verifies the HMAC of a webhook and keeps nothing. It runs as
//! a process of its own, as the engine does, with the same number of threads.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use axum::{
    Json, Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cartwright_tests::engine::WEBHOOK_SECRET;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The process; ends when dropped.
pub(crate) struct Bare {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Bare {
    pub(crate) fn start() -> Self {
        let own = std::env::current_exe().expect("a path");
        let mut child = Command::new(own).arg("bare").stdout(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        Self { address: line.trim().parse().expect("an address"), child }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn accept(headers: HeaderMap, body: Bytes) -> Result<Json<serde_json::Value>, StatusCode> {
    let signature = headers.get("x-wc-webhook-signature").ok_or(StatusCode::UNAUTHORIZED)?;
    let signature = STANDARD.decode(signature).map_err(|_| StatusCode::UNAUTHORIZED)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).expect("a key of any length");
    mac.update(&body);
    mac.verify_slice(&signature).map_err(|_| StatusCode::UNAUTHORIZED)?;
    Ok(Json(serde_json::json!({ "event": "evt_00000000000000000000000000", "duplicate": false })))
}

/// Serves until the process is ended.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("{}", listener.local_addr().expect("an address"));
        let router = Router::new().route("/webhooks/{store}", post(accept));
        axum::serve(listener, router).await.expect("serves");
    });
}
