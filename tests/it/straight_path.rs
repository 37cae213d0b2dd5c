//! The main job: a webhook becomes an event, the event a run, the run's calls arrive outside.

use cartwright_tests::{
    engine::{Engine, webhook},
    orders,
    random::Random,
    sink::{Keys, Sink},
    wire::once,
};
use serde_json::json;

const THANKS: &str = r#"
name: Thank big spenders
on:
  woo:
    topics: [order.created, order.updated]
    if: event.data.status == "processing" && number(event.data.total) > 500
grants: { http: ["POST 127.0.0.1"] }
steps:
  - id: score
    script: |
      let items = event.data.line_items;
      #{ level: if items.len() > 3 { "gold" } else { "silver" }, exact: number(event.data.total) * number("1.10") }
  - id: tell
    http: POST http://SINK/notify
    headers: { X-Level: "${{ steps.score.output.level }}" }
    body: { text: "Order ${{ event.data.number }}: ${{ event.data.total }}", exact: "${{ steps.score.output.exact }}" }
output: steps.tell.output.status
"#;

pub(crate) fn with_sink(workflow: &str, sink: &Sink) -> String {
    workflow.replace("SINK", &sink.address().to_string())
}

fn order(number: u64, total: &str) -> Vec<u8> {
    let mut order = orders::order(number, &mut Random::new(number));
    order["total"] = json!(total);
    order.to_string().into_bytes()
}

#[test]
fn a_webhook_becomes_a_run_whose_call_arrives_outside() {
    let sink = Sink::start(Keys::Honoured);
    let engine = Engine::running(&[("thanks.yaml", &with_sink(THANKS, &sink))]);
    let event = engine.order("order.created", &order(1, "612.35"));
    let run = engine.run_of(&event, "succeeded");

    assert_eq!(run["workflow"], "thanks");
    assert_eq!(run["store"], "shop");
    assert_eq!(run["event"], event.as_str());
    let steps: Vec<_> = run["steps"].as_array().expect("steps").iter().map(|s| (&s["id"], &s["status"])).collect();
    assert_eq!(steps, [(&json!("score"), &json!("succeeded")), (&json!("tell"), &json!("succeeded"))]);

    let received = sink.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].header("x-level"), Some("gold"));
    assert_eq!(received[0].key().len(), 40, "the idempotency key travels along");
    let body = received[0].json();
    assert_eq!(body["text"], "Order 1: 612.35");
    assert_eq!(body["exact"].to_string(), "673.5850", "decimals stay exact");
}

#[test]
fn an_event_tells_which_workflows_started_and_which_did_not() {
    let engine = Engine::running(&[
        ("thanks.yaml", &THANKS.replace("SINK", "127.0.0.1:9")),
        ("other.yaml", "on: { woo: [product.*] }\nsteps: [{ stop: done }]\n"),
    ]);
    let event = engine.order("order.created", &order(1, "12.00"));
    let shown = engine.wait("the event is matched", || {
        let shown = engine.get(&format!("/api/v1/events/{event}"));
        shown["matches"].as_array().is_some_and(|matches| !matches.is_empty()).then_some(shown)
    });
    let matches = shown["matches"].as_array().expect("matches");
    assert_eq!(matches.len(), 1, "{shown}");
    assert_eq!((&matches[0]["workflow"], &matches[0]["outcome"]), (&json!("thanks"), &json!("condition_false")));
    assert!(engine.runs("").is_empty());
}

#[test]
fn the_same_delivery_twice_starts_one_run_and_another_body_with_its_id_another() {
    let sink = Sink::start(Keys::Honoured);
    let engine = Engine::running(&[("thanks.yaml", &with_sink(THANKS, &sink))]);
    let body = order(1, "700.00");
    let first = engine.webhook("order.updated", &body).unwrap().json();
    let second = engine.webhook("order.updated", &body).unwrap().json();
    assert_eq!((&first["duplicate"], &second["duplicate"]), (&json!(false), &json!(true)));
    assert_eq!(first["event"], second["event"]);
    // A batch update sends different bodies under one delivery id: none of them may be dropped.
    let same_id = |body: &[u8]| {
        let request = webhook("shop", "order.updated", body);
        let text = String::from_utf8(request.bytes()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let head: Vec<String> = head
            .split("\r\n")
            .map(|line| {
                if line.starts_with("X-WC-Webhook-Delivery-ID") {
                    "X-WC-Webhook-Delivery-ID: one".into()
                } else {
                    line.to_owned()
                }
            })
            .collect();
        let mut connection = engine.connect();
        connection.write(format!("{}\r\n\r\n{body}", head.join("\r\n")).as_bytes()).unwrap();
        connection.answer().unwrap().json()
    };
    let events: Vec<_> = [order(2, "701.00"), order(3, "702.00")].iter().map(|body| same_id(body)).collect();
    assert_ne!(events[0]["event"], events[1]["event"], "{events:?}");
    assert_eq!(events[1]["duplicate"], false);
    engine.wait("three runs succeeded", || (engine.runs("status=succeeded").len() == 3).then_some(()));
    assert_eq!(sink.count(), 3);
}

#[test]
fn lists_are_filtered_and_paged() {
    let engine = Engine::running(&[
        ("a.yaml", "on: { woo: [order.*] }\nsteps: [{ stop: done }]\n"),
        ("b/c.yaml", "on: { woo: [order.updated] }\nsteps: [{ fail: 'as wanted' }]\n"),
    ]);
    for number in 0..7 {
        engine.order("order.updated", &order(number, "1.00"));
    }
    engine.wait("all ended", || {
        (engine.runs("status=succeeded").len() == 7 && engine.runs("status=failed").len() == 7).then_some(())
    });
    assert_eq!(engine.runs("workflow=b/c").len(), 7);
    assert_eq!(engine.runs("workflow=b/c&status=succeeded").len(), 0);
    assert_eq!(engine.runs("store=shop").len(), 14);
    let page = engine.get("/api/v1/runs?limit=5");
    assert_eq!(page["items"].as_array().map(Vec::len), Some(5));
    let next = engine.get(&format!("/api/v1/runs?limit=5&cursor={}", page["next"].as_str().expect("more")));
    let ids = |page: &serde_json::Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
    };
    assert!(ids(&page).iter().all(|id| !ids(&next).contains(id)), "pages do not overlap");
}

#[test]
fn operators_can_see_health_and_metrics() {
    let engine = Engine::running(&[("thanks.yaml", &THANKS.replace("SINK", "127.0.0.1:9"))]);
    for path in ["/healthz", "/readyz"] {
        let response = once(engine.address(), &cartwright_tests::wire::Request::new("GET", path)).unwrap();
        assert_eq!(response.status, 200, "{path}: {}", response.text());
    }
    let metrics = engine.api("GET", "/metrics", None);
    assert_eq!(metrics.status, 200);
    assert!(metrics.text().contains("cartwright_runs{"), "{}", metrics.text());
    let page = once(engine.address(), &cartwright_tests::wire::Request::new("GET", "/")).unwrap();
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<html"), "a status page for people");
}
