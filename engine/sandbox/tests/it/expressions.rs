//! Expressions by table: what they give, and what they say when they give nothing.

use crate::support::{World, eval, sandbox};
use cartwright_core::Json;
use serde_json::json;

fn order() -> World {
    World::with_event(json!({
        "id": 17, "number": "1017", "status": "processing", "total": "512.50", "rate": 1.25, "big": 12345678901234567890123456789012u128.to_string().parse::<serde_json::Number>().expect("number"),
        "none": null, "empty": {}, "billing": { "first_name": "Ada", "odd key": 1 },
        "line_items": [
            { "name": "Tea", "quantity": 2, "total": "10.00", "sku": "A" },
            { "name": "Pot", "quantity": 1, "total": "30.50", "sku": "B" },
            { "name": "Cup", "quantity": 2, "total": "5.25", "sku": "A" }
        ]
    }))
}

#[test]
fn expressions_give_values() {
    let sandbox = sandbox();
    let world = order();
    let num = |text: &str| Json::Number(text.parse().expect("a number"));
    let table: Vec<(&str, Json)> = vec![
        ("event.data.status == \"processing\" && number(event.data.total) > 500", json!(true)),
        ("event.data.id + 1", json!(18)),
        ("1 < 1.5", json!(true)),
        ("1 == 1.0", json!(true)),
        ("0.1 + 0.2", num("0.3")),
        ("event.data.rate * 2", num("2.50")),
        ("event.data.big", num("12345678901234567890123456789012")),
        ("7 / 2", json!(3)),
        ("7 / 2.0", num("3.5")),
        ("event.data.none == ()", json!(true)),
        ("event.data.id != ()", json!(true)),
        ("event.data?.missing", json!(null)),
        ("event.data?.missing ?? \"d\"", json!("d")),
        ("event.data.none?.x?.y", json!(null)),
        ("event.data.none?.x.y", json!(null)),
        ("event.data.line_items[0].name", json!("Tea")),
        ("event.data.line_items[-1].name", json!("Cup")),
        ("event.data.line_items?[7]", json!(null)),
        ("event.data.line_items[0]?.nope ?? 4", json!(4)),
        ("event.data.line_items[event.data.id - 16].name", json!("Pot")),
        ("event.data.line_items.len()", json!(3)),
        ("event.data.line_items.len", json!(3)),
        ("event.data.billing[\"odd key\"]", json!(1)),
        ("event.data.billing.first_name.to_upper()", json!("ADA")),
        ("event.data.billing.first_name?.len()", json!(3)),
        ("event.data.none?.len()", json!(null)),
        ("get(event, \"data.billing.first_name\", \"-\")", json!("Ada")),
        ("get(event, \"data.billing.last_name\", \"-\")", json!("-")),
        ("get(event, \"data.line_items.1.name\")", json!("Pot")),
        ("\"orders/\" + event.data.id", json!("orders/17")),
        ("`n ${event.data.number}: ${event.data.rate}`", json!("n 1017: 1.25")),
        ("`${event.data.line_items.map(|i| i.name)}`", json!("[\"Tea\",\"Pot\",\"Cup\"]")),
        ("if event.data.id > 5 { \"gold\" } else { \"silver\" }", json!("gold")),
        ("#{ a: event.data.id, event: 1 }", json!({ "a": 17, "event": 1 })),
        ("event.data.line_items.filter(|i| i.quantity > 1).len()", json!(2)),
        ("event.data.line_items.filter(|i| i.quantity < event.data.line_items[0].quantity).len()", json!(1)),
        ("event.data.line_items.map(|item| item.name).join(\", \")", json!("Tea, Pot, Cup")),
        ("sum(event.data.line_items, |i| number(i.total) * i.quantity)", num("61.00")),
        ("sum(event.data.line_items, \"total\")", num("45.75")),
        ("sum([])", json!(0)),
        ("min([3, 1.5, 2])", num("1.5")),
        ("max([\"a\", \"c\", \"b\"])", json!("c")),
        ("min(3, 2.5)", num("2.5")),
        ("group_by(event.data.line_items, \"sku\").A.len()", json!(2)),
        ("sort_by(event.data.line_items, |i| number(i.total)).map(|i| i.name)", json!(["Cup", "Tea", "Pot"])),
        ("unique([1, 1.0, \"1\", (), ()])", json!([1, "1", null])),
        ("chunk([1, 2, 3], 2)", json!([[1, 2], [3]])),
        ("[3, 1, 2].contains(2)", json!(true)),
        ("2 in [1, 2]", json!(true)),
        ("\"sku\" in event.data.line_items[0]", json!(true)),
        ("[1, [2, 3]].flatten()", json!([1, 2, 3])),
        ("collect(1..4)", json!([1, 2, 3])),
        ("[1, 2, 3].reduce(|a, b| a + b, 0)", json!(6)),
        ("money(12.345)", json!("12.35")),
        ("money(\"0.005\")", json!("0.01")),
        ("money(-0.005)", json!("-0.01")),
        ("money(12)", json!("12.00")),
        ("money(2.5, 0)", json!("3")),
        ("money(1234567.5, \"EUR\", \",\", \".\")", json!("1.234.567,50")),
        ("money(\"-1234.5\", 2, \".\", \" \")", json!("-1 234.50")),
        ("money(999.995, \"JPY\") + money(1, \"kwd\")", json!("10001.000")),
        ("cents(\"19.90\") + cents(1.005, \"EUR\") + cents(100, \"JPY\")", json!(1990 + 101 + 100)),
        ("date(\"2026-11-21T23:30:00\", \"America/New_York\") == date(\"2026-11-22T04:30:00\")", json!(true)),
        ("date(\"2026-11-21\").start_of_week().format(\"%F %a\")", json!("2026-11-16 Mon")),
        ("date(\"2026-11-21T10:59:59.9Z\").start_of_hour()", json!("2026-11-21T10:00:00Z")),
        ("date(\"2024-02-29\").add_years(1).format(\"%F\")", json!("2025-02-28")),
        ("date(\"2026-01-31\").diff(date(\"2026-02-28\"), \"months\")", json!(1)),
        ("date(\"2026-01-31\").diff(date(\"2026-02-27\"), \"months\")", json!(0)),
        ("date(\"2026-03-01\").diff(date(\"2026-01-31\"), \"months\")", json!(-1)),
        (
            "date(\"2026-03-28T12:00\", \"Europe/Berlin\").diff(date(\"2026-03-29T12:00\", \"Europe/Berlin\"), \"days\")",
            json!(1),
        ),
        (
            "date(\"2026-03-28T12:00\", \"Europe/Berlin\").diff(date(\"2026-03-29T12:00\", \"Europe/Berlin\"), \"hours\")",
            json!(23),
        ),
        ("number(\" 12 \")", json!(12)),
        ("number(\"1e3\")", num("1000")),
        ("number(\"x\", 0)", json!(0)),
        ("round(2.345, 2)", num("2.35")),
        ("slug(\"Crème Brûlée, 2 kg!\")", json!("creme-brulee-2-kg")),
        ("lower(\"ABC\") + upper(\"d\") + trim(\"  e \")", json!("abcDe")),
        ("matches(event.data.number, \"^10\\\\d+$\")", json!(true)),
        ("\"a,b\".split(\",\")", json!(["a", "b"])),
        ("\"a-b\".replace(\"-\", \"+\")", json!("a+b")),
        ("\"abc\".starts_with(\"ab\") && \"abc\".ends_with(\"bc\") && \"abc\".contains(\"b\")", json!(true)),
        ("event.data.empty.is_empty()", json!(true)),
        ("event.data.billing.keys()", json!(["first_name", "odd key"])),
        ("json(#{ a: [1, 1.50, ()] })", json!("{\"a\":[1,1.50,null]}")),
        ("parse_json(\"{\\\"a\\\": 0.10}\").a", num("0.10")),
        ("date(\"2026-01-01T00:00:00Z\") + duration(\"3d\")", json!("2026-01-04T00:00:00Z")),
        ("date(\"2026-03-28T12:00:00Z\").in_zone(\"Europe/Berlin\").add_days(1)", json!("2026-03-29T13:00:00+02:00")),
        ("date(\"2026-01-01\", \"Europe/Berlin\").format(\"%d.%m.%Y %H:%M\")", json!("01.01.2026 00:00")),
        ("date(\"2026-01-31\").add_months(1).day", json!(28)),
        ("date(\"2026-01-02\") > date(\"2026-01-01\")", json!(true)),
        ("(date(\"2026-01-02\") - date(\"2026-01-01\")).hours", json!(24)),
        ("date(\"2026-01-02\") - date(\"2026-01-01\") == duration(\"1d\")", json!(true)),
        ("duration(\"1h30m\")", json!("1h30m")),
        ("duration(90).minutes", num("1.5")),
        ("switch event.data.status { \"processing\" => 1, _ => 2 }", json!(1)),
        ("!(1 == 2) && -event.data.id < 0", json!(true)),
        ("[#{ n: [1, 5], min: 2 }].map(|o| o.n.filter(|i| i > o.min))", json!([[5]])),
        ("event.data.line_items.map(|item| item.name.len() + item.quantity)", json!([5, 4, 5])),
        ("steps?.nothing", json!(null)),
    ];
    let mut wrong = Vec::new();
    for (source, expect) in table {
        let found = eval(&sandbox, source, &world).map_err(|e| e.message);
        if found.as_ref() != Ok(&expect) {
            wrong.push(format!("{source}\n  gave     {found:?}\n  expected {expect}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let sandbox = sandbox();
    let world = order();
    let table: Vec<(&str, &str, Option<&str>)> = vec![
        ("1 + event.data.totl", "event.data.totl does not exist; did you mean total?", Some("event.data.totl")),
        (
            "event.data.nothing_like_it",
            "event.data.nothing_like_it does not exist; it has big, billing, empty, id, ",
            None,
        ),
        ("event.data.total > 500", "; event.data.total is a text (\"512.50\")", Some("> 500")),
        ("event.data.none < 5", "; event.data.none is ()", None),
        ("money(1, \"euros\")", "`euros` is not the code of a currency", None),
        ("cents(99999999999999999)", "too large", None),
        ("date(\"2026-01-01\").diff(date(\"2026-01-02\"), \"eons\")", "`eons` is not a unit", None),
        ("event.dat.total", "event.dat does not exist; did you mean data?", Some("event.dat")),
        ("event.data.none.x", "event.data.none.x does not exist: event.data.none is (), nothing", None),
        ("event.data.status.x", "event.data.status.x does not exist: event.data.status is a text", None),
        (
            "event.data.line_items.name",
            "event.data.line_items.name does not exist: event.data.line_items is a list",
            None,
        ),
        ("event.data.line_items[9]", "has 3 items", None),
        ("event.data.line_items.map(|i| i.nme)", "i.nme does not exist", Some("nme)")),
        ("event.data?.missing.x", "event.data.missing.x does not exist: event.data.missing is ()", None),
        (
            "event.data.total > 500",
            "a text cannot be compared with a number; turn the text into a number",
            Some("> 500"),
        ),
        ("event.data.id == \"17\"", "a number cannot be compared with a text", Some("== \"17\"")),
        ("event.data.none < 5", "() cannot be compared with a number; give a default with ??", None),
        ("[1, 2].contains(\"1\")", "cannot be compared", None),
        ("event.data.big + 1", "more digits than can be calculated", None),
        ("event.data.none + 1", "`+` does not work between () and a number", None),
        ("item.x", "`item` does not exist here: it exists only inside `for_each`", Some("item.x")),
        ("secrets.slack", "secrets can be used only in", None),
        ("steps.coupn.output", "steps.coupn does not exist, or has not run yet", None),
        ("foo + 1", "`foo` is not defined", Some("foo")),
        ("evnt.data.id", "`evnt` is not defined; did you mean event?", Some("evnt")),
        ("lowr(\"a\")", "there is no function `lowr` for a text; did you mean lower?", Some("lowr")),
        ("1 +", "ends too early", None),
        ("", "empty", None),
        ("9223372036854775807 + 1", "overflow", None),
        ("79228162514264337593543950335.0 * 10", "overflow", None),
        ("1 / 0", "zero", None),
        ("1.5 / 0", "zero", None),
        ("http::get(\"https://x\")", "`http::` is not a group of functions", None),
        ("while true { }", "", None),
        ("event.data.id = 2", "'='", None),
        ("if true { let a = 1; a } else { 2 }", "let", None),
        ("eval(\"1\")", "eval", None),
        ("print(\"x\")", "print", None),
        ("import \"x\" as y", "", None),
        ("sleep(1)", "there is no function `sleep`", None),
        ("timestamp()", "there is no function `timestamp`", None),
        ("date(\"yesterday\")", "`yesterday` is not a date", None),
        ("duration(\"5 minutes\")", "`5 minutes` is not a duration", None),
        ("date(\"2026-01-01\").format(\"%Q\")", "not a date format", None),
        ("date(\"2026-01-01\").in_zone(\"Berlin\")", "`Berlin` is not a time zone", None),
        ("matches(\"a\", \"(\")", "not a regular expression", None),
        ("number(\"1,200.00\")", "is not a number", None),
        ("[1, 2", "", None),
        ("|x| x", "a function cannot be given out", None),
        ("1..3", "range cannot be given out", None),
    ];
    let mut wrong = Vec::new();
    for (source, expect, at) in table {
        match eval(&sandbox, source, &world) {
            Err(error) if error.message.contains(expect) => {
                if at.is_some_and(|at| error.offset != source.rfind(at)) {
                    wrong.push(format!("{source}\n  at {:?}: {}", error.offset, error.message));
                }
            }
            other => wrong.push(format!("{source}\n  gave     {other:?}\n  expected {expect}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
