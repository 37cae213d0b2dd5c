//! The types a workflow file becomes. A value of [`Workflow`] is valid: every key was understood, every id is unique.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    ops::Range,
    sync::{Arc, OnceLock},
    time::Duration,
};

use crate::{
    Json,
    access::Role,
    id::{StoreId, Version, WorkflowId},
    woo::WooMethod,
};

/// Bytes of the workflow file, for diagnostics.
pub type Span = Range<usize>;

/// One version of one workflow.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Its path below the workflows folder.
    pub id: WorkflowId,
    /// The hash of the file and of every script file it names.
    pub version: Version,
    /// `name`
    pub name: Option<String>,
    /// `description`
    pub description: Option<String>,
    /// `enabled`, true when absent: a disabled workflow starts no runs, those that run go on.
    pub enabled: bool,
    /// `on`
    pub triggers: Vec<Trigger>,
    /// `if`, for all triggers
    pub condition: Option<Expression>,
    /// `inputs`, or those of `manual`; `None`: it declares none.
    pub inputs: Option<Vec<crate::workflow::InputSpec>>,
    /// `vars`: a map, evaluated once when the run starts, with `event`, `store` and `run` in scope
    pub vars: Template,
    /// `grants`
    pub grants: Grants,
    /// `concurrency`
    pub concurrency: Option<Concurrency>,
    /// `retry` for steps that have none
    pub retry: Option<RetryPolicy>,
    /// `timeout` of the whole run's main steps
    pub timeout: Option<Duration>,
    /// `on_unknown` for steps that have none
    pub on_unknown: OnUnknown,
    /// `steps`
    pub steps: Block,
    /// `on_failure`
    pub on_failure: Block,
    /// `on_cancel`: before a run that a person ended is over
    pub on_cancel: Block,
    /// `undo_on_failure`: what succeeded is undone before `on_failure`
    pub undo_on_failure: bool,
    /// `output`: what the run gives
    pub output: Option<Expression>,
}

/// How many runs move at once.
#[derive(Debug, Clone)]
pub struct Concurrency {
    /// Runs with the same key share slots; `None`: all runs of the workflow.
    pub key: Option<Template>,
    /// How many hold a slot at once.
    pub limit: u32,
    /// What a run does that finds no free slot.
    pub on_limit: OnLimit,
    /// How many may wait; `None`: any number.
    pub queue_max: Option<u32>,
    /// Who shares slots.
    pub scope: SlotScope,
    /// Whether a run keeps its slot while it waits for a time, an event, a person or a store.
    pub hold_while_waiting: bool,
}

/// What a run does that finds no free slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLimit {
    /// It waits for its turn.
    Queue,
    /// It ends as cancelled.
    Skip,
    /// It cancels those before it and waits until they are over.
    Replace,
    /// It ends as failed.
    Fail,
}

/// Who shares slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotScope {
    /// Runs of one store.
    Store,
    /// All runs of the workflow.
    Workflow,
}

/// Steps run one after another.
pub type Block = Vec<Step>;

/// A text of the expression language with its place in the file.
#[derive(Clone)]
pub struct Expression {
    /// The expression without `${{ }}`.
    pub source: Arc<str>,
    /// Where it stands.
    pub span: Span,
    /// The evaluator's compiled form, filled at first use and shared by clones.
    pub compiled: Arc<OnceLock<Box<dyn Any + Send + Sync>>>,
}

impl Expression {
    /// An expression not yet compiled.
    pub fn new(source: impl Into<Arc<str>>, span: Span) -> Self {
        Self { source: source.into(), span, compiled: Arc::default() }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({} @{:?})", self.source, self.span)
    }
}

/// A value that may hold expressions anywhere inside.
#[derive(Debug, Clone)]
pub enum Template {
    /// A value without expressions.
    Literal(Json),
    /// A text that is one whole `${{ }}`: keeps the expression's type.
    Expression(Expression),
    /// A text with expressions inside: rendered.
    Text(Vec<TextPart>),
    /// A list with templates inside.
    List(Vec<Template>),
    /// A map with templates as values; keys are literal.
    Map(BTreeMap<String, Template>),
}

/// A piece of a text template.
#[derive(Debug, Clone)]
pub enum TextPart {
    /// Text as it stands (`$${{` already made `${{`).
    Literal(String),
    /// An expression to render.
    Expression(Expression),
}

/// What starts a workflow.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// What it listens to.
    pub kind: TriggerKind,
    /// Its own `if`
    pub condition: Option<Expression>,
    /// What stands between its conditions and a run.
    pub gates: crate::workflow::Gates,
    /// `woo`, `event`, …; `woo.1` for the second of its kind.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of trigger.
#[derive(Debug, Clone)]
pub enum TriggerKind {
    /// Topics of stores: `order.created`, `order.*`, `*`.
    Woo {
        /// Patterns; `*` stands for one or more last segments.
        topics: Vec<String>,
        /// Which stores.
        stores: Vec<StoreSelector>,
    },
    /// Events that workflows emit or that the API brings.
    Event {
        /// Patterns, as for `woo`.
        topics: Vec<String>,
    },
    /// A time table.
    Schedule(Vec<Schedule>),
    /// A path below `/hooks/`.
    Http(HttpTrigger),
    /// A start by hand; any workflow can be started so, this one says that it is meant to be.
    Manual,
}

/// `"*"`, a store's id, or `tag:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSelector {
    /// `"*"`
    All,
    /// A store's id
    Store(StoreId),
    /// `tag:NAME`
    Tag(String),
}

/// One entry of a `schedule` trigger.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// When.
    pub cron: crate::workflow::CronExpression,
    /// The time zone's name, `UTC` when absent.
    pub timezone: chrono_tz::Tz,
    /// One run for each of these stores; empty: one run without a store.
    pub stores: Vec<StoreSelector>,
    /// What becomes of times that passed while no engine ran.
    pub catch_up: CatchUp,
    /// Each start is put off by a part of this, the same for the same occurrence and store.
    pub jitter: Duration,
}

/// What becomes of a schedule's times that passed while no engine ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatchUp {
    /// Nothing.
    #[default]
    None,
    /// One run, for the last of them.
    One,
    /// A run for each of the last [`crate::workflow::CATCH_UP_MAX`].
    All,
}

/// An HTTP endpoint that starts a run.
#[derive(Debug, Clone)]
pub struct HttpTrigger {
    /// Without leading slash; segments of `A-Z a-z 0-9 - _ .`.
    pub path: String,
    /// Upper case; POST when absent.
    pub method: String,
    /// Who may call.
    pub auth: HttpAuth,
    /// When callers are answered.
    pub respond: Respond,
    /// The JSON Schema of the body (draft 2020-12).
    pub schema: Option<BodySchema>,
}

/// When the callers of an HTTP endpoint are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Respond {
    /// With 202 as soon as the event is on stable storage.
    #[default]
    Async,
    /// With what the run's `respond` step says, or with its output when it ends.
    Sync {
        /// How long a caller waits before it gets 202; the engine's own limit when absent.
        timeout: Option<Duration>,
    },
}

/// A JSON Schema with its place in the file.
#[derive(Clone)]
pub struct BodySchema {
    /// The schema.
    pub schema: Json,
    /// Where it stands.
    pub span: Span,
    /// The validator, made at first use and shared by clones.
    pub compiled: Arc<OnceLock<Box<dyn Any + Send + Sync>>>,
}

impl fmt::Debug for BodySchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodySchema({} @{:?})", self.schema, self.span)
    }
}

/// Who may call an HTTP endpoint. There is no default: a workflow that wants an open endpoint says `auth: none`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpAuth {
    /// Anyone.
    None,
    /// `Authorization: Bearer` with the value of this secret (`auth: bearer` means the secret `hook_token`).
    Bearer {
        /// The secret's name.
        secret: String,
    },
    /// A keyed hash over the raw body in a header.
    Hmac {
        /// The names of the secrets, any of which may sign (rotation).
        secrets: Vec<String>,
        /// The header that carries it, lower case.
        header: String,
        /// Hash function.
        algorithm: HmacAlgorithm,
        /// How the MAC is written.
        encoding: HmacEncoding,
        /// Text before the MAC in the header (`sha256=`), empty when absent.
        prefix: String,
    },
    /// A scheme that senders of webhooks share.
    Preset {
        /// Which.
        preset: AuthPreset,
        /// The names of the secrets, any of which may sign (rotation).
        secrets: Vec<String>,
        /// How far the time of a message may be from now, where the scheme has one.
        tolerance: Duration,
    },
}

/// Schemes of signatures with a name of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthPreset {
    /// Standard Webhooks 1.0.0, also under Svix's names of its headers.
    StandardWebhooks,
    /// `X-WC-Webhook-Signature`
    Woocommerce,
    /// `X-Hub-Signature-256`
    Github,
    /// `Stripe-Signature`
    Stripe,
}

impl AuthPreset {
    /// As the file writes them.
    pub const WORDS: [&'static str; 4] = ["standard_webhooks", "woocommerce", "github", "stripe"];

    /// The preset a word means.
    pub fn of(word: &str) -> Option<Self> {
        let all = [Self::StandardWebhooks, Self::Woocommerce, Self::Github, Self::Stripe];
        Self::WORDS.iter().position(|known| *known == word).map(|at| all[at])
    }

    /// As the file writes it.
    pub fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// Whether its messages tell when they were sent.
    pub fn has_time(self) -> bool {
        matches!(self, Self::StandardWebhooks | Self::Stripe)
    }
}

/// Hash functions for HMAC endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum HmacAlgorithm {
    Sha256,
    Sha512,
}

/// How a MAC is written in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum HmacEncoding {
    Hex,
    Base64,
}

/// What a workflow asks to be allowed. Empty means nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Hosts outbound calls may reach.
    pub http: Vec<HttpGrant>,
    /// Names of secrets it may use.
    pub secrets: Vec<String>,
    /// Topics it may emit, patterns allowed.
    pub emit: Vec<String>,
    /// Stores it may call.
    pub stores: Vec<GrantedStores>,
    /// `orders.read`, `products.write`: first path segment and direction.
    pub woo: Vec<String>,
}

/// `hooks.slack.com`, `*.example.com`, `POST hooks.slack.com`, each with an optional `:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpGrant {
    /// Upper case; any method when absent.
    pub method: Option<String>,
    /// Lower case; `*.example.com` covers every name below `example.com`, not itself.
    pub host: String,
    /// Any port when absent.
    pub port: Option<u16>,
}

/// Stores named in `grants`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantedStores {
    /// The event's own store.
    Own,
    /// As in triggers.
    Selected(StoreSelector),
}

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

/// A script with its source.
#[derive(Clone)]
pub struct Script {
    /// Rhai.
    pub source: Arc<str>,
    /// The file it came from, relative to the workflow file; `None` when inline.
    pub file: Option<String>,
    /// Where it stands in the workflow file.
    pub span: Span,
    /// The sandbox's compiled form, filled at first use and shared by clones.
    pub compiled: Arc<OnceLock<Box<dyn Any + Send + Sync>>>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({} bytes @{:?})", self.source.len(), self.span)
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

/// A cron expression of five fields with Unix meaning. Built only by its parser.
#[derive(Debug, Clone)]
pub struct CronExpression {
    /// As written.
    pub source: String,
    /// Both day fields restricted: either may match, so two schedules are merged.
    pub(crate) schedules: Vec<cron::Schedule>,
    /// The hour field starts with `*`: it follows the clock through shifts of daylight saving.
    pub(crate) every_hour: bool,
}
