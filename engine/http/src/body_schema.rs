//! The JSON Schema that a workflow asks of a body (draft 2020-12): the schema comes in from the file, a body from outside,
//! and goes out everything that is wrong, place by place. Nothing is ever fetched, and patterns take linear time.

use cartwright_core::{
    Json,
    workflow::{BodySchema, Diagnostic, TriggerKind, Workflow, codes},
};
use jsonschema::{PatternOptions, Retrieve, Uri, Validator};

use crate::problem::Fault;

/// Most faults that one answer tells.
const MAX_FAULTS: usize = 100;
/// Longest description of a fault, in characters; it may quote the body.
const MAX_DETAIL_CHARS: usize = 200;

/// Refuses every reference to a schema outside.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Json, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("`{uri}` is outside of the workflow file; schemas are not fetched").into())
    }
}

fn compile(schema: &Json) -> Result<Validator, Vec<String>> {
    let meta = jsonschema::draft202012::meta::validator();
    let wrong: Vec<String> = meta.iter_errors(schema).take(MAX_FAULTS).map(|error| told(&error)).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    jsonschema::draft202012::options()
        .with_retriever(Nowhere)
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .map_err(|error| vec![told(&error)])
}

fn told(error: &jsonschema::ValidationError<'_>) -> String {
    let at = error.instance_path().to_string();
    let text: String = error.to_string().chars().take(MAX_DETAIL_CHARS).collect();
    if at.is_empty() { text } else { format!("at {at}: {text}") }
}

/// What is wrong with the schemas of a workflow's triggers.
pub fn check(workflow: &Workflow) -> Vec<Diagnostic> {
    let schemas = workflow.triggers.iter().filter_map(|trigger| match &trigger.kind {
        TriggerKind::Http(http) => http.schema.as_ref(),
        _ => None,
    });
    let found = schemas.flat_map(|schema| {
        let wrong = compile(&schema.schema).err().unwrap_or_default();
        wrong.into_iter().map(|message| {
            let message = format!("`schema` is no JSON Schema: {message}");
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
    let compiled = schema.compiled.get_or_init(|| Box::new(compile(&schema.schema).ok()));
    let validator = compiled.downcast_ref::<Option<Validator>>()?.as_ref()?;
    let fault = |error: jsonschema::ValidationError<'_>| Fault {
        pointer: error.instance_path().to_string(),
        detail: error.to_string().chars().take(MAX_DETAIL_CHARS).collect(),
    };
    Some(validator.iter_errors(body).take(MAX_FAULTS).map(fault).collect())
}
