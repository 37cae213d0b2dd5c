//! Exchanges with stores: what went wrong, and whether the request can have arrived.

use std::time::Duration;

use bytes::Bytes;
use cartwright_core::woo::WooMethod;
use cartwright_woo::transport::{HttpAnswer, HttpRequest, Transport, TransportError, TransportFailure};

use super::*;

fn exchange_to(url: &str) -> HttpRequest {
    HttpRequest {
        method: WooMethod::Post,
        url: url.parse().expect("an address"),
        headers: vec![("authorization", "Basic c2VjcmV0".into()), ("content-type", "application/json".into())],
        body: Some(Bytes::from_static(b"{\"a\":1}")),
        timeout: Duration::from_secs(20),
        max_answer_bytes: 1000,
    }
}

async fn exchange(request: HttpRequest) -> Result<HttpAnswer, TransportError> {
    Transport::exchange(&outbound(), request).await
}

/// What failed, and whether the request may have arrived.
async fn failed(request: HttpRequest) -> (TransportFailure, bool, String) {
    let shown = format!("{request:?}");
    let error = exchange(request).await.expect_err(&shown);
    (error.failure, error.may_have_arrived, error.message)
}

/// A port of this machine where nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port").local_addr().expect("bound")
}

/// Answers plainly whatever comes, once; gives the first bytes it read.
async fn plain_server() -> (SocketAddr, tokio::task::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut bytes = vec![0; 4096];
        let count = stream.read(&mut bytes).await.expect("bytes");
        stream.write_all(&answer("400 Bad Request", "", "plain").expect("bytes")).await.expect("sent");
        bytes.truncate(count);
        bytes
    });
    (address, serving)
}

#[tokio::test]
async fn an_exchange_sends_what_it_is_given_and_reads_any_status() {
    let server =
        Server::start(|_, _| answer("503 Unavailable", "Retry-After: 600\r\nX-A: 1\r\nX-A: 2\r\n", "later")).await;
    let got = exchange(exchange_to(&server.url("/wp-json/wc/v3/orders?a=b%5B%5D"))).await.expect("an answer");
    assert_eq!((got.status, &got.body[..], got.header("retry-after")), (503, &b"later"[..], Some("600")));
    assert_eq!(got.headers.iter().filter(|(name, _)| name == "x-a").count(), 2);
    let seen = server.seen().remove(0);
    assert!(seen.starts_with("POST /wp-json/wc/v3/orders?a=b%5B%5D HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("authorization: Basic c2VjcmV0\r\n") && seen.ends_with("{\"a\":1}"), "{seen}");
    assert!(seen.contains("user-agent: Cartwright/"), "{seen}");
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let server =
        Server::start(|_, own| answer("301 Moved", &format!("Location: http://{own}/elsewhere\r\n"), "")).await;
    for method in [WooMethod::Get, WooMethod::Post, WooMethod::Put, WooMethod::Delete] {
        let got = exchange(HttpRequest { method, ..exchange_to(&server.url("/")) }).await.expect("an answer");
        assert_eq!((got.status, got.header("location").is_some()), (301, true));
    }
    assert_eq!(server.seen().len(), 4, "nothing was followed");
}

#[tokio::test]
async fn what_cannot_have_been_sent_says_so() {
    let nobody = nobody().await;
    let (plain, first_bytes) = plain_server().await;
    for (url, failure, word) in [
        (format!("http://{nobody}/"), TransportFailure::Connect, "refuses connections"),
        (format!("https://{nobody}/"), TransportFailure::Connect, "refuses connections"),
        ("http://10.0.0.1/".to_owned(), TransportFailure::Denied, "private address"),
        ("http://[::ffff:169.254.169.254]/".to_owned(), TransportFailure::Denied, "metadata"),
        ("https://shop.invalid/".to_owned(), TransportFailure::Dns, "shop.invalid cannot be resolved"),
        (format!("https://{plain}/"), TransportFailure::Tls, "does not speak TLS"),
    ] {
        let (got, may_have_arrived, message) = failed(exchange_to(&url)).await;
        assert_eq!((got, may_have_arrived), (failure, false), "{url}: {message}");
        assert!(message.contains(word), "{url}: {message}");
    }
    let first_bytes = first_bytes.await.expect("a connection");
    assert!(!first_bytes.starts_with(b"POST"), "nothing of the request is sent before TLS stands");
}

#[tokio::test]
async fn a_name_that_leads_to_a_closed_address_is_denied() {
    let closed = HttpOutbound::new(OutboundOptions::default()).expect("a client");
    let error = Transport::exchange(&closed, exchange_to("http://localhost:1/")).await.expect_err("denied");
    assert_eq!((error.failure, error.may_have_arrived), (TransportFailure::Denied, false));
    assert!(error.message.contains("--allow-outbound"), "{}", error.message);
}

#[tokio::test]
async fn a_header_that_http_does_not_allow_is_refused_without_its_value() {
    let request =
        HttpRequest { headers: vec![("x-a", "s3cr3t\r\nx-b: 1".into())], ..exchange_to("http://127.0.0.1:1/") };
    let (failure, may_have_arrived, message) = failed(request).await;
    assert_eq!((failure, may_have_arrived), (TransportFailure::NotHttp, false));
    assert!(message.contains("x-a") && !message.contains("s3cr3t"), "{message}");
}

#[tokio::test]
async fn what_was_sent_and_got_no_whole_answer_may_have_arrived() {
    let cut_before = Server::start(|_, _| Some(Vec::new())).await;
    let cut_inside = Server::start(|_, _| Some(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf".to_vec())).await;
    let cut_chunk =
        Server::start(|_, _| Some(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nha".to_vec())).await;
    let garbage = Server::start(|_, _| Some(b"220 mail.example ESMTP\r\n".to_vec())).await;
    let large = Server::start(|_, _| answer("200 OK", "", &"x".repeat(1001))).await;
    let endless = Server::start(|_, _| {
        let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
        Some(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}").into_bytes())
    })
    .await;
    for (server, failure) in [
        (&cut_before, TransportFailure::Lost),
        (&cut_inside, TransportFailure::Lost),
        (&cut_chunk, TransportFailure::Lost),
        (&garbage, TransportFailure::NotHttp),
        (&large, TransportFailure::TooLarge),
        (&endless, TransportFailure::TooLarge),
    ] {
        let (got, may_have_arrived, message) = failed(exchange_to(&server.url("/?consumer_secret=cs_1"))).await;
        assert_eq!((got, may_have_arrived), (failure, true), "{message}");
        assert!(!message.contains("cs_1"), "{message}");
        assert_eq!(server.seen().len(), 1, "asked once: {message}");
    }
}

#[tokio::test]
async fn silence_is_a_timeout_that_may_have_arrived() {
    let silent = Server::start(|_, _| None).await;
    let request = HttpRequest { timeout: Duration::from_millis(300), ..exchange_to(&silent.url("/")) };
    let (failure, may_have_arrived, message) = failed(request).await;
    assert_eq!((failure, may_have_arrived), (TransportFailure::Timeout, true));
    assert!(message.contains("within 300 ms"), "{message}");
}
