//! `/api/v1`

use serde_json::json;

use super::*;

const BY_HAND: &str = "on: { event: [stock.low] }\nsteps: [{ stop: done }]\n";

#[tokio::test]
async fn only_the_administrator_gets_in() {
    let house = House::new(&[]).await;
    for authorization in
        ["", "Bearer", "Bearer x", "Bearer the-administrators-toke", "Basic eDp5", "the-administrators-token"]
    {
        for (method, target) in [("GET", "/runs"), ("POST", "/events"), ("DELETE", "/stores/shop"), ("GET", "/nothing")]
        {
            let answer =
                house.call(method, &format!("/api/v1{target}"), &[("authorization", authorization)], "{}").await;
            assert_eq!(answer.refusal(), (401, "token_wrong".to_owned()), "{authorization} {target}");
        }
    }
    assert_eq!(house.engine.stores().list().len(), 1);
}

#[tokio::test]
async fn an_event_brought_in_starts_its_workflow() {
    let house = House::new(&[("a/low", BY_HAND)]).await;
    let answer = house.api("POST", "/events", r#"{"topic":"stock.low","store":"shop","data":{"sku":"A"}}"#).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let runs =
        house.wait("a run", &format!("/runs?event={id}&status=succeeded"), |runs| runs["items"][0].is_object()).await;
    let run = &runs["items"][0];
    assert_eq!((&run["workflow"], &run["store"]), (&json!("a/low"), &json!("shop")));
    let shown = house.get(&format!("/runs/{}", run["id"].as_str().expect("an id"))).await;
    assert_eq!(shown["id"], run["id"]);
    assert_eq!(shown["journal"][0]["type"], "run_started");
    assert_eq!(shown["output"], shown["journal"].as_array().and_then(|all| all.last()).expect("entries")["output"]);
    assert!(shown["steps"].is_array());
    for query in ["workflow=a/low", "store=shop&status=succeeded", "limit=1"] {
        assert_eq!(house.get(&format!("/runs?{query}")).await["items"][0]["id"], run["id"], "{query}");
    }
    assert_eq!(house.get("/runs?workflow=b").await, json!({ "items": [], "next": null }));
    let events = house.get("/events?topic=stock.low&store=shop").await;
    assert_eq!(events["items"][0]["id"], json!(id));
    assert!(events["items"][0].get("data").is_none(), "lists stay small");
}

#[tokio::test]
async fn a_workflow_is_started_by_hand() {
    let house = House::new(&[("a/low", BY_HAND)]).await;
    let answer = house.api("POST", "/workflows/a/low/run", r#"{"event":{"sku":"A"}}"#).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    house.wait("a run", "/runs?workflow=a/low&status=succeeded", |runs| runs["items"][0].is_object()).await;
    for (path, body, status) in [
        ("/workflows/none/run", "{}", 404),
        ("/workflows/a/low", "{}", 405),
        ("/workflows/a/low/run", "{\"evnt\":1}", 400),
        ("/workflows/a/low/run", "", 400),
        ("/workflows/a/low/run", "{\"store\":\"none\"}", 400),
    ] {
        assert_eq!(house.api("POST", path, body).await.refusal().0, status, "{path} {body}");
    }
}

#[tokio::test]
async fn workflows_are_listed_with_what_is_wrong() {
    let findings = Findings::default();
    let house = House::with(&[("a/low", BY_HAND)], |config| config.findings = findings.clone()).await;
    let parsed = parse("b".parse().expect("an id"), "on: {}\nstep: []\n", &|_: &str| Err(String::new()));
    let source = "on: {}\nstep: []\n".to_owned();
    let (workflow, diagnostics) = (Some("b".parse().expect("an id")), parsed.diagnostics);
    findings.set(vec![crate::FileFindings { workflow, file: "b.yaml".to_owned(), source, diagnostics }]);
    let listed = house.get("/workflows").await;
    assert_eq!(listed["items"][0]["id"], "a/low");
    assert_eq!(listed["items"][0]["triggers"], json!(["event stock.low"]));
    assert_eq!(listed["items"][0]["version"].as_str().map(str::len), Some(32));
    assert_eq!(listed["files"][0]["file"], "b.yaml");
    assert!(listed["files"][0]["diagnostics"][0]["line"].is_number(), "{listed}");
    let page = house.call("GET", "/", &[], "").await.body;
    assert!(page.contains("b.yaml"), "{page}");
}

#[tokio::test]
async fn stores_come_and_go_and_their_secrets_never_come_back() {
    let house = House::new(&[]).await;
    let body = r#"{"id":"eu-1","url":"https://shop.example/","tags":["eu"],"webhook_secrets":["w-one"],"key":"ck_1","secret":"cs_1"}"#;
    let added = house.api("POST", "/stores", body).await;
    assert_eq!(added.status, 201, "{added:?}");
    let rotated = house.api("POST", "/stores", r#"{"id":"eu-1","webhook_secrets":["w-two"]}"#).await;
    assert_eq!((rotated.status.as_u16(), &rotated.json()["webhook_secrets"]), (200, &json!(2)));
    assert_eq!(house.api("POST", "/stores", body).await.refusal(), (409, "store_exists".to_owned()));
    let listed = house.get("/stores").await;
    let store = &listed["items"][0];
    assert_eq!(
        (&store["id"], &store["url"], &store["tags"], &store["rest_keys"]),
        (&json!("eu-1"), &json!("https://shop.example"), &json!(["eu"]), &json!(true))
    );
    for secret in ["w-one", "w-two", "ck_1", "cs_1"] {
        assert!(!listed.to_string().contains(secret) && !added.body.contains(secret), "{secret}");
    }
    assert_eq!(house.api("DELETE", "/stores/eu-1", "").await.status, 204);
    assert_eq!(house.api("DELETE", "/stores/eu-1", "").await.refusal(), (404, "store_unknown".to_owned()));
    for body in [
        "",
        "{}",
        r#"{"id":"A B"}"#,
        r#"{"id":"x","url":"ftp://x"}"#,
        r#"{"id":"x","key":"ck_1"}"#,
        r#"{"id":"x","tags":["A"]}"#,
        r#"{"id":"x","webhook_secret":"hunter2"}"#,
        r#"{"id":"x","webhook_secrets":"hunter2"}"#,
        r#"{"id":"x","webhook_secrets":[""]}"#,
    ] {
        let answer = house.api("POST", "/stores", body).await;
        assert_eq!(answer.refusal().0, 400, "{body}");
        assert!(!answer.body.contains("hunter2"), "{answer:?}");
    }
}

#[tokio::test]
async fn secrets_come_and_go_and_their_values_never_come_back() {
    let house = House::new(&[]).await;
    for version in [1, 2] {
        let set = house.api("PUT", "/secrets/slack_path", r#"{"value":"hunter2"}"#).await;
        assert_eq!((set.status.as_u16(), &set.json()["version"]), (200, &json!(version)));
        assert!(!set.body.contains("hunter2"));
    }
    let listed = house.get("/secrets").await;
    assert_eq!(listed["items"][0]["name"], "slack_path");
    assert!(!listed.to_string().contains("hunter2"));
    for (name, body) in [
        ("a-b", r#"{"value":"hunter2"}"#),
        ("a", r#"{"value":""}"#),
        ("a", r#"{"value":7}"#),
        ("a", r#"{"valu":"hunter2"}"#),
        ("a", "hunter2"),
    ] {
        let answer = house.api("PUT", &format!("/secrets/{name}"), body).await;
        assert_eq!(answer.refusal().0, 400, "{body}");
        assert!(!answer.body.contains("hunter2"), "{answer:?}");
    }
    assert_eq!(house.api("DELETE", "/secrets/slack_path", "").await.status, 204);
    assert_eq!(house.api("DELETE", "/secrets/slack_path", "").await.refusal().0, 404);
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_by_name() {
    let house = House::new(&[]).await;
    let deep = format!(r#"{{"topic":"a.b","data":{}{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    let (run, event) = ("run_00000000000000000000000000", "evt_00000000000000000000000000");
    for (method, target, body, status) in [
        ("GET", "/nothing".to_owned(), "", 404),
        ("PATCH", "/runs".to_owned(), "", 405),
        ("GET", "/runs?status=sleeping".to_owned(), "", 400),
        ("GET", "/runs?limit=many".to_owned(), "", 400),
        ("GET", "/runs?stauts=failed".to_owned(), "", 400),
        ("GET", "/runs?cursor=%00%ff".to_owned(), "", 400),
        ("GET", "/events?store=A%20B".to_owned(), "", 400),
        ("GET", "/runs/run_lower".to_owned(), "", 404),
        ("GET", "/runs/%ff".to_owned(), "", 404),
        ("GET", format!("/runs/{run}"), "", 404),
        ("GET", format!("/events/{event}"), "", 404),
        ("POST", format!("/runs/{run}/retry"), "", 404),
        ("POST", format!("/runs/{run}/retry"), "{\"x\":1}", 400),
        ("POST", format!("/runs/{run}/cancel"), "", 404),
        ("POST", "/events".to_owned(), "{\"data\":{}}", 400),
        ("POST", "/events".to_owned(), "{\"topic\":\"a b\"}", 400),
        ("POST", "/events".to_owned(), "{\"topic\":7}", 400),
        ("POST", "/events".to_owned(), "{\"topic\":\"a.b\",\"dta\":1}", 400),
        ("POST", "/events".to_owned(), "{\"topic\":\"a.b\",\"store\":\"none\"}", 400),
        ("POST", "/events".to_owned(), "{\"topic\":\"a.b\",\"data\":\"\\ud800\"}", 400),
        ("POST", "/events".to_owned(), &deep, 400),
    ] {
        assert_eq!(house.api(method, &target, body).await.refusal().0, status, "{method} {target} {body:.60}");
    }
    house.is_untouched().await;
}

#[tokio::test]
async fn a_store_is_examined_and_what_is_missing_is_said() {
    let house = House::new(&[]).await;
    let tested = house.api("POST", "/stores/shop/test", "").await;
    assert_eq!(tested.status, 200, "{tested:?}");
    let report = tested.json();
    assert_eq!((&report["store"], &report["fine"]), (&json!("shop"), &json!(false)));
    let first = &report["checks"][0];
    assert_eq!((&first["name"], &first["outcome"]), (&json!("address"), &json!("failed")));
    assert!(first["help"].as_str().is_some_and(|help| help.contains("--url")), "{first}");
    for id in ["nobody", "NOT%20AN%20ID"] {
        let refused = house.api("POST", &format!("/stores/{id}/test"), "").await;
        assert_eq!(refused.refusal(), (404, "store_unknown".to_owned()), "{id}");
    }
}
