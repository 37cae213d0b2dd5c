//! What a test file says.

use std::{collections::BTreeMap, time::Duration};

use super::pattern::Pattern;
use crate::{
    Json,
    event::Source,
    id::{StoreId, WorkflowId},
    run::row::RunStatus,
    time::Timestamp,
    workflow::Span,
};

/// When cases begin that say nothing: 2026-01-05T09:00:00Z, a Monday.
pub const DEFAULT_CLOCK: Timestamp = Timestamp::from_millis(1_767_603_600_000);

/// The store of an event that names none although its workflow listens to stores.
pub const DEFAULT_STORE: &str = "my-shop";

/// A value with its place in the test file.
#[derive(Debug, Clone, PartialEq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Bytes of the file.
    pub span: Span,
}

/// A test file, read.
#[derive(Debug, Clone)]
pub struct TestFile {
    /// `workflow`, where the file's name does not say it.
    pub workflow: Option<At<WorkflowId>>,
    /// What all cases stand on.
    pub ground: Ground,
    /// The tests, in order.
    pub cases: Vec<TestCase>,
}

/// What a case stands on.
#[derive(Debug, Clone, Default)]
pub struct Ground {
    /// `clock`
    pub clock: Option<Timestamp>,
    /// Connected stores with their tags.
    pub stores: BTreeMap<StoreId, Vec<String>>,
    /// Fake values; `None`: not set.
    pub secrets: BTreeMap<String, Option<String>>,
    /// Answers to calls.
    pub stubs: Vec<Stub>,
}

/// One test.
#[derive(Debug, Clone)]
pub struct TestCase {
    /// Unique in its file.
    pub name: At<String>,
    /// Its own, before the file's.
    pub ground: Ground,
    /// What the workflow remembers at the start.
    pub state: BTreeMap<String, Json>,
    /// What starts it.
    pub start: Happening,
    /// What happens later, in order of time.
    pub then: Vec<Later>,
    /// What must come of it.
    pub expect: Expect,
    /// Whether the whole outcome is compared with the one kept beside the test.
    pub snapshot: bool,
}

/// Something that happens at a time.
#[derive(Debug, Clone)]
pub struct Later {
    /// Since the start of the case.
    pub after: Duration,
    /// What.
    pub what: Happening,
}

/// Something that happens.
#[derive(Debug, Clone)]
pub enum Happening {
    /// An event.
    Event(EventStart),
    /// A request to the workflow's endpoint.
    Http(HttpStart),
    /// The workflow's schedule.
    Schedule(ScheduleStart),
    /// A person starts it.
    Manual {
        /// What they gave.
        inputs: Json,
        /// For which store.
        store: Option<StoreId>,
    },
    /// A person cancels every open run.
    Cancel,
    /// A person retries every parked or failed run.
    Retry,
    /// A person answers.
    Approve(GivenAnswer),
}

/// `approve` in `then`
#[derive(Debug, Clone)]
pub struct GivenAnswer {
    /// Id or path of the step that asks.
    pub step: At<String>,
    /// What they say.
    pub approved: bool,
    /// Who; `test` when absent.
    pub by: Option<String>,
    /// In their words.
    pub comment: Option<String>,
}

/// `event`
#[derive(Debug, Clone)]
pub struct EventStart {
    /// Its topic.
    pub topic: String,
    /// Its store.
    pub store: Option<StoreId>,
    /// Its data.
    pub data: Json,
    /// Where a recorded event came from.
    pub source: Option<Source>,
    /// Where it stands in the file.
    pub span: Span,
}

/// `http`
#[derive(Debug, Clone, Default)]
pub struct HttpStart {
    /// The workflow's own when absent.
    pub method: Option<String>,
    /// The same.
    pub path: Option<String>,
    /// Query parameters.
    pub query: Vec<(String, String)>,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The event's data.
    pub body: Json,
    /// Where it stands in the file.
    pub span: Span,
}

/// `schedule`
#[derive(Debug, Clone)]
pub struct ScheduleStart {
    /// When; the next time it is due when absent.
    pub at: Option<Timestamp>,
    /// Which of several.
    pub cron: Option<String>,
    /// For which store.
    pub store: Option<StoreId>,
    /// Where it stands in the file.
    pub span: Span,
}

/// Answers calls that fit.
#[derive(Debug, Clone)]
pub struct Stub {
    /// Which calls.
    pub fits: Fits,
    /// One after another, the last again and again; never empty.
    pub answers: Vec<Answer>,
    /// How many calls it answers, neither more nor less; any number when absent.
    pub times: Option<u32>,
    /// Where it stands in the file.
    pub span: Span,
}

/// Which calls a stub is for: all that is said must hold.
#[derive(Debug, Clone, Default)]
pub struct Fits {
    /// A step's id, or the path of one iteration or branch.
    pub step: Option<At<String>>,
    /// The call itself.
    pub call: Option<Pattern>,
    /// The store it goes to.
    pub store: Option<StoreId>,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// JSON or text; nothing when absent.
    pub body: Option<Json>,
    /// Why there is no answer.
    pub error: Option<NoAnswer>,
    /// Why a called workflow fails.
    pub failed: Option<String>,
    /// Time that passes before.
    pub delay: Duration,
}

impl Default for Answer {
    fn default() -> Self {
        Self { status: 200, headers: Vec::new(), body: None, error: None, failed: None, delay: Duration::ZERO }
    }
}

/// Ways in which no answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nobody is there; nothing was sent.
    Connection,
    /// Sent, and no answer in time.
    Timeout,
    /// Sent, and the connection ended.
    Lost,
    /// The name does not resolve.
    Dns,
    /// TLS cannot be established.
    Tls,
}

impl NoAnswer {
    /// The words of a test file with what they mean.
    pub const ALL: [(&'static str, Self); 5] = [
        ("connection", Self::Connection),
        ("timeout", Self::Timeout),
        ("lost", Self::Lost),
        ("dns", Self::Dns),
        ("tls", Self::Tls),
    ];
}

/// What must come of a case, or of one of its runs. Only what is there is compared.
#[derive(Debug, Clone, Default)]
pub struct Expect {
    /// Where it stands in the file.
    pub span: Span,
    /// How the run ended.
    pub status: Option<At<ExpectStatus>>,
    /// Steps that ran.
    pub ran: Option<At<Vec<String>>>,
    /// Steps that were skipped.
    pub skipped: Option<At<Vec<String>>>,
    /// Steps one by one.
    pub steps: Vec<(At<String>, ExpectStep)>,
    /// Calls, in order.
    pub calls: Option<At<Vec<ExpectCall>>>,
    /// What the run gave.
    pub output: Option<At<Json>>,
    /// Events that were raised, in order.
    pub emitted: Option<At<Vec<ExpectEmitted>>>,
    /// Time between start and end.
    pub slept: Option<At<Slept>>,
    /// Why it failed.
    pub failure: Option<At<ExpectFailure>>,
    /// What became of each event.
    pub events: Option<At<Vec<String>>>,
    /// Why it did not start.
    pub reason: Option<At<String>>,
    /// What a caller that waits gets; the inner `None`: nothing of a `respond` step.
    pub response: Option<At<Option<ExpectResponse>>>,
    /// What the workflow remembers.
    pub state: Vec<(At<String>, Json)>,
    /// How many runs there were, or each of them.
    pub runs: Option<At<ExpectRuns>>,
}

/// A run's status, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectStatus {
    /// There is a run.
    Run(RunStatus),
    /// No run was started.
    NotStarted,
}

/// `runs`
#[derive(Debug, Clone)]
pub enum ExpectRuns {
    /// So many.
    Count(u32),
    /// One for each, in order of start.
    Each(Vec<Expect>),
}

/// What must have become of a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExpectStep {
    /// A [`crate::run::steps::StepStatus`] as text, or `not_run`.
    pub status: Option<String>,
    /// What it gave.
    pub output: Option<Json>,
    /// How often it was tried.
    pub attempts: Option<u32>,
    /// Why it failed.
    pub error: Option<ExpectFailure>,
}

/// A call that must have been made.
#[derive(Debug, Clone)]
pub struct ExpectCall {
    /// Which.
    pub call: Pattern,
    /// By which step.
    pub step: Option<String>,
    /// To which store.
    pub store: Option<StoreId>,
    /// A map.
    pub query: Option<Json>,
    /// A map; names in any case, others may be there.
    pub headers: Option<Json>,
    /// What was sent.
    pub body: Option<Json>,
    /// The same as a web form.
    pub form: Option<Json>,
    /// What comes back; empty: this is no stub.
    pub answers: Vec<Answer>,
    /// Where it stands in the file.
    pub span: Span,
}

/// An event that must have been raised.
#[derive(Debug, Clone)]
pub struct ExpectEmitted {
    /// Its topic.
    pub topic: String,
    /// Its data.
    pub data: Option<Json>,
    /// Where it stands in the file.
    pub span: Span,
}

/// What a caller must get.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExpectResponse {
    /// HTTP status.
    pub status: Option<u16>,
    /// A map; names in any case, others may be there, `null`: it is not.
    pub headers: Option<Json>,
    /// JSON, or text; `null`: none.
    pub body: Option<Json>,
}

/// How long a run must have taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slept {
    /// At least.
    pub min: Duration,
    /// At most.
    pub max: Duration,
}

/// Why a run or a step must have failed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExpectFailure {
    /// At which step: its id or path.
    pub step: Option<String>,
    /// The error's code.
    pub code: Option<String>,
    /// A part of its message.
    pub message: Option<String>,
}
