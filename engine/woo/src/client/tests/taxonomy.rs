//! What each kind of answer means.

use std::collections::BTreeSet;

use cartwright_core::{
    call::{CallError, ErrorClass},
    time::Timestamp,
    woo::{WooMethod, WooRequest},
};
use proptest::prelude::*;

use super::{NOW, answer, error, get, rows::ROWS, with};
use crate::{
    client::{rules::RULES, taxonomy::rule_name, understand},
    transport::HttpAnswer,
};

fn meaning(method: WooMethod, path: &str, answer: &HttpAnswer) -> CallError {
    let store = "https://shop.example".parse().expect("a URL");
    let request = WooRequest { method, ..get(path) };
    understand(&store, &request, answer, Timestamp::from_millis(NOW)).expect_err("a failure")
}

#[test]
fn every_row_decides_its_example() {
    for (row, path, status, headers, body, read, write, code) in ROWS {
        let made = headers.iter().fold(answer(*status, body), |made, (name, value)| with(made, name, value));
        let shown = format!("{status} {body}");
        for (method, class) in [(WooMethod::Get, read), (WooMethod::Post, write)] {
            let found = meaning(method, path, &made);
            assert_eq!(rule_name(method, path, &made), *row, "{shown}");
            assert_eq!((&found.class, found.code.as_str(), found.status), (class, *code, Some(*status)), "{shown}");
            let message = &found.message;
            let is_filled = !["{said}", "{who}", "{status}", "{object}"].iter().any(|mark| message.contains(mark));
            assert!(message.len() > 20 && is_filled && !message.contains('<'), "{shown}: {message}");
        }
    }
    let known: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    let shown: BTreeSet<&str> = ROWS.iter().map(|row| row.0).collect();
    assert_eq!(known.len(), RULES.len(), "each row has a name of its own");
    assert_eq!(known, shown, "each row has an example");
}

#[test]
fn messages_name_what_a_merchant_needs() {
    let duplicate = r#"{"code":"product_invalid_sku","message":"Invalid SKU","data":{"status":400,"resource_id":12}}"#;
    let draft = r#"{"code":"x","message":"Coupon &quot;a&quot; is bad","data":{"status":400,"new_draft_order_id":48}}"#;
    let params = r#"{"code":"rest_invalid_param","message":"Invalid parameter(s): per_page","data":{"status":400,"params":{"per_page":"per_page must be at most 100."}}}"#;
    for (made, words) in [
        (answer(400, duplicate), "Invalid SKU. The other one has the id 12."),
        (answer(400, draft), "Coupon \"a\" is bad. It left the draft order 48 behind."),
        (answer(400, params), "Invalid parameter(s): per_page (per_page must be at most 100.)"),
        (
            error(
                401,
                "woocommerce_rest_authentication_error",
                "The API key provided does not have write permissions.",
            ),
            "may only read",
        ),
        (answer(403, "<html>Sucuri WebSite Firewall"), "firewall Sucuri refused"),
        (error(400, "x", "{status} {who} {said}"), "{status} {who} {said}"),
    ] {
        let message = meaning(WooMethod::Post, "products", &made).message;
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn waits_are_those_that_the_store_asks_for() {
    let wait = |status, value: &str| {
        let made = with(answer(status, ""), "date", "Sat, 21 Nov 2026 07:00:00 GMT");
        meaning(WooMethod::Get, "orders", &with(made, "retry-after", value)).retry_after_ms
    };
    assert_eq!(wait(429, " 7 "), Some(7_000));
    assert_eq!(wait(503, "Sat, 21 Nov 2026 07:01:30 GMT"), Some(90_000));
    assert_eq!(wait(503, "Sat, 21 Nov 2026 06:00:00 GMT"), Some(0));
    assert_eq!(wait(429, "99999999999999999999"), Some(60_000), "no number: our own patience");
    assert_eq!(wait(429, "99999999999"), Some(24 * 60 * 60 * 1000), "no store may stop us for ever");
    assert_eq!(wait(429, "soon"), Some(60_000));
    assert_eq!(wait(429, "-5"), Some(60_000));
    assert_eq!(wait(502, "3"), Some(3_000));
    assert_eq!(wait(403, "3"), None, "waiting does not help");
}

#[test]
fn codes_that_are_no_words_are_not_taken_over() {
    for code in ["", "<b>x</b>", "a b", &"x".repeat(500)] {
        assert_eq!(meaning(WooMethod::Get, "orders", &error(400, code, "m")).code, "status", "{code}");
    }
}

#[test]
fn a_missing_route_is_missing_woocommerce_only_where_the_route_is_everywhere() {
    let missing = error(404, "rest_no_route", "No route was found.");
    for (method, path, class) in [
        (WooMethod::Put, "orders/61", ErrorClass::Deferred),
        (WooMethod::Delete, "orders/61", ErrorClass::Deferred),
        (WooMethod::Post, "orders/batch", ErrorClass::Deferred),
        // WooCommerce answers so for a method that a route does not take, and for ids that are no numbers.
        (WooMethod::Put, "orders", ErrorClass::Final),
        (WooMethod::Get, "orders/abc", ErrorClass::Final),
        (WooMethod::Get, "products/brands", ErrorClass::Final),
    ] {
        assert_eq!(meaning(method, path, &missing).class, class, "{method:?} {path}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_answer_means_something(
        status in 100..1000_u16, row in any::<prop::sample::Index>(), cut in 0..200_usize, header in "\\PC{0,20}", write: bool,
    ) {
        let body = ROWS[row.index(ROWS.len())].4;
        let body: String = body.chars().take(cut).collect();
        let made = ["retry-after", "date", "x-wp-total", "www-authenticate", "server", "location"]
            .into_iter().fold(answer(status, &body), |made, name| with(made, name, &header));
        let method = if write { WooMethod::Post } else { WooMethod::Get };
        let request = WooRequest { method, ..get("orders") };
        let store = "https://shop.example".parse().expect("a URL");
        if let Err(error) = understand(&store, &request, &made, Timestamp::from_millis(NOW)) {
            prop_assert!(!error.message.is_empty() && !error.code.is_empty());
            prop_assert!(write || error.class != ErrorClass::Unknown, "a read is never unknown");
            prop_assert!(!write || error.class != ErrorClass::Retryable, "a write is never just repeated");
        } else {
            prop_assert!((200..300).contains(&status));
        }
    }
}
