//! Steps: what they have in common, and what each kind holds.

use std::{
    any::Any,
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{Block, Expression, Script, Span, Template};
use crate::{Json, access::Role, plugin::PluginRecord, woo::WooMethod};

/// One node of a workflow.
#[derive(Debug, Clone)]
pub struct Step {
    /// Unique in the workflow; `step1`, `step2`, … by order of appearance where the file gives none.
    pub id: String,
    /// `name`
    pub name: Option<String>,
    /// What it does.
    pub kind: StepKind,
    /// `if`: skipped when false.
    pub condition: Option<Expression>,
    /// `retry`
    pub retry: Option<RetryPolicy>,
    /// `timeout` of one step, all its attempts and waits included
    pub timeout: Option<Duration>,
    /// `on_error`
    pub on_error: Option<OnError>,
    /// `on_unknown`
    pub on_unknown: Option<OnUnknown>,
    /// `output`: trims what is kept; sees `output`
    pub output: Option<Expression>,
    /// `undo`: what takes it back. Its id is this step's, and it has no undo of its own.
    pub undo: Option<Box<Step>>,
    /// Where it stands.
    pub span: Span,
}

/// The word of `parallel` steps; a journal's `step_started` has it, which is all that such a step remembers.
pub(crate) const PARALLEL: &str = "parallel";

/// What a step does. The registry in [`crate::workflow`] names every kind with its schema.
#[derive(Debug, Clone)]
pub enum StepKind {
    /// A Rhai script.
    Script(Script),
    /// A function of a plugin.
    Plugin(Box<PluginStep>),
    /// An outbound HTTP call; by far the largest kind, hence the box.
    Http(Box<HttpStep>),
    /// A call to a store's REST API.
    Woo(Box<WooStep>),
    /// Raises an event.
    Emit {
        /// Its topic.
        topic: Template,
        /// Its data, `{}` when absent.
        data: Template,
    },
    /// Starts another workflow.
    Call(CallStep),
    /// Waits.
    Sleep {
        /// A duration as text, a number of seconds, or a time (RFC 3339).
        until: Template,
        /// Evaluate the workflow's `if` again on waking; when false the run stops as succeeded.
        recheck: bool,
    },
    /// Waits for an event.
    WaitFor(Box<WaitFor>),
    /// Waits for a person's decision.
    Approve(Box<Approve>),
    /// The first branch whose condition holds.
    Choose(Vec<Branch>),
    /// Steps for each item of a list.
    ForEach(ForEach),
    /// Branches side by side.
    Parallel(Vec<Side>),
    /// Answers a synchronous caller.
    Respond(Box<RespondStep>),
    /// Ends the run early as succeeded.
    Stop(Template),
    /// Ends the run as failed.
    Fail(Template),
}

impl StepKind {
    /// The key that says what a step does in the workflow file.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Script(_) => "script",
            Self::Plugin(_) => "plugin",
            Self::Http(_) => "http",
            Self::Woo(_) => "woo",
            Self::Emit { .. } => "emit",
            Self::Call(_) => "call",
            Self::Sleep { .. } => "sleep",
            Self::WaitFor(_) => "wait_for",
            Self::Approve(_) => "approve",
            Self::Choose(_) => "choose",
            Self::ForEach(_) => "for_each",
            Self::Parallel(_) => PARALLEL,
            Self::Respond(_) => "respond",
            Self::Stop(_) => "stop",
            Self::Fail(_) => "fail",
        }
    }

    /// Whether it is foreign code whose host calls are recorded and replayed: a script or a plugin.
    pub fn is_code(&self) -> bool {
        matches!(self, Self::Script(_) | Self::Plugin(_))
    }

    /// The lists of steps inside of it, in the order of the file.
    pub fn blocks(&self) -> Vec<&Block> {
        match self {
            Self::Choose(branches) => branches.iter().map(|branch| &branch.steps).collect(),
            Self::ForEach(each) => vec![&each.steps],
            Self::Parallel(sides) => sides.iter().map(|side| &side.steps).collect(),
            _ => Vec::new(),
        }
    }
}

/// `plugin: name/function`; its output is the function's.
#[derive(Debug, Clone)]
pub struct PluginStep {
    /// The version that the workflow is pinned to.
    pub plugin: Arc<PluginRecord>,
    /// One of its functions.
    pub function: String,
    /// What the function takes.
    pub with: Template,
    /// The compiled schema of what it takes, filled at first use and shared by clones.
    pub compiled: Arc<OnceLock<Box<dyn Any + Send + Sync>>>,
}

impl PluginStep {
    /// `name/function`, for people.
    pub fn target(&self) -> String {
        format!("{}/{}", self.plugin.name, self.function)
    }

    /// The JSON Schemas of what it takes and gives.
    pub fn schemas(&self) -> (&Json, &Json) {
        match self.plugin.manifest.functions.get(&self.function) {
            Some(function) => (&function.input, &function.output),
            // Reading the step found it there.
            None => (&Json::Null, &Json::Null),
        }
    }
}

/// `http: METHOD URL`
#[derive(Debug, Clone)]
pub struct HttpStep {
    /// Upper case.
    pub method: String,
    /// The whole address.
    pub url: Template,
    /// A map of texts.
    pub headers: Option<Template>,
    /// A map of texts, numbers or lists of them.
    pub query: Option<Template>,
    /// JSON, or text.
    pub body: Option<Template>,
    /// A map sent as `application/x-www-form-urlencoded`; excludes `body`.
    pub form: Option<Template>,
    /// Of one call; 30 s when absent. `timeout` is the whole step's; a longer one lengthens its calls too.
    pub call_timeout: Option<Duration>,
    /// Statuses that are fine.
    pub expect: Vec<StatusPattern>,
    /// How the answer's body is read.
    pub parse: ParseBody,
    /// The receiver honours the key, or repeating is harmless. GET, HEAD, PUT, DELETE, OPTIONS by default.
    pub idempotent: bool,
}

/// `woo: path`; its output is the body of the answer.
#[derive(Debug, Clone)]
pub struct WooStep {
    /// GET when absent.
    pub method: WooMethod,
    /// Relative to `/wp-json/wc/v3/`: `orders/61/notes`.
    pub path: Template,
    /// The id of another store than the event's.
    pub store: Option<Template>,
    /// A map of texts, numbers, bools and lists of them.
    pub query: Option<Template>,
    /// `with`: what is sent, as JSON.
    pub body: Option<Template>,
    /// Walk every page of a list.
    pub all: bool,
}

/// `wait_for`; its output is the event that came, `()` when none did in time.
#[derive(Debug, Clone)]
pub struct WaitFor {
    /// A topic, no pattern.
    pub topic: Template,
    /// `if`: sees `incoming` beside what is in scope where the step stands.
    pub condition: Option<Expression>,
    /// How long; forever when absent. The step's own `timeout` fails it instead.
    pub timeout: Option<Duration>,
    /// How far back an event counts that came before the wait began.
    pub lookback: Duration,
}

/// `approve`; its output is `{approved, by, at, comment}`. The step's `timeout` is an answer: not approved, by nobody.
#[derive(Debug, Clone)]
pub struct Approve {
    /// What is asked.
    pub question: Template,
    /// Who may answer; empty: whoever may answer approvals.
    pub by: Vec<Role>,
}

/// `respond`
#[derive(Debug, Clone)]
pub struct RespondStep {
    /// 200 when absent.
    pub status: Option<Template>,
    /// A map of texts.
    pub headers: Option<Template>,
    /// Text, or anything else as JSON.
    pub body: Option<Template>,
}

/// Statuses `from..=to`; `2xx` is 200..=299.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct StatusPattern {
    pub from: u16,
    pub to: u16,
}

/// How an answer's body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParseBody {
    /// JSON when the content type says so, else text.
    #[default]
    Auto,
    /// JSON; anything else is an error.
    Json,
    /// Text.
    Text,
    /// Not kept.
    None,
}

/// `call: workflow`
#[derive(Debug, Clone)]
pub struct CallStep {
    /// Its id.
    pub workflow: Template,
    /// `with`: a map, the data of the event that starts it.
    pub with: Template,
    /// `await`, true when absent: the step waits for the end and gives the output, else the run's id.
    pub awaited: bool,
}

/// One branch of a `choose`.
#[derive(Debug, Clone)]
pub struct Branch {
    /// `None` is `else`, the last one.
    pub condition: Option<Expression>,
    /// What to do.
    pub steps: Block,
}

/// One branch of a `parallel`.
#[derive(Debug, Clone)]
pub struct Side {
    /// Its name, and the key of its output.
    pub name: String,
    /// What to do.
    pub steps: Block,
}

/// `for_each`
#[derive(Debug, Clone)]
pub struct ForEach {
    /// Gives the list.
    pub items: Expression,
    /// For each of them.
    pub steps: Block,
    /// How many at once, 1 when absent.
    pub parallel: u32,
    /// `on_error: continue`: a failed iteration gives `()` and the others go on.
    pub continue_on_error: bool,
}

/// When and how often a step is tried again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// All tries, the first included.
    pub attempts: u32,
    /// Before the second try.
    pub initial: Duration,
    /// Each wait is this many times the one before (at least 1).
    pub factor: f64,
    /// No wait is longer.
    pub max: Duration,
}

/// What a failed step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnError {
    /// The run waits for a person, whatever the error.
    Park,
    /// The run fails, exhausted retries included.
    Fail,
    /// The step's output is `()` and the run goes on.
    Continue,
    /// The run goes on at a later step of the same block.
    Goto(String),
}

/// What a step does whose outcome nobody can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnknown {
    /// The run waits for a person.
    #[default]
    Park,
    /// Try again, accepting that it may happen twice.
    Retry,
    /// The step fails.
    Fail,
}
