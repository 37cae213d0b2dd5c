//! What people who are signed in do about it themselves, and what no answer lets a browser do.

use serde_json::json;

use super::*;

const NEW: &str = "another long password";

impl House {
    /// Another session of somebody who joined.
    async fn again(&self, name: &str, password: &str) -> String {
        let body = json!({ "name": name, "password": password }).to_string();
        let answer = self.call("POST", "/api/v1/session", &[], body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.cookie()
    }

    async fn whose(&self, cookie: &str) -> Answer {
        self.call("GET", "/api/v1/session", &[("cookie", cookie)], "").await
    }

    /// A change with a cookie, as our own pages make it.
    async fn own(&self, method: &str, target: &str, cookie: &str, body: &str) -> Answer {
        let csrf = self.whose(cookie).await.json()["csrf"].as_str().expect("a token").to_owned();
        self.call(method, target, &[("cookie", cookie), ("x-csrf-token", &csrf)], body.to_owned()).await
    }

    /// The same with a form.
    async fn form(&self, target: &str, cookie: &str, fields: &str) -> Answer {
        let csrf = self.whose(cookie).await.json()["csrf"].as_str().expect("a token").to_owned();
        self.call("POST", target, &[("cookie", cookie)], format!("csrf={csrf}&{fields}")).await
    }
}

fn passwords(current: &str, new: &str) -> String {
    json!({ "current": current, "new": new }).to_string()
}

#[tokio::test]
async fn a_password_of_ones_own_ends_the_other_sessions() {
    let house = House::new(&[]).await;
    let (here, there) = (house.join("ada").await, house.again("ada", PASSWORD).await);
    let target = "/api/v1/session/password";
    let headers = [("cookie", here.as_str())];
    let refused = house.call("PUT", target, &headers, passwords(PASSWORD, NEW)).await;
    assert_eq!(refused.refusal(), (403, "csrf_wrong".to_owned()));
    for (body, status, code) in [
        (passwords("wrong wrong wrong", NEW), 403, "credentials_wrong"),
        (passwords(PASSWORD, "short"), 400, "access_invalid"),
        (passwords(PASSWORD, &"x".repeat(2000)), 400, "access_invalid"),
        ("{}".to_owned(), 400, "body_invalid"),
    ] {
        assert_eq!(house.own("PUT", target, &here, &body).await.refusal(), (status, code.to_owned()), "{body}");
    }
    assert_eq!(house.whose(&there).await.status, 200, "nothing happened yet");
    assert_eq!(house.own("PUT", target, &here, &passwords(PASSWORD, NEW)).await.status, 204);
    assert_eq!(house.whose(&here).await.status, 200);
    assert_eq!(house.whose(&there).await.refusal().0, 401);
    let log = house.get("/audit?limit=1").await;
    assert_eq!((&log["items"][0]["what"], &log["items"][0]["who"]), (&json!("user.password"), &json!("user:ada")));
    house.again("ada", NEW).await;
}

#[tokio::test]
async fn a_session_left_open_is_no_way_to_guess_the_password() {
    let house = House::new(&[]).await;
    let cookie = house.join("ada").await;
    house.later(Duration::from_secs(1));
    for _ in 0..5 {
        let guess = house.own("PUT", "/api/v1/session/password", &cookie, &passwords("a guess of mine", NEW)).await;
        assert_eq!(guess.refusal().1, "credentials_wrong");
    }
    let right = house.own("PUT", "/api/v1/session/password", &cookie, &passwords(PASSWORD, NEW)).await;
    assert_eq!(right.refusal(), (429, "rate_limited".to_owned()));
}

#[tokio::test]
async fn people_see_and_end_their_own_sessions_only() {
    let house = House::new(&[]).await;
    let (here, there) = (house.join("ada").await, house.again("ada", PASSWORD).await);
    let invited = house.api("POST", "/users/invitations", r#"{"roles":[{"role":"owner"}]}"#).await.json();
    let body = format!("name=bob&password={}", PASSWORD.replace(' ', "+"));
    let bob = house.call("POST", invited["path"].as_str().expect("a path"), &[], body).await.cookie();
    let list = house.call("GET", "/api/v1/sessions", &[("cookie", &here)], "").await.json();
    let items = list["items"].as_array().expect("items");
    assert_eq!((items.len(), items.iter().filter(|one| one["current"] == true).count()), (2, 1), "{list}");
    let other = items.iter().find(|one| one["current"] == false).expect("the other")["id"].as_str().expect("an id");
    assert!(!there.contains(other) && !list.to_string().contains(here.split('=').nth(1).expect("a value")));
    let target = format!("/api/v1/sessions/{other}");
    assert_eq!(house.own("DELETE", &target, &bob, "").await.refusal(), (404, "access_unknown".to_owned()));
    assert_eq!(house.whose(&there).await.status, 200);
    assert_eq!(house.own("DELETE", &target, &here, "").await.status, 204);
    assert_eq!(house.whose(&there).await.refusal().0, 401);
    assert_eq!(house.own("DELETE", &target, &here, "").await.refusal().0, 404);
}

#[tokio::test]
async fn the_page_does_the_same() {
    let house = House::new(&[]).await;
    let (here, there) = (house.join("ada").await, house.again("ada", PASSWORD).await);
    let asked = house.call("GET", "/account", &[], "").await;
    assert_eq!((asked.status.as_u16(), asked.headers["location"].to_str().expect("text")), (303, "/sign-in"));
    let page = house.call("GET", "/account", &[("cookie", &here)], "").await;
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.contains("frame-ancestors 'none'") && page.headers["cache-control"] == "no-store");
    let (_, rest) = page.body.split_once("/account/sessions/").expect("a form that ends the other session");
    let end = format!("/account/sessions/{}", rest.split('"').next().expect("an address"));
    let plain = house.call("POST", &end, &[("cookie", &here)], "").await;
    assert_eq!(plain.refusal(), (403, "csrf_wrong".to_owned()));
    let evil = [("cookie", here.as_str()), ("origin", "https://evil.example")];
    assert_eq!(house.call("POST", "/account/password", &evil, "csrf=x").await.refusal().1, "origin_wrong");
    assert_eq!(house.form(&end, &here, "").await.status, 303);
    assert_eq!(house.whose(&there).await.refusal().0, 401);
    let wrong = house.form("/account/password", &here, "current=no&new=another+long+password").await;
    assert!(wrong.status == 403 && wrong.body.contains("role=\"alert\""), "{wrong:?}");
    let fields = "current=correct+horse+battery&new=another+long+password";
    let done = house.form("/account/password", &here, fields).await;
    assert!(done.status == 200 && done.body.contains("is changed"), "{done:?}");
    house.again("ada", NEW).await;
}

#[tokio::test]
async fn no_answer_is_framed_guessed_or_run() {
    let house = House::new(&[]).await;
    house.join("ada").await;
    for target in ["/", "/sign-in", "/join/x", "/account", "/api/v1/runs", "/nothing", "/healthz", "/metrics"] {
        let answer = house.call("GET", target, &[], "").await;
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let policy = header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{target}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{target}: {policy}");
        assert_eq!((header("x-content-type-options"), header("x-frame-options")), ("nosniff", "DENY"), "{target}");
        assert!(["no-referrer", "same-origin"].contains(&header("referrer-policy")), "{target}");
    }
}

#[tokio::test]
async fn a_password_is_taken_whole() {
    let house = House::new(&[]).await;
    let long = "x".repeat(1024);
    let link = house.engine.access().invite_first_owner(house.engine.now()).await.expect("invited");
    let joined = house.call("POST", &format!("/join/{link}"), &[], format!("name=ada&password={long}")).await;
    assert_eq!(joined.status, 303);
    house.again("ada", &long).await;
    let longer = json!({ "name": "ada", "password": format!("{long}y") }).to_string();
    let refused = house.call("POST", "/api/v1/session", &[], longer).await.refusal();
    assert_eq!(refused, (401, "credentials_wrong".to_owned()), "nothing is cut off");
}
