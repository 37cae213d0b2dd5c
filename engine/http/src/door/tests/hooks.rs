//! `/hooks/{path}`

use serde_json::json;

use super::*;

const BEARER: &str = "on: { http: { path: /intake, auth: bearer } }\nsteps: [{ stop: done }]\n";
const OPEN: &str = "on: { http: { path: /a/open, method: PUT, auth: none } }\nsteps: [{ stop: done }]\n";
const SIGNED: &str = "on:\n  http:\n    path: /signed\n    auth: { hmac: { secret: signing, header: X-Mac, encoding: base64 } }\nsteps: [{ stop: done }]\n";

async fn house() -> House {
    let house = House::new(&[("bearer", BEARER), ("open", OPEN), ("signed", SIGNED)]).await;
    for (name, value) in [("hook_token", "tok"), ("signing", SECRET)] {
        house.engine.secrets().set(name, &Secret::new(value), house.engine.now(), |_| None).await.expect("set");
    }
    house
}

#[tokio::test]
async fn invited_callers_start_the_workflow_that_invited_them() {
    let house = house().await;
    let headers = [("authorization", "Bearer tok"), ("content-type", "application/json"), ("x-request-id", "7")];
    let answer = house.call("POST", "/hooks/intake?a=1&b=%C3%BC", &headers, r#"{"n": 1.10}"#).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["event"].as_str().expect("an id").to_owned();
    let event = house.wait("matched", &format!("/events/{id}"), |event| event["matches"].is_array()).await;
    assert_eq!(event["data"].to_string(), r#"{"n":1.10}"#, "numbers keep their digits");
    assert_eq!(event["source"]["query"], json!([["a", "1"], ["b", "ü"]]));
    assert_eq!(event["source"]["workflow"], "bearer");
    assert!(event["source"]["headers"].to_string().contains("x-request-id"));
    assert!(!event.to_string().contains("tok\""), "{event}");
    assert_eq!(event["matches"][0]["workflow"], "bearer");

    let mac = sign(b"hello");
    let answer = house.call("POST", "/hooks/signed", &[("x-mac", &mac)], "hello").await;
    let id = answer.json()["event"].as_str().expect("an id").to_owned();
    let event = house.get(&format!("/events/{id}")).await;
    assert_eq!(event["data"], "hello");
    assert!(!event["source"].to_string().contains(&mac), "signatures are not passed on");

    assert_eq!(house.call("PUT", "/hooks/a/open", &[], "").await.status, 202);
}

#[tokio::test]
async fn others_are_refused_and_start_nothing() {
    let house = house().await;
    let wrong = sign(b"other");
    for (method, target, headers, status, code) in [
        ("POST", "/hooks/intake", vec![], 401, "credentials_wrong"),
        ("POST", "/hooks/intake", vec![("authorization", "Bearer to")], 401, "credentials_wrong"),
        ("POST", "/hooks/signed", vec![], 401, "credentials_wrong"),
        ("POST", "/hooks/signed", vec![("x-mac", wrong.as_str())], 401, "credentials_wrong"),
        ("POST", "/hooks/a/open", vec![], 405, "unknown_method"),
        ("POST", "/hooks/nowhere", vec![], 404, "hook_unknown"),
        ("POST", "/hooks/%ff", vec![], 404, "hook_unknown"),
        ("PUT", "/hooks/a/open", vec![("content-type", "application/json")], 400, "body_not_json"),
        ("PUT", "/hooks/a/open", vec![("idempotency-key", "")], 400, "idempotency_key_malformed"),
    ] {
        let answer = house.call(method, target, &headers, "x").await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{target} {headers:?}");
    }
    house.engine.secrets().remove("hook_token", None).await.expect("removed");
    for token in ["Bearer tok", "Bearer "] {
        let answer = house.call("POST", "/hooks/intake", &[("authorization", token)], "").await;
        assert_eq!(answer.status, 401, "a secret that is not set lets nobody in");
    }
    house.is_untouched().await;
}

#[tokio::test]
async fn a_repeated_key_is_the_same_event() {
    let house = house().await;
    let call =
        async |key: &'static str| house.call("PUT", "/hooks/a/open", &[("idempotency-key", key)], "").await.json();
    let (first, again, other) = (call("1").await, call("1").await, call("2").await);
    assert_eq!((&again["event"], &again["duplicate"]), (&first["event"], &json!(true)));
    assert_ne!(other["event"], first["event"]);
}
