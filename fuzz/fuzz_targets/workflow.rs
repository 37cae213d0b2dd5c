//! Workflow files: parsed or refused with a place, never a panic.
#![no_main]

use cartwright_core::workflow::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let none = |name: &str| Err(format!("`{name}` was not found"));
    let parsed = parse("some/flow".parse().expect("an id"), text, &none);
    for diagnostic in &parsed.diagnostics {
        assert!(diagnostic.span.start <= diagnostic.span.end && diagnostic.span.end <= text.len(), "{diagnostic:?}");
    }
    assert!(parsed.workflow.is_some() || !parsed.diagnostics.is_empty());
});
