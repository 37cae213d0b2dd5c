//! What subscribers are told: one item for each fact, with what filters ask for as fields and the rest as `data`.

use std::sync::{Arc, OnceLock};

use cartwright_core::{
    Json,
    id::{EventId, RunId, StoreId, WorkflowId},
    time::Timestamp,
};
use serde::Serialize;

/// Every word that `status` may be: of events, runs, steps, stores and workflow files.
pub const STATUSES: [&str; 22] = [
    "accepted",
    "duplicate",
    "merged",
    "collected",
    "delayed",
    "dropped",
    "queued",
    "running",
    "waiting",
    "parked",
    "succeeded",
    "failed",
    "cancelled",
    "skipped",
    "unknown",
    "reachable",
    "unreachable",
    "added",
    "changed",
    "removed",
    "broken",
    "repaired",
];
/// About what an item costs besides its texts: its fields, its place in the ring and the frame of its JSON, in bytes.
const ITEM_BYTES: usize = size_of::<LiveItem>() + 300;

/// What an item is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LiveKind {
    /// An event was accepted (one that was accepted before is not told), or a gate of a trigger took it.
    Event,
    /// A run began, or is somewhere else than it was.
    Run,
    /// A step began or ended, or an attempt of it failed.
    Step,
    /// A store could not be called, or can be called again.
    Store,
    /// A workflow file was added, changed, removed, broken or repaired while the engine runs.
    Workflow,
}

impl LiveKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Event, Self::Run, Self::Step, Self::Store, Self::Workflow];

    /// The word that people and filters use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Run => "run",
            Self::Step => "step",
            Self::Store => "store",
            Self::Workflow => "workflow",
        }
    }
}

/// One fact. It was on stable storage before it became an item.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct LiveItem {
    pub(super) start: Arc<str>,
    pub(super) seq: u64,
    pub kind: LiveKind,
    pub time: Timestamp,
    pub store: Option<StoreId>,
    pub workflow: Option<WorkflowId>,
    pub run: Option<RunId>,
    pub event: Option<EventId>,
    pub topic: Option<String>,
    pub status: &'static str,
    /// Names, numbers and errors as journals have them; never what a step gave or an event carries.
    pub data: Json,
    json: OnceLock<Box<str>>,
}

/// The wire form.
#[derive(Serialize)]
struct Wire<'a> {
    id: String,
    kind: LiveKind,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<&'a StoreId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<&'a WorkflowId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a EventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    status: &'static str,
    data: &'a Json,
}

impl LiveItem {
    /// An item that has its place in the ring only once it was published.
    pub(super) fn new(kind: LiveKind, time: Timestamp, status: &'static str) -> Self {
        Self {
            start: Arc::from(""),
            seq: 0,
            kind,
            time,
            store: None,
            workflow: None,
            run: None,
            event: None,
            topic: None,
            status,
            data: Json::Null,
            json: OnceLock::new(),
        }
    }

    /// Names it: `START-SEQUENCE`.
    pub fn id(&self) -> String {
        format!("{}-{}", self.start, self.seq)
    }

    /// As JSON on one line; made once for all subscribers.
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| {
            let wire = Wire {
                id: self.id(),
                kind: self.kind,
                time: self.time,
                store: self.store.as_ref(),
                workflow: self.workflow.as_ref(),
                run: self.run.as_ref(),
                event: self.event.as_ref(),
                topic: self.topic.as_deref(),
                status: self.status,
                data: &self.data,
            };
            serde_json::to_string(&wire).expect("texts and numbers always become JSON").into_boxed_str()
        })
    }

    /// About how much memory it takes once somebody read it, in bytes.
    pub(super) fn weight(&self) -> usize {
        let message = self.data["error"]["message"].as_str().map_or(0, str::len);
        ITEM_BYTES + 2 * (message + self.topic.as_ref().map_or(0, String::len))
    }
}
