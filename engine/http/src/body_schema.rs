//! The JSON Schema that a workflow asks of a body: the schema comes in from the file, a body from outside, and goes out
//! everything that is wrong, place by place.

use cartwright_core::{
    Json,
    workflow::{BodySchema, Diagnostic, TriggerKind, Workflow, codes},
};
use cartwright_run::json_schema::{self, Validator};

use crate::problem::Fault;

/// What is wrong with the schemas of a workflow's triggers.
pub fn check(workflow: &Workflow) -> Vec<Diagnostic> {
    let schemas = workflow.triggers.iter().filter_map(|trigger| match &trigger.kind {
        TriggerKind::Http(http) => http.schema.as_ref(),
        _ => None,
    });
    let found = schemas.flat_map(|schema| {
        let wrong = json_schema::compile(&schema.schema).err().unwrap_or_default();
        wrong.into_iter().map(|fault| {
            let message = format!("`schema` is no JSON Schema: {fault}");
            let help = "it is read as draft 2020-12 and refers to nothing outside of itself";
            Diagnostic::error(codes::BODY_SCHEMA, schema.span.clone(), message).help(help)
        })
    });
    found.collect()
}

/// Everything that is wrong with a body, in words for people.
pub fn told_faults(schema: &BodySchema, body: &Json) -> Vec<String> {
    let at = |pointer: &str| if pointer.is_empty() { String::new() } else { format!("at {pointer}: ") };
    let faults = faults(schema, body).unwrap_or_default();
    faults.iter().map(|fault| format!("{}{}", at(&fault.pointer), fault.detail)).collect()
}

/// Everything that is wrong with a body. `None`: the schema is none, which loading does not let happen.
pub(crate) fn faults(schema: &BodySchema, body: &Json) -> Option<Vec<Fault>> {
    let compiled = schema.compiled.get_or_init(|| Box::new(json_schema::compile(&schema.schema).ok()));
    let validator = compiled.downcast_ref::<Option<Validator>>()?.as_ref()?;
    let faults = json_schema::faults(validator, body).into_iter();
    Some(faults.map(|fault| Fault { pointer: fault.pointer, detail: fault.detail }).collect())
}
