//! Templates, conditions, and what `check` is told.

use std::collections::BTreeMap;

use cartwright_core::{
    Json,
    evaluate::{Evaluate, Prepared, Scope},
    workflow::{Template, TextPart},
};
use serde_json::json;

use crate::support::{World, expression, marks, sandbox};

fn whole(source: &str) -> Template {
    Template::Expression(expression(source))
}

fn text(before: &str, source: &str, after: &str) -> Template {
    let literal = |text: &str| TextPart::Literal(text.to_owned());
    Template::Text(vec![literal(before), TextPart::Expression(expression(source)), literal(after)])
}

#[test]
fn a_whole_expression_keeps_its_type_and_text_is_rendered() {
    let world = World::with_event(
        serde_json::from_str(r#"{ "id": 5, "rate": 1.50, "none": null, "list": [1, "a"], "map": { "a": true } }"#)
            .expect("JSON"),
    );
    let table = [
        (whole("event.data.id"), json!(5)),
        (whole("event.data.list"), json!([1, "a"])),
        (text("<", "event.data.id", ">"), json!("<5>")),
        (text("<", "event.data.rate", ">"), json!("<1.50>")),
        (text("<", "event.data.none", ">"), json!("<>")),
        (text("<", "event.data.list", ">"), json!("<[1,\"a\"]>")),
        (text("<", "event.data.map", ">"), json!("<{\"a\":true}>")),
        (text("<", "true", ">"), json!("<true>")),
        (text("<", "date(\"2026-01-01\")", ">"), json!("<2026-01-01T00:00:00Z>")),
        (Template::Literal(json!({ "a": "${{" })), json!({ "a": "${{" })),
        (Template::List(vec![whole("1"), Template::Literal(json!("x"))]), json!([1, "x"])),
        (Template::Map(BTreeMap::from([("k".to_owned(), whole("event.data.id + 1"))])), json!({ "k": 6 })),
    ];
    for (template, expect) in table {
        assert_eq!(sandbox().template(&template, &world.scope()), Ok(expect), "{template:?}");
    }
}

#[test]
fn secrets_are_marks_where_they_may_be_and_errors_elsewhere() {
    let sandbox = sandbox();
    let mark = marks().mark("slack");
    let granted = World { secrets: Some(vec!["slack".into()]), ..World::default() };
    let found = |template: &Template, world: &World| sandbox.template(template, &world.scope()).map_err(|e| e.message);
    assert_eq!(found(&whole("secrets.slack"), &granted), Ok(json!(mark)));
    assert_eq!(found(&text("Bearer ", "secrets.slack", "!"), &granted), Ok(json!(format!("Bearer {mark}!"))));
    assert_eq!(found(&whole("\"a\" + secrets.slack + 1"), &granted), Ok(json!(format!("a{mark}1"))));
    for (template, world, message) in [
        (
            whole("secrets.slak"),
            &granted,
            "the secret `slak` is not granted; add it to `grants: secrets: [slak]`; did you mean slack?",
        ),
        (whole("secrets.slack"), &World::default(), "secrets can be used only in"),
        (whole("secrets.slack.len()"), &granted, "name one secret"),
        (whole("secrets.slack == \"x\""), &granted, "a secret cannot be compared"),
        (whole("secrets"), &granted, "name one secret"),
    ] {
        let error = found(&template, world).expect_err("a refusal");
        assert!(error.contains(message), "{template:?}: {error}");
    }
    let error = sandbox.expression(&expression("secrets.slack"), &granted.scope()).expect_err("a refusal");
    assert!(error.message.contains("a secret can be given only to http calls"), "{}", error.message);
    let redacted = sandbox.expression(&expression("`x ${secrets.slack}`"), &granted.scope());
    assert_eq!(redacted, Ok(json!("x ${secret:slack}")));
}

#[test]
fn a_condition_is_true_or_false() {
    let sandbox = sandbox();
    let world = World::with_event(json!({ "id": 5 }));
    assert_eq!(sandbox.condition(&expression("event.data.id == 5"), &world.scope()), Ok(true));
    for (source, message) in [
        ("event.data.id", "a condition must be true or false, this is a number: 5"),
        ("\"true\"", "this is a text: \"true\""),
        ("()", "this is (): ()"),
        ("event.data", "this is a map: {\"id\":5}"),
    ] {
        let error = sandbox.condition(&expression(source), &world.scope()).expect_err("no bool");
        assert!(error.message.contains(message), "{source}: {}", error.message);
    }
}

#[test]
fn every_name_of_the_scope_can_be_read() {
    let prepared = |json: Json| Prepared::new(json);
    let (event, incoming, vars, inputs) =
        (prepared(json!(1)), prepared(json!(2)), prepared(json!(3)), prepared(json!(4)));
    let (store, run, item, failure, output) =
        (prepared(json!(5)), prepared(json!(6)), prepared(json!(7)), prepared(json!(8)), prepared(json!(9)));
    let scope = Scope {
        event: Some(&event),
        incoming: Some(&incoming),
        vars: Some(&vars),
        inputs: Some(&inputs),
        store: Some(&store),
        run: Some(&run),
        item: Some(&item),
        index: Some(10),
        failure: Some(&failure),
        output: Some(&output),
        ..Scope::default()
    };
    let all = "[event, incoming, vars, inputs, store, run, item, failure, output, index]";
    assert_eq!(sandbox().expression(&expression(all), &scope), Ok(json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])));
    // In a scope without them, each says where it exists.
    for name in ["event", "incoming", "steps", "vars", "inputs", "store", "run", "item", "index", "failure", "output"] {
        let error = sandbox().expression(&expression(name), &Scope::default()).expect_err(name);
        assert!(error.message.contains("does not exist here: it exists only"), "{name}: {}", error.message);
    }
}

#[test]
fn check_points_at_syntax_errors() {
    let sandbox = sandbox();
    assert_eq!(sandbox.check_expression("event.data.id > 5 && x?.y"), Ok(()));
    assert_eq!(sandbox.check_script("let a = 1;\nfn f(x) { x + 1 }\nhttp::get(\"u\"); f(a)"), Ok(()));
    for (source, offset) in [("1 +", 3), ("event.data.id >> > 5", 17), ("(1", 2), ("event?.data )", 12), ("\"abc", 0)] {
        let error = sandbox.check_expression(source).expect_err(source);
        assert_eq!(error.offset, Some(offset), "{source}: {}", error.message);
    }
    let error = sandbox.check_script("let event_a = event.data.a;\nlet b = event.data?.b +;\n").expect_err("an error");
    assert_eq!(error.offset, Some(51), "{}", error.message);
    let long = "x".repeat(300 << 10);
    assert!(sandbox.check_script(&long).expect_err("too long").message.contains("bytes"));
}
