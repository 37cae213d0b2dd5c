//! Answers to `approve` steps: who may give them, and what they must look like.

use serde_json::json;

use super::*;

const ASK: &str = "on: { woo: { topics: [order.*], stores: [shop] } }
steps:
  - { id: ask, approve: \"Refund ${{ event.data.id }}?\", by: [owner] }
  - { id: any, approve: \"Really?\" }
";

/// A run that asks, and the address of its first answer.
async fn asking() -> (House, String) {
    let house = House::new(&[("shop/refund", ASK)]).await;
    house.deliver("order.created", r#"{"id":61}"#).await;
    let asked = house.wait("a question", "/approvals", |asked| asked["items"][0].is_object()).await;
    let one = &asked["items"][0];
    assert_eq!(
        (&one["step"], &one["question"], &one["by"], &one["store"], &one["workflow"]),
        (&json!("ask"), &json!("Refund 61?"), &json!(["owner"]), &json!("shop"), &json!("shop/refund"))
    );
    let run = one["run"].as_str().expect("a run").to_owned();
    (house, format!("/runs/{run}/approvals/"))
}

#[tokio::test]
async fn who_has_the_role_answers_and_is_named() {
    let (house, address) = asking().await;
    let ask = format!("{address}ask");
    let yes = r#"{"approved":true,"comment":"a good customer"}"#;
    let token = house.token("phone", &["approvals:write"], None).await;
    let refused = house.with_token(&token, "POST", &ask, yes).await;
    assert_eq!(refused.refusal(), (403, "role_missing".to_owned()));
    assert!(refused.json()["help"].as_str().expect("help").contains("owner"), "{refused:?}");
    let looks = house.token("looks", &["approvals:read"], None).await;
    assert_eq!(house.with_token(&looks, "POST", &ask, yes).await.refusal().0, 403);
    assert_eq!(house.with_token(&looks, "GET", "/approvals", "").await.json()["items"][0]["step"], "ask");

    let answered = house.api("POST", &ask, yes).await;
    assert_eq!(answered.status, 202, "{answered:?}");
    assert_eq!(house.api("POST", &ask, yes).await.status, 202, "the same again");
    let refused = house.api("POST", &ask, r#"{"approved":false}"#).await;
    assert_eq!(refused.refusal(), (409, "run_refuses".to_owned()));
    assert!(refused.body.contains("approved already, by "), "{refused:?}");

    house.wait("the next question", "/approvals", |asked| asked["items"][0]["step"] == "any").await;
    let answered = house.with_token(&token, "POST", &format!("{address}any"), r#"{"approved":false}"#).await;
    assert_eq!(answered.status, 202, "{answered:?}");
    let runs = house.wait("the end", "/runs?status=succeeded", |runs| runs["items"][0].is_object()).await;
    let shown = house.get(&format!("/runs/{}", runs["items"][0]["id"].as_str().expect("an id"))).await;
    let output = |at: usize| shown["steps"][at]["output"].clone();
    assert_eq!((&output(0)["approved"], &output(0)["comment"]), (&json!(true), &json!("a good customer")));
    assert_eq!((&output(1)["approved"], &output(1)["by"]), (&json!(false), &json!("token:phone")));
    let log = house.get("/audit?what=approval.answer").await;
    assert_eq!(log["items"].as_array().map(Vec::len), Some(3), "{log}");
    assert_eq!(house.get("/approvals").await["items"], json!([]));
}

#[tokio::test]
async fn what_is_no_answer_is_refused_and_asked_on() {
    let (house, address) = asking().await;
    let long = format!(r#"{{"approved":true,"comment":"{}"}}"#, "x".repeat(501));
    for body in
        ["", "{}", "[]", r#"{"approved":"yes"}"#, r#"{"approved":null}"#, r#"{"approved":true,"x":1}"#, "\u{0}", &long]
    {
        let refusal = house.api("POST", &format!("{address}ask"), body).await.refusal();
        assert_eq!(refusal.0, 400, "{body}: {refusal:?}");
    }
    let yes = r#"{"approved":true}"#;
    for step in ["any", "gone", "ask%2Fask", "%00", "ask[0]", "%F0%9F%98%80"] {
        assert_eq!(house.api("POST", &format!("{address}{step}"), yes).await.refusal().0, 409, "{step}");
    }
    for run in ["run_00000000000000000000000000", "x", "%20"] {
        assert_eq!(house.api("POST", &format!("/runs/{run}/approvals/ask"), yes).await.refusal().0, 404, "{run}");
    }
    assert_eq!(
        house.get("/approvals?workflow=shop/refund&store=shop").await["items"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(house.get("/approvals?workflow=other").await["items"], json!([]));
}
