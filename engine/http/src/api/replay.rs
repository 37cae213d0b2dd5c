//! `POST /api/v1/events/{id}/replay`: accepts an event again, as a new one; with `preview` says what its runs did before.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
};
use cartwright_core::{
    access::{Area, Right},
    id::{EventId, RunId, WorkflowId},
    run::{row::RunStatus, writes::Write},
    trigger::listeners,
};
use cartwright_run::storage::{RunFilter, StoredEvent};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{Answer, Segment, bulk::writes_of, events, json, optional_body};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, a, gives, may_take},
    door::Door,
    problem::Problem,
};

/// Earlier runs that a preview tells about.
const RUNS_MAX: usize = 50;

/// How to replay.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Replay {
    /// For this workflow only.
    #[schema(value_type = Option<WorkflowId>)]
    workflow: Option<String>,
    /// Say what would happen, and do nothing.
    #[serde(default)]
    preview: bool,
}

/// An earlier run of the event, and what it did.
#[derive(Serialize, ToSchema)]
#[schema(as = EarlierRun)]
struct Earlier {
    id: RunId,
    workflow: WorkflowId,
    status: RunStatus,
    /// All of them would be done again by a new run, under new identities.
    writes: Vec<Write>,
}

/// What a replay would do.
#[derive(Serialize, ToSchema)]
struct ReplayPreview<'a> {
    /// The event.
    event: &'a EventId,
    /// The workflows that listen now; their conditions are looked at when it is matched.
    listen: Vec<WorkflowId>,
    /// Its earlier runs, newest first.
    runs: Vec<Earlier>,
    /// There are more.
    more: bool,
}

/// `POST /events/{id}/replay` `{"workflow", "preview"}`; the body may be absent → 202 `{"id"}`, or 200 with the preview
pub(super) async fn replay(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segment(id): Segment,
    request: Request,
) -> Answer {
    let Replay { workflow, preview } = optional_body(&door, request).await?;
    let stored = events::find(&door, &caller, &id).await?;
    let store = stored.event.store.as_ref();
    caller.change(&door, Area::Events, store, events::unknown)?;
    let workflow = workflow.map(|text| known(&door, &text)).transpose()?;
    let starts = would_start(&door, &stored, workflow.as_ref());
    if preview {
        let (earlier, more) = earlier(&door, &caller, &stored, workflow.as_ref()).await?;
        return json(StatusCode::OK, &ReplayPreview { event: &stored.event.id, listen: starts, runs: earlier, more });
    }
    if let (Some(workflow), true) = (&workflow, starts.is_empty()) {
        let detail = format!("`{workflow}` does not listen to this event as it is now, so nothing would start");
        return Err(Problem::new(StatusCode::CONFLICT, "workflow_deaf", detail));
    }
    let new = accept(&door, &caller, &stored, workflow).await?;
    events::accepted(&new)
}

/// Accepts it again and says so in the audit log.
pub(super) async fn accept(
    door: &Door,
    caller: &Caller,
    stored: &StoredEvent,
    workflow: Option<WorkflowId>,
) -> Result<EventId, Problem> {
    let new = door.engine.replay(&stored.event, workflow.clone()).await?.id;
    let entry = caller.did(door, "event.replay", stored.event.id.as_str()).of_store(stored.event.store.as_ref());
    door.audit(entry.after(json!({ "event": new, "workflow": workflow }))).await?;
    Ok(new)
}

fn known(door: &Door, text: &str) -> Result<WorkflowId, Problem> {
    let id = text.parse().ok().filter(|id| door.engine.workflow(id).is_some());
    id.ok_or_else(|| Problem::bad_request("workflow_unknown", "no workflow of this id is loaded"))
}

/// The workflows that listen now; their conditions are looked at when it is matched.
fn would_start(door: &Door, stored: &StoredEvent, only: Option<&WorkflowId>) -> Vec<WorkflowId> {
    let open = stored.event.store.as_ref().and_then(|id| door.engine.stores().get(id));
    let tags = open.map(|open| open.tags.clone()).unwrap_or_default();
    let set = door.engine.workflows();
    let again = stored.event.replayed(stored.event.id.clone(), stored.event.time, only.cloned());
    let mut found: Vec<WorkflowId> =
        listeners(&set, &again, &tags).into_iter().map(|(workflow, _)| workflow.id.clone()).collect();
    found.dedup();
    found
}

async fn earlier(
    door: &Door,
    caller: &Caller,
    stored: &StoredEvent,
    only: Option<&WorkflowId>,
) -> Result<(Vec<Earlier>, bool), Problem> {
    if !caller.reaches(door, Area::Runs, Right::Read, stored.event.store.as_ref()) {
        return Ok((Vec::new(), false));
    }
    let filter = RunFilter { event: Some(stored.event.id.clone()), workflow: only.cloned(), ..RunFilter::default() };
    let page = door.engine.runs(&filter, None, RUNS_MAX).await?;
    let mut all = Vec::new();
    for row in page.items {
        let writes = writes_of(door, &row.id).await?;
        all.push(Earlier { id: row.id, workflow: row.workflow, status: row.status, writes });
    }
    Ok((all, page.next.is_some()))
}

/// What the document says about this address.
pub(super) const ABOUT: &[About] = &[About {
    method: "POST",
    path: "/events/{id}/replay",
    id: "replayEvent",
    summary: "Accepts an event again, as a new one",
    text: "With `preview` nothing is done: the answer says what its earlier runs did, which new ones would do again.",
    takes: may_take(a::<Replay>, r#"{"preview": true}"#),
    gives: &[
        gives(202, "Accepted; on stable storage.", a::<events::Accepted<'_>>),
        gives(200, "What a replay would do.", a::<ReplayPreview<'_>>),
    ],
    refuses: &[(400, "workflow_unknown"), (404, "event_unknown"), (409, "workflow_deaf"), (500, "internal")],
    ..PLAIN
}];
