//! Calls to stores, as scripts make them.

use cartwright_core::{Json, call::CallKind, woo::WooRequest};
use cartwright_sandbox::ScriptOutcome;
use serde_json::json;

use crate::support::{World, run, sandbox};

const HARMLESS: CallKind = CallKind::Outside { repeatable: true };

fn world() -> World {
    World { secrets: Some(vec!["slack".into()]), ..World::default() }
}

#[test]
fn every_function_gives_the_canonical_map() {
    let table: Vec<(&str, &str, CallKind, Json)> = vec![
        (r#"woo::get("orders/61")"#, "GET orders/61", HARMLESS, json!({"method": "GET", "path": "orders/61"})),
        (
            r#"woo::get("/wp-json/wc/v3/orders/", #{ status: "processing", per_page: 5, include: [1, 2] })"#,
            "GET orders",
            HARMLESS,
            json!({"method": "GET", "path": "orders", "query": {"status": "processing", "per_page": 5, "include": [1, 2]}}),
        ),
        (
            r#"woo::get("orders", (), #{ store: "other-shop", query: #{ page: 2 } })"#,
            "GET orders at other-shop",
            HARMLESS,
            json!({"method": "GET", "path": "orders", "store": "other-shop", "query": {"page": 2}}),
        ),
        (
            r#"woo::all("products", #{ status: "publish" }, #{ store: () })"#,
            "GET products (all pages)",
            HARMLESS,
            json!({"method": "GET", "path": "products", "query": {"status": "publish"}, "all": true}),
        ),
        (
            r#"woo::post("orders/61/notes", #{ note: "hello" })"#,
            "POST orders/61/notes",
            HARMLESS,
            json!({"method": "POST", "path": "orders/61/notes", "body": {"note": "hello"}}),
        ),
        (
            r#"woo::post("settings/general/x", #{ value: "1" })"#,
            "POST settings/general/x",
            CallKind::Outside { repeatable: false },
            json!({"method": "POST", "path": "settings/general/x", "body": {"value": "1"}}),
        ),
        (
            r#"woo::put("products/14", #{ regular_price: "14.75" }, #{ store: "b" })"#,
            "PUT products/14 at b",
            HARMLESS,
            json!({"method": "PUT", "path": "products/14", "store": "b", "body": {"regular_price": "14.75"}}),
        ),
        (
            r#"woo::delete("coupons/9", #{ force: true })"#,
            "DELETE coupons/9",
            HARMLESS,
            json!({"method": "DELETE", "path": "coupons/9", "query": {"force": true}}),
        ),
        (
            r#"woo::delete("coupons/9", (), #{ body: #{ force: true } })"#,
            "DELETE coupons/9",
            HARMLESS,
            json!({"method": "DELETE", "path": "coupons/9", "body": {"force": true}}),
        ),
    ];
    for (source, summary, kind, spec) in table {
        match run(&sandbox(), source, &World::default(), &[]) {
            ScriptOutcome::Suspended { index: 0, call, .. } => {
                assert_eq!((call.kind, call.summary.as_str()), (kind, summary), "{source}");
                assert_eq!(call.args, [spec], "{source}");
                let request = WooRequest::parse(&call.args[0]).expect(source);
                assert_eq!((call.function.as_str(), call.fingerprint), (request.function(), request.fingerprint()));
            }
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn mistakes_are_caught_before_anything_is_asked_of_a_store() {
    for (source, expect) in [
        (r#"woo::get(5)"#, "`path` must be text"),
        (r#"woo::get("")"#, "the path is missing"),
        (r#"woo::get("orders?status=any")"#, "put what follows `?` into `query`"),
        (r#"woo::get("orders/../settings")"#, "is not a path"),
        (r#"woo::get("https://shop.example/wp-json/wc/v3/orders")"#, "is not a path"),
        (r#"woo::get("orders", 5)"#, "`query` must be a map"),
        (r#"woo::get("orders", #{ page: 1 }, #{ query: #{ page: 2 } })"#, "give the query once"),
        (r#"woo::get("orders", #{}, #{ stores: "b" })"#, "there is no option `stores`; did you mean store?"),
        (r#"woo::get("orders", #{}, #{ store: "NOT AN ID" })"#, "`store`"),
        (r#"woo::get("orders", #{}, 5)"#, "options must be a map"),
        (r#"woo::get("orders", #{}, #{ body: #{} })"#, "there is no option `body`"),
        (r#"woo::get("orders", #{}, #{ all: true })"#, "there is no option `all`"),
        (r#"woo::post("orders", #{}, #{ body: #{} })"#, "there is no option `body`"),
        (
            r#"woo::post("orders/1/notes", #{ note: secrets::get("slack") })"#,
            "a secret can be given only to http calls",
        ),
        (r#"woo::patch("orders/1")"#, "woo::p"),
    ] {
        match run(&sandbox(), source, &world(), &[]) {
            ScriptOutcome::Failed { error, call: None, .. } => {
                assert!(error.message.contains(expect), "{source}: {}", error.message);
            }
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn a_secret_put_into_text_goes_out_as_its_name_and_never_as_a_mark() {
    let source = r#"woo::post("orders/1/notes", #{ note: `x ${secrets::get("slack")}` })"#;
    let outcome = run(&sandbox(), source, &world(), &[]);
    let ScriptOutcome::Suspended { call, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(call.args[0]["body"]["note"], "x ${secret:slack}");
}
