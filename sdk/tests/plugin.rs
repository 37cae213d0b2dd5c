//! What `plugin!` makes: the manifest, and the way of a call to its function and back.

use cartwright_plugin::{Call, Failure, clock::Moment, describe, plugin, testing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    /// The order's number.
    id: u64,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize, JsonSchema)]
struct Item {
    sku: String,
    quantity: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Fine,
    Odd,
}

#[derive(Serialize, JsonSchema)]
struct Score {
    verdict: Verdict,
    at: Option<Moment>,
}

fn score(order: Order, call: &Call) -> Result<Score, Failure> {
    if let Some(item) = order.items.iter().find(|item| item.quantity == Some(0)) {
        return Err(Failure::invalid(format_args!("{} is ordered zero times, in {}", item.sku, call.step)));
    }
    Ok(Score { verdict: if order.id.is_multiple_of(2) { Verdict::Fine } else { Verdict::Odd }, at: None })
}

/// Errors of other types go out through `Into<Failure>`.
fn parse(text: String, _: &Call) -> Result<i64, std::num::ParseIntError> {
    text.parse()
}

plugin! {
    Scorer {
        name: "scorer",
        description: "Scores orders.",
        functions: {
            "score": "Scores one order." => score,
            "parse": "Reads a number." => parse,
        },
        needs: { http: ["api.example.com"], woo: ["orders.read"] },
    }
}

#[test]
fn the_manifest_writes_itself() {
    let manifest: Value = serde_json::from_str(&describe::<Scorer>()).unwrap();
    let expected = json!({
        "name": "scorer",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Scores orders.",
        "functions": {
            "score": {
                "description": "Scores one order.",
                "input": {
                    "title": "Order",
                    "type": "object",
                    "properties": {
                        "id": { "description": "The order's number.", "type": "integer", "format": "uint64", "minimum": 0 },
                        "items": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {
                                    "sku": { "type": "string" },
                                    "quantity": { "type": ["integer", "null"], "format": "uint32", "minimum": 0 },
                                },
                                "required": ["sku"],
                            },
                        },
                    },
                    "required": ["id"],
                    "additionalProperties": false,
                },
                "output": {
                    "title": "Score",
                    "type": "object",
                    "properties": {
                        "verdict": { "type": "string", "enum": ["fine", "odd"] },
                        "at": { "type": ["string", "null"], "description": "A time such as 2026-01-02T03:04:05Z" },
                    },
                    "required": ["verdict", "at"],
                },
            },
            "parse": {
                "description": "Reads a number.",
                "input": { "title": "string", "type": "string" },
                "output": { "title": "int64", "type": "integer", "format": "int64" },
            },
        },
        "needs": { "http": ["api.example.com"], "woo": ["orders.read"] },
    });
    assert_eq!(manifest, expected, "{manifest:#}");
}

#[test]
fn calls_find_their_function() {
    let mut harness = testing::Harness::new(Scorer);
    assert_eq!(harness.run("score", json!({ "id": 2 })).output(), &json!({ "verdict": "fine", "at": null }));
    assert_eq!(harness.run("parse", json!("-7")).output_as::<i64>(), -7);
}

#[test]
fn what_is_wrong_goes_out_as_a_failure() {
    let mut harness = testing::Harness::new(Scorer).ids("w", "r", "each[3]/score");
    let rows = [
        (
            "score",
            json!({ "id": 1, "items": [{ "sku": "A", "quantity": 0 }] }),
            "A is ordered zero times, in each[3]/score",
        ),
        ("parse", json!("x"), "a text is no whole number: invalid digit found in string"),
        ("sum", json!(null), "scorer has no function `sum`; it has score, parse"),
        (
            "score",
            json!({ "items": [] }),
            if cfg!(feature = "check-schemas") { "\"id\" is a required property" } else { "missing field `id`" },
        ),
        ("score", json!({ "id": "61" }), if cfg!(feature = "check-schemas") { "at /id" } else { "at `id`" }),
    ];
    for (function, input, expected) in rows {
        let run = harness.run(function, input.clone());
        let failure = run.failure();
        assert!(failure.to_string().contains(expected), "{input}: {failure} lacks {expected}");
        assert_eq!(matches!(failure, Failure::Invalid(_)), function != "parse", "{failure:?}");
    }
}

#[cfg(feature = "check-schemas")]
#[test]
#[should_panic(expected = "the output does not fit the schema of `lie`")]
fn a_schema_that_lies_is_found() {
    #[derive(Serialize, JsonSchema)]
    struct Lie {
        #[schemars(range(max = 100))]
        percent: u32,
    }
    fn lie(_: Value, _: &Call) -> Result<Lie, Failure> {
        Ok(Lie { percent: 101 })
    }
    plugin! {
        Liar { name: "liar", description: "Lies.", functions: { "lie": "Lies." => lie } }
    }
    testing::Harness::new(Liar).run("lie", json!({}));
}
