//! What is refused before anything is sent.

use super::*;

#[tokio::test]
async fn closed_addresses_are_denied_in_every_spelling() {
    let closed = HttpOutbound::new(OutboundOptions::default()).expect("a client");
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "0",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "LOCALHOST",
        "１２７.0.0.1",
    ] {
        let got = closed.send(request(json!({"url": format!("http://{host}:1/")}))).await;
        assert_eq!(failure(got), ("denied".into(), ErrorClass::Final, None), "{host}");
    }
}

#[tokio::test]
async fn calls_that_were_not_granted_are_denied_before_they_start() {
    let server = Server::start(|_, _| answer("200 OK", "", "")).await;
    let allow: Allow = Arc::new(|method, host, port| Err(format!("denied: http: [\"{method} {host}:{}\"]", port > 0)));
    let error = outbound()
        .send(OutboundRequest { allow, ..request(json!({"url": server.url("/")})) })
        .await
        .expect_err("denied");
    assert_eq!((error.code.as_str(), error.message.as_str()), ("denied", "denied: http: [\"GET 127.0.0.1:true\"]"));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn mistakes_and_injections_are_invalid_and_name_no_value() {
    let url = "http://127.0.0.1:1/";
    for spec in [
        json!({"url": url, "headers": {"X-A": "s3cr3t\r\nX-B: 1"}}),
        json!({"url": url, "headers": {"X-A": "a\nb"}}),
        json!({"url": url, "headers": {"X-A": "a\0"}}),
        json!({"url": url, "headers": {"X-A\r\nX-B": "1"}}),
        json!({"url": url, "headers": {"": "1"}}),
        json!({"url": url, "headers": {"Host": "metadata"}}),
        json!({"url": url, "headers": {"Content-Length": "0"}}),
        json!({"url": url, "headers": {"Transfer-Encoding": "chunked"}}),
        json!({"url": url, "headers": {"X-A": {"b": 1}}}),
        json!({"url": url, "headers": []}),
        json!({"url": url, "headers": {"X-A": vec!["1"; MAX_HEADERS + 1]}}),
        json!({"url": url, "headers": {"X-A": "x".repeat(MAX_HEADER_BYTES)}}),
        json!({"url": "http://127.0.0.1:1/a\r\nb"}),
        json!({"url": "ftp://127.0.0.1/"}),
        json!({"url": "file:///etc/passwd"}),
        json!({"url": "/relative"}),
        json!({"url": 5}),
        json!({}),
        json!([]),
        json!({"url": url, "method": "CONNECT"}),
        json!({"url": url, "method": "GET / HTTP/1.1\r\n"}),
        json!({"url": url, "body": 1, "form": {}}),
        json!({"url": url, "form": "a=b"}),
        json!({"url": url, "query": "a=b"}),
        json!({"url": url, "timeout_ms": 0}),
        json!({"url": url, "timeout_ms": 600_001}),
        json!({"url": url, "timeout_ms": "1"}),
        json!({"url": url, "expect": []}),
        json!({"url": url, "expect": ["9xx"]}),
        json!({"url": url, "expect": [600]}),
        json!({"url": url, "parse": "xml"}),
        json!({"url": url, "parse": 1}),
        json!({"url": url, "tiemout": 1}),
    ] {
        let error = send(spec.clone()).await.expect_err("invalid");
        assert_eq!((error.code.as_str(), error.class), ("invalid", ErrorClass::Final), "{spec}: {error:?}");
        assert!(!error.message.contains("s3cr3t"), "{}", error.message);
    }
}

#[tokio::test]
async fn the_name_in_debug_output_hides_values() {
    let shown = format!("{:?}", request(json!({"url": "http://h/?s3cr3t-value"})));
    assert!(shown.contains("token") && !shown.contains("s3cr3t"), "{shown}");
}
