//! Plugins as durable functions: calls leave, outcomes come back to a live instance or to one that is executed again.

use cartwright_core::{
    Json,
    call::{CallError, CallKind, CallOutcome, ErrorClass},
};
use cartwright_sandbox::{Recorded, ScriptOutcome};
use serde_json::json;

use super::{Stage, block_on, failed, guests::guest, load, ok, plugins_with, small};

/// Logs, asks for the time and for bytes, sends a request, reads a state, and gives the request's body back.
fn talkative() -> Vec<u8> {
    guest(|texts| {
        let (line, url, key) = (texts.text("on it"), texts.text("https://api.example.com/a"), texts.text("seen"));
        format!(
            "(call $log (i32.const 1) {line})
             (drop (call $now))
             (call $bytes (i32.const 8) (i32.const 3200))
             (call $fetch {url} (i32.const 0) (i32.const 3304))
             (if (i32.load8_u (i32.const 3304)) (then (return (i32.const 3304))))
             (call $get {key} (i32.const 3400))
             (if (i32.load8_u (i32.const 3400)) (then (return (i32.const 3400))))
             (call $ok (i32.load (i32.const 3324)) (i32.load (i32.const 3328)))"
        )
    })
}

fn answer(body: &str) -> CallOutcome {
    ok(json!({ "status": 200, "headers": { "x": ["1", "2"] }, "body": body }))
}

#[test]
fn an_input_comes_back_as_the_output() {
    let stage = Stage::new(&guest(|_| "(call $ok (local.get $in) (local.get $inlen))".into()));
    let input = json!({ "total": 12.5, "lines": ["ä", null, true], "big": 12345678901234567890u64 });
    let mut execution = stage.start(input.clone(), &[]);
    let outcome = block_on(execution.advance(None, super::NOW, [0; 32]));
    assert_eq!(outcome, ScriptOutcome::Done { value: input, immediate: vec![] });
    let usage = execution.usage();
    assert!(usage.fuel > 0 && usage.memory_peak_bytes == 2 << 16, "{usage:?}");
}

#[test]
fn a_live_instance_and_replays_come_to_the_same() {
    let stage = Stage::new(&talkative());
    let answers = [answer("{\"score\":7}"), ok(Json::Null)];
    let live = stage.live(&answers);
    assert_eq!(*live.done(), json!({ "score": 7 }));
    let functions: Vec<_> = live.recorded.iter().map(|call| call.function.as_str()).collect();
    assert_eq!(functions, ["log::info", "clock::now", "random::bytes", "http::request", "state::get"]);
    assert_eq!(live.calls[0].kind, CallKind::Outside { repeatable: true });
    assert_eq!(live.calls[0].summary, "GET https://api.example.com/a");
    assert_eq!(
        live.calls[0].args,
        [json!({ "method": "GET", "url": "https://api.example.com/a", "headers": {}, "parse": "text" })]
    );
    assert_eq!(live.recorded[0].outcome, Some(ok(json!({ "level": "info", "message": "on it" }))));
    assert_eq!(live.recorded[1].outcome, Some(ok(json!("2023-11-14T22:13:20.000Z"))));
    let replayed = stage.replayed(&answers);
    assert_eq!(live, replayed);
    // With everything recorded it asks for nothing, whatever the seed.
    assert_eq!(stage.once(&live.recorded), ScriptOutcome::Done { value: json!({ "score": 7 }), immediate: vec![] });
}

#[test]
fn an_instance_stays_alive_for_a_call_and_not_for_a_sleep() {
    let stage = Stage::new(&guest(|texts| {
        let key = texts.text("n");
        format!(
            "(call $increment {key} (i64.const 2) (i32.const 3200))
             (call $sleep (i64.const 172800000))
             (call $ok (i32.const 256) (i32.const 2))"
        )
        .replace("(i32.const 256) (i32.const 2)", &texts.text("42"))
    }));
    block_on(async {
        let mut execution = stage.start(json!({}), &[]);
        let first = execution.advance(None, super::NOW, [0; 32]).await;
        let ScriptOutcome::Suspended { index: 0, call, .. } = first else { panic!("{first:?}") };
        assert_eq!((call.function.as_str(), call.args), ("state::increment", vec![json!("n"), json!(2)]));
        assert!(execution.is_live());
        let second = execution.advance(Some((0, ok(json!(2)))), super::NOW, [0; 32]).await;
        let ScriptOutcome::Suspended { index: 1, call, .. } = second else { panic!("{second:?}") };
        assert_eq!((call.kind, call.args), (CallKind::Sleep, vec![json!({ "ms": 172_800_000 })]));
        assert!(!execution.is_live());
        // The same execution goes on all the same: it executes the plugin again.
        let third = execution.advance(Some((1, ok(Json::Null))), super::NOW, [0; 32]).await;
        assert_eq!(third, ScriptOutcome::Done { value: json!(42), immediate: vec![] });
    });
}

#[test]
fn more_executions_than_may_stay_in_memory_end_all_the_same() {
    let plugins = plugins_with(small());
    let plugin = load(&plugins, &talkative());
    block_on(async {
        let mut waiting = Vec::new();
        for _ in 0..5 {
            let mut execution = plugins.start(&plugin, super::call(json!({})), &[]);
            let outcome = execution.advance(None, super::NOW, [0; 32]).await;
            assert!(matches!(outcome, ScriptOutcome::Suspended { index: 3, .. }), "{outcome:?}");
            waiting.push(execution);
        }
        assert_eq!(waiting.iter().filter(|execution| execution.is_live()).count(), small().live);
        for mut execution in waiting {
            let outcome = execution.advance(Some((3, answer("1"))), super::NOW, [0; 32]).await;
            assert!(matches!(outcome, ScriptOutcome::Suspended { index: 4, .. }), "{outcome:?}");
            let outcome = execution.advance(Some((4, ok(Json::Null))), super::NOW, [0; 32]).await;
            assert_eq!(outcome, ScriptOutcome::Done { value: json!(1), immediate: vec![] });
        }
    });
}

#[test]
fn what_differs_from_the_record_is_named() {
    let stage = Stage::new(&talkative());
    let mut recorded = stage.live(&[answer("1"), ok(Json::Null)]).recorded;
    recorded[3].fingerprint = "0".repeat(32);
    let expect = ScriptOutcome::Nondeterministic {
        index: 3,
        recorded: "http::request with other arguments".into(),
        asked: "GET https://api.example.com/a".into(),
    };
    assert_eq!(stage.once(&recorded), expect);
    recorded[3].function = "woo::get".into();
    let expect = ScriptOutcome::Nondeterministic {
        index: 3,
        recorded: "woo::get".into(),
        asked: "http::request: GET https://api.example.com/a".into(),
    };
    assert_eq!(stage.once(&recorded), expect);
}

#[test]
fn ending_before_a_recorded_call_is_nondeterministic() {
    let extra = Recorded { function: "state::get".into(), fingerprint: "0".repeat(32), outcome: Some(ok(Json::Null)) };
    for (body, asked) in [
        ("(call $ok (local.get $in) (local.get $inlen))", "the plugin ends before it"),
        ("(unreachable)", "the plugin fails before it: the plugin gave up"),
    ] {
        let outcome = Stage::new(&guest(|_| body.into())).once(std::slice::from_ref(&extra));
        let ScriptOutcome::Nondeterministic { index: 0, recorded, asked: said } = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(recorded, "state::get");
        assert!(said.starts_with(asked), "{said}");
    }
}

#[test]
fn a_failure_that_is_passed_on_is_that_of_its_call() {
    let stage = Stage::new(&talkative());
    let errors = [
        CallError::denied("http: [\"api.example.com\"]"),
        CallError::retryable("timeout", "no answer in 30 s"),
        CallError { status: Some(503), ..CallError::retryable("status", "api.example.com answered 503: busy") },
        CallError { status: Some(429), retry_after_ms: Some(2_000), ..CallError::retryable("status", "answered 429") },
        CallError { class: ErrorClass::Unknown, ..CallError::r#final("connection", "lost") },
        CallError::r#final("too_large", "the answer is too large"),
    ];
    for error in errors {
        for played in
            [stage.live(&[CallOutcome::Err(error.clone())]), stage.replayed(&[CallOutcome::Err(error.clone())])]
        {
            assert_eq!(failed(&played.outcome), (&error, Some(3)));
        }
    }
}

#[test]
fn a_failure_of_the_plugins_own_has_its_code() {
    let table = [
        (0, "denied", "denied: woo: [orders.read]", ErrorClass::Final),
        (1, "timeout", "the plugin got no answer in time", ErrorClass::Retryable),
        (4, "invalid", "woo: [orders.read]", ErrorClass::Final),
        (5, "unknown", "the plugin says that something may have happened, and nobody can say", ErrorClass::Final),
        (6, "plugin", "woo: [orders.read]", ErrorClass::Final),
    ];
    for (case, code, message, class) in table {
        let stage = Stage::new(&guest(|texts| {
            format!("(call $failed (i32.const {case}) {})", texts.text("woo: [orders.read]"))
        }));
        let outcome = stage.once(&[]);
        let (error, call) = failed(&outcome);
        assert_eq!((error.code.as_str(), error.message.as_str(), error.class, call), (code, message, class, None));
    }
}

#[test]
fn an_output_that_is_no_json_fails_the_step() {
    let deep = format!("{}{}", "[".repeat(70), "]".repeat(70));
    for (output, message) in [
        ("{", "the plugin's output is not JSON: EOF while parsing an object at line 1 column 1"),
        ("", "the plugin's output is not JSON: EOF while parsing a value at line 1 column 0"),
        ("[1] 2", "the plugin's output is not JSON: trailing characters at line 1 column 5"),
        (deep.as_str(), "the plugin's output has lists and maps inside each other more than 64 levels deep"),
    ] {
        let outcome = Stage::new(&guest(|texts| format!("(call $ok {})", texts.text(output)))).once(&[]);
        assert_eq!(failed(&outcome).0, &CallError::r#final("output", message));
    }
}

#[test]
fn a_description_is_given_without_any_call() {
    let stage = Stage::new(&talkative());
    let text = block_on(stage.plugins.describe(&stage.plugin)).expect("a description");
    assert_eq!(text, r#"{"name":"guest","functions":{"go":{}}}"#);
}

#[test]
fn time_stands_still_within_a_stretch_and_goes_on_after_it() {
    let stage = Stage::new(&guest(|texts| {
        let key = texts.text("k");
        format!(
            "(local.set $a (i64.eq (call $now) (call $now)))
             (call $get {key} (i32.const 3200))
             (local.set $b (i64.eq (call $now) (i64.const 1700000005000)))
             (i32.store8 (i32.const 3500) (i32.add (i32.const 48) (i32.add (local.get $a) (local.get $b))))
             (call $ok (i32.const 3500) (i32.const 1))"
        )
    }));
    let mut execution = stage.start(json!({}), &[]);
    let later = cartwright_core::time::Timestamp::from_millis(1_700_000_005_000);
    let outcome = block_on(async {
        execution.advance(None, super::NOW, [0; 32]).await;
        execution.advance(Some((2, ok(Json::Null))), later, [0; 32]).await
    });
    let ScriptOutcome::Done { value, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(value, json!(2));
}

#[test]
fn an_outcome_for_another_call_is_not_handed_over() {
    let stage = Stage::new(&talkative());
    block_on(async {
        let mut execution = stage.start(json!({}), &[]);
        let first = execution.advance(None, super::NOW, [0; 32]).await;
        for stray in [7, 0] {
            let again = execution.advance(Some((stray, answer("9"))), super::NOW, [0; 32]).await;
            let (ScriptOutcome::Suspended { index, call, .. }, ScriptOutcome::Suspended { index: 3, call: asked, .. }) =
                (&again, &first)
            else {
                panic!("{again:?}")
            };
            assert_eq!((*index, call), (3, asked));
        }
    });
}

#[test]
fn calls_of_stores_and_events_have_the_form_of_scripts() {
    let table: Vec<(&str, &str, Json)> = vec![
        (
            "(call $woo_get (i32.const 1) STORE PATH (i32.const 1) JSON (i32.const 3304))",
            "woo::get",
            json!([{ "method": "GET", "path": "orders", "query": { "a": "1" }, "store": "north" }]),
        ),
        (
            "(call $woo_write (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) PATH (i32.const 1) JSON \
             (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 3304))",
            "woo::put",
            json!([{ "method": "PUT", "path": "orders", "body": { "a": "1" } }]),
        ),
        ("(call $emit PATH JSON (i32.const 3304))", "events::emit", json!(["orders", { "a": "1" }])),
        (
            "(call $wait PATH (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1) (i64.const 5000) (i32.const 0) \
             (i64.const 0) (i32.const 3304))",
            "events::wait_for",
            json!([{ "event": "orders", "timeout_ms": 5000 }]),
        ),
        ("(call $delete PATH (i32.const 3304))", "state::delete", json!(["orders"])),
    ];
    for (body, function, args) in table {
        let stage = Stage::new(&guest(|texts| {
            let (path, json, store) = (texts.text("orders"), texts.text("{\"a\":\"1\"}"), texts.text("north"));
            let body = body.replace("PATH", &path).replace("JSON", &json).replace("STORE", &store);
            format!("{body} (if (i32.load8_u (i32.const 3304)) (then (return (i32.const 3304)))) (unreachable)")
        }));
        let outcome = stage.once(&[]);
        let ScriptOutcome::Suspended { call, .. } = outcome else { panic!("{function}: {outcome:?}") };
        assert_eq!((call.function.as_str(), json!(call.args)), (function, args));
    }
}

#[test]
fn without_memory_set_aside_each_call_asks_for_its_own() {
    let component = guest(|_| "(call $ok (local.get $in) (local.get $inlen))".into());
    // More address space than any machine has.
    let stage = Stage::with(cartwright_sandbox::plugin::PluginLimits { live: 1 << 20, ..small() }, &component);
    assert_eq!(stage.once(&[]), ScriptOutcome::Done { value: json!({}), immediate: vec![] });
}
