//! Secrets: plaintext for the plugin that was granted it, and for nobody else.

use cartwright_core::{Json, call::CallOutcome};
use cartwright_sandbox::ScriptOutcome;
use serde_json::json;

use super::{Stage, failed, guests::guest, ok};
use crate::support::marks;

/// Reads the secret `name`; `then` finds it at ($a, $b).
fn with_secret(name: &str, then: impl FnOnce(&mut super::guests::Texts) -> String) -> Vec<u8> {
    guest(|texts| {
        let name = texts.text(name);
        let then = then(texts);
        format!(
            "(call $secret {name} (i32.const 3200))
             (if (i32.load8_u (i32.const 3200)) (then (return (i32.const 3200))))
             (local.set $a (i32.load (i32.const 3208)))
             (local.set $b (i32.load (i32.const 3212)))
             {then}"
        )
    })
}

#[test]
fn a_secret_leaves_as_a_mark_in_requests() {
    let stage = Stage::new(&with_secret("key", |texts| {
        let (name, url) = (texts.text("x-key"), texts.text("https://api.example.com/"));
        let (name_at, name_length) = name.split_once(") (").expect("two constants");
        format!(
            "(i32.store (i32.const 3600) {name_at}))
             (i32.store (i32.const 3604) ({name_length})
             (i32.store (i32.const 3608) (local.get $a))
             (i32.store (i32.const 3612) (local.get $b))
             (call $fetch {url} (i32.const 3600) (i32.const 3304))
             (call $ok (i32.load (i32.const 3324)) (i32.load (i32.const 3328)))"
        )
    }));
    let answer: CallOutcome = ok(json!({ "status": 200, "headers": {}, "body": "1" }));
    let played = stage.live(std::slice::from_ref(&answer));
    assert_eq!(played.calls[0].args[0]["headers"], json!({ "x-key": marks().mark("key") }));
    assert_eq!(*played.done(), json!(1));
    assert_eq!(played.recorded.len(), 1, "the secret itself is no recorded call");
    assert_eq!(played, stage.replayed(&[answer]));
}

#[test]
fn a_secret_is_blotted_out_of_lines_outputs_and_failures() {
    let stage = Stage::new(&with_secret("key", |_| {
        "(call $log (i32.const 2) (local.get $a) (local.get $b))
         ;; as JSON text: a quote on both sides
         (i32.store8 (i32.sub (local.get $a) (i32.const 1)) (i32.const 34))
         (i32.store8 (i32.add (local.get $a) (local.get $b)) (i32.const 34))
         (call $ok (i32.sub (local.get $a) (i32.const 1)) (i32.add (local.get $b) (i32.const 2)))"
            .into()
    }));
    let ScriptOutcome::Done { value, immediate } = stage.once(&[]) else { panic!("not done") };
    assert_eq!(value, json!("${secret:key}"));
    assert_eq!(immediate[0].outcome, ok(json!({ "level": "warn", "message": "${secret:key}" })));
    let stage =
        Stage::new(&with_secret("key", |_| "(call $failed (i32.const 6) (local.get $a) (local.get $b))".into()));
    assert_eq!(failed(&stage.once(&[])).0.message, "${secret:key}");
}

#[test]
fn a_secret_is_blotted_out_of_other_calls() {
    let stage = Stage::new(&with_secret("key", |_| {
        "(call $get (local.get $a) (local.get $b) (i32.const 3304)) (call $ok (local.get $in) (local.get $inlen))"
            .into()
    }));
    let ScriptOutcome::Suspended { call, .. } = stage.once(&[]) else { panic!("not suspended") };
    assert_eq!((call.args, call.summary.as_str()), (vec![json!("${secret:key}")], "get ${secret:key}"));
}

#[test]
fn a_secret_that_was_not_granted_is_denied() {
    let stage = Stage::new(&with_secret("other", |_| "(unreachable)".into()));
    let outcome = stage.once(&[]);
    let (error, call) = failed(&outcome);
    assert_eq!((error.code.as_str(), error.message.as_str(), call), ("denied", "denied: secrets: [other]", None));
}

#[test]
fn a_mark_from_outside_the_engine_opens_nothing() {
    let forged = marks().mark("key").replace("key", "other");
    let stage = Stage::new(&guest(|texts| format!("(call $ok {})", texts.text(&format!("\"{forged}\"")))));
    let ScriptOutcome::Done { value, .. } = stage.once(&[]) else { panic!("not done") };
    assert_eq!(value, Json::String(forged));
}
