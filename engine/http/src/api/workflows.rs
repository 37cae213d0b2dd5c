//! `/api/v1/workflows`: what is loaded, what is wrong with the rest, and a way to start one by hand.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
};
use cartwright_core::{
    Json,
    event::Source,
    id::{Version, WorkflowId},
    workflow::TriggerKind,
};
use cartwright_run::Incoming;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{Answer, Segment, body, events};
use crate::{door::Door, ingest, problem::Problem};

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
pub(super) async fn list(State(door): State<Arc<Door>>) -> Answer {
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
    let findings = door.config.findings.all();
    let conflicts = |id: &WorkflowId| {
        let own = set.conflicts().iter().filter(|conflict| conflict.workflow == *id);
        own.map(|conflict| json!({ "code": conflict.diagnostic.code, "message": conflict.diagnostic.message, "help": conflict.diagnostic.help })).collect()
    };
    let items = set.iter().map(|workflow| WorkflowBody {
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
pub(super) async fn run(State(door): State<Arc<Door>>, Segment(path): Segment, request: Request) -> Answer {
    let unknown = || {
        Problem::not_found("workflow_unknown", "no workflow of this id is loaded")
            .help("`cartwright check` says what is wrong with files that do not load.")
    };
    let id: WorkflowId = path.strip_suffix("/run").and_then(|id| id.parse().ok()).ok_or_else(unknown)?;
    if door.engine.workflows().get(&id).is_none() {
        return Err(unknown());
    }
    let new: NewRun = body(&door, request, false).await?;
    let store = new.store.as_deref().map(|id| events::known_store(&door, id)).transpose()?;
    let topic = new.topic.map_or_else(|| Ok("manual".to_owned()), events::topic)?;
    let event = Incoming {
        topic,
        store,
        source: Source::Manual { workflow: id },
        data: events::data(new.event)?,
        dedupe: None,
    };
    events::accepted(&ingest::accept(&door, event).await?.id)
}
