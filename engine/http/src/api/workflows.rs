//! `/api/v1/workflows`: what is loaded, what is wrong with the rest, and a way to start one by hand.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
};
use cartwright_core::{
    Json,
    access::{Area, Right},
    event::Source,
    id::{StoreId, Version, WorkflowId},
    workflow::{StoreSelector, TriggerKind, Workflow},
};
use cartwright_run::Incoming;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{Answer, Segment, body, events};
use crate::{caller::Caller, door::Door, ingest, problem::Problem};

/// A workflow that is loaded.
#[derive(Serialize)]
struct WorkflowBody<'a> {
    id: &'a WorkflowId,
    version: &'a Version,
    name: Option<&'a str>,
    description: Option<&'a str>,
    enabled: bool,
    /// One line for each: `woo order.created, order.updated`.
    triggers: Vec<String>,
    diagnostics: Vec<Json>,
}

/// `GET /workflows`: `{"items": workflows, "next": null, "files": [{"file", "diagnostics"}]}`; `files` holds every file
/// with findings, those that do not load too
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        items: Vec<WorkflowBody<'a>>,
        next: Option<String>,
        files: Vec<FileBody<'a>>,
    }
    #[derive(Serialize)]
    struct FileBody<'a> {
        file: &'a str,
        diagnostics: Vec<Json>,
    }
    let set = door.engine.workflows();
    let all = caller.everywhere(Area::Workflows, Right::Read).is_ok();
    let findings = if all { door.config.findings.all() } else { Arc::default() };
    let conflicts = |id: &WorkflowId| {
        let own = set.conflicts().iter().filter(|conflict| conflict.workflow == *id);
        own.map(|conflict| json!({ "code": conflict.diagnostic.code, "message": conflict.diagnostic.message, "help": conflict.diagnostic.help })).collect()
    };
    let seen = set.iter().filter(|workflow| sees(&door, &caller, Area::Workflows, workflow));
    let items = seen.map(|workflow| WorkflowBody {
        id: &workflow.id,
        version: &workflow.version,
        name: workflow.name.as_deref(),
        description: workflow.description.as_deref(),
        enabled: workflow.enabled,
        triggers: workflow.triggers.iter().map(|trigger| describe(&trigger.kind)).collect(),
        diagnostics: conflicts(&workflow.id),
    });
    let files = findings.iter().map(|one| FileBody { file: &one.file, diagnostics: one.to_json() });
    super::json(StatusCode::OK, &Body { items: items.collect(), next: None, files: files.collect() })
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
    }
}

/// A run as asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRun {
    /// What the workflow sees as `event.data`.
    event: Option<Box<RawValue>>,
    store: Option<String>,
    topic: Option<String>,
}

/// `POST /workflows/{id}/run` `{"event", "store"}` → 202 `{"id"}`; the id of a workflow may hold slashes
pub(super) async fn run(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segment(path): Segment,
    request: Request,
) -> Answer {
    let unknown = || {
        Problem::not_found("workflow_unknown", "no workflow of this id is loaded")
            .help("`cartwright check` says what is wrong with files that do not load.")
    };
    let id: WorkflowId = path.strip_suffix("/run").and_then(|id| id.parse().ok()).ok_or_else(unknown)?;
    let workflow = door.engine.workflow(&id).ok_or_else(unknown)?;
    if !sees(&door, &caller, Area::Runs, &workflow) {
        return Err(unknown());
    }
    let new: NewRun = body(&door, request, false).await?;
    let store = events::store_for(&door, &caller, Area::Runs, new.store.as_deref())?;
    let topic = new.topic.map_or_else(|| Ok("manual".to_owned()), events::topic)?;
    let event = Incoming {
        topic,
        store: store.clone(),
        source: Source::Manual { workflow: id.clone() },
        data: events::data(new.event)?,
        dedupe: None,
    };
    let event = ingest::accept(&door, event).await?.id;
    let entry = caller.did(&door, "workflow.run", id.as_str()).of_store(store.as_ref());
    door.audit(entry.after(json!({ "event": event }))).await?;
    events::accepted(&event)
}
