//! Why a guest did not get to its end, in words, with the names of the functions it was in.

use cartwright_core::call::CallError;
use wasmtime::{Trap, WasmBacktrace};

use super::{
    limiter::OverLimit,
    limits::{FRAME_MAX_CHARS, FRAMES_MAX, PluginLimits},
    session::Ending,
};

/// Describes an end: `limit` when it used too much, `trap` when it fell over, `internal` when it is our fault.
pub(super) fn describe(error: &wasmtime::Error, limits: &PluginLimits) -> CallError {
    let (code, what) = cause(error, limits);
    CallError::r#final(code, format!("{what}{}", backtrace(error)))
}

fn cause(error: &wasmtime::Error, limits: &PluginLimits) -> (&'static str, String) {
    if let Some(over) = error.downcast_ref::<OverLimit>() {
        return ("limit", over.to_string());
    }
    if let Some(ending) = error.downcast_ref::<Ending>() {
        return ("trap", format!("the plugin was ended: {ending}"));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => {
            ("limit", format!("the plugin computes more than allowed ({} instructions, about)", limits.fuel))
        }
        Some(Trap::StackOverflow) => {
            let kib = limits.stack_bytes >> 10;
            ("limit", format!("the plugin's functions call each other more deeply than allowed ({kib} KiB of stack)"))
        }
        Some(Trap::UnreachableCodeReached) => {
            let hint = "a panic, an assertion or an uncaught error; what it logged last may say which";
            ("trap", format!("the plugin gave up ({hint})"))
        }
        Some(Trap::MemoryOutOfBounds) => ("trap", "the plugin reached outside its memory".into()),
        Some(Trap::IntegerDivisionByZero) => ("trap", "the plugin divided by zero".into()),
        Some(trap) => {
            let text = trap.to_string();
            ("trap", format!("the plugin failed: {}", text.strip_prefix("wasm trap: ").unwrap_or(&text)))
        }
        None => other(error, limits),
    }
}

/// Errors that wasmtime makes in passing have no type; their texts tell them apart.
fn other(error: &wasmtime::Error, limits: &PluginLimits) -> (&'static str, String) {
    let text = error.root_cause().to_string();
    if text.contains("fuel allocated for hostcalls") {
        let kib = limits.output_bytes >> 10;
        return ("limit", format!("the plugin gives out more than allowed ({kib} KiB at once)"));
    }
    if text.contains("utf-8") || text.contains("UTF-8") {
        return ("trap", "the plugin gave a text that is not UTF-8".into());
    }
    ("trap", format!("the plugin failed: {text}"))
}

/// The functions that it was in, innermost first.
fn backtrace(error: &wasmtime::Error) -> String {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let mut text = String::new();
    for frame in trace.frames().iter().take(FRAMES_MAX) {
        let name = match frame.func_name() {
            Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
            None => format!("function {}", frame.func_index()),
        };
        let shown: String = name.chars().take(FRAME_MAX_CHARS).collect();
        text.push_str("\n  in ");
        text.push_str(&shown);
    }
    text
}
