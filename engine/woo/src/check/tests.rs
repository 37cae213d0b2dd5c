//! What goes through, what is mended, what is refused.

use super::*;
use serde_json::json;

/// The outcome: `Ok` with body as it is sent, `Err` with a part of the message.
enum Expect<'a> {
    Body(Json),
    Refused(&'a str),
}
use Expect::{Body, Refused};

fn request(method: &str, path: &str, body: Json) -> WooRequest {
    let mut spec = json!({"method": method, "path": path});
    spec["body"] = body;
    WooRequest::parse(&spec).expect("a canonical request")
}

#[track_caller]
fn expect(method: &str, path: &str, body: Json, expected: &Expect<'_>) {
    let shown = format!("{method} {path} {body}");
    match (check(request(method, path, body)), expected) {
        (Ok(request), Body(expected)) => assert_eq!(request.body.unwrap_or_default(), *expected, "{shown}"),
        (Err(error), Refused(part)) => {
            assert_eq!(error.code, "invalid", "{shown}");
            assert!(error.message.contains(part), "{shown}\n  said: {}\n  not:  {part}", error.message);
        }
        (Ok(_), Refused(_)) => panic!("{shown} went through"),
        (Err(error), Body(_)) => panic!("{shown} was refused: {}", error.message),
    }
}

#[track_caller]
fn same(method: &str, path: &str, body: Json) {
    expect(method, path, body.clone(), &Body(body));
}

/// A number as it stands in JSON text, with all of its digits.
fn number(text: &str) -> Json {
    serde_json::from_str(text).expect("a number")
}

#[test]
fn prices_are_text_with_a_point() {
    for (given, expected) in [
        (json!("14.75"), Body(json!("14.75"))),
        (json!(" 14.75 "), Body(json!("14.75"))),
        (json!(""), Body(json!(""))),
        (number("14.75"), Body(json!("14.75"))),
        (number("14.50"), Body(json!("14.50"))),
        (number("0"), Body(json!("0"))),
        (json!("14,75"), Refused("regular_price is the text \"14,75\": WooCommerce would drop the comma")),
        (json!("14,75"), Refused("as \"14.75\"")),
        (json!("1.234,50"), Refused("as \"1234.50\"")),
        (json!("1,234.5"), Refused("as \"1234.5\"")),
        (json!("1,234"), Refused("nothing else, as \"14.75\"")),
        (json!("1.234.567"), Refused("drop what is no digit")),
        (json!("abc"), Refused("the text \"abc\"")),
        (json!("14.75 €"), Refused("drop what is no digit")),
        (json!("$14.75"), Refused("drop what is no digit")),
        (json!("1 475.00"), Refused("drop what is no digit")),
        (json!("1e3"), Refused("drop what is no digit")),
        (json!("14."), Refused("drop what is no digit")),
        (json!("é,"), Refused("WooCommerce would drop the comma")),
        (number("0.30000000000000004"), Refused("round it")),
        (number("1e30"), Refused("round it")),
        (json!(null), Refused("regular_price is null: write it as text")),
        (json!(true), Refused("regular_price is true")),
        (json!([]), Refused("a list")),
    ] {
        let expected = match expected {
            Body(price) => Body(json!({"regular_price": price})),
            refused => refused,
        };
        expect("PUT", "products/14", json!({"regular_price": given}), &expected);
        expect("PUT", "products/14/variations/15", json!({"regular_price": given}), &expected);
    }
    expect("PUT", "products/14", json!({"sale_price": "9,99"}), &Refused("sale_price"));
    expect("PUT", "coupons/3", json!({"minimum_amount": "9,99"}), &Refused("minimum_amount"));
    expect("POST", "coupons", json!({"code": "x", "amount": 10}), &Body(json!({"code": "x", "amount": "10"})));
    expect("POST", "taxes", json!({"rate": 19}), &Body(json!({"rate": "19"})));
}

#[test]
fn what_has_no_rule_is_not_touched() {
    let odd =
        json!({"price": 3, "weight": 1.5, "nonsense": "1,5", "meta_data": [{"key": "regular_price", "value": "1,5"}]});
    same("PUT", "products/14", odd);
    same("PUT", "products/categories/4", json!({"regular_price": "1,5", "status": "BOGUS"}));
    same("PUT", "settings/general/woocommerce_currency", json!({"value": "EUR"}));
    same("POST", "products/12", json!({}));
    same("POST", "some_plugin/thing", json!([1, 2]));
    let reading = WooRequest::parse(&json!({"path": "orders", "query": {"status": "whatever", "per_page": "100"}}));
    assert!(check(reading.expect("canonical")).is_ok());
}

#[test]
fn the_path_alone_says_which_object() {
    expect("PUT", "products/14", json!({"id": 14, "name": "x"}), &Body(json!({"name": "x"})));
    expect("PUT", "products/14", json!({"id": "14"}), &Body(json!({})));
    expect("PUT", "products/14", json!({"id": 22}), &Refused("id is the number 22, but the path says 14"));
    expect("PUT", "products/14", json!({"id": null}), &Refused("id is null"));
    expect("POST", "products", json!({"id": 12, "name": "x"}), &Refused("PUT products/12"));
    expect("POST", "orders/32/notes", json!({"order_id": 33, "note": "x"}), &Refused("order_id is the number 33"));
    expect("POST", "orders/32/notes", json!({"order_id": 32, "note": "x"}), &Body(json!({"note": "x"})));
    expect("POST", "products/23/variations", json!({"product_id": 12}), &Refused("the path says 23"));
    expect(
        "PUT",
        "settings/general/woocommerce_currency",
        json!({"id": "woocommerce_currency", "value": "EUR"}),
        &Body(json!({"value": "EUR"})),
    );
    for (path, query, good) in [("orders/5", json!({"id": 7}), false), ("orders/5", json!({"id": "5"}), true)] {
        let request = WooRequest::parse(&json!({"method": "DELETE", "path": path, "query": query})).expect("canonical");
        let checked = check(request);
        assert_eq!(checked.is_ok(), good, "{path} {query}");
        assert!(checked.map_or(true, |request| request.query.is_empty()));
    }
}

#[test]
fn statuses_exist_or_are_names_that_a_plugin_may_have_given() {
    same("PUT", "orders/5", json!({"status": "on-hold"}));
    same("PUT", "orders/5", json!({"status": "in-transit"}));
    expect("PUT", "orders/5", json!({"status": "wc-completed"}), &Body(json!({"status": "completed"})));
    expect("PUT", "orders/5", json!({"status": "wc-in-transit"}), &Body(json!({"status": "in-transit"})));
    expect("PUT", "orders/5", json!({"status": "Completed"}), &Refused("the text \"Completed\""));
    expect("PUT", "orders/5", json!({"status": ""}), &Refused("an empty text"));
    expect("PUT", "orders/5", json!({"status": 3}), &Refused("status is the number 3"));
    expect("PUT", "products/5", json!({"status": "wc-publish"}), &Body(json!({"status": "wc-publish"})));
    let batch = |status: &str| json!({"update": [{"id": 1, "status": "completed"}, {"id": 2, "status": status}]});
    same("POST", "orders/batch", batch("cancelled"));
    expect("POST", "orders/batch", batch("wc-failed"), &Body(batch("failed")));
    expect(
        "POST",
        "orders/batch",
        batch("in-transit"),
        &Refused("update[1].status is the text \"in-transit\": in a batch"),
    );
    expect("POST", "orders/batch", batch("trash"), &Refused("set the order to pending"));
    expect("POST", "webhooks", json!({"status": "paused"}), &Refused("makes every new webhook active"));
    same("PUT", "webhooks/4", json!({"status": "paused"}));
}

#[test]
fn stock_is_a_whole_number() {
    for (given, expected) in [
        (json!(25), Body(json!(25))),
        (json!(-3), Body(json!(-3))),
        (json!("25"), Body(json!(25))),
        (number("25.0"), Body(json!(25))),
        (json!(null), Refused("would set the stock to 0")),
        (json!("abc"), Refused("stock_quantity is the text \"abc\"")),
        (number("25.5"), Refused("the number 25.5")),
        (number("99999999999999999999"), Refused("whole number")),
        (json!(""), Refused("an empty text")),
    ] {
        let expected = match expected {
            Body(stock) => Body(json!({"stock_quantity": stock})),
            refused => refused,
        };
        expect("PUT", "products/14", json!({"stock_quantity": given}), &expected);
    }
    same("PUT", "products/14", json!({"manage_stock": false, "stock_quantity": null}));
    same("PUT", "products/14/variations/3", json!({"manage_stock": "parent", "stock_quantity": null}));
    let batch = json!({"update": [{"id": 1}, {"id": 19, "stock_quantity": "abc"}]});
    expect("POST", "products/batch", batch, &Refused("update[1].stock_quantity"));
}

#[test]
fn new_products_have_names() {
    for body in [json!({}), json!(null), json!({"name": " "}), json!({"status": "draft"}), json!({"name": 5})] {
        expect("POST", "products", body, &Refused("name is missing"));
    }
    expect("POST", "products", json!([]), &Refused("the body is a list"));
    expect("POST", "products/batch", json!({"create": [{"sku": "x"}]}), &Refused("create[0].name is missing"));
    same("POST", "products/23/variations", json!({"sku": "x"}));
}

#[test]
fn orders_have_lines_and_lines_have_products() {
    let with = |line: Json| json!({"line_items": [{"product_id": 13}, line]});
    same("POST", "orders", with(json!({"product_id": 13, "variation_id": 0, "quantity": 2, "total": "1.00"})));
    same("POST", "orders", with(json!({"sku": "A-1"})));
    same("POST", "orders", json!({"line_items": []}));
    same("POST", "orders", json!({"fee_lines": [{"name": "x", "total": "-5.00"}]}));
    same("PUT", "orders/34", json!({"line_items": [{"id": 8, "product_id": null, "quantity": null, "total": null}]}));
    expect("POST", "orders", json!({"status": "pending"}), &Refused("line_items is missing"));
    expect("POST", "orders", json!(null), &Refused("line_items is missing"));
    for (line, part) in [
        (json!({"quantity": 1}), "line_items[1].product_id is missing"),
        (json!({"product_id": 0}), "line_items[1].product_id is the number 0"),
        (json!({"product_id": "abc"}), "line_items[1].product_id is the text"),
        (json!({"product_id": 13, "quantity": "two"}), "line_items[1].quantity is the text \"two\""),
        (json!({"product_id": 13, "total": "9,50"}), "line_items[1].total is the text \"9,50\""),
        (json!("13"), "line_items[1] is the text"),
    ] {
        expect("POST", "orders", with(line), &Refused(part));
    }
    expect("POST", "orders", json!({"line_items": {"product_id": 13}}), &Refused("line_items is a map"));
    expect("PUT", "orders/3", json!({"customer_id": "ada"}), &Refused("customer_id"));
    let refund = json!({"amount": 1.5, "line_items": [{"id": 1, "quantity": 1, "refund_total": 5.0}]});
    let sent = json!({"amount": "1.5", "line_items": [{"id": 1, "quantity": 1, "refund_total": 5.0}]});
    expect("POST", "orders/32/refunds", refund, &Body(sent));
    expect("POST", "orders/32/refunds", json!({"amount": "1,50"}), &Refused("amount"));
    expect(
        "POST",
        "orders/32/refunds",
        json!({"line_items": [{"id": 1, "refund_total": "5 EUR"}]}),
        &Refused("refund_total"),
    );
}

#[test]
fn batches_have_lists_of_objects_with_ids() {
    let many = |count: usize| (1..=count).map(|id| json!({"id": id})).collect::<Vec<_>>();
    same("POST", "products/batch", json!({"update": many(100)}));
    same("POST", "products/batch", json!({"delete": [41, {"id": 22}, "7"], "update": []}));
    same("POST", "settings/general/batch", json!({"update": [{"id": "woocommerce_currency", "value": "EUR"}]}));
    for (body, part) in [
        (json!({"update": many(60), "delete": (1..=41).collect::<Vec<_>>()}), "has 101 items"),
        (json!({"update": "x"}), "update is the text \"x\""),
        (json!({"update": {"id": 1}}), "update is a map"),
        (json!({"updates": []}), "updates is no list of a batch"),
        (json!([]), "the body is a list"),
        (json!(null), "the body is missing"),
        (json!({"update": [null]}), "update[0] is null"),
        (json!({"update": [{"name": "x"}]}), "update[0].id is missing"),
        (json!({"update": [{"id": 0}]}), "update[0].id is the number 0"),
        (json!({"update": [{"id": "x"}]}), "update[0].id is the text"),
        (json!({"update": [{"id": 1}, {"id": 2, "regular_price": "14,75"}]}), "update[1].regular_price"),
        (json!({"create": [{"id": 5, "name": "x"}]}), "create[0].id is the number 5"),
        (json!({"delete": [1, 0]}), "delete[1] is the number 0"),
        (json!({"delete": [{"sku": "x"}]}), "delete[0] has no id"),
        (json!({"delete": [null]}), "delete[0] is null"),
        (json!({"delete": [1.5]}), "delete[0] is the number 1.5"),
    ] {
        expect("POST", "products/batch", body, &Refused(part));
    }
    let priced = json!({"update": [{"id": 18, "regular_price": 12.5}]});
    expect("POST", "products/batch", priced, &Body(json!({"update": [{"id": 18, "regular_price": "12.5"}]})));
}

#[test]
fn pages_hold_up_to_a_hundred() {
    for (query, good) in [
        (json!({"per_page": 100, "page": 1}), true),
        (json!({"per_page": "20"}), true),
        (json!({"per_page": 0}), false),
        (json!({"per_page": 101}), false),
        (json!({"per_page": -1}), false),
        (json!({"per_page": "all"}), false),
        (json!({"per_page": null}), false),
        (json!({"page": 0}), false),
    ] {
        let request = WooRequest::parse(&json!({"path": "products", "query": query})).expect("canonical");
        assert_eq!(check(request).is_ok(), good, "{query}");
    }
}

mod made_up {
    use super::*;
    use proptest::prelude::*;

    fn json_value() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<f64>().prop_map(Json::from),
            "[0-9.,€é -]{0,12}".prop_map(Json::from),
            "(wc-)?[a-z-]{0,30}".prop_map(Json::from),
        ];
        let key = prop::sample::select(vec![
            "id",
            "name",
            "status",
            "regular_price",
            "stock_quantity",
            "line_items",
            "product_id",
            "quantity",
            "total",
            "create",
            "update",
            "delete",
            "amount",
            "order_id",
            "other",
        ]);
        leaf.prop_recursive(4, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::hash_map(key.clone(), inner, 0..6)
                    .prop_map(|map| Json::Object(map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_passes_once_passes_again_unchanged(
            body in json_value(),
            path in prop::sample::select(vec!["products", "products/14", "orders", "orders/3", "orders/batch", "orders/3/refunds", "coupons"]),
            method in prop::sample::select(vec!["POST", "PUT"]),
        ) {
            if let Ok(once) = check(request(method, path, body)) {
                prop_assert_eq!(check(once.clone()).expect("passes again"), once);
            }
        }
    }
}
