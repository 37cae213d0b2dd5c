//! The words of the storage trait: what is accepted, what a commit holds, what queries ask.

use cartwright_core::{
    Json,
    call::CallOutcome,
    event::{Event, Match},
    id::{EventId, RunId, StepPath, StoreId, WorkflowId},
    run::{
        entry::{Entry, TimerKind},
        row::{RunRow, RunStatus},
    },
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// An event to accept. It is new when none of the same shard was accepted with the same key (within retention).
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The event with its id.
    pub event: Event,
    /// What makes it the same as another one; `None`: never a duplicate.
    pub dedupe: Option<[u8; 32]>,
}

/// What came of accepting one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// On stable storage, and in the inbox.
    New(EventId),
    /// Seen before, as this event.
    Duplicate(EventId),
}

/// Everything that becomes true at once. All of it or nothing.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Runs created or moved.
    pub runs: Vec<RunWrite>,
    /// Events taken out of the inbox, with what came of matching them.
    pub matched: Vec<(EventId, Vec<Match>)>,
    /// What came of matching events that left the inbox before, told anew: takes the place of what the same workflow's
    /// match said. An event that is not kept any more is passed over.
    pub rematched: Vec<(EventId, Match)>,
    /// Events that a run needs which is there or will be: as long as it is, or as long as [`Table::Gates`] has
    /// [`held_record`](cartwright_core::gate::held_record) of it, they are kept, and they are listed as events of it.
    pub needed: Vec<(EventId, RunId)>,
    /// Timers to set; setting one again moves it.
    pub timers_set: Vec<Timer>,
    /// Timers to clear; clearing one that is not there is fine.
    pub timers_clear: Vec<TimerKey>,
    /// Waits to register.
    pub waits_set: Vec<Wait>,
    /// Waits to drop; dropping one that is not there is fine.
    pub waits_clear: Vec<WaitKey>,
    /// Records for other shards: events to accept there. Kept until [`Batch::outbox_done`].
    pub outbox: Vec<NewEvent>,
    /// Outbox records that were delivered.
    pub outbox_done: Vec<EventId>,
    /// Messages to runs of this shard, kept until the run takes them. A message with the same key is kept once.
    pub mail: Vec<Mail>,
    /// Messages that were taken.
    pub mail_done: Vec<MailKey>,
    /// Workflow state and other records, each with the version it must have.
    pub records: Vec<RecordWrite>,
}

/// A run's new row and the entries appended to its journal.
#[derive(Debug, Clone)]
pub struct RunWrite {
    /// The row after this commit.
    pub row: RunRow,
    /// How many entries the journal must have now; 0: the run must not exist. Otherwise the commit is a conflict.
    pub expected_len: u64,
    /// What is appended.
    pub append: Vec<Entry>,
}

/// Names a timer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TimerKey {
    /// Whose.
    pub run: RunId,
    /// At which step.
    pub path: StepPath,
    /// What for.
    pub kind: TimerKind,
}

/// A timer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// Which.
    pub key: TimerKey,
    /// When.
    pub due: Timestamp,
}

/// Names a wait.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WaitKey {
    /// What it waits for.
    pub topic: String,
    /// Whose.
    pub run: RunId,
    /// At which step.
    pub path: StepPath,
    /// Which call of it.
    pub index: u32,
}

/// A run that waits for an event of its shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// Which.
    pub key: WaitKey,
    /// Events accepted before this do not end it.
    pub since: Timestamp,
    /// An expression over `incoming`, `event` and `scope`.
    pub condition: Option<String>,
    /// What else the condition mentions, by name, as it was when the wait began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Json>,
}

/// Names a message to a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MailKey {
    /// To whom.
    pub run: RunId,
    /// What makes it one message however often it is sent.
    pub id: String,
}

/// A message to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mail {
    /// Which.
    pub key: MailKey,
    /// What.
    pub body: MailBody,
}

/// What is said to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MailBody {
    /// An event that ends a wait.
    Event {
        /// The wait's step.
        path: StepPath,
        /// The wait's call.
        index: u32,
        /// The event.
        event: EventId,
    },
    /// A wait was registered, and past events were not looked through for it yet.
    LookBack {
        /// The wait's step.
        path: StepPath,
        /// The wait's call.
        index: u32,
    },
    /// A run that one of its steps waits for is over.
    Child {
        /// The calling step.
        path: StepPath,
        /// The run.
        child: RunId,
        /// What it gave.
        outcome: CallOutcome,
    },
    /// A person, or the run that called it, asked to end the run.
    Cancel {
        /// Who.
        by: String,
    },
}

/// A versioned record outside runs: stores, secrets, workflow state, pinned definitions.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordWrite {
    /// Which kind.
    pub table: Table,
    /// Which one.
    pub key: String,
    /// What must be there now.
    pub expect: Expect,
    /// The new value; `None` deletes.
    pub value: Option<Vec<u8>>,
}

/// What must be there before a record is written. Otherwise the commit is a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Anything or nothing.
    Any,
    /// Nothing.
    Absent,
    /// This version (from [`Record::version`]).
    Version(u64),
}

/// A record as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: String,
    /// 1 when created, one more with each write; a record made again begins above every version that a deleted record
    /// of its table had, so no record repeats one.
    pub version: u64,
    /// Its value.
    pub value: Vec<u8>,
}

/// The kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Workflow state, `workflow\0key`.
    State,
    /// Connected stores, by id.
    Stores,
    /// Sealed secrets, by name.
    Secrets,
    /// Definitions that runs are pinned to, by version.
    Definitions,
    /// Small facts the engine keeps about itself.
    Meta,
    /// Tokens (`token/ID`), people (`user/NAME`) and their sessions (`session/HASH`): no plaintext of any secret.
    Access,
    /// The audit log, by time: `MILLIS-SEQUENCE`.
    Audit,
    /// Answers to requests that carried an idempotency key, by caller and key, until they expire.
    Answers,
    /// What gates of triggers remember, see [`cartwright_core::gate`]: by gate, and `held/RUN` for runs to come.
    Gates,
    /// What people are asked and have not answered: `RUN/STEP`.
    Approvals,
    /// Groups of `concurrency`: counters (`g/…`), holders (`h/…`) and queues (`q/…`). Only those that are in use.
    Slots,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::State,
        Self::Stores,
        Self::Secrets,
        Self::Definitions,
        Self::Meta,
        Self::Access,
        Self::Audit,
        Self::Answers,
        Self::Gates,
        Self::Approvals,
        Self::Slots,
    ];
}

/// Which runs to list; every field narrows.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this workflow.
    pub workflow: Option<WorkflowId>,
    /// Of this store.
    pub store: Option<StoreId>,
    /// In this status.
    pub status: Option<RunStatus>,
    /// Started by this event, or by several of which it is one.
    pub event: Option<EventId>,
    /// Whose event was accepted at this time or later. It is the time in a run's id, in whose order runs are listed, so
    /// it bounds what is read.
    pub since: Option<Timestamp>,
    /// Whose event was accepted before this time.
    pub until: Option<Timestamp>,
}

/// Which events to list; every field narrows.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this store.
    pub store: Option<StoreId>,
    /// Of this topic.
    pub topic: Option<String>,
    /// Accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Accepted before this time.
    pub until: Option<Timestamp>,
}

/// A page of a list, newest first.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// At most as many as asked for.
    pub items: Vec<T>,
    /// Give this to get the next page; `None`: that was all.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Nothing, and nothing after it.
    pub(crate) const EMPTY: Self = Self { items: Vec::new(), next: None };
}

/// An event with what came of matching it.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// The event.
    pub event: Event,
    /// `None` while it is in the inbox.
    pub matches: Option<Vec<Match>>,
}

/// How much there is; kept in the commits, never counted by scanning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Runs by status, in the order of [`RunStatus::ALL`].
    pub runs: [u64; 7],
    /// Events kept.
    pub events: u64,
    /// Events in the inbox.
    pub inbox: u64,
    /// Timers set.
    pub timers: u64,
    /// Outbox records not delivered.
    pub outbox: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
}

/// What retention may remove: runs that ended, and events with no run left, both older than `before`.
#[derive(Debug, Clone, Copy)]
pub struct Purge {
    /// Older than this.
    pub before: Timestamp,
    /// Keep at most this many runs (the newest).
    pub keep_runs: u64,
    /// Stop after looking at this many records, so that no commit waits long.
    pub budget: usize,
}

/// What a purge step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Purged {
    pub runs: u64,
    pub events: u64,
    pub dedupe_keys: u64,
    /// There is more to do.
    pub more: bool,
}
