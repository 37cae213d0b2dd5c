//! Host functions: what the engine offers to scripts and, under the same names, to plugins. One registry: a function
//! is a [`FunctionSpec`], and everything else (how scripts see it, its documentation, replay) follows from it.

mod calls;
mod clock;
mod events;
mod host;
mod http;
mod log;
mod random;
mod secrets;
mod state;
mod woo;

use std::ops::RangeInclusive;

use cartwright_core::{Json, call::CallKind};
use rhai::{Dynamic, Engine, FuncRegistration, Module, NativeCallContext};

pub(crate) use calls::{Calls, Halt, Next, Replayed};
pub(crate) use host::{HostSession, Stop};

/// One host function.
#[derive(Debug)]
pub struct FunctionSpec {
    /// Its full name: `http::post`.
    pub name: &'static str,
    /// How it is called, for people: `http::post(url, body, [options])`.
    pub signature: &'static str,
    /// What it does, one or two sentences.
    pub doc: &'static str,
    /// How many arguments it takes.
    pub arguments: RangeInclusive<usize>,
    /// Who answers it.
    pub answer: Answer,
    /// Checks arguments and puts them into their canonical form.
    pub prepare: fn(&str, Vec<Json>) -> Result<Prepared, String>,
}

/// Arguments in canonical form with what they mean.
#[derive(Debug)]
pub struct Prepared {
    /// What the engine must do.
    pub kind: CallKind,
    /// As [`cartwright_core::call::Call::args`].
    pub args: Vec<Json>,
    /// One line for people; may hold marks, which are redacted before it is kept.
    pub summary: String,
}

/// Who answers a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The engine; text arguments may hold marks of secrets only where `secrets` says so.
    Engine {
        /// Secrets may be in the arguments.
        secrets: bool,
    },
    /// The time at which this stretch of the script began.
    Now,
    /// Randomness, drawn at the start of this stretch.
    Random(RandomKind),
    /// Nobody: it is written down.
    Log,
    /// The sandbox, without a trace in the journal: an opaque secret.
    Secret,
}

/// Kinds of random values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RandomKind {
    /// A whole number between two others, both included.
    Int,
    /// A decimal from 0 up to, not including, 1.
    Decimal,
    /// A version 4 UUID.
    Uuid,
    /// An item of a list.
    Choice,
    /// Bytes, as hexadecimal text.
    Bytes,
}

/// All host functions, by module.
pub fn all() -> impl Iterator<Item = &'static FunctionSpec> {
    [
        http::FUNCTIONS,
        woo::FUNCTIONS,
        state::FUNCTIONS,
        clock::FUNCTIONS,
        random::FUNCTIONS,
        events::FUNCTIONS,
        log::FUNCTIONS,
        secrets::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// The function of this name.
pub(crate) fn named(name: &str) -> Option<&'static FunctionSpec> {
    all().find(|spec| spec.name == name)
}

/// Their names.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|spec| spec.name)
}

/// Makes them callable from scripts.
pub(crate) fn register(engine: &mut Engine) {
    let mut modules = std::collections::BTreeMap::<&str, Module>::new();
    for spec in all() {
        let Some((module, name)) = spec.name.split_once("::") else { continue };
        let module = modules.entry(module).or_default();
        for count in spec.arguments.clone() {
            add(module, name, spec, count);
        }
    }
    for (name, module) in modules {
        engine.register_static_module(name, module.into());
    }
}

fn add(module: &mut Module, name: &str, spec: &'static FunctionSpec, count: usize) {
    let function = FuncRegistration::new(name);
    match count {
        0 => function.set_into_module(module, move |ctx: NativeCallContext<'_>| host::call(spec, &ctx, &[])),
        1 => {
            function.set_into_module(module, move |ctx: NativeCallContext<'_>, a: Dynamic| host::call(spec, &ctx, &[a]))
        }
        2 => function.set_into_module(module, move |ctx: NativeCallContext<'_>, a: Dynamic, b: Dynamic| {
            host::call(spec, &ctx, &[a, b])
        }),
        _ => function.set_into_module(module, move |ctx: NativeCallContext<'_>, a: Dynamic, b: Dynamic, c: Dynamic| {
            host::call(spec, &ctx, &[a, b, c])
        }),
    };
}

/// Takes the argument at `at`, `null` when absent.
fn take(args: &mut [Json], at: usize) -> Json {
    args.get_mut(at).map_or(Json::Null, Json::take)
}

/// A text argument.
fn text(value: Json, what: &str) -> Result<String, String> {
    match value {
        Json::String(text) => Ok(text),
        other => Err(format!("{what} must be a text, it is {}", crate::value::kind_of_json(&other))),
    }
}

/// Milliseconds from a duration as text (`10s`) or a whole number of milliseconds.
fn millis(value: &Json, what: &str) -> Result<i64, String> {
    let wrong = || format!("{what} must be a duration such as \"30s\", or a whole number of milliseconds");
    match value {
        Json::String(text) => crate::library::dates::parse_span(text).ok_or_else(wrong),
        Json::Number(number) => number.as_i64().ok_or_else(wrong),
        _ => Err(wrong()),
    }
    .and_then(|ms| if ms < 0 { Err(format!("{what} must not be negative")) } else { Ok(ms) })
}

/// The summary of a call, cut to a length fit for a list.
fn summary(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
