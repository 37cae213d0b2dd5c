//! `state::*`: values that a workflow keeps between runs.

use cartwright_core::{Json, call::CallKind};

use super::{Answer, FunctionSpec, Prepared, text};

/// Longest key in bytes.
const KEY_MAX_BYTES: usize = 512;
const ANSWER: Answer = Answer::Engine { secrets: false };

pub(super) const FUNCTIONS: &[FunctionSpec] = &[
    FunctionSpec {
        name: "state::get",
        signature: "state::get(key)",
        doc: "The value kept under key, () when there is none.",
        arguments: 1..=1,
        answer: ANSWER,
        prepare: keyed,
    },
    FunctionSpec {
        name: "state::set",
        signature: "state::set(key, value)",
        doc: "Keeps a value under key.",
        arguments: 2..=2,
        answer: ANSWER,
        prepare: keyed,
    },
    FunctionSpec {
        name: "state::compare_and_set",
        signature: "state::compare_and_set(key, expected, value)",
        doc: "Keeps value if expected is what is there now (() for nothing); true if it did.",
        arguments: 3..=3,
        answer: ANSWER,
        prepare: keyed,
    },
    FunctionSpec {
        name: "state::increment",
        signature: "state::increment(key, [by])",
        doc: "Adds by (1 when absent) to the number under key, 0 when there is none, and gives the sum.",
        arguments: 1..=2,
        answer: ANSWER,
        prepare: |name, mut args| {
            if args.len() == 1 {
                args.push(1.into());
            }
            match &args[1] {
                Json::Number(_) => keyed(name, args),
                _ => Err("what to add must be a number".into()),
            }
        },
    },
    FunctionSpec {
        name: "state::delete",
        signature: "state::delete(key)",
        doc: "Forgets what is kept under key.",
        arguments: 1..=1,
        answer: ANSWER,
        prepare: keyed,
    },
];

fn keyed(name: &str, args: Vec<Json>) -> Result<Prepared, String> {
    let key = text(args.first().cloned().unwrap_or_default(), "the key")?;
    if key.is_empty() || key.len() > KEY_MAX_BYTES {
        return Err(format!("a key has 1 to {KEY_MAX_BYTES} bytes"));
    }
    let verb = name.rsplit("::").next().unwrap_or(name);
    Ok(Prepared { kind: CallKind::Storage, args, summary: format!("{verb} {key}") })
}
