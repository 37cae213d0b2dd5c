//! Expressions and templates: a value or an error, within their limits, never a panic.
#![no_main]

use cartwright_core::{
    evaluate::{Evaluate, Prepared, Scope},
    secret::SecretMarks,
    workflow::Expression,
};
use cartwright_sandbox::{Limits, Sandbox};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &str| {
    thread_local!(static SANDBOX: Sandbox = Sandbox::new(Limits::default(), SecretMarks::new([1; 32])));
    let event =
        Prepared::new(serde_json::json!({ "data": { "id": 7, "list": [1, 2.5], "text": "x" }, "topic": "a.b" }));
    let scope = Scope { event: Some(&event), ..Scope::default() };
    SANDBOX.with(|sandbox| {
        if let Err(error) = sandbox.expression(&Expression::new(source, 0..source.len()), &scope) {
            assert!(!error.message.is_empty());
        }
    });
});
