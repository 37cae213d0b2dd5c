//! `clock::*`: time as the engine knows it, and durable sleep.

use cartwright_core::{Json, call::CallKind, time::Timestamp};
use serde_json::json;

use super::{Answer, FunctionSpec, Prepared, take};
use crate::library::dates::{Date, parse_span};

pub(super) const FUNCTIONS: &[FunctionSpec] = &[
    FunctionSpec {
        name: "clock::now",
        signature: "clock::now()",
        doc: "The time now, a date. It stands still until the script's next call that has to wait.",
        arguments: 0..=0,
        answer: Answer::Now,
        prepare: |_, _| Ok(Prepared { kind: CallKind::Immediate, args: vec![], summary: "the time".into() }),
    },
    FunctionSpec {
        name: "clock::sleep",
        signature: "clock::sleep(\"2d\" | seconds | date)",
        doc: "Waits without holding anything, for days if need be.",
        arguments: 1..=1,
        answer: Answer::Engine { secrets: false },
        prepare: sleep,
    },
];

fn sleep(_: &str, mut args: Vec<Json>) -> Result<Prepared, String> {
    let wrong = || "give a duration (\"10m\"), a number of seconds, or a date".to_owned();
    let (arg, summary) = match take(&mut args, 0) {
        Json::String(text) => match parse_span(&text) {
            Some(ms) if ms >= 0 => (json!({ "ms": ms }), format!("sleep {text}")),
            Some(_) => return Err("a duration to sleep must not be negative".into()),
            None => {
                let date = Date::parse(&text, None).ok_or_else(wrong)?;
                let until = Timestamp::from_millis(date.millis());
                (json!({ "until": until.to_string() }), format!("sleep until {until}"))
            }
        },
        Json::Number(seconds) => {
            let seconds = crate::value::exact_decimal(&seconds.to_string()).ok_or_else(wrong)?;
            let ms =
                seconds.checked_mul(1000.into()).and_then(|ms| i64::try_from(ms.trunc()).ok()).ok_or_else(wrong)?;
            if ms < 0 {
                return Err("a time to sleep must not be negative".into());
            }
            (json!({ "ms": ms }), format!("sleep {seconds}s"))
        }
        _ => return Err(wrong()),
    };
    Ok(Prepared { kind: CallKind::Sleep, args: vec![arg], summary })
}
