//! Every host call through the native harness: what the plugin gets, what the test sees, and what missing answers say.

use std::time::Duration;

use cartwright_plugin::{
    Call, Failure, clock, events, http, log, plugin, random, secrets, state,
    testing::{Harness, Run},
    woo,
};
use serde_json::{Value, json};

fn shop(input: Value, call: &Call) -> Result<Value, Failure> {
    let order: Value = woo::get("orders/61")?;
    let all: Vec<Value> = woo::store("berlin").query(&json!({ "status": "on-hold" })).list("orders")?;
    let made: Value = woo::post("orders", &json!({ "set_paid": true }))?;
    woo::put::<Value>("orders/61", &input)?;
    woo::query(&json!({ "force": true })).delete::<Value>("orders/61")?;
    Ok(json!({ "order": order, "all": all, "made": made, "store": call.store }))
}

fn web(url: String, _: &Call) -> Result<String, Failure> {
    let key = secrets::get("key")?;
    let request =
        http::post(url).query("a", 1).bearer(key).json(&json!([1])).timeout(Duration::from_secs(3)).expect(404);
    let answer = request.send()?;
    Ok(format!("{} {}", answer.status, answer.body))
}

fn keep(_: (), _: &Call) -> Result<Value, Failure> {
    let none: Option<String> = state::get("none")?;
    state::set("a", &[1, 2])?;
    let swapped = state::compare_and_set("a", Some(&json!([1, 2])), &json!([3]))?;
    let not_swapped = state::compare_and_set("a", None, &json!([4]))?;
    let sum = state::increment("n", 5)?;
    let changed = state::change("list", |list: Option<Vec<u8>>| [list.unwrap_or_default(), vec![9]].concat())?;
    let deleted = [state::delete("a")?, state::delete("a")?];
    Ok(json!([none, swapped, not_swapped, sum, changed, deleted]))
}

fn time(_: (), _: &Call) -> Result<Value, Failure> {
    let start = clock::now();
    clock::sleep(Duration::from_secs(60));
    clock::sleep_until(start + Duration::from_secs(100));
    clock::sleep_until(start);
    let waited: Option<Value> = events::wait_for("order.updated").timeout(Duration::from_secs(20)).wait()?;
    let late: Option<Value> = events::wait_for("order.updated").timeout(Duration::from_secs(20)).wait()?;
    let id = events::emit("stock.low", &json!({ "sku": "TEA" }))?;
    log::warn(format_args!("waited for {}", clock::now().since(start).as_secs()));
    Ok(json!({ "now": clock::now(), "waited": waited, "late": late, "id": id }))
}

fn dice(_: (), _: &Call) -> Result<Value, Failure> {
    let rolls = (0..200).map(|_| random::int(1, 6)).collect::<Result<Vec<_>, _>>()?;
    let wide = random::int(i64::MIN, i64::MAX)?;
    assert!(random::int(2, 1).is_err());
    Ok(json!({ "rolls": rolls, "wide": wide, "uuid": random::uuid(), "bytes": random::bytes(3_000).len() }))
}

fn stop(_: (), _: &Call) -> Result<(), Failure> {
    panic!("the plugin's own panic")
}

plugin! {
    Everything {
        name: "everything",
        description: "Calls every host function.",
        functions: {
            "shop": "" => shop,
            "web": "" => web,
            "keep": "" => keep,
            "time": "" => time,
            "dice": "" => dice,
            "stop": "" => stop,
        },
    }
}

#[test]
fn a_store_is_read_and_written() {
    let stub = |request: &cartwright_plugin::testing::WooRequest| match request.method {
        woo::Method::Get => Ok(json!({ "id": 61 })),
        woo::Method::List => Ok(json!([request.store, request.query])),
        woo::Method::Post => Ok(request.body.clone()),
        woo::Method::Put => Ok(Value::Null),
        woo::Method::Delete => Ok(request.query.clone()),
    };
    let run = Harness::new(Everything).store(Some("paris")).woo(stub).run("shop", json!({ "status": "completed" }));
    assert_eq!(
        run.output(),
        &json!({
            "order": { "id": 61 },
            "all": ["berlin", { "status": "on-hold" }],
            "made": { "set_paid": true },
            "store": "paris",
        })
    );
    assert_eq!(run.called(), ["woo.get", "woo.list", "woo.write", "woo.write", "woo.write"]);
    assert_eq!(run.calls[3].args["body"], json!({ "status": "completed" }));
}

#[test]
fn requests_are_answered_and_failures_go_out_as_they_came() {
    let mut asked = 0;
    let mut harness = Harness::new(Everything).secret("key", "s3cret").http(move |request| {
        asked += 1;
        assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "https://a.example/?a=1"));
        assert_eq!(request.headers[0].1, "Bearer s3cret");
        assert_eq!((request.expect.as_slice(), request.body.as_deref()), (["404".to_owned()].as_slice(), Some("[1]")));
        match asked {
            1 => Ok(http::Response::text(404, "gone")),
            _ => Err(Failure::RateLimited { wait_ms: 7 }),
        }
    });
    assert_eq!(harness.run("web", json!("https://a.example/")).output(), "404 gone");
    let run = harness.run("web", json!("https://a.example/"));
    assert_eq!(run.failure(), &Failure::RateLimited { wait_ms: 7 });
}

#[test]
fn state_is_kept_from_run_to_run() {
    let mut harness = Harness::new(Everything).state("n", json!(2));
    let first = harness.run("keep", Value::Null);
    assert_eq!(first.output(), &json!([null, true, false, 7, [9], [true, false]]));
    let second = harness.run("keep", Value::Null);
    assert_eq!(second.output()[3], 12);
    assert_eq!(second.state["list"], json!([9, 9]));
    assert_eq!(harness.kept(), second.state);
}

#[test]
fn state_has_the_limits_of_the_engine() {
    for (key, value, expected) in [
        (String::new(), json!(1), "1 to 200 bytes"),
        ("k".repeat(201), json!(1), "1 to 200 bytes"),
        ("k".into(), json!("x".repeat(65_535)), "at most 65536 bytes, this has 65537"),
    ] {
        fn set(input: (String, Value), _: &Call) -> Result<(), Failure> {
            state::set(&input.0, &input.1)
        }
        struct Setter;
        impl cartwright_plugin::Plugin for Setter {
            const NAME: &'static str = "setter";
            const VERSION: &'static str = "1";
            const DESCRIPTION: &'static str = "";
            fn functions() -> Vec<cartwright_plugin::Function> {
                vec![cartwright_plugin::Function::new("set", "", set)]
            }
        }
        let run = Harness::new(Setter).run("set", json!([key, value]));
        assert!(run.failure().to_string().contains(expected), "{}", run.failure());
    }
    let run = Harness::new(Everything).state("n", json!("seven")).run("keep", Value::Null);
    assert!(run.failure().to_string().contains("`n` is no whole number"), "{}", run.failure());
}

#[test]
fn waiting_moves_the_clock_and_takes_no_time() {
    let mut harness =
        Harness::new(Everything).now("2026-03-01T00:00:00Z").event("order.updated", json!({ "id": 61 })).no_event();
    let run = harness.run("time", Value::Null);
    let expected = json!({ "now": "2026-03-01T00:02:00Z", "waited": { "id": 61 }, "late": null, "id": "event-1" });
    assert_eq!(run.output(), &expected);
    assert_eq!(run.slept, Duration::from_secs(120));
    assert_eq!(run.emitted[0].data, json!({ "sku": "TEA" }));
    assert_eq!((run.logs[0].level, run.logs[0].message.as_str()), (log::Level::Warn, "waited for 120"));
}

#[test]
fn chance_comes_from_a_seed() {
    let run = |seed| Harness::new(Everything).seed(seed).run("dice", Value::Null);
    let one: Run = run(1);
    assert_eq!(one, run(1));
    assert_ne!(one.output(), run(2).output());
    let rolls: Vec<i64> = serde_json::from_value(one.output()["rolls"].clone()).unwrap();
    let seen: std::collections::BTreeSet<i64> = rolls.into_iter().collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    let uuid = one.output()["uuid"].as_str().unwrap().to_owned();
    assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
    assert_eq!(one.output()["bytes"], 3_000);
}

#[test]
fn a_call_without_an_answer_says_how_to_give_one() {
    fn panic_of(work: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let panic = std::panic::catch_unwind(work).expect_err("it panics");
        panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).into())).unwrap()
    }
    let run =
        |function: &'static str| move || drop(Harness::new(Everything).run(function, json!("https://a.example/")));
    let quiet = move |function| move || drop(Harness::new(Everything).run(function, Value::Null));
    assert!(
        panic_of(quiet("shop"))
            .contains("calls woo.get (orders/61) and the test has no answer; add to the harness: .woo(")
    );
    assert!(panic_of(run("web")).contains(r#".secret("key", "for tests")"#));
    let web = || drop(Harness::new(Everything).secret("key", "s").run("web", json!("https://a.example/")));
    assert!(panic_of(web).contains("http (POST https://a.example/?a=1)"));
    assert!(panic_of(quiet("time")).contains(r#".event("order.updated", json!({})), or .no_event()"#));
    assert!(panic_of(|| _ = clock::now()).contains("clock.now was called outside of a plugin"));
    // A plugin that panicked leaves nothing behind on this thread.
    assert_eq!(panic_of(quiet("stop")), "the plugin's own panic");
    assert!(panic_of(|| _ = clock::now()).contains("outside of a plugin"));
}
