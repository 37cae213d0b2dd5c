//! The plugin as a step calls it: each rule alone, orders one after the other, and what is kept of them.

use std::time::Duration;

use cartwright_plugin::{Failure, testing::Harness};
use fraud_score::FraudScore;
use serde_json::{Value, json};

/// An order with nothing odd, of the shape that the store's API gives.
fn order(id: u64) -> Value {
    json!({
        "id": id, "number": id.to_string(), "status": "processing", "currency": "EUR", "total": "39.66",
        "customer_ip_address": format!("203.0.113.{}", id % 250),
        "billing": {
            "first_name": "Ada", "country": "DE", "email": format!("ada{id}@example.com"), "phone": "030 1234",
            "postcode": "10115", "address_1": "Invalidenstr. 1",
        },
        "shipping": { "country": "DE", "postcode": "10115" },
        "line_items": [{ "name": "Scarf", "quantity": 1, "price": 33.33, "meta_data": [] }],
        "meta_data": [{ "id": 1, "key": "_x", "value": { "any": ["thing"] } }],
    })
}

/// Sets a value by its pointer.
fn with(mut order: Value, pointer: &str, value: Value) -> Value {
    *order.pointer_mut(pointer).expect("it is there") = value;
    order
}

fn rules(output: &Value) -> Vec<(String, u64)> {
    let reasons = output["reasons"].as_array().expect("it is there");
    reasons
        .iter()
        .map(|reason| {
            (reason["rule"].as_str().expect("it is there").to_owned(), reason["points"].as_u64().expect("it is there"))
        })
        .collect()
}

#[track_caller]
fn check(input: Value, expected: &[(&str, u64)]) {
    let run = Harness::new(FraudScore).run("score", input);
    let found = rules(run.output());
    let found: Vec<(&str, u64)> = found.iter().map(|(rule, points)| (rule.as_str(), *points)).collect();
    assert_eq!(found, expected, "{:#}", run.output());
    assert_eq!(run.output()["score"].as_u64(), Some(expected.iter().map(|(_, points)| points).sum::<u64>().min(100)));
}

#[test]
fn an_ordinary_order_scores_nothing() {
    let run = Harness::new(FraudScore).run("score", json!({ "order": order(61) }));
    assert_eq!(run.output(), &json!({ "order": 61, "score": 0, "verdict": "accept", "reasons": [] }));
}

#[test]
fn each_rule_speaks_alone() {
    check(json!({ "order": with(order(1), "/shipping/country", json!("NG")) }), &[("other-country", 25)]);
    check(json!({ "order": with(order(1), "/shipping/country", json!("")) }), &[]);
    check(json!({ "order": order(1), "history": { "orders": 0 } }), &[("first-order", 10)]);
    check(json!({ "order": order(1), "history": { "orders": 3, "failed": 1 } }), &[]);
    check(json!({ "order": order(1), "history": { "orders": 3, "failed": 2 } }), &[("failed-payments", 25)]);
    check(json!({ "order": order(1), "usual_total": "13.22" }), &[("large", 15)]);
    check(json!({ "order": order(1), "usual_total": "13.221" }), &[]);
    check(json!({ "order": order(1), "usual_total": "6.61" }), &[("large", 30)]);
    check(json!({ "order": order(1), "usual_total": "0.00" }), &[]);
    // The customer's own average counts before the store's.
    check(json!({ "order": order(1), "usual_total": "1.00", "history": { "orders": 9, "average": "35.00" } }), &[]);
    let mail = |mail: &str| with(order(1), "/billing/email", json!(mail));
    check(json!({ "order": mail("a@Mailinator.com") }), &[("throw-away-mail", 35)]);
    check(json!({ "order": mail("a@eu.mailinator.com") }), &[("throw-away-mail", 35)]);
    check(json!({ "order": mail("a@notmailinator.com") }), &[]);
    let own = json!({ "throw_away_domains": ["burner.example", ""] });
    check(json!({ "order": mail("a@burner.example"), "settings": own }), &[("throw-away-mail", 35)]);
    check(json!({ "order": mail("x82731@example.com") }), &[("digits-in-mail", 10)]);
    check(json!({ "order": mail("x8273a1@example.com") }), &[]);
    let many = with(order(1), "/line_items/0/quantity", json!(5));
    check(json!({ "order": many }), &[("many-pieces", 5)]);
    check(json!({ "order": with(many, "/billing/email", json!("ada@gmail.com")) }), &[("many-pieces", 15)]);
    check(
        json!({ "order": with(with(order(1), "/billing/phone", json!("")), "/billing/postcode", json!("")) }),
        &[("incomplete", 10)],
    );
    check(json!({ "order": { "id": 1, "total": "1.00" } }), &[("incomplete", 10)]);
}

#[test]
fn reasons_add_up_and_the_heaviest_comes_first() {
    let odd = with(with(order(1), "/shipping/country", json!("NG")), "/billing/email", json!("x12345@mailinator.com"));
    let input = json!({ "order": odd, "history": { "orders": 0, "failed": 4 }, "usual_total": "5" });
    let output = Harness::new(FraudScore).run("score", input).output().clone();
    assert_eq!((output["score"].as_u64(), output["verdict"].as_str()), (Some(100), Some("hold")));
    let points: Vec<u64> = rules(&output).into_iter().map(|(_, points)| points).collect();
    assert_eq!(points, [35, 30, 25, 25, 10, 10]);
    assert_eq!(output["reasons"][2]["text"], "ships to NG, the bill goes to DE");
}

#[test]
fn verdicts_begin_where_the_settings_say() {
    let odd = with(order(1), "/shipping/country", json!("NG"));
    for (settings, expected) in [
        (json!({}), "accept"),
        (json!({ "review_from": 25 }), "review"),
        (json!({ "review_from": 20, "hold_from": 25 }), "hold"),
    ] {
        let run = Harness::new(FraudScore).run("score", json!({ "order": odd, "settings": settings }));
        assert_eq!(run.output()["verdict"], expected, "{settings}");
    }
}

#[test]
fn many_orders_of_one_mail_address_are_seen_until_the_window_is_over() {
    let mut harness = Harness::new(FraudScore);
    let score = |harness: &mut Harness<FraudScore>, id: u64| {
        let order = with(order(id), "/billing/email", json!("Ada@Example.com "));
        harness.run("score", json!({ "order": order })).output()["score"].as_u64().unwrap()
    };
    assert_eq!([1, 2, 2, 2].map(|id| score(&mut harness, id)), [0, 0, 0, 0], "the same order counts once");
    assert_eq!(score(&mut harness, 3), 20);
    harness.pass(Duration::from_secs(24 * 3600));
    assert_eq!(score(&mut harness, 4), 0);
    assert!(!format!("{:?}", harness.kept()).to_lowercase().contains("ada@"), "addresses are not kept");
}

#[test]
fn many_mail_addresses_on_one_ip_address_are_seen() {
    let mut harness = Harness::new(FraudScore);
    let mut last = Value::Null;
    for id in 1..=3 {
        let order = with(order(id), "/customer_ip_address", json!("203.0.113.7"));
        let run = harness.run("score", json!({ "order": order }));
        assert_eq!(
            run.called(),
            ["clock.now", "state.get", "state.compare-and-set", "state.get", "state.compare-and-set"]
        );
        last = run.output().clone();
    }
    assert_eq!(last["reasons"][0]["text"], "orders of 3 mail addresses from one IP address within 24 hours");
}

#[test]
fn what_is_remembered_stays_small() {
    let mut harness = Harness::new(FraudScore);
    for id in 1..=250 {
        let order = with(order(id), "/customer_ip_address", json!("203.0.113.7"));
        harness.run("score", json!({ "order": order })).output();
    }
    let kept = harness.kept();
    let largest = kept.iter().filter(|(key, _)| key.contains("/ip/")).map(|(_, value)| value.to_string().len()).max();
    assert!(largest.is_some_and(|bytes| bytes < 20_000), "{largest:?}");
}

#[test]
fn what_is_no_order_is_refused() {
    let rows = [
        (json!({}), "order"),
        (json!({ "order": { "id": 1 } }), "total"),
        (json!({ "order": { "id": 1, "total": "1,00" } }), "1,00"),
        (json!({ "order": { "id": -1, "total": "1.00" } }), "-1"),
        (
            json!({ "order": order(1), "settings": { "review_from": 70 } }),
            "`review_from` must not be above `hold_from`",
        ),
        (json!({ "order": order(1), "settings": { "window_hours": 0 } }), "window_hours"),
        (json!({ "order": order(1), "hystory": {} }), "hystory"),
    ];
    for (input, expected) in rows {
        let run = Harness::new(FraudScore).run("score", input.clone());
        let failure = run.failure();
        assert!(matches!(failure, Failure::Invalid(_)), "{failure:?}");
        assert!(failure.to_string().contains(expected), "{failure} lacks {expected}");
    }
}
