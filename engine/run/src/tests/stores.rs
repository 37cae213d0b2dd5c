//! Calls to stores, from a script to the wire.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use cartwright_core::run::row::RunStatus;
use cartwright_storage::RunFilter;
use serde_json::json;

use super::Bench;

const READ: &str = r#"
on: { event: [order.paid] }
grants: { woo: ["orders.read"], stores: ["shop"] }
steps:
  - id: look
    script: |
      let path = "orders/" + event.data.id;
      woo::get(path, #{ _fields: "id,status" }, #{ store: "shop" }).status
"#;

#[tokio::test(start_paused = true)]
async fn a_script_reads_from_a_store_with_its_keys() {
    let bench = Bench::new(&[("read", READ)]).await;
    bench.connect("shop", true).await;
    bench.world.store_answers.lock().push_back((200, json!({"id": 7, "status": "processing"})));
    bench.emit("order.paid", json!({"id": 7})).await;
    let run = bench.one(RunStatus::Succeeded).await;
    assert_eq!(run.step("look").output, json!("processing"));
    let exchanges = bench.world.exchanges.lock().clone();
    let url = "https://shop.example/wp-json/wc/v3/orders/7?_fields=id%2Cstatus";
    assert_eq!(exchanges, [format!("GET {url} Basic Y2tfMTpjc18y")]);
    let metrics = bench.engine.metrics();
    assert_eq!(metrics.store_calls.load(Relaxed), 1);
    let journal = serde_json::to_string(&run.journal).expect("JSON");
    assert!(!journal.contains("cs_2") && !journal.contains("Y2tf"), "{journal}");
}

#[tokio::test(start_paused = true)]
async fn a_store_without_keys_parks_the_run_and_says_what_to_do() {
    let bench = Bench::new(&[("read", READ)]).await;
    bench.connect("shop", false).await;
    bench.emit("order.paid", json!({"id": 7})).await;
    let run = bench.one(RunStatus::Parked).await;
    let error = run.row.error.as_ref().map(|error| serde_json::to_string(error).expect("JSON")).expect("an error");
    let command = "cartwright store add shop --url https://shop.example --key ck_… --secret cs_…";
    assert!(error.contains(command), "{error}");
    assert!(bench.world.exchanges.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_not_granted_reaches_no_store() {
    for (grants, missing) in [
        (r#"{ stores: ["shop"] }"#, "woo"),
        (r#"{ woo: ["products.read"], stores: ["shop"] }"#, "orders.read"),
        (r#"{ woo: ["orders.read"] }"#, "stores"),
    ] {
        let source = READ.replace(r#"{ woo: ["orders.read"], stores: ["shop"] }"#, grants);
        let bench = Bench::new(&[("read", &source)]).await;
        bench.connect("shop", true).await;
        bench.emit("order.paid", json!({"id": 7})).await;
        let run = bench.one(RunStatus::Failed).await;
        let error = serde_json::to_string(&run.row.error).expect("JSON");
        assert!(error.contains("denied") && error.contains(missing), "{grants}: {error}");
        assert!(bench.world.exchanges.lock().is_empty(), "{grants}");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_of_stores_are_counted_by_what_follows_from_them() {
    let bench = Bench::new(&[("read", READ)]).await;
    bench.connect("shop", true).await;
    let gone =
        json!({"code": "woocommerce_rest_shop_order_invalid_id", "message": "Invalid ID.", "data": {"status": 404}});
    bench.world.store_answers.lock().push_back((404, gone));
    bench.emit("order.paid", json!({"id": 7})).await;
    bench.one(RunStatus::Failed).await;
    let errors: Vec<_> = bench.engine.metrics().store_call_errors().filter(|(_, number)| *number > 0).collect();
    assert_eq!(errors, [("final", 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_at_one_store_does_not_hold_up_the_runs_of_others() {
    const BURST: u64 = 1_500;
    let quick = "on: { event: [quick] }\nsteps:\n  - id: say\n    script: 'return 1'";
    let read = READ.replace(".status", "");
    let bench = Bench::new(&[("read", &read), ("quick", quick)]).await;
    bench.connect("shop", true).await;
    for number in 0..BURST {
        bench.emit("order.paid", json!({ "id": number })).await;
    }
    let begun = tokio::time::Instant::now();
    bench.emit("quick", json!({})).await;
    let done = |status: RunStatus| {
        let at = RunStatus::ALL.iter().position(|known| *known == status).expect("a status");
        let engine = bench.engine.clone();
        async move { engine.counts().await.expect("counted").runs[at] }
    };
    let filter = RunFilter { workflow: Some("quick".parse().expect("an id")), ..RunFilter::default() };
    while bench.engine.runs(&filter, None, 1).await.expect("listed").items.iter().all(|row| row.finished.is_none()) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(30), "waited {:?} for another's store", begun.elapsed());
    while done(RunStatus::Succeeded).await < BURST + 1 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // The store's pace alone makes five minutes of it.
    let span = begun.elapsed().as_secs();
    assert!((280..600).contains(&span), "{span} s");
    assert_eq!(bench.world.exchanges.lock().len(), usize::try_from(BURST).expect("small"), "each asked once");
}
