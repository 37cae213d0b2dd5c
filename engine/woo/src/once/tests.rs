//! Whatever the network does to a write, exactly one object exists afterwards, and the call's answer is that one.

use std::time::Duration;

use cartwright_core::{
    Json,
    call::{Again, CallError, ErrorClass},
    time::Timestamp,
    woo::{Repetition, WooRequest},
};
use proptest::prelude::*;
use serde_json::json;

use crate::client::REQUEST_CAN_RUN;

use super::fake::{Fake, Fate, START, connection};

const KEY: &str = "0123456789abcdef0123456789abcdef01234567";
const OTHER: &str = "ffffffffffffffffffffffffffffffffffffffff";
/// An earlier try was sent when the test began.
const TRIED: Again = Again { since: START, until: START };
/// Rounds in which a call must have come to an end.
const ROUNDS_MAX: usize = 40;

fn request(spec: &Json) -> WooRequest {
    let request = crate::check::check(WooRequest::parse(spec).expect("a canonical request")).expect("it may be sent");
    assert!(matches!(request.repetition(), Repetition::Settled(_)), "{spec}");
    request
}

/// How a call ended, as the engine would journal it.
#[derive(Debug)]
enum End {
    Answer(Json),
    Failed(CallError),
    /// Looked at and not decided.
    Unknown(CallError),
}

/// Makes a call as the engine does: again after an unknown outcome, later when it is asked to wait.
async fn run(fake: &Fake, spec: &Json, again: Option<Again>) -> End {
    run_with_a_standstill(fake, spec, again, Duration::ZERO).await
}

/// The same, when the engine is away for some time after the first try whose answer is lost.
async fn run_with_a_standstill(fake: &Fake, spec: &Json, mut again: Option<Again>, mut down: Duration) -> End {
    let (client, store, request) = (fake.client(), connection(), request(spec));
    for _ in 0..ROUNDS_MAX {
        let writes = fake.0.lock().writes;
        let began = fake.now();
        let error = match client.call(&store, &request, KEY, again).await {
            Ok(answer) => return End::Answer(answer),
            Err(error) => error,
        };
        let has_sent = fake.0.lock().writes > writes;
        match error.class {
            ErrorClass::Unknown if has_sent => {
                // As after a crash, which hides the answer as well: the last moment is the restart.
                fake.pass(std::mem::take(&mut down));
                let this = Again { since: began, until: fake.now() };
                again = Some(again.map_or(this, |before| before.and(this)));
            }
            ErrorClass::Unknown => return End::Unknown(error),
            ErrorClass::Deferred => {
                assert!(!has_sent, "what is deferred was not made: {error:?}");
                // Sometimes earlier than asked, as after a restart.
                let wait = error.retry_after_ms.unwrap_or(30_000).min(70_000);
                fake.pass(Duration::from_millis(wait));
                continue;
            }
            _ => return End::Failed(error),
        }
        fake.pass(Duration::from_secs(3));
    }
    panic!("{spec} never came to an end");
}

fn answer(end: End) -> Json {
    match end {
        End::Answer(body) => body,
        other => panic!("no answer, but {other:?}"),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    // The lane's waits pass at once.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(future)
}

/// A write and where its objects are.
fn creations() -> Vec<(Json, &'static str)> {
    let post = |path: &str, body: Json| json!({"method": "POST", "path": path, "body": body});
    vec![
        (post("products", json!({"name": "Tee", "sku": "T-1"})), "products"),
        (post("products", json!({"name": "Tee", "sku": "T  1\t"})), "products"),
        (post("products", json!({"name": "Tee"})), "products"),
        (post("products/23/variations", json!({"regular_price": "5"})), "products/23/variations"),
        (post("orders", json!({"line_items": [{"product_id": 12, "quantity": 1}]})), "orders"),
        (post("customers", json!({"email": "New@example.test"})), "customers"),
        (post("coupons", json!({"code": "TENOFF", "amount": "10"})), "coupons"),
        (post("orders/1/notes", json!({"note": "Packed & sent"})), "orders/1/notes"),
        (post("orders/1/notes", json!({"note": "On its way", "customer_note": true})), "orders/1/notes"),
        (post("orders/1/refunds", json!({"amount": "1.50", "api_refund": false})), "orders/1/refunds"),
        (post("products/tags", json!({"name": "Sale"})), "products/tags"),
        (
            post("webhooks", json!({"name": "x", "topic": "order.created", "delivery_url": "https://e.example"})),
            "webhooks",
        ),
        (post("taxes", json!({"country": "FR", "rate": "20", "name": "TVA"})), "taxes"),
    ]
}

/// What was in the store before: others of each kind, some of them much like ours.
fn furnish(fake: &Fake) {
    fake.put("orders", &json!({"line_items": []}), 5);
    let theirs = json!([{"key": "_cartwright_call", "value": OTHER}]);
    fake.put("orders", &json!({"line_items": [{"product_id": 12}], "meta_data": theirs}), 5);
    fake.put("products", &json!({"name": "Tee", "sku": "T-2"}), 5);
    fake.put("products/23/variations", &json!({"meta_data": theirs}), 5);
    fake.put("customers", &json!({"email": "old@example.test"}), 5);
    fake.put("coupons", &json!({"code": "five"}), 5);
    fake.put("orders/1/notes", &json!({"note": "Packed"}), 5);
    fake.put("orders/1/notes", &json!({"note": "On its way"}), 5);
    fake.put("orders/1/refunds", &json!({"amount": "2.00"}), 5);
    fake.put("products/tags", &json!({"name": "Sales"}), 5);
    fake.put("webhooks", &json!({"name": "x", "topic": "order.updated", "delivery_url": "https://e.example"}), 5);
    fake.put("taxes", &json!({"country": "DE", "rate": "20", "name": "TVA"}), 5);
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    // A request ends within the time in which it can run.
    let delay = || prop_oneof![Just(0), 1..REQUEST_CAN_RUN.as_secs()];
    let fate = prop_oneof![
        Just(Fate::Answered),
        Just(Fate::NeverArrives),
        delay().prop_map(Fate::AnswerLost),
        delay().prop_map(Fate::GatewayTimeout),
    ];
    prop::collection::vec(fate, 0..4)
}

fn standstills() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0), 1_u64..1_000_000].prop_map(Duration::from_secs)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_creation_happens_exactly_once(fates in fates(), ahead in -100_i64..100, down in standstills()) {
        for (spec, collection) in creations() {
            let fake = Fake::new();
            furnish(&fake);
            fake.0.lock().fates = fates.iter().copied().collect();
            fake.0.lock().ahead = ahead;
            let before = fake.all(collection);
            let end = block_on(run_with_a_standstill(&fake, &spec, None, down));
            fake.pass(Duration::from_secs(3600));
            let after: Vec<Json> = fake.all(collection).into_iter().filter(|object| !before.contains(object)).collect();
            prop_assert_eq!(after.len(), 1, "{} after {:?}: {:?}", spec, fates, end);
            prop_assert_eq!(&answer(end)["id"], &after[0]["id"], "{} after {:?}", spec, fates);
        }
    }

    #[test]
    fn lines_are_added_exactly_once(fates in fates()) {
        let fake = Fake::new();
        let id = fake.put("orders", &json!({"line_items": [{"id": 1, "product_id": 12, "quantity": 1}]}), 5000);
        fake.0.lock().fates = fates.iter().copied().collect();
        let body = json!({"line_items": [{"product_id": 12, "quantity": 1}], "fee_lines": [{"name": "Gift", "total": "2"}]});
        let spec = json!({"method": "PUT", "path": format!("orders/{id}"), "body": body});
        let answered = answer(block_on(run(&fake, &spec, None)));
        fake.pass(Duration::from_secs(3600));
        let order = &fake.all("orders")[0];
        prop_assert_eq!(order["line_items"].as_array().map(Vec::len), Some(2), "{:?}", fates);
        prop_assert_eq!(order["fee_lines"].as_array().map(Vec::len), Some(1), "{:?}", fates);
        prop_assert_eq!(&answered["line_items"], &order["line_items"]);
    }

    #[test]
    fn each_item_of_a_batch_is_made_exactly_once(fates in fates(), prefix in 0_usize..4) {
        let items: [(&str, Vec<Json>); 5] = [
            ("products", vec![json!({"name": "a"}), json!({"name": "b", "sku": "B"}), json!({"name": "c"})]),
            ("orders", vec![json!({"line_items": []}), json!({"line_items": []}), json!({"line_items": []})]),
            ("customers", vec![json!({"email": "a@x.test"}), json!({"email": "b@x.test"}), json!({"email": "c@x.test"})]),
            ("coupons", vec![json!({"code": "a"}), json!({"code": "b"}), json!({"code": "c"})]),
            ("products/tags", vec![json!({"name": "a"}), json!({"name": "b"}), json!({"name": "c"})]),
        ];
        for (collection, items) in items {
            let fake = Fake::new();
            furnish(&fake);
            let changed = fake.put(collection, &json!({"name": "old", "email": "o@x.test", "code": "o"}), 5000);
            let removed = fake.put(collection, &json!({"name": "bad", "email": "p@x.test", "code": "p"}), 5000);
            // A timeout in the middle leaves a beginning done.
            let marker = |index: usize| json!([{"key": "_cartwright_call", "value": format!("{KEY}#{index}")}]);
            let mut again = None;
            let before = fake.all(collection).len();
            for (index, item) in items.iter().enumerate().take(prefix) {
                let mut item = item.clone();
                item["meta_data"] = marker(index);
                fake.put(collection, &item, 0);
                again = Some(TRIED);
            }
            fake.0.lock().fates = fates.iter().copied().collect();
            let body = json!({"create": items, "update": [{"id": changed, "note": "new"}], "delete": [removed]});
            let spec = json!({"method": "POST", "path": format!("{collection}/batch"), "body": body});
            let answered = answer(block_on(run(&fake, &spec, again)));
            fake.pass(Duration::from_secs(3600));
            let after = fake.all(collection);
            prop_assert_eq!(after.len(), before + 3 - 1, "{} after {:?}", collection, fates);
            let created = answered["create"].as_array().expect("a list");
            prop_assert_eq!(created.len(), 3);
            for (item, made) in items.iter().zip(created) {
                for (field, value) in item.as_object().expect("a map") {
                    prop_assert_eq!(&made[field], value, "in the order of the request");
                }
            }
            prop_assert_eq!(&answered["update"][0]["note"], &json!("new"));
            prop_assert_eq!(&answered["delete"][0]["id"], &json!(removed));
            prop_assert!(answered["delete"][0].get("error").is_none());
        }
    }
}

#[test]
fn what_the_store_already_had_is_not_ours() {
    let post = |path: &str, body: Json| json!({"method": "POST", "path": path, "body": body});
    for (collection, mine) in [
        ("products", json!({"name": "Tee", "sku": "T-1"})),
        ("customers", json!({"email": "ada@example.test"})),
        ("coupons", json!({"code": "tenoff"})),
    ] {
        for again in [None, Some(TRIED)] {
            let fake = Fake::new();
            fake.put(collection, &mine, 8 * 24 * 3600);
            let end = block_on(run(&fake, &post(collection, mine.clone()), again));
            let End::Failed(error) = end else { panic!("{collection}: {end:?}") };
            assert_eq!((error.class, error.status), (ErrorClass::Final, Some(400)), "{collection} {again:?}");
            assert_eq!(fake.all(collection).len(), 1);
        }
    }
}

#[test]
fn an_object_of_that_moment_without_our_mark_is_a_doubt_for_a_person() {
    let post = |path: &str, body: Json| json!({"method": "POST", "path": path, "body": body});
    for (path, mine) in [
        ("products", json!({"name": "Tee", "sku": "T-1"})),
        ("customers", json!({"email": "ada@example.test"})),
        ("coupons", json!({"code": "tenoff"})),
        ("orders/1/refunds", json!({"amount": "1.50"})),
    ] {
        let fake = Fake::new();
        fake.0.lock().forgets_metadata = true;
        fake.0.lock().fates = [Fate::AnswerLost(0)].into();
        let end = block_on(run(&fake, &post(path, mine), None));
        let End::Unknown(error) = end else { panic!("{path}: {end:?}") };
        assert!(error.message.contains("say what happened"), "{}", error.message);
        assert!(fake.now().since(START) >= REQUEST_CAN_RUN, "it waited for the mark to appear");
        assert_eq!((fake.all(path).len(), fake.0.lock().writes), (1, 1));
    }
}

#[test]
fn two_that_can_be_ours_are_a_doubt() {
    let marked = json!({"line_items": [], "meta_data": [{"key": "_cartwright_call", "value": KEY}]});
    let note = json!({"note": "Paid."});
    let webhook = json!({"topic": "order.created", "delivery_url": "https://e.example", "name": "x"});
    for (path, there, asked) in [
        ("orders", marked, json!({"line_items": []})),
        ("orders/1/notes", note.clone(), note),
        ("webhooks", webhook.clone(), webhook),
    ] {
        let fake = Fake::new();
        fake.put(path, &there, 0);
        fake.put(path, &there, 0);
        let end = block_on(run(&fake, &json!({"method": "POST", "path": path, "body": asked}), Some(TRIED)));
        assert!(matches!(end, End::Unknown(_)), "{path}: {end:?}");
        assert_eq!(fake.0.lock().writes, 0);
    }
}

#[test]
fn a_note_from_before_or_after_the_tries_is_somebody_elses() {
    let spec = json!({"method": "POST", "path": "orders/1/notes", "body": {"note": "Paid."}});
    let fake = Fake::new();
    fake.put("orders/1/notes", &json!({"note": "Paid."}), 3600);
    fake.put("orders/1/notes", &json!({"note": "Paid."}), -3600);
    fake.put("orders/1/notes", &json!({"note": "Paid.", "customer_note": true}), 0);
    answer(block_on(run(&fake, &spec, Some(TRIED))));
    assert_eq!(fake.all("orders/1/notes").len(), 4);
    // The same one, when the first try was before it.
    let fake = Fake::new();
    let id = fake.put("orders/1/notes", &json!({"note": "Paid."}), 3600);
    assert_eq!(answer(block_on(run(&fake, &spec, Some(days_ago(1)))))["id"], json!(id));
    assert_eq!(fake.0.lock().writes, 0);
}

/// An earlier try was sent at some moment since then.
fn days_ago(days: i64) -> Again {
    Again { since: Timestamp::from_millis(START.as_millis() - days * 24 * 3_600_000), until: START }
}

#[test]
fn a_negative_look_counts_only_when_the_request_can_no_longer_run() {
    let spec = json!({"method": "POST", "path": "orders", "body": {"line_items": []}});
    let request = request(&spec);
    let fake = Fake::new();
    fake.pass(REQUEST_CAN_RUN - Duration::from_secs(7));
    let call = || block_on(fake.client().call(&connection(), &request, KEY, Some(TRIED)));
    let error = call().expect_err("too early");
    assert_eq!(
        (error.class, error.code.as_str(), error.retry_after_ms),
        (ErrorClass::Deferred, "settling", Some(7_000))
    );
    assert_eq!(fake.0.lock().writes, 0);
    fake.pass(Duration::from_secs(7));
    call().expect("now it is sent");
    assert_eq!(fake.0.lock().writes, 1);
}

#[test]
fn a_look_that_fails_never_ends_the_write_as_failed() {
    for (status, class) in [
        (503, ErrorClass::Deferred),
        (500, ErrorClass::Deferred),
        (401, ErrorClass::Unknown),
        (404, ErrorClass::Unknown),
    ] {
        for (spec, _) in creations() {
            let fake = Fake::new();
            fake.0.lock().reads_fail = Some(status);
            let error = block_on(fake.client().call(&connection(), &request(&spec), KEY, Some(TRIED)));
            let error = error.expect_err("nothing can be read");
            assert_eq!((error.class, fake.0.lock().writes), (class, 0), "{status} {spec}: {error:?}");
        }
    }
}

#[test]
fn an_abandoned_order_is_no_order_and_one_without_its_lines_is_unfinished() {
    let mark = json!([{"key": "_cartwright_call", "value": KEY}]);
    let spec = json!({"method": "POST", "path": "orders", "body": {"line_items": [{"product_id": 12}]}});
    let fake = Fake::new();
    fake.put("orders", &json!({"status": "checkout-draft", "line_items": [{}], "meta_data": mark}), 0);
    answer(block_on(run(&fake, &spec, Some(TRIED))));
    assert_eq!(fake.all("orders").len(), 2);
    let fake = Fake::new();
    fake.put("orders", &json!({"status": "pending", "line_items": [], "meta_data": mark}), 0);
    let end = block_on(run(&fake, &spec, Some(TRIED)));
    assert!(matches!(&end, End::Unknown(error) if error.message.contains("not all of its line_items")), "{end:?}");
}

#[test]
fn too_many_new_objects_are_a_doubt_and_not_a_second_order() {
    let fake = Fake::new();
    for _ in 0..1000 {
        fake.put("orders", &json!({"line_items": []}), 0);
    }
    let spec = json!({"method": "POST", "path": "orders", "body": {"line_items": []}});
    let end = block_on(run(&fake, &spec, Some(TRIED)));
    assert!(matches!(&end, End::Unknown(error) if error.message.contains("more than 1000")), "{end:?}");
    assert_eq!(fake.0.lock().writes, 0);
    // A list that goes back far enough decides, however long it is.
    let fake = Fake::new();
    for _ in 0..1001 {
        fake.put("orders", &json!({"line_items": []}), 25 * 3600);
    }
    answer(block_on(run(&fake, &spec, Some(TRIED))));
}

#[test]
fn an_order_made_before_a_long_standstill_is_found() {
    let fake = Fake::new();
    let body = json!({"line_items": [], "meta_data": [{"key": "_cartwright_call", "value": KEY}]});
    let id = fake.put("orders", &body, 60 * 24 * 3600);
    let spec = json!({"method": "POST", "path": "orders", "body": {"line_items": []}});
    assert_eq!(answer(block_on(run(&fake, &spec, Some(days_ago(61)))))["id"], json!(id));
    assert_eq!(fake.0.lock().writes, 0);
}

#[test]
fn the_marker_is_the_key_and_nothing_else_and_replaces_a_copied_one() {
    let copied = json!([{"id": 3, "key": "_cartwright_call", "value": OTHER}, {"key": "gift", "value": "yes"}]);
    let body = json!({"line_items": [], "meta_data": copied});
    let fake = Fake::new();
    answer(block_on(run(&fake, &json!({"method": "POST", "path": "orders", "body": body}), None)));
    let expected = json!([{"key": "gift", "value": "yes"}, {"key": "_cartwright_call", "value": KEY}]);
    assert_eq!(fake.all("orders")[0]["meta_data"], expected);
    answer(block_on(run(&fake, &json!({"method": "POST", "path": "orders/1/notes", "body": {"note": "x"}}), None)));
    assert_eq!(fake.all("orders/1/notes")[0]["note"], json!("x"), "people read notes: no mark in them");
    let bad = json!({"method": "POST", "path": "orders", "body": {"line_items": [], "meta_data": "x"}});
    assert!(matches!(block_on(run(&fake, &bad, None)), End::Failed(error) if error.code == "invalid"));
}

#[test]
fn a_batch_of_what_nobody_can_recognise_is_a_doubt_when_it_creates() {
    let spec = |body: Json| json!({"method": "POST", "path": "products/reviews/batch", "body": body});
    let fake = Fake::new();
    let end = block_on(run(&fake, &spec(json!({"create": [{"review": "good"}]})), Some(TRIED)));
    assert!(matches!(end, End::Unknown(_)), "{end:?}");
    answer(block_on(run(&fake, &spec(json!({"update": []})), Some(TRIED))));
}
