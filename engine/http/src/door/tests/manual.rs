//! Starts by hand with inputs.

use serde_json::json;

use super::*;

const REFUND: &str = r#"
on:
  manual:
    inputs:
      order: { type: integer, required: true }
      amount: { type: number, default: 12.50 }
      why: { type: string, options: [damaged, late] }
steps:
  - id: seen
    script: "`${inputs.order}/${inputs.amount}/${inputs.why ?? \"-\"}`"
  - fail: "on purpose: ${{ steps.seen.output }}"
"#;

#[tokio::test]
async fn inputs_are_typed_and_seen_by_the_run() {
    let house = House::new(&[("refund", REFUND)]).await;
    let shown = house.get("/workflows/refund").await;
    let amount = shown["inputs"][1].to_string();
    assert_eq!(
        amount,
        r#"{"default":12.50,"description":null,"name":"amount","options":[],"required":false,"type":"number"}"#
    );
    assert_eq!(shown["triggers"], json!(["manual"]));
    for body in [
        r#"{"inputs":{"order":"61","amount":0.10,"why":"late"}}"#,
        r#"{"event":{"order":61,"amount":"0.10","why":"late"}}"#,
    ] {
        let started = house.api("POST", "/workflows/refund/run", body).await;
        assert_eq!(started.status, 202, "{started:?}");
        let event = started.json()["id"].as_str().expect("an id").to_owned();
        let runs = house
            .wait("a run", &format!("/runs?event={event}&status=failed"), |runs| runs["items"][0].is_object())
            .await;
        assert_eq!(runs["items"][0]["error"]["message"], "on purpose: 61/0.10/late");
        assert!(
            house.api("GET", &format!("/events/{event}"), "").await.body.contains(r#""amount":0.10"#),
            "exact, and typed"
        );
    }
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_and_nothing_starts() {
    let house = House::new(&[("refund", REFUND), ("bare", "on: { manual: true }\nsteps: [{ stop: done }]\n")]).await;
    let wrong = house.api("POST", "/workflows/refund/run", r#"{"inputs":{"amonut":1,"why":"lost"}}"#).await;
    assert_eq!(wrong.refusal(), (422, "inputs_invalid".to_owned()));
    let pointers: Vec<_> =
        wrong.json()["errors"].as_array().expect("errors").iter().map(|one| one["pointer"].clone()).collect();
    assert_eq!(pointers, ["/inputs/amonut", "/inputs/order", "/inputs/why"]);
    assert!(wrong.body.contains("did you mean `amount`?"), "{wrong:?}");
    for (path, body, status) in [
        ("refund", "{}", 422),
        ("refund", r#"{"event":{"order":"x"}}"#, 422),
        ("refund", r#"{"inputs":[1]}"#, 422),
        ("refund", r#"{"inputs":{"order":1},"event":{}}"#, 400),
        ("refund", r#"{"inputs":{"order":1},"topic":"order.created"}"#, 400),
        ("bare", r#"{"inputs":{"order":1}}"#, 422),
    ] {
        assert_eq!(
            house.api("POST", &format!("/workflows/{path}/run"), body).await.refusal().0,
            status,
            "{path} {body}"
        );
    }
    house.is_untouched().await;
    for (path, body) in [
        ("bare", r#"{"event":{"any":1}}"#),
        ("bare", r#"{"inputs":{}}"#),
        ("refund", r#"{"topic":"order.created","event":{"id":1}}"#),
    ] {
        assert_eq!(house.api("POST", &format!("/workflows/{path}/run"), body).await.status, 202, "{path} {body}");
    }
}

#[tokio::test]
async fn a_retry_with_other_data_is_checked_like_a_start() {
    let house = House::new(&[("refund", REFUND)]).await;
    assert_eq!(house.api("POST", "/workflows/refund/run", r#"{"inputs":{"order":61}}"#).await.status, 202);
    let runs = house.wait("a run", "/runs?status=failed", |runs| runs["items"][0].is_object()).await;
    let retry = format!("/runs/{}/retry", runs["items"][0]["id"].as_str().expect("an id"));
    for body in [r#"{"input":{"order":"x"}}"#, r#"{"input":{"order":"x"},"preview":true}"#] {
        let refused = house.api("POST", &retry, body).await;
        assert_eq!(refused.refusal(), (422, "inputs_invalid".to_owned()));
        assert_eq!(refused.json()["errors"][0]["pointer"], "/input/order");
    }
    assert_eq!(house.api("POST", &retry, r#"{"input":{"order":"62"}}"#).await.status, 202);
    house
        .wait("the new data", "/runs?status=failed", |runs| {
            runs["items"][0]["error"]["message"] == "on purpose: 62/12.50/-"
        })
        .await;
}

const LOOP: &str = r#"
on: { manual: {} }
steps:
  - id: each
    for_each: "[1, 2]"
    on_error: continue
    steps:
      - { id: odd, script: "if item == 2 { throw `not ${item}` } item" }
"#;

#[tokio::test]
async fn iterations_that_failed_are_retried_by_name() {
    let house = House::new(&[("loop", LOOP)]).await;
    assert_eq!(house.api("POST", "/workflows/loop/run", "{}").await.status, 202);
    let runs = house.wait("a run", "/runs?status=succeeded", |runs| runs["items"][0].is_object()).await;
    let run = runs["items"][0]["id"].as_str().expect("an id").to_owned();
    let retry = format!("/runs/{run}/retry");
    let many = json!({ "iterations": vec!["each[1]"; 1_001] }).to_string();
    for (body, refusal) in [
        (r#"{"iterations":["each[0]"]}"#, (409, "run_refuses")),
        (r#"{"iterations":["../each"]}"#, (409, "run_refuses")),
        (r#"{"iterations":["each[1]"],"repeat_unknown":true}"#, (400, "argument_invalid")),
        (r#"{"iterations":["each[1]"],"input":{}}"#, (400, "argument_invalid")),
        (r#"{"iterations":"each[1]"}"#, (400, "body_invalid")),
        (&many, (400, "argument_invalid")),
    ] {
        let got = house.api("POST", &retry, body).await.refusal();
        assert_eq!((got.0, got.1.as_str()), refusal, "{}", &body[..body.len().min(60)]);
    }
    assert_eq!(house.api("POST", &retry, r#"{"iterations":["each[1]"]}"#).await.status, 202);
    house.wait("the second failure", "/runs?status=succeeded", |runs| runs["items"][0]["retries"] == 1).await;
}
