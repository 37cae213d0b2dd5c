//! The status page, the operators' addresses, and who may see them.

use super::*;

#[tokio::test]
async fn the_page_is_open_on_this_machine_and_only_under_its_names() {
    let house = House::with(&[], |config| config.hosts.push("shop-engine.example".to_owned())).await;
    for (host, status) in [
        ("127.0.0.1:8080", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("[::1]:8080", 200),
        ("shop-engine.example:443", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:8080", 421),
        ("", 421),
        ("192.168.1.7", 421),
    ] {
        for path in ["/", "/metrics"] {
            assert_eq!(house.call("GET", path, &[("host", host)], "").await.status, status, "{host}{path}");
        }
        let token = format!("Bearer {TOKEN}");
        let api = house.call("GET", "/api/v1/runs", &[("host", host), ("authorization", &token)], "").await;
        assert_eq!(api.status, status, "{host}");
    }
    let proxied = house.call("GET", "/", &[("x-forwarded-for", "203.0.113.9")], "").await;
    assert_eq!(proxied.status, 401, "who comes through a proxy is not on this machine");
}

#[tokio::test]
async fn elsewhere_the_page_asks_for_the_token() {
    let house = House::with(&[], |config| config.loopback = false).await;
    let basic = |password: &str| format!("Basic {}", BASE64.encode(format!("anyone:{password}")));
    let answer = house.call("GET", "/", &[("host", "engine.example")], "").await;
    assert_eq!(answer.refusal(), (401, "token_wrong".to_owned()));
    assert!(answer.headers["www-authenticate"].to_str().expect("text").starts_with("Basic "));
    for (authorization, status) in [
        (basic(TOKEN), 200),
        (format!("Bearer {TOKEN}"), 200),
        (basic("wrong"), 401),
        (basic(""), 401),
        ("Basic %%%".to_owned(), 401),
        (format!("Basic {}", BASE64.encode("nocolon")), 401),
        ("Basic".to_owned(), 401),
    ] {
        for path in ["/", "/metrics"] {
            let headers = [("host", "engine.example"), ("authorization", authorization.as_str())];
            assert_eq!(house.call("GET", path, &headers, "").await.status, status, "{authorization} {path}");
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(house.call("GET", path, &[("host", "engine.example")], "").await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_page_shows_what_happened_and_runs_only_its_own_script() {
    let workflow = "on: { woo: [order.*] }\nsteps: [{ fail: \"<img src=x onerror=alert(1)>\" }]\n";
    let house = House::new(&[("shop/broken", workflow)]).await;
    house.deliver("order.created", r#"{"id":1}"#).await;
    house.wait("run over", "/runs?status=failed", |runs| runs["items"][0].is_object()).await;
    let page = house.call("GET", "/", &[], "").await;
    assert_eq!(page.status, 200);
    for part in ["<html", "shop/broken", "failed", "order.created", "&lt;img src=x"] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert!(!page.body.contains("<img"));
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
        let (_, rest) = page.body.split_once(&format!("<{tag}>")).expect("one");
        let (inside, rest) = rest.split_once(&format!("</{tag}>")).expect("closed");
        assert!(!rest.contains(&format!("<{tag}")), "one {tag}");
        use sha2::Digest;
        let hash = BASE64.encode(Sha256::digest(inside));
        assert!(policy.contains(&format!("{directive} 'sha256-{hash}'")), "{policy}");
    }
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
}

#[tokio::test]
async fn metrics_and_health_say_how_it_is() {
    let house = House::new(&[]).await;
    house.deliver("a.b", "{}").await;
    house.deliver("a.b", "{}").await;
    let metrics = house.call("GET", "/metrics", &[], "").await.body;
    for line in [
        "cartwright_runs{status=\"succeeded\"} 0",
        "cartwright_events 1",
        "cartwright_events_accepted_total 1",
        "cartwright_events_duplicate_total 1",
        "cartwright_stores 1",
        "# TYPE cartwright_runs gauge",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert_eq!(house.call("GET", "/readyz", &[], "").await.status, 200);
    house.engine.stop(std::time::Duration::ZERO).await.expect("stopped");
    assert_eq!(house.call("GET", "/readyz", &[], "").await.refusal().0, 503);
    assert_eq!(house.call("GET", "/healthz", &[], "").await.status, 200);
    assert_eq!(house.deliver("a.b", "[]").await.refusal().0, 503);
}

#[tokio::test]
async fn nothing_else_is_there() {
    let house = House::new(&[]).await;
    for path in ["/nothing", "/webhooks", "/webhooks/a/b", "/hooks", "/api", "/..%2fetc/passwd"] {
        assert_eq!(house.call("GET", path, &[], "").await.refusal().0, 404, "{path}");
    }
    let answer = house.call("OPTIONS", "/api/v1/runs", &[("origin", "https://evil.example")], "").await;
    assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control")), "{answer:?}");
}
