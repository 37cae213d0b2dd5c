//! `/api/v1/workflows`: what is loaded, what is wrong with the rest, and a way to start one by hand.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, Uri},
};
use cartwright_core::{
    Json,
    access::{Area, Right},
    event::Source,
    id::{StoreId, Version, WorkflowId},
    workflow::{Diagnostic, InputSpec, StoreSelector, TriggerKind, Workflow, WorkflowSet, inputs},
};
use cartwright_run::Incoming;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use utoipa::ToSchema;

use super::{Answer, Segment, body, events, query::Query};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, a, gives, takes},
    door::Door,
    files::FileFindings,
    idempotent::SameAs,
    ingest,
    problem::Problem,
};

/// A workflow that is loaded.
#[derive(Serialize, ToSchema)]
#[schema(as = Workflow)]
pub(super) struct WorkflowBody<'a> {
    id: &'a WorkflowId,
    version: &'a Version,
    #[schema(required)]
    name: Option<&'a str>,
    #[schema(required)]
    description: Option<&'a str>,
    /// Whether it takes events.
    enabled: bool,
    /// One line for each: `woo order.created, order.updated`.
    triggers: Vec<String>,
    /// What a start by hand asks for, in the file's order; `null`: it declares no inputs.
    #[schema(required)]
    inputs: Option<&'a [InputSpec]>,
    /// What is wrong between it and others.
    #[schema(value_type = Vec<Finding>)]
    diagnostics: Vec<Json>,
}

/// All workflows.
#[derive(Serialize, ToSchema)]
struct Workflows<'a> {
    items: Vec<WorkflowBody<'a>>,
    #[schema(required)]
    next: Option<String>,
    /// Every file with findings, those that do not load too; only on the first page.
    files: Vec<FileBody<'a>>,
}

/// A file with findings.
#[derive(Serialize, ToSchema)]
#[schema(as = FindingsOfFile)]
pub(super) struct FileBody<'a> {
    /// As people name it.
    file: &'a str,
    #[schema(value_type = Vec<Finding>)]
    diagnostics: Vec<Json>,
}

/// Something wrong with a workflow's file. Its place is there where it has one.
#[derive(ToSchema)]
#[expect(dead_code, reason = "findings write themselves as JSON; a test holds them to this")]
struct Finding {
    /// A stable code with its own page: `E0104`.
    code: String,
    /// What the code stands for.
    title: Option<String>,
    /// The code's page, as a path in the project: `engine/docs/errors/E0104.md`.
    page: Option<String>,
    /// In one sentence.
    message: String,
    /// What to do about it.
    #[schema(required)]
    help: Option<String>,
    /// `error`: the file is not used; or `warning`.
    severity: Option<String>,
    file: Option<String>,
    /// From 1.
    line: Option<usize>,
    /// From 1, in characters.
    column: Option<usize>,
    end_line: Option<usize>,
    end_column: Option<usize>,
    /// The first byte.
    start: Option<usize>,
    /// Behind the last byte.
    end: Option<usize>,
    /// The word that was probably meant.
    did_you_mean: Option<String>,
}

/// `GET /workflows`: `{"items": workflows, "next": …, "files": [{"file", "diagnostics"}]}`; `files` holds every file with
/// findings, those that do not load too
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller, uri: Uri) -> Answer {
    let query = Query::read(uri.query(), &[])?;
    let set = door.engine.workflows();
    let all = query.cursor().is_none() && caller.everywhere(Area::Workflows, Right::Read).is_ok();
    let findings = if all { door.config.findings.all() } else { Arc::default() };
    let seen = set.iter().filter(|workflow| sees(&door, &caller, Area::Workflows, workflow));
    let (items, next) = query.page(seen.collect(), |workflow| workflow.id.as_str())?;
    let items = items.into_iter().map(|workflow| row(&set, workflow)).collect();
    let files = findings.iter().map(file_body).collect();
    super::json(StatusCode::OK, &Workflows { items, next, files })
}

/// A workflow as in lists.
pub(super) fn row<'a>(set: &WorkflowSet, workflow: &'a Workflow) -> WorkflowBody<'a> {
    let conflicts = set.conflicts().iter().filter(|conflict| conflict.workflow == workflow.id);
    let finding = |one: &Diagnostic| json!({ "code": one.code, "message": one.message, "help": one.help });
    WorkflowBody {
        id: &workflow.id,
        version: &workflow.version,
        name: workflow.name.as_deref(),
        description: workflow.description.as_deref(),
        enabled: workflow.enabled,
        triggers: workflow.triggers.iter().map(|trigger| describe(&trigger.kind)).collect(),
        inputs: workflow.inputs.as_deref(),
        diagnostics: conflicts.map(|conflict| finding(&conflict.diagnostic)).collect(),
    }
}

/// A file's findings on the wire.
pub(super) fn file_body(one: &FileFindings) -> FileBody<'_> {
    FileBody { file: &one.file, diagnostics: one.to_json() }
}

/// Whether somebody sees a workflow: who sees all does, others those that name a store of theirs.
pub(super) fn sees(door: &Door, caller: &Caller, area: Area, workflow: &Workflow) -> bool {
    let Some(stores) = caller.only_stores(door, area) else { return true };
    let named = |selector: &StoreSelector, id: &StoreId| match selector {
        StoreSelector::All => false,
        StoreSelector::Store(named) => named == id,
        StoreSelector::Tag(tag) => door.engine.stores().get(id).is_some_and(|open| open.tags.contains(tag)),
    };
    workflow.triggers.iter().any(|trigger| match &trigger.kind {
        TriggerKind::Woo { stores: selectors, .. } => {
            selectors.iter().any(|selector| stores.iter().any(|id| named(selector, id)))
        }
        _ => false,
    })
}

/// A trigger in one line.
fn describe(kind: &TriggerKind) -> String {
    match kind {
        TriggerKind::Woo { topics, .. } => format!("woo {}", topics.join(", ")),
        TriggerKind::Event { topics } => format!("event {}", topics.join(", ")),
        TriggerKind::Schedule(entries) => {
            let crons: Vec<_> = entries.iter().map(|entry| entry.cron.source.as_str()).collect();
            format!("schedule {}", crons.join(", "))
        }
        TriggerKind::Http(http) => format!("http {} /hooks/{}", http.method, http.path),
        TriggerKind::Manual => "manual".to_owned(),
    }
}

/// A run as asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRun {
    /// What the workflow sees as `event.data`; absent: `{}`. With the topic `manual` it is read as the inputs that the
    /// workflow declares, if it does.
    #[schema(value_type = Option<Value>)]
    event: Option<Box<RawValue>>,
    /// What the workflow sees as `inputs`, read as it declares them, and as `event.data`; instead of `event`.
    #[schema(value_type = Option<Value>)]
    inputs: Option<Box<RawValue>>,
    /// The store it is about, which must be connected; absent: none.
    #[schema(value_type = Option<StoreId>)]
    store: Option<String>,
    /// Words joined by dots; absent: `manual`.
    #[schema(max_length = 200, pattern = "^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$")]
    topic: Option<String>,
}

/// `POST /workflows/{id}/run` `{"event", "store"}` → 202 `{"id"}`; the id of a workflow may hold slashes
pub(super) async fn run(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segment(path): Segment,
    request: Request,
) -> Answer {
    let id = path.strip_suffix("/run").ok_or_else(|| other_method("GET, HEAD"))?;
    let id: WorkflowId = id.parse().map_err(|_| unknown())?;
    let workflow = door.engine.workflow(&id).ok_or_else(unknown)?;
    if !sees(&door, &caller, Area::Runs, &workflow) {
        return Err(unknown());
    }
    let dedupe = request.extensions().get().map(|SameAs(hash)| *hash);
    let new: NewRun = body(&door, request, false).await?;
    let store = events::store_for(&door, &caller, Area::Runs, new.store.as_deref())?;
    let topic = new.topic.map_or_else(|| Ok("manual".to_owned()), events::topic)?;
    let data = given(&workflow, &topic, new.event, new.inputs)?;
    let event = Incoming { topic, store: store.clone(), source: Source::Manual { workflow: id.clone() }, data, dedupe };
    let event = ingest::accept(&door, event).await?.id;
    let entry = caller.did(&door, "workflow.run", id.as_str()).of_store(store.as_ref());
    door.audit(entry.after(json!({ "event": event }))).await?;
    events::accepted(&event)
}

/// The event's data: inputs as the workflow declares them, or what was sent.
fn given(
    workflow: &Workflow,
    topic: &str,
    event: Option<Box<RawValue>>,
    inputs: Option<Box<RawValue>>,
) -> Result<Arc<RawValue>, Problem> {
    let by_hand = topic == inputs::MANUAL_TOPIC;
    if inputs.is_some() && (event.is_some() || !by_hand) {
        let detail = "`inputs` goes without `event`, and with no topic but `manual`";
        return Err(Problem::bad_request("argument_invalid", detail));
    }
    let at = if inputs.is_some() { "/inputs" } else { "/event" };
    let spec = match (&workflow.inputs, &inputs) {
        (Some(spec), _) if by_hand => spec.as_slice(),
        (None, Some(_)) => &[],
        _ => return events::data(event),
    };
    let text = events::data(inputs.or(event))?;
    let given: Json =
        serde_json::from_str(text.get()).map_err(|error| Problem::bad_request("body_invalid", error.to_string()))?;
    let typed = inputs::read(spec, &given).map_err(|problems| Problem::inputs(at, &problems).about(&workflow.id))?;
    let typed = serde_json::value::to_raw_value(&typed);
    typed.map(Arc::from).map_err(|error| Problem::bad_request("body_invalid", error.to_string()))
}

/// For an id that is not loaded.
pub(super) fn unknown() -> Problem {
    Problem::not_found("workflow_unknown", "no workflow of this id is loaded")
        .help("`cartwright check` says what is wrong with files that do not load.")
}

/// `/workflows/{id}` and `/workflows/{id}/run` are one pattern of the router's, so they say themselves what they take.
pub(super) fn other_method(takes: &str) -> Problem {
    let detail = "this address takes another method";
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "unknown_method", detail);
    Problem { allow: Some(takes.into()), ..problem }
}

/// What the document says about these addresses.
pub(super) const ABOUT: &[About] = &[
    About {
        path: "/workflows",
        id: "listWorkflows",
        summary: "What is loaded, and what is wrong with the rest",
        pages: true,
        gives: &[gives(200, "A page of workflows by id.", a::<Workflows<'_>>)],
        ..PLAIN
    },
    About {
        method: "POST",
        path: "/workflows/{*path}",
        shown: "/workflows/{id}/run",
        id: "runWorkflow",
        summary: "Starts a workflow by hand",
        text: "Whatever it listens to, and whether or not it is enabled. What it declares as `inputs` is checked, and all that is \
               wrong is told at once. It takes a token without a limit to stores, or `store`.",
        takes: takes(a::<NewRun>, r#"{"event": {"sku": "A-1"}, "store": "my-shop"}"#),
        gives: &[gives(202, "On stable storage; the run follows.", a::<events::Accepted<'_>>)],
        refuses: &[
            (400, "argument_invalid"),
            (400, "store_unknown"),
            (400, "topic_invalid"),
            (400, "body_not_json"),
            (400, "body_too_deep"),
            (404, "workflow_unknown"),
            (422, "inputs_invalid"),
        ],
        ..PLAIN
    },
];
