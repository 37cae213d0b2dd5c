//! Answers, failures and lost connections.

use super::*;

#[tokio::test]
async fn an_answer_becomes_status_headers_and_body() {
    let server = Server::start(|_, _| {
        answer("200 OK", "Content-Type: application/json\r\nX-Two: a\r\nX-Two: b\r\n", r#"{"total": 12.10}"#)
    })
    .await;
    let spec = json!({
        "method": "post", "url": server.url("/pay?x=1"), "query": {"y": ["2", 3], "z": null},
        "headers": {"X-Mine": "ü", "Authorization": "Bearer s3cr3t-value"}, "body": {"a": [1]},
    });
    let got = send(spec).await.expect("an answer");
    assert_eq!(got["status"], 200);
    assert_eq!(got["body"]["total"].to_string(), "12.10", "numbers keep their text");
    assert_eq!(got["headers"]["x-two"], "a, b");
    let seen = server.seen().concat();
    for part in [
        "POST /pay?x=1&y=2&y=3 HTTP/1.1\r\n",
        "idempotency-key: kkkk",
        "user-agent: Cartwright/",
        "content-type: application/json\r\n",
        "authorization: Bearer s3cr3t-value\r\n",
        "x-mine: ü\r\n",
        "\r\n\r\n{\"a\":[1]}",
    ] {
        assert!(seen.contains(part), "{part} in {seen}");
    }
    assert!(!seen.to_lowercase().contains("accept-encoding"), "compression is not asked for: {seen}");
}

#[tokio::test]
async fn bodies_are_read_as_asked() {
    let server = Server::start(|request, _| {
        let content_type =
            if request.contains("/plain") { "text/plain" } else { "application/problem+json; charset=utf-8" };
        let body = if request.contains("/broken") { "{nope" } else { "[1]" };
        answer(
            "201 Created",
            &format!("content-type: {content_type}\r\n"),
            if request.contains("/empty") { "" } else { body },
        )
    })
    .await;
    for (path, parse, expect) in [
        ("/json", "auto", json!([1])),
        ("/plain", "auto", json!("[1]")),
        ("/plain", "json", json!([1])),
        ("/json", "text", json!("[1]")),
        ("/json", "none", json!(null)),
        ("/empty", "auto", json!(null)),
        ("/broken", "auto", json!("{nope")),
    ] {
        let got = send(json!({"url": server.url(path), "parse": parse})).await.expect("an answer");
        assert_eq!(got["body"], expect, "{path} {parse}");
    }
    let got = send(json!({"url": server.url("/broken"), "parse": "json"})).await;
    assert_eq!(failure(got), ("invalid_answer".into(), ErrorClass::Final, Some(201)));
}

#[tokio::test]
async fn forms_and_own_keys_are_sent() {
    let server = Server::start(|_, _| answer("200 OK", "", "")).await;
    send(json!({"method": "PUT", "url": server.url("/"), "form": {"a": "x y", "b": [1, true]}, "headers": {"idempotency-key": "mine"}})).await.expect("an answer");
    let seen = server.seen().concat();
    assert!(seen.contains("idempotency-key: mine\r\n") && !seen.contains("kkkk"), "{seen}");
    assert!(seen.ends_with("\r\n\r\na=x+y&b=1&b=true"), "{seen}");
}

#[tokio::test]
async fn statuses_are_classified() {
    let server = Server::start(|request, _| {
        let status = request.split(['/', ' ']).nth(2).unwrap_or("500");
        let headers = match status {
            "429" => "retry-after: 7\r\n",
            "503" => "date: Sat, 21 Nov 2026 07:00:00 GMT\r\nretry-after: Sat, 21 Nov 2026 07:01:30 GMT\r\n",
            "500" => "retry-after: soon\r\n",
            _ => "",
        };
        answer(&format!("{status} X"), headers, "the s3cr3t-value\r\n failed")
    })
    .await;
    for (status, class, retry_after) in [
        (400, ErrorClass::Final, None),
        (401, ErrorClass::Final, None),
        (404, ErrorClass::Final, None),
        (409, ErrorClass::Final, None),
        (408, ErrorClass::Retryable, None),
        (425, ErrorClass::Retryable, None),
        (429, ErrorClass::Retryable, Some(7000)),
        (500, ErrorClass::Retryable, None),
        (502, ErrorClass::Retryable, None),
        (503, ErrorClass::Retryable, Some(90_000)),
        (504, ErrorClass::Retryable, None),
        (304, ErrorClass::Final, None),
    ] {
        let error =
            send(json!({"method": "POST", "url": server.url(&format!("/{status}"))})).await.expect_err("not 2xx");
        assert_eq!(
            (error.code.as_str(), error.status, error.class, error.retry_after_ms),
            ("status", Some(status), class, retry_after),
            "{error:?}"
        );
        if status != 304 {
            assert!(
                error.message.ends_with(&format!("answered {status}: the [secret:token] failed")),
                "{}",
                error.message
            );
        }
    }
    for expect in [json!(["2xx", 404]), json!(404), json!(["4xx"]), json!("400-410")] {
        let got = send(json!({"url": server.url("/404"), "expect": expect})).await.expect("404 was expected");
        assert_eq!(got["body"], "the [secret:token]\r\n failed");
    }
}

#[tokio::test]
async fn lost_connections_say_what_can_be_known() {
    let cut = Server::start(|_, _| Some(Vec::new())).await;
    let half_head = Server::start(|_, _| Some(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec())).await;
    let half_body = Server::start(|_, _| Some(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec())).await;
    let garbage = Server::start(|_, _| Some(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec())).await;
    let silent = Server::start(|_, _| None).await;
    let cases = [
        (&cut, "connection", None),
        (&half_head, "connection", None),
        (&half_body, "connection", Some(200)),
        (&garbage, "connection", None),
        (&silent, "timeout", None),
    ];
    for (server, code, status) in cases {
        for (repeatable, class) in [(true, ErrorClass::Retryable), (false, ErrorClass::Unknown)] {
            let spec = json!({"method": "POST", "url": server.url("/?k=s3cr3t-value"), "timeout_ms": if code == "timeout" { 50 } else { 5000 }});
            let error = outbound().send(OutboundRequest { repeatable, ..request(spec) }).await.expect_err("lost");
            assert_eq!((error.code.as_str(), error.class, error.status), (code, class, status), "{error:?}");
            assert!(!error.message.contains("?k="), "no query in messages: {}", error.message);
        }
    }
    // A failure status whose body is cut is still a failure status.
    let half_error = Server::start(|_, _| Some(b"HTTP/1.1 503 X\r\ncontent-length: 10\r\n\r\nhalf".to_vec())).await;
    assert_eq!(
        failure(send(json!({"method": "POST", "url": half_error.url("/")})).await),
        ("status".into(), ErrorClass::Retryable, Some(503))
    );
}

#[tokio::test]
async fn nothing_was_sent_where_no_connection_stood() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let plain = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let not_tls = plain.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.ok();
        }
    });
    for url in [format!("http://{address}/"), format!("https://{not_tls}/")] {
        let got = send(json!({"method": "POST", "url": url})).await;
        assert_eq!(failure(got), ("connection".into(), ErrorClass::Retryable, None), "{url}");
    }
}

#[tokio::test]
async fn answers_over_the_limit_are_refused() {
    let announced = Server::start(|_, _| answer("200 OK", "", &"x".repeat(1001))).await;
    let chunked = Server::start(|_, _| {
        let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
        Some(
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}{chunk}0\r\n\r\n").into_bytes(),
        )
    })
    .await;
    for server in [&announced, &chunked] {
        assert_eq!(
            failure(send(json!({"url": server.url("/")})).await),
            ("too_large".into(), ErrorClass::Final, Some(200))
        );
    }
    let fits = Server::start(|_, _| answer("200 OK", "", &"x".repeat(1000))).await;
    assert!(send(json!({"url": fits.url("/")})).await.is_ok());
    let options = OutboundOptions { max_request_bytes: 10, ..OutboundOptions::default() };
    let got = HttpOutbound::new(options)
        .expect("a client")
        .send(request(json!({"method": "POST", "url": fits.url("/"), "body": "x".repeat(11)})))
        .await;
    assert_eq!(failure(got), ("too_large".into(), ErrorClass::Final, None));
}
