//! Scripts as durable functions: calls leave, outcomes come back, and what differs is named.

use crate::support::{Fixed, World, marks, run, sandbox, script};
use cartwright_core::{
    Json,
    call::{Call, CallError, CallKind, CallOutcome, ErrorClass},
};
use cartwright_sandbox::{Recorded, Sandbox, ScriptOutcome};
use serde_json::json;

/// Runs a script to its end, answering its calls in turn.
fn complete(sandbox: &Sandbox, source: &str, world: &World, answers: &[CallOutcome]) -> (Vec<Call>, ScriptOutcome) {
    let mut recorded: Vec<Recorded> = Vec::new();
    let mut calls = Vec::new();
    let mut answers = answers.iter();
    loop {
        let outcome = run(sandbox, source, world, &recorded);
        let ScriptOutcome::Suspended { index, call, immediate } = outcome else { return (calls, outcome) };
        for made in immediate {
            assert_eq!(made.index as usize, recorded.len());
            recorded.push(Recorded {
                function: made.function,
                fingerprint: made.fingerprint,
                outcome: Some(made.outcome),
            });
        }
        assert_eq!(index as usize, recorded.len());
        let outcome = answers.next().cloned().unwrap_or(CallOutcome::Ok(Json::Null));
        recorded.push(Recorded {
            function: call.function.clone(),
            fingerprint: call.fingerprint.clone(),
            outcome: Some(outcome),
        });
        calls.push(call);
    }
}

fn done(outcome: &ScriptOutcome) -> &Json {
    match outcome {
        ScriptOutcome::Done { value, .. } => value,
        other => panic!("not done: {other:?}"),
    }
}

#[test]
fn a_script_continues_where_it_was() {
    let source = r#"
        let answer = http::get("https://api.example.com/" + event.data.id);
        let total = 0;
        for item in answer.body.items { total += number(item.price) * item.quantity; }
        clock::sleep("2d");
        state::set("total", total);
        #{ status: answer.status, total }
    "#
    .replace("total }", "total: total }");
    let world = World::with_event(json!({ "id": 7 }));
    let body = json!({ "status": 200, "headers": {}, "body": { "items": [{ "price": "1.10", "quantity": 3 }, { "price": "2", "quantity": 1 }] } });
    let (calls, outcome) = complete(&sandbox(), &source, &world, &[CallOutcome::Ok(body)]);
    let seen: Vec<_> = calls.iter().map(|call| (call.function.as_str(), call.kind, call.args.clone())).collect();
    let total: Json = serde_json::from_str("5.30").expect("JSON");
    assert_eq!(
        seen,
        [
            (
                "http::get",
                CallKind::Outside { repeatable: true },
                vec![json!({ "method": "GET", "url": "https://api.example.com/7" })]
            ),
            ("clock::sleep", CallKind::Sleep, vec![json!({ "ms": 172_800_000 })]),
            ("state::set", CallKind::Storage, vec![json!("total"), total.clone()]),
        ]
    );
    assert_eq!(*done(&outcome), json!({ "status": 200, "total": total }));
}

#[test]
fn every_host_function_is_documented() {
    let page = include_str!("../../../docs/expressions.md");
    for spec in cartwright_sandbox::functions::all() {
        let (module, name) = spec.name.split_once("::").expect("a module");
        assert!(page.contains(spec.name) || page.contains(&format!("`{name}`")), "{module}::{name}");
        assert!(spec.signature.starts_with(spec.name) && !spec.doc.is_empty(), "{}", spec.name);
    }
}

#[test]
fn calls_have_their_canonical_form() {
    let table: Vec<(&str, CallKind, Json)> = vec![
        (
            r#"http::post("https://x", #{ a: 1 }, #{ headers: #{ h: "v" }, timeout: "5s", expect: ["2xx", 404], idempotent: true })"#,
            CallKind::Outside { repeatable: true },
            json!([{ "method": "POST", "url": "https://x", "body": { "a": 1 }, "headers": { "h": "v" }, "timeout_ms": 5000, "expect": ["2xx", "404"] }]),
        ),
        (
            r#"http::post("https://x")"#,
            CallKind::Outside { repeatable: false },
            json!([{ "method": "POST", "url": "https://x" }]),
        ),
        (
            r#"http::delete("https://x")"#,
            CallKind::Outside { repeatable: true },
            json!([{ "method": "DELETE", "url": "https://x" }]),
        ),
        (
            r#"http::request(#{ method: "patch", url: "https://x", form: #{ a: "b" } })"#,
            CallKind::Outside { repeatable: false },
            json!([{ "method": "PATCH", "url": "https://x", "form": { "a": "b" } }]),
        ),
        (r#"clock::sleep(1.5)"#, CallKind::Sleep, json!([{ "ms": 1500 }])),
        (
            r#"clock::sleep(date("2026-01-01T00:00:00Z"))"#,
            CallKind::Sleep,
            json!([{ "until": "2026-01-01T00:00:00.000Z" }]),
        ),
        (r#"clock::sleep(duration("1m"))"#, CallKind::Sleep, json!([{ "ms": 60000 }])),
        (r#"state::increment("n")"#, CallKind::Storage, json!(["n", 1])),
        (r#"state::compare_and_set("k", (), 5)"#, CallKind::Storage, json!(["k", null, 5])),
        (r#"events::emit("stock.low")"#, CallKind::Storage, json!(["stock.low", {}])),
        (
            r#"events::wait_for(#{ event: "order.updated", if: "incoming.data.id == 1", timeout: "3d", lookback: 600000 })"#,
            CallKind::Wait,
            json!([{ "event": "order.updated", "if": "incoming.data.id == 1", "timeout_ms": 259_200_000, "lookback_ms": 600_000 }]),
        ),
    ];
    for (source, kind, args) in table {
        match run(&sandbox(), source, &World::default(), &[]) {
            ScriptOutcome::Suspended { index: 0, call, .. } => {
                assert_eq!((call.kind, Json::Array(call.args)), (kind, args), "{source}");
            }
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn wrong_arguments_are_catchable_and_name_the_function() {
    for (source, expect) in [
        ("http::get(5)", "http::get: url must be a text, it is a number"),
        ("http::get(\"u\", #{ header: 1 })", "http::get: there is no option `header`; did you mean headers?"),
        ("state::set(\"\", 1)", "a key has 1 to 512 bytes"),
        ("clock::sleep(\"soon\")", "give a duration"),
        ("clock::sleep(-1)", "negative"),
        ("random::int(5, 1)", "the smaller first"),
        ("random::bytes(1025)", "give how many bytes, at most 1024"),
        ("random::bytes(-1)", "give how many bytes, at most 1024"),
        ("state::set(\"k\", secrets::get(\"slack\"))", "a secret can be given only to http calls"),
        ("htp::get(\"x\")", "`htp::` is not a group of functions"),
        ("http::gett(\"x\")", "did you mean http::get?"),
        ("state::set(\"k\", || 1)", "a function cannot be given out"),
    ] {
        let world = World { secrets: Some(vec!["slack".into()]), ..World::default() };
        match run(&sandbox(), source, &world, &[]) {
            ScriptOutcome::Failed { error, call: None, .. } => {
                assert!(error.message.contains(expect), "{source}: {}", error.message);
                assert!(error.message.contains("line 1"), "{source}: {}", error.message);
            }
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn immediate_calls_are_answered_once_and_replayed() {
    let source = r#"
        let now = clock::now();
        let id = random::uuid();
        let n = random::int(1, 6);
        log::info("rolled", #{ n: n });
        state::set("id", id);
        #{ year: now.year, id: id, n: n, c: random::choice(["a", "b"]), d: random::decimal() < 1 }
    "#;
    let sandbox = sandbox();
    let mut fixed = Fixed::default();
    let ScriptOutcome::Suspended { index: 4, immediate, call } =
        sandbox.run_script(&script(source), &World::default().scope(), &[], &mut fixed)
    else {
        panic!("not suspended at call 4")
    };
    assert_eq!(
        immediate.iter().map(|r| r.function.as_str()).collect::<Vec<_>>(),
        ["clock::now", "random::uuid", "random::int", "log::info"]
    );
    let CallOutcome::Ok(n) = immediate[2].outcome.clone() else { panic!("no number") };
    assert_eq!(fixed.lines, [format!("info: rolled {{\"n\":{n}}}")]);
    let mut recorded: Vec<_> = immediate
        .into_iter()
        .map(|made| Recorded { function: made.function, fingerprint: made.fingerprint, outcome: Some(made.outcome) })
        .collect();
    recorded.push(Recorded {
        function: call.function,
        fingerprint: call.fingerprint,
        outcome: Some(CallOutcome::Ok(Json::Null)),
    });
    // Other randomness and a later time: what was answered stays.
    let mut later = Fixed { byte: 77, ..Fixed::default() };
    let ScriptOutcome::Done { value, immediate } =
        sandbox.run_script(&script(source), &World::default().scope(), &recorded, &mut later)
    else {
        panic!("not done")
    };
    assert_eq!(value["id"], call.args[1]);
    assert_eq!(value["n"], n);
    assert_eq!(value["year"], 2023);
    assert_eq!(value["d"], true);
    assert_eq!(immediate.len(), 2);
    assert!(later.lines.is_empty(), "a replayed line is not logged again");
}

#[test]
fn failures_can_be_caught_and_keep_their_class_when_not() {
    let failure = CallError {
        status: Some(503),
        retry_after_ms: Some(2_000),
        ..CallError::retryable("status", "the server answered 503")
    };
    let answers = [CallOutcome::Err(failure.clone())];
    let caught = r#"try { http::get("https://x") } catch (e) { return `${e.code} ${e.status} ${e.message}`; }"#;
    let (_, outcome) = complete(&sandbox(), caught, &World::default(), &answers);
    assert_eq!(*done(&outcome), json!("status 503 the server answered 503"));

    for uncaught in [
        r#"http::get("https://x").body"#,
        r#"fn f() { http::get("https://x") } let x = f(); x"#,
        r#"try { http::get("https://x") } catch (e) { throw e; }"#,
        r#"[1].map(|x| http::get("https://x"))"#,
    ] {
        let (_, outcome) = complete(&sandbox(), uncaught, &World::default(), &answers);
        assert_eq!(
            outcome,
            ScriptOutcome::Failed { error: failure.clone(), call: Some(0), immediate: vec![] },
            "{uncaught}"
        );
    }
}

#[test]
fn fields_may_have_any_name() {
    for word in [
        "default",
        "new",
        "case",
        "null",
        "with",
        "is",
        "if",
        "for",
        "in",
        "do",
        "as",
        "const",
        "fn",
        "let",
        "this",
        "eval",
        "print",
        "private",
        "import",
        "export",
        "true",
        "while",
        "return",
        "throw",
        "package",
        "call",
        "is_shared",
        "type_of",
        "Fn",
        "static",
        "public",
        "match",
        "use",
        "async",
        "exit",
        "debug",
        "sync",
        "until",
        "switch",
        "catch",
        "try",
        "else",
        "break",
        "loop",
        "type",
        "event",
        "store",
        "index",
        "item",
        "output",
        "map",
        "len",
        "global",
    ] {
        let source = format!(
            "let m = #{{ {word}: 1, b: 2 }}; m.{word} += 1; let n = #{{ b: m }}; n.b.{word} = m.{word} + 1; \
             [n.b.{word}, m?.{word}, event.data.{word}, m.b]"
        );
        let world = World::with_event(json!({ (word): 7 }));
        let outcome = run(&sandbox(), &source, &world, &[]);
        assert!(matches!(outcome, ScriptOutcome::Done { .. }), "{source}: {outcome:?}");
        assert_eq!(*done(&outcome), json!([3, 2, 7, 2]), "{source}");
    }
}

#[test]
fn whatever_is_caught_has_a_code() {
    for (source, expect) in [
        ("try { 1 / 0 } catch (e) { return e.code; }", json!("script")),
        ("try { #{}.x } catch (e) { return [e.code, e.status]; }", json!(["script", null])),
        ("try { number(\"x\") } catch (e) { return e.code; }", json!("invalid")),
        ("try { event.data.x } catch (e) { return e.message; }", json!("event.data.x does not exist; it has id")),
        ("try { throw \"own\" } catch (e) { return e; }", json!("own")),
        ("try { throw #{ code: 5 } } catch (failure) { return failure; }", json!({ "code": 5 })),
    ] {
        let world = World::with_event(json!({ "id": 1 }));
        assert_eq!(*done(&run(&sandbox(), source, &world, &[])), expect, "{source}");
    }
}

#[test]
fn own_errors_are_final() {
    for (source, code, message) in [
        ("throw \"no stock\";", "thrown", "no stock (line 1, column 1)"),
        ("\n  throw #{ message: \"m\", code: 5 };", "thrown", "m (line 2, column 3)"),
        ("let x = 1;\nx.y", "script", "a number has no `y`"),
        (
            "let m = #{ a: 1 };\nm.b",
            "script",
            "m.b does not exist; write `?.` where it may be missing (line 2, column 3)",
        ),
        ("event.data.idd", "script", "event.data.idd does not exist; did you mean id? (line 1, column 1)"),
        ("let x = ;", "syntax", "line 1, column 9"),
        ("fn f() { undefined_thing } f()", "script", "`undefined_thing` is not defined"),
        ("const A = [1]; A.push(2);", "script", "constant"),
        ("event.data.id = 5;", "syntax", "read-only"),
        ("|x| x", "output", "a function cannot be given out"),
    ] {
        let world = World::with_event(json!({ "id": 1 }));
        match run(&sandbox(), source, &world, &[]) {
            ScriptOutcome::Failed { error, call: None, .. } => {
                assert_eq!(
                    (error.code.as_str(), error.class),
                    (code, ErrorClass::Final),
                    "{source}: {}",
                    error.message
                );
                assert!(error.message.contains(message), "{source}: {}", error.message);
            }
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn suspension_cannot_be_swallowed() {
    for source in [
        r#"try { http::get("https://x") } catch { return 1; } 2"#,
        r#"let r = [1, 2].map(|x| { try { http::get("https://x") } catch { 5 } }); r"#,
        r#"fn f() { try { clock::sleep(5) } catch (e) { 1 } } f(); f()"#,
        r#"let x = false; [3, 1].filter(|i| { state::get("k"); true })"#,
    ] {
        assert!(
            matches!(run(&sandbox(), source, &World::default(), &[]), ScriptOutcome::Suspended { index: 0, .. }),
            "{source}"
        );
    }
}

#[test]
fn what_differs_from_the_record_is_named() {
    let record = |function: &str, fingerprint: &str| Recorded {
        function: function.into(),
        fingerprint: fingerprint.into(),
        outcome: Some(CallOutcome::Ok(Json::Null)),
    };
    let cases = [
        ("let a = 1;\nstate::get(\"k\")", record("http::get", "x"), "http::get", "state::get: get k (line 2)"),
        ("state::get(\"k\")", record("state::get", "x"), "state::get with other arguments", "get k (line 1)"),
        ("5", record("http::get", "x"), "http::get", "the script ends before it"),
        ("throw 1", record("http::get", "x"), "http::get", "the script fails before it: 1"),
    ];
    for (source, recorded, had, asks) in cases {
        match run(&sandbox(), source, &World::default(), &[recorded]) {
            ScriptOutcome::Nondeterministic { index: 0, recorded, asked } => {
                assert_eq!((recorded.as_str(), asked.as_str()), (had, asks), "{source}");
            }
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn an_unresolved_call_is_asked_for_again() {
    let sandbox = sandbox();
    let source = "let a = state::get(\"k\"); a";
    let ScriptOutcome::Suspended { call, .. } = run(&sandbox, source, &World::default(), &[]) else { panic!() };
    let waiting = Recorded { function: call.function.clone(), fingerprint: call.fingerprint.clone(), outcome: None };
    let again = run(&sandbox, source, &World::default(), &[waiting]);
    assert_eq!(again, ScriptOutcome::Suspended { index: 0, call, immediate: vec![] });
}

#[test]
fn random_bytes_are_as_many_as_were_asked_for_and_the_same_in_a_replay() {
    let source = "[random::bytes(0), random::bytes(5), random::bytes(40)]";
    let outcome = run(&sandbox(), source, &World::default(), &[]);
    let ScriptOutcome::Done { value, immediate } = outcome else { panic!("{outcome:?}") };
    let lengths: Vec<_> = (0..3).map(|at| value[at].as_str().expect("text").len()).collect();
    assert_eq!(lengths, [0, 10, 80]);
    assert_ne!(value[1].as_str(), value[2].as_str().map(|text| &text[..10]));
    let recorded: Vec<_> = immediate
        .into_iter()
        .map(|made| Recorded { function: made.function, fingerprint: made.fingerprint, outcome: Some(made.outcome) })
        .collect();
    assert_eq!(*done(&run(&sandbox(), source, &World::default(), &recorded)), value);
}

#[test]
fn secrets_leave_only_through_http_calls_and_only_as_marks() {
    let world = World { secrets: Some(vec!["slack".into()]), ..World::default() };
    let source = r#"
        let s = secrets::get("slack");
        log::info("sending", s);
        log::info(`to ${s}`);
        http::post("https://hooks/" + s, #{ text: `x ${s}` }, #{ headers: #{ Authorization: "Bearer " + s } });
        `used ${s}`
    "#;
    let sandbox = sandbox();
    let mut fixed = Fixed::default();
    let outcome = sandbox.run_script(&script(source), &world.scope(), &[], &mut fixed);
    let ScriptOutcome::Suspended { call, immediate, .. } = outcome else { panic!("{outcome:?}") };
    let mark = marks().mark("slack");
    assert_eq!(call.args[0]["url"], format!("https://hooks/{mark}"));
    assert_eq!(call.args[0]["body"]["text"], format!("x {mark}"));
    assert_eq!(call.args[0]["headers"]["Authorization"], format!("Bearer {mark}"));
    assert_eq!(call.summary, "POST https://hooks/${secret:slack}");
    assert_eq!(fixed.lines, ["info: sending [secret]", "info: to ${secret:slack}"]);
    let other_process =
        Sandbox::new(cartwright_sandbox::Limits::default(), cartwright_core::secret::SecretMarks::new([9; 32]));
    let ScriptOutcome::Suspended { call: same, .. } = run(&other_process, source, &world, &[]) else { panic!() };
    assert_eq!(same.fingerprint, call.fingerprint, "the fingerprint does not depend on this process");

    let mut recorded: Vec<_> = immediate
        .into_iter()
        .map(|made| Recorded { function: made.function, fingerprint: made.fingerprint, outcome: Some(made.outcome) })
        .collect();
    recorded.push(Recorded {
        function: call.function,
        fingerprint: call.fingerprint,
        outcome: Some(CallOutcome::Ok(Json::Null)),
    });
    assert_eq!(*done(&run(&sandbox, source, &world, &recorded)), json!("used ${secret:slack}"));

    for (source, code, message) in [
        ("secrets::get(\"other\")", "thrown", "denied: secrets: [other]"),
        ("secrets::get(\"slack\")", "output", "a secret can be given only to http calls"),
        ("secrets::get(\"slack\") == \"x\"", "script", "a secret cannot be compared"),
        ("secrets::get(\"slack\").len()", "script", "there is no function `len` for a secret"),
        ("state::set(\"k\", [secrets::get(\"slack\")])", "script", "a secret can be given only to http calls"),
        ("throw secrets::get(\"slack\") + \"\"", "thrown", "[secret]"),
        ("throw `${secrets::get(\"slack\")}`", "thrown", "${secret:slack}"),
    ] {
        match run(&sandbox, source, &world, &[]) {
            ScriptOutcome::Failed { error, .. } => {
                assert_eq!(error.code, code, "{source}: {}", error.message);
                assert!(error.message.contains(message), "{source}: {}", error.message);
            }
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn scripts_may_change_their_own_copies() {
    let world = World::with_event(json!({ "items": [1, 2], "map": {} }));
    let source = r#"
        let items = event.data.items;
        items.push(3);
        items[0] = 10;
        let counts = #{};
        for i in items { counts[`n${i}`] = (counts?[`n${i}`] ?? 0) + 1; }
        counts.more = "new";
        counts.more += "er";
        fn outer() { event.data.items.len() }
        let event_items = outer();
        [items, counts, event_items]
    "#;
    let outcome = run(&sandbox(), source, &world, &[]);
    assert_eq!(*done(&outcome), json!([[10, 2, 3], { "n10": 1, "n2": 1, "n3": 1, "more": "newer" }, 2]));
}

#[test]
fn a_small_budget_leaves_no_trace() {
    let sandbox = sandbox();
    let source = "log::info(\"x\"); let n = 0; for i in 0..100000 { n += 1; } n";
    let mut fixed = Fixed::default();
    let script = script(source);
    let world = World::default();
    assert_eq!(sandbox.run_script_bounded(&script, &world.scope(), &[], &mut fixed, 1_000), None);
    assert!(fixed.lines.is_empty());
    let full = sandbox.run_script(&script, &world.scope(), &[], &mut fixed);
    assert_eq!(*done(&full), json!(100_000));
    assert_eq!(fixed.lines, ["info: x"]);
    let small = crate::support::script("log::info(\"y\"); state::get(\"k\")");
    let outcome = sandbox.run_script_bounded(&small, &world.scope(), &[], &mut fixed, 1_000);
    assert!(matches!(outcome, Some(ScriptOutcome::Suspended { index: 1, .. })));
}
