//! From the text of a workflow file to a [`Workflow`], or to everything that is wrong with it.

use super::{
    OnUnknown, Template, Workflow, check, codes,
    diagnostic::{Diagnostic, Severity},
    node::{Node, Value},
    reader::Reader,
    registry::WORKFLOW_FIELDS,
    yaml,
};
use crate::{
    Json,
    id::{Version, WorkflowId},
};

/// Most findings that are kept of one file, those nearest to its beginning.
pub const MAX_DIAGNOSTICS: usize = 500;

/// What became of a file.
#[derive(Debug)]
pub struct Parsed {
    /// The workflow; `None` when any diagnostic is an error.
    pub workflow: Option<Workflow>,
    /// What could be read of a workflow with errors: to find more that is wrong with it, never to run it.
    pub draft: Option<Workflow>,
    /// Everything that was found, in order of place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a workflow file. `files` gives the text of a script file by the name the workflow uses (`./score.rhai`,
/// relative to the workflow file), or says why it cannot.
pub fn parse(id: WorkflowId, source: &str, files: &dyn Fn(&str) -> Result<String, String>) -> Parsed {
    let mut reader = Reader::new(source, files);
    let root = yaml::read(source, &mut reader.diagnostics);
    let workflow = root.and_then(|root| read(id, source, &root, &mut reader));
    if let Some(workflow) = &workflow {
        let mut found = Vec::new();
        check::check(source, workflow, &reader.ids, &mut found);
        // A step with errors is not in the model, and what it needs is not known.
        if reader.diagnostics.iter().all(|diagnostic| diagnostic.severity < Severity::Error) {
            check::unused::check(workflow, &mut found);
        }
        reader.diagnostics.append(&mut found);
    }
    let mut diagnostics = reader.diagnostics;
    let broken = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end, diagnostic.code));
    diagnostics.dedup();
    diagnostics.truncate(MAX_DIAGNOSTICS);
    let (workflow, draft) = if broken { (None, workflow) } else { (workflow, None) };
    Parsed { workflow, draft, diagnostics }
}

/// The same for the bytes of a file, which may not be text at all.
pub fn parse_bytes(id: WorkflowId, bytes: &[u8], files: &dyn Fn(&str) -> Result<String, String>) -> Parsed {
    match std::str::from_utf8(bytes) {
        Ok(source) => parse(id, source, files),
        Err(error) => Parsed { workflow: None, draft: None, diagnostics: vec![diagnostic_of_bytes(error)] },
    }
}

/// What is wrong with a file that is no text. Its place counts in the lossy text that a caller can show.
pub fn diagnostic_of_bytes(error: std::str::Utf8Error) -> Diagnostic {
    let at = error.valid_up_to();
    let message = format!("the file is not UTF-8: the bytes from {at} on are no text");
    Diagnostic::error(codes::NOT_UTF8, at..at, message).help("save the file with the encoding UTF-8")
}

fn read(id: WorkflowId, source: &str, root: &Node, reader: &mut Reader<'_>) -> Option<Workflow> {
    if let Value::Scalar(scalar) = &root.value
        && scalar.is_null()
    {
        let help = "a workflow needs at least `on` and `steps`";
        reader.error(codes::EMPTY_VALUE, &root.span, "the file is empty", help);
        return None;
    }
    let fields = reader.fields("a workflow", root, &[WORKFLOW_FIELDS])?;
    let triggers = fields.value("on").map(|node| reader.triggers(node)).unwrap_or_default();
    if let Some(entry) = fields.get("inputs") {
        let specs = reader.inputs(&entry.value);
        reader.declare_inputs(specs, &entry.key_span);
    }
    let vars = match fields.value("vars") {
        None => Template::Literal(Json::Object(serde_json::Map::new())),
        Some(node) => {
            reader.entries("`vars`", node);
            reader.template(node)
        }
    };
    let steps = reader.block(&fields, "steps");
    let on_failure = reader.block(&fields, "on_failure");
    let on_cancel = reader.block(&fields, "on_cancel");
    let workflow = Workflow {
        id,
        version: Version::of(&[source.as_bytes()]),
        name: fields.value("name").and_then(|node| reader.text("`name`", node)),
        description: fields.value("description").and_then(|node| reader.text("`description`", node)),
        enabled: fields.value("enabled").and_then(|node| reader.boolean("`enabled`", node)).unwrap_or(true),
        triggers,
        condition: reader.expression(&fields, "if"),
        inputs: reader.inputs.take(),
        vars,
        grants: fields.value("grants").map(|node| reader.grants(node)).unwrap_or_default(),
        grant_places: std::mem::take(&mut reader.grant_places),
        concurrency: fields.get("concurrency").and_then(|entry| reader.concurrency(entry)),
        retry: fields.value("retry").and_then(|node| reader.retry(node)),
        timeout: fields.value("timeout").and_then(|node| reader.timeout(node)),
        on_unknown: fields.value("on_unknown").and_then(|node| reader.on_unknown(node)).unwrap_or(OnUnknown::Park),
        steps,
        on_failure,
        on_cancel,
        undo_on_failure: fields
            .value("undo_on_failure")
            .is_some_and(|node| reader.boolean("`undo_on_failure`", node).unwrap_or(true)),
        output: reader.expression(&fields, "output"),
    };
    Some(Workflow { version: version(source, reader), ..workflow })
}

/// The hash of everything the workflow is made of.
fn version(source: &str, reader: &Reader<'_>) -> Version {
    let mut parts: Vec<&[u8]> = vec![source.as_bytes()];
    for (name, text) in &reader.scripts {
        parts.push(name.as_bytes());
        parts.push(text.as_bytes());
    }
    Version::of(&parts)
}
