//! Deliveries recorded from a real WooCommerce: verified, kept, and led to runs.

use std::collections::{BTreeMap, BTreeSet};

use cartwright_tests::{
    corpus::{self, Delivery},
    engine::Engine,
    environment,
    wire::{Request, Response, once},
};

const ALL: &str = "on: { woo: ['*'] }\nsteps:\n  - id: see\n    script: |\n      #{ topic: event.topic, id: get(event.data, \"id\", 0) }\n";

fn replay(engine: &Engine, delivery: &Delivery) -> Response {
    let mut request = Request::new("POST", "/webhooks/lab");
    for (name, value) in &delivery.headers {
        if !["host", "connection", "content-length", "accept-encoding"].contains(&name.to_lowercase().as_str()) {
            request = request.header(name, value);
        }
    }
    once(engine.address(), &request.body(delivery.body())).expect("an answer")
}

#[test]
fn recorded_deliveries_lead_to_runs() {
    let Some(folder) = environment::corpus() else {
        eprintln!("SKIPPED: CARTWRIGHT_CORPUS names no folder with recorded deliveries; this test held nothing");
        return;
    };
    let deliveries = corpus::deliveries(&folder);
    assert!(deliveries.len() > 100, "{} deliveries: the corpus is not whole", deliveries.len());
    let mut secrets: BTreeMap<&str, usize> = BTreeMap::new();
    for secret in deliveries.iter().filter_map(|delivery| delivery.secret.as_deref()) {
        *secrets.entry(secret).or_default() += 1;
    }
    // Most were signed with one secret; the others stand for strangers.
    let secret = secrets.iter().max_by_key(|(_, count)| **count).map(|(secret, _)| (*secret).to_owned());
    let secret = secret.expect("a signed delivery");

    let mut engine = Engine::new(&[("all.yaml", ALL)]);
    engine.command_ok(&["store", "add", "lab", "--url", "http://127.0.0.1:8081", "--webhook-secret", &secret]);
    engine.start();

    let (mut pings, mut runs, mut errors, mut foreign) = (0, BTreeSet::new(), 0, 0);
    for delivery in &deliveries {
        let answer = replay(&engine, delivery);
        let (name, text) = (&delivery.name, answer.text());
        let signed = delivery.header("x-wc-webhook-signature").is_some();
        if !signed {
            assert_eq!(answer.status, 200, "{name}: the creation ping is answered 200: {text}");
            assert!(answer.json()["event"].is_null(), "{name}: {text}");
            pings += 1;
        } else if delivery.secret.as_deref() == Some(secret.as_str()) {
            assert_eq!(answer.status, 200, "{name}: {text}");
            let body: serde_json::Value = serde_json::from_slice(&delivery.body()).expect("JSON");
            let error = body.get("code").is_some() && body["data"].get("status").is_some();
            errors += usize::from(error);
            match answer.json()["event"].as_str() {
                Some(event) => drop(runs.insert(event.to_owned())),
                None => assert!(error, "{name}: only a signed REST error may lead to no event: {text}"),
            }
        } else {
            // An address that keeps being refused is slowed down.
            assert!([401, 429].contains(&answer.status), "{name}: signed with another secret: {text}");
            foreign += 1;
        }
    }
    assert!(pings > 10 && runs.len() > 30 && errors > 0, "{pings} pings, {} events, {errors} errors", runs.len());
    let succeeded = engine.wait("every recorded event has its run", || {
        let succeeded = engine.runs("status=succeeded");
        (succeeded.len() >= runs.len()).then_some(succeeded)
    });
    let started: BTreeSet<String> =
        succeeded.iter().filter_map(|run| run["event"].as_str().map(str::to_owned)).collect();
    assert!(runs.is_subset(&started), "events without a run: {:?}", runs.difference(&started));
    eprintln!(
        "{} deliveries: {pings} pings, {} events, {errors} REST errors, {foreign} foreign",
        deliveries.len(),
        runs.len()
    );
}
