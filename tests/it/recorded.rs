//! Deliveries recorded from a real WooCommerce: verified, kept, and led to runs.

use std::collections::{BTreeMap, BTreeSet};

use cartwright_tests::{
    corpus::{self, Delivery},
    engine::Engine,
    environment,
    wire::{Request, Response, once},
};

const ALL: &str = "on: { woo: ['*'] }\nsteps:\n  - id: see\n    script: |\n      #{ topic: event.topic, id: get(event.data, \"id\", 0) }\n";

fn replay(engine: &Engine, delivery: &Delivery, store: &str) -> Response {
    let mut request = Request::new("POST", &format!("/webhooks/{store}"));
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
    // A store for each secret that they were signed with.
    let secrets: BTreeSet<&str> = deliveries.iter().filter_map(|delivery| delivery.secret.as_deref()).collect();
    let stores: BTreeMap<&str, String> =
        secrets.iter().enumerate().map(|(number, secret)| (*secret, format!("lab-{number}"))).collect();
    assert!(stores.len() > 1, "one secret only: there are no strangers");

    let mut engine = Engine::new(&[("all.yaml", ALL)]);
    for (secret, store) in &stores {
        engine.command_ok(&["store", "add", store, "--url", "http://127.0.0.1:8081", "--webhook-secret", secret]);
    }
    engine.start();

    let (mut pings, mut runs, mut errors, mut foreign) = (0, BTreeSet::new(), 0, 0);
    for delivery in &deliveries {
        let name = &delivery.name;
        let home = delivery.secret.as_deref().map(|secret| &stores[secret]);
        // At every other store it is a stranger's, and so is one whose secret nobody knows. Pings are signed by nobody.
        let signed = delivery.header("x-wc-webhook-signature").is_some();
        for store in stores.values().filter(|store| signed && Some(*store) != home) {
            let answer = replay(&engine, delivery, store);
            assert_eq!(answer.status, 401, "{name}: at {store}, whose secret is another: {}", answer.text());
            foreign += 1;
        }
        let Some(store) = home.or_else(|| stores.values().next().filter(|_| !signed)) else { continue };
        let answer = replay(&engine, delivery, store);
        let text = answer.text();
        if !signed {
            assert_eq!(answer.status, 200, "{name}: the creation ping is answered 200: {text}");
            assert!(answer.json()["event"].is_null(), "{name}: {text}");
            pings += 1;
        } else {
            assert_eq!(answer.status, 200, "{name}: {text}");
            let body: serde_json::Value = serde_json::from_slice(&delivery.body()).expect("JSON");
            let error = body.get("code").is_some() && body["data"].get("status").is_some();
            errors += usize::from(error);
            match answer.json()["event"].as_str() {
                Some(event) => drop(runs.insert(event.to_owned())),
                None => assert!(error, "{name}: only a signed REST error may lead to no event: {text}"),
            }
        }
    }
    assert!(
        foreign > 100 && pings > 10 && runs.len() > 30 && errors > 0,
        "{pings} pings, {} events, {errors} errors",
        runs.len()
    );
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
