//! Query parameters of every address: those that the document names are read, and all others are refused.

use serde_json::json;

use super::*;
use crate::{
    api::{ROUTES, Route},
    caller::Need,
    describe,
};

const BY_HAND: &str = "on: { event: [stock.low] }\nsteps: [{ stop: done }]\n";

fn known() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| route.need != Need::Open)
}

/// What a parameter of this name may be.
fn sample(name: &str) -> &'static str {
    match name {
        "limit" => "1",
        "cursor" => "0",
        "since" | "until" => "1795000000000",
        "run" | "event" => "run_00000000000000000000000000",
        "status" => "failed",
        "kind" => "run",
        "last_id" => "0-0",
        _ => "some",
    }
}

fn target(route: &Route, event: &str) -> String {
    let id = if route.path.starts_with("/events") { event } else { "shop" };
    route.path.replace("{id}", id).replace("{*path}", "a/low/run").replace("{name}", "name").replace("{step}", "step")
}

async fn detail(house: &House, route: &Route, event: &str, query: &str) -> String {
    let answer = house.api(route.method, &format!("{}?{query}", target(route, event)), "").await;
    match answer.status.as_u16() {
        400 => answer.json()["detail"].as_str().expect("a detail").to_owned(),
        _ => String::new(),
    }
}

#[tokio::test]
async fn addresses_read_what_the_document_names_and_refuse_the_rest() {
    let house = House::new(&[("a/low", BY_HAND)]).await;
    let event = house.api("POST", "/events", r#"{"topic":"stock.low"}"#).await.json()["id"].clone();
    let event = event.as_str().expect("an id");
    let mut read = 0;
    for route in known() {
        let shown = format!("{} {}", route.method, route.path);
        let names = describe::about(route).expect("described").query_names();
        let refused = detail(&house, route, event, "surprise=1").await;
        assert!(refused.starts_with("`surprise` is not a filter here"), "{shown}: {refused}");
        for name in names {
            let fine = detail(&house, route, event, &format!("{name}={}", sample(name))).await;
            assert!(!fine.contains("not a filter"), "{shown} has no `{name}`: {fine}");
            // What cannot be meant is noticed only by who reads it. A subscriber leaves empty filters out.
            let nonsense = if route.path == "/live" { format!("{name}=%20") } else { format!("{name}=") };
            let refused = detail(&house, route, event, &nonsense).await;
            assert!(!refused.is_empty(), "{shown} does not look at `{name}`");
            read += 1;
        }
    }
    assert!(read > 40, "{read}");
}

#[tokio::test]
async fn lists_in_memory_come_in_pages_and_stores_by_tag() {
    let house = House::new(&[("a/low", BY_HAND), ("b", BY_HAND), ("c", BY_HAND)]).await;
    house.connect("eu-1", &["eu"]).await;
    house.connect("eu-2", &["eu", "big"]).await;
    for name in ["one", "two", "three"] {
        house.token(name, &["runs:read"], None).await;
        assert_eq!(house.api("PUT", &format!("/secrets/{name}"), r#"{"value":"x"}"#).await.status, 200);
    }
    for list in ["stores", "tokens", "secrets", "workflows"] {
        let whole = house.get(&format!("/{list}")).await;
        assert_eq!((whole["items"].as_array().map(Vec::len), &whole["next"]), (Some(3), &Json::Null), "{list}");
        let first = house.get(&format!("/{list}?limit=2")).await;
        let next = first["next"].as_str().expect("a cursor").replace('/', "%2F");
        let second = house.get(&format!("/{list}?limit=2&cursor={next}")).await;
        let both = [&first, &second].map(|page| page["items"].as_array().expect("items").clone()).concat();
        assert_eq!((json!(both), &second["next"]), (whole["items"].clone(), &Json::Null), "{list}");
    }
    let ids = |listed: Json| listed["items"].as_array().expect("items").iter().map(|one| one["id"].clone()).collect();
    for (tag, expected) in [("eu", json!(["eu-1", "eu-2"])), ("big", json!(["eu-2"])), ("bi", json!([]))] {
        let ids: Json = ids(house.get(&format!("/stores?tag={tag}")).await);
        assert_eq!(ids, expected, "{tag}");
    }
}

#[tokio::test]
async fn the_audit_log_is_narrowed_by_what_entries_say() {
    let house = House::new(&[]).await;
    let ci = house.token("ci", &["stores:write", "secrets:write"], None).await;
    house.later(Duration::from_secs(60));
    let middle = house.engine.now();
    assert_eq!(house.with_token(&ci, "POST", "/stores", r#"{"id":"eu-1"}"#).await.status, 201);
    assert_eq!(house.with_token(&ci, "PUT", "/secrets/slack", r#"{"value":"x"}"#).await.status, 200);
    let ask = async |query: &str| {
        let listed = house.get(&format!("/audit?{query}")).await;
        let what = listed["items"].as_array().expect("items").iter().map(|one| one["what"].clone());
        Json::from(what.collect::<Vec<_>>())
    };
    for (query, expected) in [
        ("who=token:ci".to_owned(), json!(["secret.set", "store.add"])),
        ("who=admin".to_owned(), json!(["token.create"])),
        ("what=store.add".to_owned(), json!(["store.add"])),
        ("store=eu-1".to_owned(), json!(["store.add"])),
        ("target=slack".to_owned(), json!(["secret.set"])),
        ("who=token:ci&target=eu-1".to_owned(), json!(["store.add"])),
        (format!("since={}", middle.as_millis()), json!(["secret.set", "store.add"])),
        (format!("until={middle}"), json!(["token.create"])),
    ] {
        assert_eq!(ask(&query).await, expected, "{query}");
    }
    for bad in ["since=yesterday", "store=A%20B", "who=", "limit=0", "cursor=x", "who=a&who=b"] {
        let refusal = house.api("GET", &format!("/audit?{bad}"), "").await.refusal();
        assert_eq!(refusal, (400, "filter_invalid".to_owned()), "{bad}");
    }
}

const WHOLE: &str = r#"
name: Low stock
on:
  woo: { topics: [product.updated], stores: [shop] }
grants: { http: ["POST hooks.example.com:8443", "*.example.com"], secrets: [slack], stores: [self, "tag:eu"], woo: [orders.read], emit: [stock.failed] }
steps:
  - id: each
    for_each: event.data.items
    steps:
      - id: tell
        name: Tell
        http: "POST https://hooks.example.com:8443/x/${{ item }}"
  - id: look
    woo: orders
on_failure:
  - emit: stock.failed
"#;

#[tokio::test]
async fn a_workflow_is_shown_with_what_it_may_and_does_and_what_is_wrong_with_it() {
    let findings = Findings::default();
    let house = House::with(&[("eu/low", WHOLE)], |config| config.findings = findings.clone()).await;
    let shown = house.get("/workflows/eu/low").await;
    assert_eq!(shown, house.get("/workflows/eu%2Flow").await);
    assert_eq!(
        (&shown["id"], &shown["name"], &shown["source"]),
        (&json!("eu/low"), &json!("Low stock"), &json!(WHOLE))
    );
    assert_eq!(shown["version"].as_str().map(str::len), Some(32));
    assert_eq!(shown["triggers"], json!(["woo product.updated"]));
    assert_eq!(shown["grants"]["http"], json!(["POST hooks.example.com:8443", "*.example.com"]));
    assert_eq!(shown["grants"]["stores"], json!(["self", "tag:eu"]));
    let step = |place: usize| &shown["steps"][place];
    assert_eq!((&step(0)["kind"], &step(0)["does"]), (&json!("for_each"), &json!("event.data.items")));
    let tell = json!({ "id": "tell", "name": "Tell", "kind": "http", "inside": "each", "on_failure": false,
        "on_cancel": false, "undo": null,
        "does": "POST https://hooks.example.com:8443/x/${{ item }}" });
    assert_eq!((step(1), &step(2)["does"]), (&tell, &json!("GET orders")));
    assert_eq!((&step(3)["does"], &step(3)["on_failure"]), (&json!("stock.failed"), &json!(true)));
    assert_eq!((&shown["broken"], &shown["files"]), (&json!(false), &json!([])));

    let broken = |id: &str| {
        let parsed = parse(id.parse().expect("an id"), "on: {}\nstep: []\n", &|_: &str| Err(String::new()));
        let (workflow, source) = (Some(id.parse().expect("an id")), "on: {}\nstep: []\n".to_owned());
        crate::FileFindings { workflow, file: format!("{id}.yaml"), source, diagnostics: parsed.diagnostics }
    };
    findings.set(vec![broken("eu/low"), broken("other/eu/low"), broken("new")]);
    let shown = house.get("/workflows/eu/low").await;
    assert_eq!((&shown["broken"], shown["files"].as_array().map(Vec::len)), (&json!(true), Some(1)));
    assert_eq!(shown["files"][0]["file"], "eu/low.yaml");
    let refused = house.api("GET", "/workflows/new", "").await;
    assert_eq!(refused.refusal(), (404, "workflow_unknown".to_owned()));
    assert!(refused.body.contains("new.yaml has "), "{refused:?}");
    let limited = house.token("limited", &["workflows:read"], Some(&["shop"])).await;
    assert_eq!(house.with_token(&limited, "GET", "/workflows/eu/low", "").await.status, 200);
    let refused = house.with_token(&limited, "GET", "/workflows/new", "").await;
    assert!(refused.status == 404 && !refused.body.contains("new.yaml"), "{refused:?}");
}

#[tokio::test]
async fn addresses_of_one_workflow_say_which_method_they_take() {
    let house = House::new(&[("a/low", BY_HAND)]).await;
    for (method, target, allow) in [
        ("POST", "/workflows/a/low", "GET, HEAD"),
        ("PUT", "/workflows/a/low", "GET, HEAD"),
        ("GET", "/workflows/a/low/run", "POST"),
        ("DELETE", "/workflows/a/low/run", "POST"),
    ] {
        let refused = house.api(method, target, "{}").await;
        assert_eq!(refused.refusal(), (405, "unknown_method".to_owned()), "{method} {target}");
        assert_eq!(refused.headers["allow"], allow);
    }
    for target in ["/workflows/none", "/workflows/-%20-", "/stores/none", "/stores/A%20B", "/tokens/tok_none"] {
        assert_eq!(house.api("GET", target, "").await.refusal().0, 404, "{target}");
    }
}
