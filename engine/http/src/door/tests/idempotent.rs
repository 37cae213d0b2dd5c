//! `Idempotency-Key`: what is sent again is not done again.

use serde_json::json;

use super::*;

const BY_HAND: &str = "on: { event: [stock.low] }\nsteps: [{ stop: done }]\n";

async fn post(house: &House, token: &str, key: &str, target: &str, body: &str) -> Answer {
    let token = format!("Bearer {token}");
    let headers = [("authorization", token.as_str()), ("idempotency-key", key)];
    house.call("POST", &format!("/api/v1{target}"), &headers, body.to_owned()).await
}

fn replayed(answer: &Answer) -> bool {
    answer.headers.get("idempotency-replayed").is_some_and(|value| value == "true")
}

#[tokio::test]
async fn the_same_change_again_gives_the_same_answer_and_does_nothing() {
    let house = House::new(&[("a/low", BY_HAND)]).await;
    let event = r#"{"topic":"stock.low","store":"shop"}"#;
    let first = post(&house, TOKEN, "k1", "/events", event).await;
    let again = post(&house, TOKEN, "k1", "/events", event).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (202, 202));
    assert_eq!(first.body, again.body);
    assert!(!replayed(&first) && replayed(&again));
    assert_eq!(house.get("/events").await["items"].as_array().map(Vec::len), Some(1));
    let store = r#"{"id":"new"}"#;
    assert_eq!(post(&house, TOKEN, "k2", "/stores", store).await.status, 201);
    let again = post(&house, TOKEN, "k2", "/stores", store).await;
    assert_eq!((again.status.as_u16(), replayed(&again)), (201, true));
    // Refusals are answers too.
    assert_eq!(post(&house, TOKEN, "k3", "/stores", store).await.refusal().0, 409);
    assert!(replayed(&post(&house, TOKEN, "k3", "/stores", store).await));
}

#[tokio::test]
async fn a_key_is_for_one_request_of_one_caller_and_for_a_day() {
    let house = House::new(&[]).await;
    let other = house.token("other", &["admin"], None).await;
    assert_eq!(post(&house, TOKEN, "k", "/stores", r#"{"id":"a"}"#).await.status, 201);
    for (target, body) in [("/stores", r#"{"id":"b"}"#), ("/events", r#"{"id":"a"}"#), ("/keys/rotate", "{}")] {
        let refusal = post(&house, TOKEN, "k", target, body).await.refusal();
        assert_eq!(refusal, (422, "idempotency_key_reused".to_owned()), "{target} {body}");
    }
    assert_eq!(post(&house, &other, "k", "/stores", r#"{"id":"b"}"#).await.status, 201);
    house.later(cartwright_run::ANSWER_LIFE);
    assert_eq!(post(&house, TOKEN, "k", "/stores", r#"{"id":"c"}"#).await.status, 201);
    for key in ["", " ", "a b", "\u{e9}", &"x".repeat(256)] {
        let refusal = post(&house, TOKEN, key, "/stores", r#"{"id":"d"}"#).await.refusal();
        assert_eq!(refusal, (400, "idempotency_key_malformed".to_owned()), "{key}");
    }
}

#[tokio::test]
async fn what_a_crash_cut_off_is_unknown_except_for_events() {
    let house = House::new(&[("a/low", BY_HAND)]).await;
    let begun = |target: &str, body: &str, key: &str| {
        let hash = |parts: &[&[u8]]| -> [u8; 32] {
            use sha2::Digest;
            let mut hash = Sha256::new();
            for part in parts {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            hash.finalize().into()
        };
        // Below `/api/v1`, which the router has taken off.
        let asked = hash(&[b"POST", target.as_bytes(), body.as_bytes()]);
        (hash(&[b"api", b"admin", key.as_bytes()]), asked)
    };
    let (store, event) = (r#"{"id":"new"}"#, r#"{"topic":"stock.low","store":"shop"}"#);
    for (target, body, key) in
        [("/stores", store, "k1"), ("/events", event, "k2"), ("/workflows/a/low/run", event, "k3")]
    {
        let (hash, asked) = begun(target, body, key);
        let known = house.engine.answers().begin(&hash, &asked, house.engine.now()).await.expect("begun");
        assert_eq!(known, cartwright_run::Known::New);
    }
    let refusal = post(&house, TOKEN, "k1", "/stores", store).await.refusal();
    assert_eq!(refusal, (409, "outcome_unknown".to_owned()), "nobody knows");
    assert!(house.engine.stores().get(&"new".parse().expect("an id")).is_none());
    for (target, body, key) in [("/events", event, "k2"), ("/workflows/a/low/run", event, "k3")] {
        let first = post(&house, TOKEN, key, target, body).await;
        assert_eq!(first.status, 202, "{first:?}");
        assert_eq!(post(&house, TOKEN, key, target, body).await.body, first.body);
    }
}

#[tokio::test]
async fn a_secret_that_is_shown_once_is_not_kept() {
    let house = House::new(&[]).await;
    for (key, target, body) in [
        ("k1", "/tokens", r#"{"name":"ci","scopes":["runs:read"]}"#),
        ("k2", "/users/invitations", r#"{"roles":[{"role":"viewer"}]}"#),
    ] {
        let made = post(&house, TOKEN, key, target, body).await;
        assert_eq!(made.status, 201, "{made:?}");
        let secret = made.json()["token"].as_str().or(made.json()["path"].as_str()).expect("a secret").to_owned();
        let again = post(&house, TOKEN, key, target, body).await;
        assert_eq!(again.refusal(), (409, "answer_not_kept".to_owned()));
        use cartwright_run::storage::{Storage, Table};
        for record in house.storage.records(Table::Answers, "", None, 100).await.expect("records") {
            assert!(!String::from_utf8_lossy(&record.value).contains(&secret), "{target}");
        }
    }
    let tokens = house.get("/tokens").await;
    assert_eq!(tokens["items"], json!([tokens["items"][0]]), "one was made");
}
