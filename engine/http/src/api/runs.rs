//! `/api/v1/runs`: history, and what people may do about it.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, Uri},
};
use cartwright_core::{
    Json,
    access::{Area, Right},
    id::{EventId, RunId, StepPath, StoreId, WorkflowId},
    run::{
        apply::fold,
        child::Parent,
        entry::{Entry, What},
        row::{RunRow, RunStatus},
        steps::StepView,
        undo::UndoView,
    },
};
use cartwright_run::{OperatorError, RunDetail, RunSlot, access::AuditEntry, storage::RunFilter};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Answer, Segment, anew, json, optional_body, page, query, sift::sift};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, SINCE, UNTIL, a, gives, may_take, page_of, param},
    door::Door,
    ingest::STOPPING_SECONDS,
    problem::Problem,
};

/// `GET /runs?workflow=&status=&store=&event=&since=&until=`
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller, uri: Uri) -> Answer {
    let query = query::Query::read(uri.query(), &["workflow", "status", "store", "event", "since", "until"])?;
    let (since, until) = query.span()?;
    let mut filter = RunFilter {
        workflow: query.value("workflow")?,
        store: query.value("store")?,
        status: query.text("status").map(status).transpose()?,
        event: query.value("event")?,
        since,
        until,
    };
    let limit = query.limit()?;
    // Who sees one store gets its own index; who sees several gets what is left of all runs.
    if let (Some([only]), None) = (caller.only_stores(&door, Area::Runs).as_deref(), &filter.store) {
        filter.store = Some(only.clone());
    }
    let sees = |row: &RunRow| caller.reaches(&door, Area::Runs, Right::Read, row.store.as_ref());
    let (engine, filter) = (&door.engine, &filter);
    let fetch = |cursor: Option<String>, limit| async move { Ok(engine.runs(filter, cursor.as_deref(), limit).await?) };
    let (items, next) = sift(query.cursor(), limit, sees, fetch).await?;
    page(items, next)
}

fn status(text: &str) -> Result<RunStatus, Problem> {
    RunStatus::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
        let known = RunStatus::ALL.map(RunStatus::as_str).join(", ");
        query::invalid(format!("status is one of {known}"))
    })
}

/// Runs called by one run that are shown.
const CHILDREN_MAX: usize = 100;

/// A run with its history.
#[derive(Serialize, ToSchema)]
#[schema(as = RunShown)]
struct Shown {
    // Flattened: a run shown alone has the keys that it has in lists, and three more.
    #[serde(flatten)]
    row: RunRow,
    steps: Vec<StepView>,
    /// The run that called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Parent>,
    /// The runs that it called, in order; of many, the last 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<ChildBody>,
    /// What was taken back, where the run failed and its workflow has `undo_on_failure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<UndoView>,
    /// What the run gave; null until it ended well.
    output: Json,
    journal: Vec<Entry>,
    /// Its slot, where its workflow has `concurrency` and the run holds a slot, waits for one, or gave it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<RunSlot>,
}

/// A run that a step called.
#[derive(Serialize, ToSchema)]
#[schema(as = ChildRun)]
struct ChildBody {
    /// The calling step.
    step: StepPath,
    /// The run.
    run: RunId,
    /// What it runs.
    workflow: WorkflowId,
    /// Whether the step waits for its end.
    awaited: bool,
    /// Where it is; null: it is not there yet, or older than retention keeps.
    #[schema(required)]
    status: Option<RunStatus>,
}

async fn children(door: &Door, journal: &[Entry]) -> Result<Vec<ChildBody>, Problem> {
    let started = |entry: &Entry| match &entry.what {
        What::ChildStarted { path, run, workflow, awaited, .. } => {
            let (step, run, workflow) = (path.clone(), run.clone(), workflow.clone());
            Some(ChildBody { step, run, workflow, awaited: *awaited, status: None })
        }
        _ => None,
    };
    let mut children: Vec<ChildBody> = journal.iter().rev().filter_map(started).take(CHILDREN_MAX).collect();
    children.reverse();
    for child in &mut children {
        child.status = door.engine.run(&child.run).await?.map(|row| row.status);
    }
    Ok(children)
}

fn parent(journal: &[Entry]) -> Option<Parent> {
    match &journal.first()?.what {
        What::RunStarted { parent, .. } => parent.clone(),
        _ => None,
    }
}

/// What the last entry says: nothing follows the end of a run, until it is retried.
fn output(journal: &[Entry]) -> Json {
    match journal.last().map(|entry| &entry.what) {
        Some(What::RunFinished { output, .. }) => output.clone(),
        _ => Json::Null,
    }
}

/// `GET /runs/{id}`: the row with `steps`, `output` and `journal`
pub(super) async fn show(State(door): State<Arc<Door>>, caller: Caller, Segment(id): Segment) -> Answer {
    let run = parse(&id)?;
    let RunDetail { row, steps, journal, slot } = door.engine.run_detail(&run).await?.ok_or_else(unknown)?;
    if !caller.reaches(&door, Area::Runs, Right::Read, row.store.as_ref()) {
        return Err(unknown());
    }
    let children = children(&door, &journal).await?;
    // A journal that cannot be folded is shown as it is.
    let undo = fold(&journal).ok().flatten().and_then(|state| state.undos.view());
    json(
        StatusCode::OK,
        &Shown { row, steps, parent: parent(&journal), children, undo, output: output(&journal), journal, slot },
    )
}

/// `POST /runs/{id}/cancel` → 202
pub(super) async fn cancel(State(door): State<Arc<Door>>, caller: Caller, Segment(id): Segment) -> Answer {
    let (run, row) = to_change(&door, &caller, &id).await?;
    door.engine.cancel(&run, caller.name()).await?;
    door.audit(did(&door, &caller, "run.cancel", &row)).await?;
    json(StatusCode::ACCEPTED, &Moved { id: run })
}

/// Which run was told to move.
#[derive(Serialize, ToSchema)]
pub(super) struct Moved {
    /// The run; `GET /api/v1/runs/{id}` shows where it is.
    pub(super) id: RunId,
}

/// Iterations that one request names at most.
const ITERATIONS_MAX: usize = 1_000;

/// How to go on.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Retry {
    /// Repeat a call whose outcome nobody knows, accepting that it may happen twice.
    #[serde(default)]
    repeat_unknown: bool,
    /// Begin anew with this as the event's data, under new identities of all calls.
    #[schema(value_type = Option<Value>)]
    input: Option<Box<RawValue>>,
    /// Failed iterations of loops with `on_error: continue`, such as `each[3]`: they begin again at the step that failed, of
    /// a run that succeeded too. What came after the loop is not done again.
    #[serde(default)]
    iterations: Vec<String>,
    /// With an input: say what would be done again, and do nothing.
    #[serde(default)]
    preview: bool,
}

/// `POST /runs/{id}/retry` `{"repeat_unknown": false}`; the body may be absent → 202. With `input`, the run begins anew with
/// that as its event's data; with `preview` too → 200 with what that would do
pub(super) async fn retry(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segment(id): Segment,
    request: Request,
) -> Answer {
    let Retry { repeat_unknown, input, iterations, preview } = optional_body(&door, request).await?;
    let input = input.map(|input| anew::input(&input)).transpose()?;
    if input.is_some() && repeat_unknown || input.is_none() && preview {
        let detail = "`preview` goes with `input`, `repeat_unknown` does not";
        return Err(Problem::bad_request("argument_invalid", detail));
    }
    if !iterations.is_empty() && (input.is_some() || repeat_unknown) || iterations.len() > ITERATIONS_MAX {
        let detail = format!("`iterations` goes with nothing else, and names at most {ITERATIONS_MAX}");
        return Err(Problem::bad_request("argument_invalid", detail));
    }
    let (run, row) = to_change(&door, &caller, &id).await?;
    if !iterations.is_empty() {
        let paths = iterations.iter().map(|path| StepPath::new(path.as_str())).collect();
        door.engine.retry_iterations(&run, caller.name(), paths).await?;
        let how = serde_json::json!({ "iterations": iterations });
        door.audit(did(&door, &caller, "run.retry", &row).after(how)).await?;
        return json(StatusCode::ACCEPTED, &Moved { id: run });
    }
    if let Some(input) = input {
        return match preview {
            true => anew::preview(&door, &run, input).await,
            false => anew::retry(&door, &caller, &row, input).await,
        };
    }
    door.engine.retry(&run, caller.name(), repeat_unknown).await?;
    let how = serde_json::json!({ "repeat_unknown": repeat_unknown });
    door.audit(did(&door, &caller, "run.retry", &row).after(how)).await?;
    json(StatusCode::ACCEPTED, &Moved { id: run })
}

/// A run that the caller may move.
pub(super) async fn to_change(door: &Door, caller: &Caller, id: &str) -> Result<(RunId, RunRow), Problem> {
    let run = parse(id)?;
    let row = door.engine.run(&run).await?.ok_or_else(unknown)?;
    caller.change(door, Area::Runs, row.store.as_ref(), unknown)?;
    Ok((run, row))
}

pub(super) fn did(door: &Door, caller: &Caller, what: &str, row: &RunRow) -> AuditEntry {
    let entry = caller.did(door, what, row.id.as_str());
    entry.of_store(row.store.as_ref()).before(serde_json::json!({ "status": row.status }))
}

fn parse(id: &str) -> Result<RunId, Problem> {
    id.parse().map_err(|_| unknown())
}

pub(super) fn unknown() -> Problem {
    Problem::not_found("run_unknown", "there is no run of this id, or it is older than retention keeps")
}

impl From<OperatorError> for Problem {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::NotFound(_) => unknown(),
            OperatorError::Refused(why) => Self::new(StatusCode::CONFLICT, "run_refuses", why),
            OperatorError::Inputs(problems) => Self::inputs("/input", &problems),
            OperatorError::Damaged => Self::new(StatusCode::CONFLICT, "run_damaged", error.to_string()).help(
                "The engine's log says what cannot be read. `cartwright replay RUN` shows its journal as far as it can be \
                 followed, `cartwright doctor` looks at the storage; a backup may have what is lost.",
            ),
            OperatorError::Stopping => Self::unavailable(error.to_string(), STOPPING_SECONDS),
            OperatorError::Storage(error) => Self::unavailable(error.to_string(), STOPPING_SECONDS),
        }
    }
}

/// What the document says about these addresses.
pub(super) const ABOUT: &[About] = &[
    About {
        path: "/runs",
        id: "listRuns",
        summary: "Runs, newest first",
        text: "Whoever sees few of many stores may get short pages; go on while `next` is not null.",
        pages: true,
        query: &[
            param("workflow", "Of this workflow only.", a::<WorkflowId>),
            param("status", "In this state only.", a::<RunStatus>),
            param("store", "Of this store only.", a::<StoreId>),
            param("event", "Started by this event only.", a::<EventId>),
            SINCE,
            UNTIL,
        ],
        gives: &[gives(200, "A page of runs.", page_of::<RunRow>)],
        ..PLAIN
    },
    About {
        path: "/runs/{id}",
        id: "showRun",
        summary: "A run with its steps and its journal",
        gives: &[gives(200, "The run.", a::<Shown>)],
        refuses: &[(404, "run_unknown")],
        ..PLAIN
    },
    About {
        method: "POST",
        path: "/runs/{id}/cancel",
        id: "cancelRun",
        summary: "Ends a run",
        text: "Its `on_cancel` steps follow.",
        gives: &[gives(202, "Noted in the run's journal.", a::<Moved>)],
        refuses: &[(404, "run_unknown"), (409, "run_refuses"), (409, "run_damaged")],
        ..PLAIN
    },
    About {
        method: "POST",
        path: "/runs/{id}/retry",
        id: "retryRun",
        summary: "Goes on with a parked or failed run",
        text: "From the failed step; calls that were answered are not made again. With `input` the run begins anew, with that as \
               its event's data, and makes all its writes again, under new identities; with `preview` too, it is only told which. With `iterations` those \
               begin again at the step that failed, of a run that succeeded too.",
        takes: may_take(a::<Retry>, r#"{"repeat_unknown": false}"#),
        gives: &[
            gives(202, "Noted in the run's journal.", a::<Moved>),
            gives(200, "What beginning anew would do.", a::<anew::Preview>),
        ],
        refuses: &[
            (400, "argument_invalid"),
            (400, "body_not_json"),
            (400, "body_too_deep"),
            (404, "run_unknown"),
            (409, "run_refuses"),
            (409, "run_damaged"),
            (422, "inputs_invalid"),
        ],
        ..PLAIN
    },
];
