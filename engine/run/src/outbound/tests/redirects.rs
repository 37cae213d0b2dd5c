//! Redirects.

use super::*;

fn redirecting(request: &str, address: SocketAddr) -> Option<Vec<u8>> {
    let target = request.split(' ').nth(1).unwrap_or("");
    let (status, place) = target.trim_start_matches('/').split_once('/').unwrap_or(("200", ""));
    let location = match place {
        "private" => "http://10.0.0.1/x?token=1".to_owned(),
        "metadata" => "http://169.254.169.254/latest".to_owned(),
        "file" => "file:///etc/passwd".to_owned(),
        "other" => format!("http://user:pw@localhost:{}/done", address.port()),
        "loop" => target.to_owned(),
        _ => "/done".to_owned(),
    };
    match status {
        "done" | "200" => answer("200 OK", "", "done"),
        status => answer(&format!("{status} X"), &format!("location: {location}\r\n"), "moved"),
    }
}

#[tokio::test]
async fn redirects_follow_the_rules() {
    let server = Server::start(redirecting).await;
    for (method, path, expect) in [
        ("GET", "/301/done", Ok("GET /done")),
        ("GET", "/302/done", Ok("GET /done")),
        ("HEAD", "/307/done", Ok("HEAD /done")),
        ("GET", "/308/done", Ok("GET /done")),
        ("POST", "/303/done", Ok("GET /done")),
        ("DELETE", "/308/done", Ok("DELETE /done")),
        ("PUT", "/307/done", Ok("PUT /done")),
        ("POST", "/301/done", Err("status")),
        ("POST", "/302/done", Err("status")),
        ("POST", "/307/done", Err("status")),
        ("PUT", "/301/done", Err("status")),
        ("PUT", "/308/other", Err("status")),
        ("GET", "/302/private", Err("denied")),
        ("GET", "/302/metadata", Err("denied")),
        ("GET", "/302/file", Err("redirect")),
        ("GET", "/302/loop", Err("redirect")),
        ("PATCH", "/308/done", Err("status")),
    ] {
        let before = server.seen().len();
        let spec = json!({"method": method, "url": server.url(path), "body": if method == "PUT" { json!("data") } else { json!(null) }});
        let got = send(spec).await;
        let seen = server.seen().split_off(before);
        match expect {
            Ok(last) => {
                assert!(got.is_ok(), "{method} {path}: {got:?}");
                let last_request = seen.last().expect("a request");
                assert!(last_request.starts_with(last), "{last_request}");
                assert_eq!(last_request.ends_with("data"), method == "PUT");
            }
            Err(code) => {
                let error = got.expect_err(path);
                assert_eq!((error.code.as_str(), error.class), (code, ErrorClass::Final), "{method} {path}: {error:?}");
                assert!(!error.message.contains("token=1"), "{}", error.message);
                assert_eq!(seen.len(), if path.ends_with("loop") { 1 + MAX_REDIRECTS } else { 1 }, "{method} {path}");
            }
        }
    }
    let got = send(json!({"url": server.url("/302/done"), "expect": [302]}))
        .await
        .expect("a redirect that is expected is an answer");
    assert_eq!(got["headers"]["location"], "/done");
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    let server = Server::start(redirecting).await;
    let options = OutboundOptions {
        allowed: vec!["127.0.0.1".parse().expect("range"), "::1".parse().expect("range")],
        ..OutboundOptions::default()
    };
    let spec = json!({"method": "POST", "url": server.url("/303/other"), "body": "s3cr3t-value", "headers": {"Authorization": "Bearer s3cr3t-value", "Cookie": "a=b", "X-Key": "s3cr3t-value"}});
    HttpOutbound::new(options).expect("a client").send(request(spec)).await.expect("followed");
    let last = server.seen().pop().expect("a request").to_lowercase();
    assert!(last.starts_with("get /done") && last.contains("host: localhost"), "{last}");
    for header in ["authorization", "cookie", "x-key", "idempotency-key", "s3cr3t", "content-type"] {
        assert!(!last.contains(header), "{header} in {last}");
    }
}

#[tokio::test]
async fn each_hop_needs_its_grant() {
    let server = Server::start(redirecting).await;
    let allow: Allow =
        Arc::new(|_, host, _| if host == "127.0.0.1" { Ok(()) } else { Err(format!("denied: http: [\"{host}\"]")) });
    let error = outbound()
        .send(OutboundRequest { allow, ..request(json!({"url": server.url("/302/other")})) })
        .await
        .expect_err("denied");
    assert_eq!(error.message, "denied: http: [\"localhost\"]");
    assert_eq!(server.seen().len(), 1);
}
