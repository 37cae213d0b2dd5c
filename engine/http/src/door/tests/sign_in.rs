//! People: joining with the link, signing in and out, and what other people's pages and guesses come to.

use serde_json::json;

use super::*;

/// A name and a password as JSON.
fn credentials(name: &str, password: &str) -> String {
    json!({ "name": name, "password": password }).to_string()
}

impl House {
    async fn sign_in(&self, headers: &[(&str, &str)], name: &str, password: &str) -> Answer {
        self.call("POST", "/api/v1/session", headers, credentials(name, password)).await
    }

    async fn csrf(&self, cookie: &str) -> String {
        let shown = self.call("GET", "/api/v1/session", &[("cookie", cookie)], "").await;
        assert_eq!(shown.status, 200, "{shown:?}");
        shown.json()["csrf"].as_str().expect("a token").to_owned()
    }
}

#[tokio::test]
async fn the_first_link_makes_an_owner_once() {
    let house = House::new(&[]).await;
    let link = house.engine.access().invite_first_owner(house.engine.now()).await.expect("invited");
    let target = format!("/join/{link}");
    let page = house.call("GET", &target, &[], "").await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("form-action 'self'") && !policy.contains("unsafe")
    );
    for (name, value) in
        [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"), ("cache-control", "no-store")]
    {
        assert_eq!(page.headers[name], value);
    }
    let short = house.call("POST", &target, &[], "name=ada&password=short").await;
    assert_eq!(short.status, 400);
    assert!(short.body.contains("at least") || short.body.contains("12 to"), "{}", short.body);
    let marked = house.call("POST", &target, &[], "name=%3Cscript%3E%2Fx&password=correct+horse+battery").await;
    assert_eq!(marked.status, 400);
    assert!(marked.body.contains("&lt;script&gt;") && !marked.body.contains("<script"), "{}", marked.body);
    let joined = house.call("POST", &target, &[], "name=ada&password=correct+horse+battery").await;
    assert_eq!((joined.status.as_u16(), joined.headers["location"].to_str().expect("text")), (303, "/"));
    let set = joined.headers["set-cookie"].to_str().expect("text");
    for part in ["cartwright-session=", "; Path=/", "; HttpOnly", "; SameSite=Lax"] {
        assert!(set.contains(part), "{part}: {set}");
    }
    let shown = house.call("GET", "/api/v1/session", &[("cookie", &joined.cookie())], "").await.json();
    assert_eq!((&shown["name"], &shown["access"][0]["scopes"]), (&json!("user:ada"), &json!(["admin"])));
    for (method, body) in [("GET", ""), ("POST", "name=eve&password=correct+horse+battery")] {
        assert_eq!(house.call(method, &target, &[], body).await.status, 404, "{method}: the link works once");
    }
    assert!(house.engine.access().person("eve").is_none());
}

#[tokio::test]
async fn other_peoples_pages_change_nothing() {
    let house = House::new(&[]).await;
    let cookie = house.join("ada").await;
    let csrf = house.csrf(&cookie).await;
    let event = r#"{"topic":"a.b"}"#;
    let sends = async |headers: &[(&str, &str)]| {
        let headers = [&[("cookie", cookie.as_str())], headers].concat();
        house.call("POST", "/api/v1/events", &headers, event).await
    };
    let wrong = "0".repeat(csrf.len());
    for (headers, code) in [
        (&[][..], "csrf_wrong"),
        (&[("x-csrf-token", "")], "csrf_wrong"),
        (&[("x-csrf-token", wrong.as_str())], "csrf_wrong"),
        (&[("x-csrf-token", &csrf), ("origin", "https://evil.example")], "origin_wrong"),
        (&[("x-csrf-token", &csrf), ("origin", "http://127.0.0.1:9999")], "origin_wrong"),
        (&[("x-csrf-token", &csrf), ("origin", "null")], "origin_wrong"),
        (&[("x-csrf-token", &csrf), ("sec-fetch-site", "cross-site")], "origin_wrong"),
        (&[("x-csrf-token", &csrf), ("sec-fetch-site", "same-site")], "origin_wrong"),
    ] {
        assert_eq!(sends(headers).await.refusal(), (403, code.to_owned()), "{headers:?}");
    }
    house.is_untouched().await;
    let own = [("x-csrf-token", csrf.as_str()), ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")];
    assert_eq!(sends(&own).await.status, 202);
    let log = house.get("/audit?limit=1").await;
    assert_eq!(log["items"][0]["who"], "user:ada");
    let evil = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    assert_eq!(house.call("POST", "/sign-out", &evil, format!("csrf={csrf}")).await.refusal().0, 403);
    assert_eq!(house.call("POST", "/sign-out", &[("cookie", &cookie)], "csrf=x").await.refusal().0, 403);
    for (target, body) in [("/sign-in", "name=ada&password=correct+horse+battery"), ("/join/x", "name=a&password=b")] {
        let answer = house.call("POST", target, &[("origin", "https://evil.example")], body).await;
        assert_eq!(answer.refusal(), (403, "origin_wrong".to_owned()), "{target}: nor sign people in as somebody else");
    }
    let answer = house.sign_in(&[("origin", "https://evil.example")], "ada", PASSWORD).await;
    assert_eq!(answer.refusal(), (403, "origin_wrong".to_owned()));
}

#[tokio::test]
async fn a_planted_cookie_is_never_a_session() {
    let house = House::new(&[]).await;
    let first = house.join("ada").await;
    let planted = "cartwright-session=cGxhbnRlZCBieSBzb21lYm9keSBlbHNlIGFuZCBrbm93bg";
    let signed_in = house.sign_in(&[("cookie", planted)], "ada", PASSWORD).await;
    assert_eq!(signed_in.status, 200, "{signed_in:?}");
    let second = signed_in.cookie();
    assert!(second != planted && second != first, "each sign-in makes a new one");
    let who = async |cookie: &str| house.call("GET", "/api/v1/session", &[("cookie", cookie)], "").await.status;
    assert_eq!(who(planted).await, 401);
    assert_eq!(who(&second).await, 200);
    assert_eq!(who(&format!("{planted}; {second}")).await, 200, "one planted beside ours does not lock anybody out");
    let csrf = house.csrf(&second).await;
    let out = house.call("POST", "/sign-out", &[("cookie", &second)], format!("csrf={csrf}")).await;
    assert_eq!(out.status, 303);
    assert!(out.headers["set-cookie"].to_str().expect("text").contains("Max-Age=0"));
    assert_eq!((who(&second).await.as_u16(), who(&first).await.as_u16()), (401, 200), "this one is over");
    let csrf = house.csrf(&first).await;
    let headers = [("cookie", first.as_str()), ("x-csrf-token", csrf.as_str())];
    assert_eq!(house.call("DELETE", "/api/v1/session", &headers, "").await.status, 204);
    assert_eq!(who(&first).await, 401);
}

#[tokio::test]
async fn sessions_end_when_nobody_uses_them() {
    let house = House::new(&[]).await;
    let cookie = house.join("ada").await;
    let who = async || house.call("GET", "/api/v1/session", &[("cookie", &cookie)], "").await;
    house.later(Duration::from_secs(11 * 3600));
    assert_eq!(who().await.status, 200);
    house.later(Duration::from_secs(11 * 3600));
    assert_eq!(who().await.status, 200, "use keeps it");
    house.later(Duration::from_secs(12 * 3600));
    assert_eq!(who().await.refusal(), (401, "session_over".to_owned()));
}

#[tokio::test]
async fn passwords_cannot_be_guessed_quickly() {
    let house = House::new(&[]).await;
    house.join("ada").await;
    house.later(Duration::from_secs(1));
    for _ in 0..5 {
        assert_eq!(house.sign_in(&[], "ada", "wrong wrong wrong").await.refusal().1, "credentials_wrong");
    }
    let right = house.sign_in(&[], "ada", PASSWORD).await;
    assert_eq!(right.refusal(), (429, "rate_limited".to_owned()), "even with the right one");
    assert!(right.headers.contains_key("retry-after"));
    let page = house.call("POST", "/sign-in", &[], "name=ada&password=correct+horse+battery").await;
    assert_eq!(page.status, 429);
    assert!(page.body.contains("Too many tries") && page.headers.contains_key("retry-after"), "{page:?}");
    let unknown = house.sign_in(&[], "nobody", PASSWORD).await;
    assert_eq!(unknown.refusal(), (401, "credentials_wrong".to_owned()), "no name tells that nobody has it");
    house.later(Duration::from_secs(60));
    assert_eq!(house.sign_in(&[], "ada", PASSWORD).await.status, 200);
    assert_eq!(house.sign_in(&[], "ada", "wrong wrong wrong").await.refusal().0, 401, "the count begins anew");
    for body in ["", "{}", r#"{"name":"ada"}"#, r#"{"name":"ada","password":7}"#] {
        assert_eq!(house.call("POST", "/api/v1/session", &[], body).await.refusal().0, 400, "{body}");
    }
}

#[tokio::test]
async fn https_is_believed_from_configured_proxies_only() {
    let house = House::with(&[], |config| config.proxies = vec!["0.0.0.0".parse().expect("a range")]).await;
    let plain = house.join("ada").await;
    let proxied = [("x-forwarded-proto", "https"), ("x-forwarded-for", "198.51.100.1, 203.0.113.9")];
    let signed_in = house.sign_in(&proxied, "ada", PASSWORD).await;
    let set = signed_in.headers["set-cookie"].to_str().expect("text").to_owned();
    assert!(set.starts_with("__Host-cartwright=") && set.contains("; Secure") && set.contains("; Path=/"), "{set}");
    let log = house.get("/audit?limit=1").await;
    assert_eq!(log["items"][0]["from"], "203.0.113.9", "the address that the proxy saw, not the one the caller wrote");
    let headers = [proxied[0], ("cookie", plain.as_str())];
    let over_https = house.call("GET", "/api/v1/session", &headers, "").await;
    assert_eq!(over_https.status, 401, "a cookie that travelled in the open is none over https");
    let house = House::new(&[]).await;
    house.join("ada").await;
    let set = house.sign_in(&proxied, "ada", PASSWORD).await.headers["set-cookie"].to_str().expect("text").to_owned();
    assert!(set.starts_with("cartwright-session=") && !set.contains("Secure"), "{set}");
}

#[tokio::test]
async fn people_see_the_page_elsewhere_when_they_are_signed_in() {
    let house = House::with(&[], |config| config.loopback = false).await;
    let cookie = house.join("ada").await;
    let host = ("host", "engine.example");
    let asked = house.call("GET", "/", &[host, ("accept", "text/html,*/*")], "").await;
    assert_eq!((asked.status.as_u16(), asked.headers["location"].to_str().expect("text")), (303, "/sign-in"));
    assert_eq!(house.call("GET", "/", &[host, ("cookie", &cookie)], "").await.status, 200);
    let page = house.call("GET", "/sign-in", &[host, ("cookie", &cookie)], "").await;
    assert_eq!((page.status.as_u16(), page.headers["location"].to_str().expect("text")), (303, "/account"));
    let page = house.call("GET", "/account", &[host, ("cookie", &cookie)], "").await;
    assert!(page.body.contains("Sign out") && page.body.contains("ada"), "{}", page.body);
    let narrow = house.token("prometheus", &["runs:read", "events:read"], None).await;
    let bearer = format!("Bearer {narrow}");
    assert_eq!(house.call("GET", "/metrics", &[host, ("authorization", &bearer)], "").await.status, 200);
    let limited = house.token("limited", &["admin"], Some(&["shop"])).await;
    let bearer = format!("Bearer {limited}");
    assert_eq!(house.call("GET", "/", &[host, ("authorization", &bearer)], "").await.refusal().0, 403);
}
