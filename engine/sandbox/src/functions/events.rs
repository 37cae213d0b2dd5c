//! `events::*`: raising events and waiting for them.

use cartwright_core::{Json, call::CallKind};
use serde_json::Map;

use super::{Answer, FunctionSpec, Prepared, millis, take, text};

const ANSWER: Answer = Answer::Engine { secrets: false };

pub(super) const FUNCTIONS: &[FunctionSpec] = &[
    FunctionSpec {
        name: "events::emit",
        signature: "events::emit(topic, [data])",
        doc: "Raises an event that other workflows may listen to; gives its id.",
        arguments: 1..=2,
        answer: ANSWER,
        prepare: |_, mut args| {
            let topic = text(take(&mut args, 0), "the topic")?;
            let data = match take(&mut args, 1) {
                Json::Null => Json::Object(Map::new()),
                data => data,
            };
            let summary = format!("emit {topic}");
            Ok(Prepared { kind: CallKind::Storage, args: vec![Json::String(topic), data], summary })
        },
    },
    FunctionSpec {
        name: "events::wait_for",
        signature: "events::wait_for(#{ event, if, timeout, lookback })",
        doc: "Waits for an event, () when timeout passes. `if` is a condition as text, over incoming and event.",
        arguments: 1..=1,
        answer: ANSWER,
        prepare: wait_for,
    },
];

fn wait_for(_: &str, mut args: Vec<Json>) -> Result<Prepared, String> {
    let Json::Object(map) = take(&mut args, 0) else {
        return Err("give a map: #{ event: \"order.updated\", timeout: \"3d\" }".into());
    };
    let mut out = Map::new();
    for (key, value) in map {
        if value.is_null() {
            continue;
        }
        match key.as_str() {
            "event" | "if" => drop(out.insert(key.clone(), Json::String(text(value, &key)?))),
            "timeout" | "lookback" => drop(out.insert(format!("{key}_ms"), millis(&value, &key)?.into())),
            "timeout_ms" | "lookback_ms" => drop(out.insert(key.clone(), millis(&value, &key)?.into())),
            _ => {
                let hint = crate::source::path::suggest(&key, ["event", "if", "timeout", "lookback"].into_iter());
                return Err(format!("there is no option `{key}`{hint}"));
            }
        }
    }
    let Some(topic) = out.get("event").and_then(Json::as_str) else { return Err("say which event".into()) };
    let summary = format!("wait for {topic}");
    Ok(Prepared { kind: CallKind::Wait, args: vec![Json::Object(out)], summary })
}
