//! What a run is started with: an event's file, or `--input NAME=VALUE`, read as the workflow declares its inputs.

use std::sync::Arc;

use cartwright_core::{
    Json,
    workflow::{
        InputKind, Workflow,
        inputs::{MANUAL_TOPIC, read},
    },
};
use serde_json::{Map, json, value::RawValue};

use super::{EventFile, read_event};
use crate::{
    cli::Run,
    failure::{Failure, Result, usage},
};

/// The event that the command line gives.
pub(super) fn event(command: &Run, workflow: &Workflow) -> Result<EventFile> {
    if let Some(file) = &command.event {
        return read_event(file);
    }
    let data = raw(&Json::Object(inputs(&command.inputs, workflow)?))?;
    // Without anything a workflow starts as its first trigger would start it.
    let topic = (!command.inputs.is_empty()).then(|| MANUAL_TOPIC.to_owned());
    Ok(EventFile { topic, store: None, data })
}

/// Data that are inputs as the workflow declares them; other data as they are.
pub(super) fn checked(workflow: &Workflow, topic: &str, data: Arc<RawValue>) -> Result<Arc<RawValue>> {
    let Some(spec) = workflow.inputs.as_deref().filter(|_| topic == MANUAL_TOPIC) else { return Ok(data) };
    let given: Json =
        serde_json::from_str(data.get()).map_err(|error| usage(format!("the data is not JSON: {error}")))?;
    match read(spec, &given) {
        Ok(typed) => raw(&typed),
        Err(problems) => {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Err(usage(lines.join("\n  ")).help(declared(workflow)))
        }
    }
}

/// `NAME=VALUE`, each a text; several of one name, and any of a list, are a list.
fn inputs(given: &[String], workflow: &Workflow) -> Result<Map<String, Json>> {
    let mut map = Map::new();
    for one in given {
        let (name, value) =
            one.split_once('=').ok_or_else(|| usage(format!("`{one}` is no NAME=VALUE")).help(declared(workflow)))?;
        let spec = workflow.inputs.iter().flatten().find(|spec| spec.name == name);
        let item = spec.is_some_and(|spec| spec.kind == InputKind::List) && !value.trim_start().starts_with('[');
        match map.get_mut(name) {
            None if item => drop(map.insert(name.to_owned(), json!([value]))),
            None => drop(map.insert(name.to_owned(), json!(value))),
            Some(Json::Array(items)) => items.push(json!(value)),
            Some(before) => *before = json!([before.take(), value]),
        }
    }
    if workflow.inputs.is_none() && !map.is_empty() {
        return Err(undeclared());
    }
    Ok(map)
}

fn undeclared() -> Failure {
    usage("the workflow declares no inputs".to_owned())
        .help("Declare them (`on: { manual: { inputs: { NAME: string } } }`), or give an event with --event FILE.")
}

/// What may be given, on one line.
fn declared(workflow: &Workflow) -> String {
    let specs = workflow.inputs.as_deref().unwrap_or_default();
    let all = specs.iter().map(|spec| format!("{}={}", spec.name, spec.kind.word().to_uppercase()));
    format!("The inputs: {}.", all.collect::<Vec<_>>().join(", "))
}

fn raw(value: &Json) -> Result<Arc<RawValue>> {
    serde_json::value::to_raw_value(value).map(Arc::from).map_err(crate::failure::bug)
}
