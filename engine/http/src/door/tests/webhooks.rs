//! `POST /webhooks/{store}`

use cartwright_run::storage::memory::{Fault, Write};
use serde_json::json;

use super::*;

const EVERY_ORDER: &str = "on: { woo: [order.*] }\nsteps: [{ stop: done }]\n";

#[tokio::test]
async fn a_signed_delivery_becomes_an_event_and_its_run() {
    let house = House::new(&[("every", EVERY_ORDER)]).await;
    let answer = house.deliver("order.created", r#"{"id":1,"total":"12.30"}"#).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    assert_eq!(answer["duplicate"], false);
    let id = answer["event"].as_str().expect("an id");
    let event = house.wait("matched", &format!("/events/{id}"), |event| event["matches"].is_array()).await;
    assert_eq!(
        (&event["topic"], &event["store"], &event["data"]["total"]),
        (&json!("order.created"), &json!("shop"), &json!("12.30"))
    );
    assert_eq!(event["matches"][0]["outcome"], "started");
    house
        .wait("run over", &format!("/runs?event={id}&status=succeeded"), |runs| runs["items"][0]["workflow"] == "every")
        .await;
}

#[tokio::test]
async fn the_same_delivery_is_one_event_and_another_body_another() {
    let house = House::new(&[]).await;
    let first = house.deliver("order.updated", r#"{"id":1}"#).await.json();
    let again = house.deliver("order.updated", r#"{"id":1}"#).await.json();
    let other = house.deliver("order.updated", r#"{"id":2}"#).await.json();
    assert_eq!((&again["event"], &again["duplicate"]), (&first["event"], &json!(true)));
    assert_ne!(other["event"], first["event"], "three products changed in one second share a delivery id");
    assert_eq!(house.get("/events").await["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_signed_rest_error_is_kept_and_starts_no_order_workflow() {
    let house = House::new(&[("every", EVERY_ORDER)]).await;
    let error = r#"{"code":"woocommerce_rest_cannot_view","message":"Sorry","data":{"status":403}}"#;
    let id = house.deliver("order.created", error).await.json()["event"].as_str().expect("an id").to_owned();
    let event = house.wait("matched", &format!("/events/{id}"), |event| event["matches"].is_array()).await;
    assert_eq!((&event["topic"], &event["matches"]), (&json!("webhook.error"), &json!([])));
    assert_eq!(event["data"]["topic"], "order.created");
    assert_eq!(event["data"]["error"]["data"]["status"], 403);
}

#[tokio::test]
async fn the_creation_ping_is_answered_and_changes_nothing() {
    let house = House::new(&[]).await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = house.call("POST", "/webhooks/shop", &form, "webhook_id=4").await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "event": null, "duplicate": false })));
    assert_eq!(house.call("POST", "/webhooks/nobody", &form, "webhook_id=4").await.status, 404);
    house.is_untouched().await;
}

#[tokio::test]
async fn what_is_not_the_stores_own_is_refused_by_name() {
    let house = House::new(&[]).await;
    let body = r#"{"id":1}"#;
    let signature = sign(body.as_bytes());
    let good = [
        ("x-wc-webhook-topic", "order.created"),
        ("x-wc-webhook-id", "5"),
        ("x-wc-webhook-delivery-id", "e8"),
        ("x-wc-webhook-signature", signature.as_str()),
    ];
    let with = |name: &str, value: &'static str| good.map(|(key, old)| (key, if key == name { value } else { old }));
    for (target, headers, body, status, code) in [
        ("/webhooks/nobody", good, body, 404, "store_unknown"),
        ("/webhooks/..%2F..%2Fetc", good, body, 404, "store_unknown"),
        ("/webhooks/%ff", good, body, 404, "store_unknown"),
        ("/webhooks/shop", good, r#"{"id":2}"#, 401, "signature_wrong"),
        ("/webhooks/shop", with("x-wc-webhook-signature", "%%%"), body, 401, "signature_wrong"),
        ("/webhooks/shop", with("x-wc-webhook-signature", ""), body, 401, "signature_missing"),
        ("/webhooks/shop", with("x-wc-webhook-topic", "order created"), body, 400, "header_malformed"),
    ] {
        let answer = house.call("POST", target, &headers, body.to_owned()).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{target}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, code) in [
        (&b""[..], "body_empty"),
        (b"{\"id\":1", "body_not_json"),
        (b"{\"a\":\"\xff\"}", "body_not_text"),
        (deep.as_bytes(), "body_too_deep"),
    ] {
        let signature = sign(body);
        let headers =
            good.map(|(key, old)| (key, if key == "x-wc-webhook-signature" { signature.as_str() } else { old }));
        let answer = house.call("POST", "/webhooks/shop", &headers, body.to_vec()).await;
        assert_eq!(answer.refusal(), (400, code.to_owned()));
    }
    assert_eq!(house.call("GET", "/webhooks/shop", &[], "").await.refusal(), (405, "unknown_method".to_owned()));
    house.is_untouched().await;
    let metrics = house.call("GET", "/metrics", &[], "").await.body;
    assert!(metrics.contains("cartwright_requests_refused_total{reason=\"signature_wrong\"} 2"), "{metrics}");
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused_announced_or_not() {
    let house = House::with(&[], |config| config.body_limit_bytes = 1000).await;
    let fits = format!("\"{}\"", "x".repeat(998));
    assert_eq!(house.deliver("a.b", &fits).await.status, 200);
    assert_eq!(house.deliver("a.b", &format!("{fits} ")).await.refusal(), (413, "body_too_large".to_owned()));
    let length = [("content-length", "999999999")];
    assert_eq!(house.call("POST", "/webhooks/shop", &length, "x").await.refusal().0, 413);
}

#[tokio::test]
async fn storage_that_cannot_keep_it_is_a_503_with_the_time_to_come_back() {
    let house = House::new(&[]).await;
    house.storage.set_faults(Some(Arc::new(|write| if write == Write::Accept { Fault::Refuse } else { Fault::None })));
    let answer = house.deliver("order.created", r#"{"id":1}"#).await;
    assert_eq!(answer.refusal(), (503, "unavailable".to_owned()));
    assert_eq!(answer.headers["retry-after"], "5");
    house.storage.set_faults(None);
    house.is_untouched().await;
    let answer = house.deliver("order.created", r#"{"id":1}"#).await.json();
    assert_eq!(answer["duplicate"], false, "nothing was kept of the first try");
}

#[tokio::test]
async fn a_store_over_its_quota_is_told_when_to_come_back() {
    let house = House::with(&[], |config| config.quotas.accepted_per_second = std::num::NonZeroU32::MIN).await;
    assert_eq!(house.deliver("a.b", "{}").await.status, 200);
    let answer = house.deliver("a.b", "{}").await;
    assert_eq!((answer.refusal().0, answer.headers["retry-after"].as_bytes()), (429, &b"1"[..]));
}

#[tokio::test]
async fn who_guesses_too_often_learns_no_more_and_stops_nobody_else() {
    let house = House::with(&[], |config| {
        config.quotas.refused_burst = std::num::NonZeroU32::MIN;
        config.quotas.refused_per_second = std::num::NonZeroU32::MIN;
    })
    .await;
    assert_eq!(house.call("POST", "/webhooks/one", &[], "").await.status, 404);
    assert_eq!(house.call("POST", "/webhooks/two", &[], "").await.refusal(), (429, "rate_limited".to_owned()));
    assert_eq!(house.call("POST", "/webhooks/shop", &[], "").await.status, 429);
    assert_eq!(house.deliver("a.b", "{}").await.status, 200, "a signed delivery gets through from the same address");
}
