//! `cartwright demo`: stores that deliver their own webhooks, workflows that write into them, and what the stores say in
//! the end.

use std::{net::TcpListener, process::Output};

use cartwright_tests::engine::{Engine, text};
use serde_json::Value;

/// A demo on this engine's data folder that is over after some seconds; what it said in the end.
fn demo(engine: &Engine, arguments: &[&str]) -> Value {
    let all = [&["--json", "demo", "--listen", "127.0.0.1:0"], arguments].concat();
    serde_json::from_str(&engine.command_ok(&all)).expect("JSON")
}

/// How many runs of this workflow the engine keeps, with this status or any.
fn runs(engine: &Engine, workflow: &str, status: Option<&str>) -> u64 {
    let mut arguments = vec!["runs", "ls", "--json", "--limit", "10000", "--workflow", workflow];
    arguments.extend(status.into_iter().flat_map(|status| ["--status", status]));
    let runs: Value = serde_json::from_str(&engine.command_ok(&arguments)).expect("JSON");
    runs.as_array().expect("a list").len() as u64
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number, not {value}"))
}

fn refused(output: &Output, why: &str) {
    assert_eq!(output.status.code(), Some(3), "{}", text(output));
    assert!(text(output).contains(why), "{}", text(output));
}

#[test]
fn stores_sell_workflows_act_on_them_once_and_a_second_demo_begins_anew() {
    let engine = Engine::new(&[]);
    let said = demo(&engine, &["--stores", "3", "--orders-per-minute", "600", "--seconds", "5"]);

    // The stores' own webhooks came in, signed; what came twice was recognised.
    let webhooks = &said["webhooks"];
    assert!(number(&webhooks["sent"]) >= 20, "{said}");
    assert_eq!(webhooks["refused"], 0, "{said}");
    assert!(number(&webhooks["duplicates"]) > 0, "{said}");
    assert!(number(&said["runs"]["succeeded"]) > 0, "{said}");

    // What workflows made is in the stores, once.
    assert_eq!(said["stores"].as_array().map(Vec::len), Some(3));
    let all = &said["all"];
    assert!(number(&all["orders"]) >= 20, "{said}");
    assert_eq!(all["made_twice"], 0, "{said}");
    let coupons = number(&all["coupons"]);
    let done = runs(&engine, "vip-coupon", Some("succeeded"));
    assert!(done > 0 && done <= coupons && coupons <= runs(&engine, "vip-coupon", None), "{done} {said}");
    let packed = runs(&engine, "warehouse", Some("succeeded"));
    assert!(packed > 0 && number(&all["notes"]) >= done + packed, "{done} {packed} {said}");
    assert!(number(&said["services"]["warehouse"]["effects"]) > 0, "{said}");

    // Another one on the same folder ends what the first left, and its own orders have other numbers.
    let unpaid = runs(&engine, "unpaid", Some("waiting"));
    assert!(unpaid > 0, "{said}");
    let said = demo(&engine, &["--stores", "1", "--orders-per-minute", "600", "--seconds", "1"]);
    assert!(runs(&engine, "unpaid", Some("cancelled")) >= unpaid, "{said}");
    assert_eq!(
        (&said["webhooks"]["refused"], &said["all"]["made_twice"]),
        (&Value::from(0), &Value::from(0)),
        "{said}"
    );
}

#[test]
fn what_is_in_the_way_is_said_before_anything_is_changed() {
    let mut engine = Engine::new(&[]);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    refused(&engine.command(&["demo", "--listen", &address, "--seconds", "1"]), "another one with --listen");
    assert!(!engine.data().join("workflows").exists(), "nothing was written");

    engine.start();
    refused(&engine.command(&["demo", "--seconds", "1"]), "already");
    assert!(!engine.data().join("workflows").exists(), "nothing was written");
}
