//! Plugins that take more than they may: each ends with an error that says what and where, and nobody else notices.

use std::time::Duration;

use cartwright_core::call::CallOutcome;
use cartwright_sandbox::{
    ScriptOutcome,
    plugin::{PluginLimits, hash_of},
};
use serde_json::json;

use super::{
    NOW, Stage, block_on, call, failed,
    guests::{guest, guest_with},
    load, ok, plugins_with, small,
};

/// What a guest with this body fails with.
fn error_of(body: &str) -> (String, String) {
    error_with(small(), &guest(|_| body.into()))
}

fn error_with(limits: PluginLimits, component: &[u8]) -> (String, String) {
    let outcome = Stage::with(limits, component).once(&[]);
    let (error, call) = failed(&outcome);
    assert_eq!(call, None);
    (error.code.clone(), error.message.clone())
}

#[test]
fn a_loop_ends_when_its_budget_is_used_up() {
    let (code, message) = error_of("(call $spin) (unreachable)");
    assert_eq!(code, "limit");
    assert_eq!(message, "the plugin computes more than allowed (20000000 instructions, about)\n  in spin\n  in handle");
}

#[test]
fn the_budget_is_the_same_in_every_execution() {
    let stage = Stage::new(&guest(|texts| {
        let key = texts.text("k");
        format!(
            "(loop $l (local.set $a (i32.add (local.get $a) (i32.const 1))) (br_if $l (i32.lt_u (local.get $a) (i32.const 10000))))
             (call $get {key} (i32.const 3200))
             (call $ok (local.get $in) (local.get $inlen))"
        )
    }));
    let used = |live: bool| {
        block_on(async {
            let mut execution = stage.start(json!({}), &[]);
            let first = execution.advance(None, NOW, [0; 32]).await;
            let ScriptOutcome::Suspended { call, .. } = first else { panic!("{first:?}") };
            if !live {
                let recorded = cartwright_sandbox::Recorded {
                    function: call.function,
                    fingerprint: call.fingerprint,
                    outcome: Some(ok(json!(null))),
                };
                execution = stage.start(json!({}), &[recorded]);
                execution.advance(None, NOW, [9; 32]).await;
            } else {
                execution.advance(Some((0, ok(json!(null)))), NOW, [9; 32]).await;
            }
            execution.usage().fuel
        })
    };
    assert!(used(true) > 40_000);
    assert_eq!(used(true), used(false));
}

#[test]
fn a_loop_ends_when_its_time_is_up_and_gives_way_until_then() {
    let limits = PluginLimits { fuel: u64::MAX, wall: Duration::from_millis(40), ..small() };
    let stage = Stage::with(limits, &guest(|_| "(call $spin) (unreachable)".into()));
    let mut execution = stage.start(json!({}), &[]);
    let (outcome, turns) = block_on(async {
        let ended = std::cell::Cell::new(false);
        let others = async {
            let mut turns = 0;
            while !ended.get() {
                tokio::task::yield_now().await;
                turns += 1;
            }
            turns
        };
        let guest = async {
            let outcome = execution.advance(None, NOW, [0; 32]).await;
            ended.set(true);
            outcome
        };
        tokio::join!(guest, others)
    });
    let (error, _) = failed(&outcome);
    assert_eq!(error.code, "limit");
    let expect = "the plugin takes longer than allowed (0.04 s on the processor between two waits)";
    assert!(error.message.starts_with(expect), "{}", error.message);
    assert!(turns > 1, "others had the thread {turns} times");
}

#[test]
fn endless_recursion_is_told_with_the_innermost_functions() {
    let (code, message) = error_of("(drop (call $recurse (i64.const 0))) (unreachable)");
    assert_eq!(code, "limit");
    let mut lines = message.lines();
    let expect = "the plugin's functions call each other more deeply than allowed (512 KiB of stack)";
    assert_eq!(lines.next(), Some(expect));
    let frames: Vec<_> = lines.collect();
    assert!(frames.len() == 20 && frames.iter().all(|frame| *frame == "  in recurse"), "{frames:?}");
}

#[test]
fn memory_is_limited_when_it_grows_and_when_it_begins() {
    let expect = "the plugin needs more memory than allowed (4 MiB)";
    let (code, message) = error_of("(loop $l (drop (memory.grow (i32.const 8))) (br $l)) (unreachable)");
    assert_eq!((code.as_str(), message.as_str()), ("limit", format!("{expect}\n  in handle").as_str()));
    let large = guest_with("", "100", |_| "(unreachable)".into());
    let error = plugins_with(small()).load(&hash_of(&large), &|| Ok(large.clone())).expect_err("too large");
    assert_eq!(error.to_string(), "the plugin begins with 6 MiB of memory, at most 4 MiB are allowed");
}

#[test]
fn tables_are_limited() {
    let (code, message) = error_with(
        small(),
        &guest_with("(table $t 1 funcref)", "2", |_| {
            "(loop $l (drop (table.grow $t (ref.null func) (i32.const 100))) (br $l)) (unreachable)".into()
        }),
    );
    assert_eq!(code, "limit");
    assert_eq!(message, "the plugin's tables need more than the 1000 elements that are allowed\n  in handle");
}

#[test]
fn outputs_and_arguments_are_limited() {
    let grown = "(drop (memory.grow (i32.const 4)))
        (memory.fill (i32.const 65536) (i32.const 32) (i32.const 262144))";
    let (code, message) = error_of(&format!("{grown} (call $ok (i32.const 65536) (i32.const 262144))"));
    assert_eq!(code, "limit");
    assert_eq!(message, "the plugin gives out more than allowed (64 KiB at once)");
    let (code, message) = error_of(&format!("{grown} (call $ok (i32.const 65536) (i32.const 65537))"));
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("output", "the plugin's output is larger than 65536 bytes; give less")
    );
    let (code, message) =
        error_of(&format!("{grown} (call $log (i32.const 0) (i32.const 65536) (i32.const 262144)) (unreachable)"));
    assert_eq!(code, "limit");
    assert!(message.starts_with("the plugin gives out more than allowed (64 KiB at once)\n  in "), "{message}");
}

#[test]
fn a_text_that_is_no_utf8_or_lies_outside_is_a_trap() {
    let (code, message) =
        error_of("(i32.store8 (i32.const 3500) (i32.const 255)) (call $ok (i32.const 3500) (i32.const 1))");
    assert_eq!((code.as_str(), message.as_str()), ("trap", "the plugin gave a text that is not UTF-8"));
    let (code, message) = error_of("(call $ok (i32.const 131071) (i32.const 2))");
    assert_eq!(code, "trap");
    assert!(message.starts_with("the plugin failed: "), "{message}");
}

#[test]
fn traps_are_told_with_the_functions_they_happened_in() {
    let hint = "the plugin gave up (a panic, an assertion or an uncaught error; what it logged last may say which)";
    assert_eq!(error_of("(unreachable)"), ("trap".into(), format!("{hint}\n  in handle")));
    let (_, message) = error_of("(i32.load (i32.const 99999999))");
    assert_eq!(message, "the plugin reached outside its memory\n  in handle");
    let (_, message) = error_of("(i32.div_u (local.get $inlen) (local.get $a))");
    assert_eq!(message, "the plugin divided by zero\n  in handle");
    let mangled = guest_with("(func $_ZN5score6divide17h0123456789abcdefE (unreachable))", "2", |_| {
        "(call $_ZN5score6divide17h0123456789abcdefE) (unreachable)".into()
    });
    assert_eq!(error_with(small(), &mangled).1, format!("{hint}\n  in score::divide\n  in handle"));
}

#[test]
fn a_trap_after_a_call_keeps_what_was_recorded() {
    let stage = Stage::new(&guest(|texts| {
        let (line, url) = (texts.text("about to fall"), texts.text("https://x/"));
        format!("(call $fetch {url} (i32.const 0) (i32.const 3304)) (call $log (i32.const 3) {line}) (unreachable)")
    }));
    let answer: CallOutcome = ok(json!({ "status": 200, "headers": {}, "body": "" }));
    for played in [stage.live(std::slice::from_ref(&answer)), stage.replayed(std::slice::from_ref(&answer))] {
        assert_eq!(failed(&played.outcome).0.code, "trap");
        let line = played.recorded[1].outcome.clone();
        assert_eq!(line, Some(ok(json!({ "level": "error", "message": "about to fall" }))));
    }
}

#[test]
fn host_calls_are_limited() {
    let (code, message) = error_of("(loop $l (drop (call $now)) (br $l)) (unreachable)");
    assert_eq!((code.as_str(), message.as_str()), ("limit", "the plugin makes more than 50 calls"));
}

#[test]
fn arguments_that_cannot_be_right_end_calls_that_cannot_fail() {
    let (code, message) = error_of("(call $bytes (i32.const 1025) (i32.const 3200)) (unreachable)");
    assert_eq!(code, "trap");
    assert_eq!(message.lines().next(), Some("the plugin was ended: random::bytes: give how many bytes, at most 1024"));
    let (code, _) = error_of("(call $sleep (i64.const -1)) (unreachable)");
    assert_eq!(code, "trap");
}

#[test]
fn calls_that_cannot_be_right_fail_and_can_be_passed_on() {
    let stage = Stage::new(&guest(|texts| {
        let (topic, data) = (texts.text("a.b"), texts.text("{"));
        format!("(call $emit {topic} {data} (i32.const 3304)) (i32.const 3304)")
    }));
    let outcome = stage.once(&[]);
    let (error, call) = failed(&outcome);
    assert_eq!((error.code.as_str(), call), ("invalid", None));
    assert_eq!(error.message, "the data is not JSON: EOF while parsing an object at line 1 column 1");
}

#[test]
fn an_engine_serves_on_after_every_kind_of_end() {
    let plugins = plugins_with(PluginLimits { fuel: 3_000_000, ..small() });
    let bad: Vec<_> = [
        "(call $spin) (unreachable)",
        "(drop (call $recurse (i64.const 0))) (unreachable)",
        "(loop $l (drop (memory.grow (i32.const 8))) (br $l)) (unreachable)",
        "(unreachable)",
        "(call $get (i32.const 0) (i32.const 3) (i32.const 3304)) (unreachable)",
    ]
    .iter()
    .map(|body| load(&plugins, &guest(|_| (*body).into())))
    .collect();
    let good = load(&plugins, &guest(|_| "(call $ok (local.get $in) (local.get $inlen))".into()));
    block_on(async {
        // More often than there are places: nothing may be lost with an end, or with a drop in the middle of a call.
        for round in 0..40 {
            for plugin in &bad {
                let mut execution = plugins.start(plugin, call(json!({})), &[]);
                let outcome = execution.advance(None, NOW, [0; 32]).await;
                assert!(!matches!(outcome, ScriptOutcome::Done { .. }), "{outcome:?}");
            }
            let outcome = plugins.start(&good, call(json!(round)), &[]).advance(None, NOW, [0; 32]).await;
            assert_eq!(outcome, ScriptOutcome::Done { value: json!(round), immediate: vec![] });
        }
    });
}

#[test]
fn a_description_must_not_call_and_has_the_same_limits() {
    let calling = super::guests::source("1.0.0", "", "2", |_| "(unreachable)".into())
        .replace("(drop (call $ok", "(drop (call $now)) (drop (call $ok");
    let stage = Stage::new(&wat::parse_str(calling).expect("well-formed"));
    let error = block_on(stage.plugins.describe(&stage.plugin)).expect_err("it calls");
    let expect = "the plugin cannot describe itself: the plugin was ended: `describe` must not make host calls; it makes `clock::now`";
    assert_eq!(error.to_string().lines().next(), Some(expect));
    let looping = super::guests::source("1.0.0", "", "2", |_| "(unreachable)".into())
        .replace("(drop (call $ok", "(call $spin) (drop (call $ok");
    let stage = Stage::new(&wat::parse_str(looping).expect("well-formed"));
    let error = block_on(stage.plugins.describe(&stage.plugin)).expect_err("it loops");
    assert!(error.to_string().contains("computes more than allowed"), "{error}");
}
