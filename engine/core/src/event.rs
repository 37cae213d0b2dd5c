//! An event: a verified, deduplicated fact.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    gate::GateKind,
    id::{EventId, RunId, StepPath, StoreId, WorkflowId},
    shard::ShardId,
    time::Timestamp,
};

/// A fact that was accepted. Its `data` is kept as the JSON text that came in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Event {
    /// Its name, given at acceptance.
    pub id: EventId,
    /// What happened: `order.created`, `http`, `schedule`, or whatever a workflow emits.
    pub topic: String,
    /// The store it is about, if it is about one.
    pub store: Option<StoreId>,
    /// When it was accepted.
    pub time: Timestamp,
    /// Where it came from.
    pub source: Source,
    /// How many emits lie between it and the outside world; limited so that loops end.
    #[serde(default)]
    pub hops: u32,
    /// The payload: JSON text, at most the body limit in size.
    #[cfg_attr(feature = "schema", schema(value_type = crate::Json))]
    pub data: Arc<RawValue>,
}

/// Where an event came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// A WooCommerce webhook.
    Woo {
        /// `X-WC-Webhook-ID`
        webhook: String,
        /// `X-WC-Webhook-Delivery-ID`; not unique (several bodies a second may share it).
        delivery: String,
    },
    /// A call to `/hooks/{path}`; it starts exactly one workflow.
    Http {
        /// The workflow that declared the path.
        workflow: WorkflowId,
        /// The path after `/hooks/`.
        path: String,
        /// The request's method.
        method: String,
        /// Query parameters, in order of appearance.
        query: Vec<(String, String)>,
        /// Request headers a workflow may see: credentials and signatures are left out.
        headers: Vec<(String, String)>,
    },
    /// A schedule's occurrence; it starts exactly one workflow.
    Schedule {
        /// The workflow that declared the schedule.
        workflow: WorkflowId,
        /// The cron expression.
        cron: String,
        /// The time it was due.
        due: Timestamp,
    },
    /// A workflow's `emit`.
    Emit {
        /// The emitting run.
        run: RunId,
        /// The emitting step.
        step: StepPath,
    },
    /// A workflow's `call`; it starts exactly one workflow.
    Call {
        /// The calling run.
        run: RunId,
        /// The calling step.
        step: StepPath,
        /// The workflow that is called.
        workflow: WorkflowId,
        /// The caller's shard: what became of the child is said in the commit that ends it.
        shard: ShardId,
        /// Whether the caller waits for its end.
        awaited: bool,
        /// The workflows of all callers, the outermost first.
        chain: Vec<WorkflowId>,
    },
    /// `POST /api/v1/events` or the command line.
    Api,
    /// `cartwright run`; it starts exactly one workflow.
    Manual {
        /// The workflow that was asked for.
        workflow: WorkflowId,
    },
    /// A person had an event accepted again: same topic, store, data and hops. It starts what its first source starts.
    Replay {
        /// The event that was replayed.
        of: EventId,
        /// The one workflow it is for, where the person named one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        workflow: Option<WorkflowId>,
        /// Where the event first came from; never a replay itself.
        #[cfg_attr(feature = "schema", schema(no_recursion))]
        source: Box<Source>,
    },
}

impl Source {
    /// The one workflow this source is addressed to, where it is.
    pub fn workflow(&self) -> Option<&WorkflowId> {
        match self {
            Self::Http { workflow, .. } | Self::Schedule { workflow, .. } => Some(workflow),
            Self::Manual { workflow } | Self::Call { workflow, .. } => Some(workflow),
            Self::Replay { workflow, source, .. } => workflow.as_ref().or_else(|| source.workflow()),
            Self::Woo { .. } | Self::Emit { .. } | Self::Api => None,
        }
    }

    /// Where it came from before anybody replayed it.
    pub fn first(&self) -> &Self {
        match self {
            Self::Replay { source, .. } => source.first(),
            first => first,
        }
    }
}

impl Event {
    /// The same fact again, as a new event: for all workflows that the first was for, or for one of them.
    pub fn replayed(&self, id: EventId, now: Timestamp, workflow: Option<WorkflowId>) -> Self {
        let before = match &self.source {
            Source::Replay { workflow, .. } => workflow.clone(),
            _ => None,
        };
        let source = Source::Replay {
            of: self.id.clone(),
            workflow: workflow.or(before),
            source: Box::new(self.source.first().clone()),
        };
        Self { id, time: now, source, ..self.clone() }
    }

    /// The shard that owns this event and the runs it starts: its store's, else its workflow's, else the one that all
    /// other events without a store share.
    pub fn shard(&self) -> ShardId {
        if let Source::Call { shard, .. } = self.source.first() {
            return *shard;
        }
        match (&self.store, self.source.workflow()) {
            (Some(store), _) => ShardId::of(store.as_str()),
            (None, Some(workflow)) => ShardId::of(workflow.as_str()),
            (None, None) => ShardId::of(""),
        }
    }
}

/// Why one workflow did or did not start for an event; kept with the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Match {
    /// The workflow that was considered.
    pub workflow: WorkflowId,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: MatchOutcome,
}

/// What came of considering one workflow for one event. Only workflows that listen to the event's topic are recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum MatchOutcome {
    /// It started this run.
    Started {
        /// The run.
        run: RunId,
    },
    /// A condition was false.
    ConditionFalse {
        /// The condition's text.
        condition: String,
    },
    /// A condition could not be evaluated.
    ConditionFailed {
        /// The condition's text.
        condition: String,
        /// Why, in words for people.
        error: String,
    },
    /// The event's hop count is over the limit: a loop was cut.
    LoopCut,
    /// `dedupe`: another event of the same key passed in the same window.
    Duplicate {
        /// The event that passed.
        of: EventId,
        /// The run it started, or will start, where that was known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
        /// From when on the next one passes.
        until: Timestamp,
    },
    /// `debounce`: it waits for the end of its burst, whose last event starts the run.
    Merged {
        /// The run that will come of the burst; `None`: `collect` follows, and says so with the burst's last event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
        /// When the burst is over, unless more events come.
        until: Timestamp,
    },
    /// `collect`: it waits for others, to start one run with them.
    Collected {
        /// The run that has, or will have, it among its `events`.
        run: RunId,
        /// When it starts at the latest.
        until: Timestamp,
    },
    /// `throttle`: the run is there and begins then.
    Delayed {
        /// The run.
        run: RunId,
        /// When it begins, as it was planned.
        until: Timestamp,
    },
    /// The `key` of a gate could not be evaluated.
    KeyFailed {
        /// Which gate.
        gate: GateKind,
        /// Why, in words for people.
        error: String,
    },
    /// It was held for a run, and then its workflow started none any more.
    Dropped {
        /// Which gate held it.
        gate: GateKind,
        /// Why no run came of it.
        reason: DropReason,
    },
}

/// Why no run came of a held event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The workflow was switched off (`enabled: false`) when the time came.
    Disabled,
    /// The workflow was not there when the time came.
    Gone,
}

impl DropReason {
    /// In words for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Disabled => "the workflow was switched off when the time came",
            Self::Gone => "the workflow was not there any more when the time came",
        }
    }
}

impl MatchOutcome {
    /// The run that was created for the event when it was matched.
    pub fn started(&self) -> Option<&RunId> {
        match self {
            Self::Started { run } | Self::Delayed { run, .. } => Some(run),
            _ => None,
        }
    }

    /// The run that has the event or will have it.
    pub fn run(&self) -> Option<&RunId> {
        match self {
            Self::Merged { run, .. } => run.as_ref(),
            Self::Collected { run, .. } => Some(run),
            other => other.started(),
        }
    }

    /// Whether the workflow took the event: a condition held, whatever its gates then said. No other trigger of the
    /// workflow is looked at then.
    pub fn is_taken(&self) -> bool {
        !matches!(self, Self::ConditionFalse { .. } | Self::ConditionFailed { .. } | Self::LoopCut)
    }
}
