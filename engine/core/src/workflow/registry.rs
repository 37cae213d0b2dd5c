//! The one list of step kinds, with the keys each takes. Parsing, "did you mean", the JSON Schema and the docs all read
//! it, so a new kind is one entry here and one parse function.

use super::{
    StepKind,
    reader::{Fields, Reader},
    steps,
};

/// A key of a map in a workflow file.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key.
    pub key: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// One line for people.
    pub doc: &'static str,
    /// Whether it is executed; keys that are not yet are refused by name.
    pub status: Status,
}

/// Whether this version executes a key or kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does, and it may be left out.
    Optional,
    /// It does, and it must be there.
    Required,
    /// Part of the format, refused by name until it is executed.
    Later,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Text as it stands.
    Text,
    /// Nothing.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer {
        /// The smallest.
        min: u32,
        /// The largest.
        max: u32,
    },
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// `10s`, `1h30m`.
    Duration,
    /// An expression, bare or in `${{ }}`.
    Expression,
    /// Any value, with `${{ }}` inside.
    Template,
    /// Any value as it stands.
    Any,
    /// Steps.
    Steps,
    /// A map of names to steps.
    Branches,
    /// One step without an id, of the kinds that can undo.
    Undo,
    /// Text or a list of texts.
    Texts,
    /// A map with these keys.
    Map(&'static [Field]),
    /// A map of names, each with a map of these keys or one word.
    Named(&'static [Field]),
    /// Text, or a map with these keys.
    TextOr(&'static [Field]),
    /// A list of such maps.
    Maps(&'static [Field]),
    /// The same; it may be empty.
    AnyMaps(&'static [Field]),
    /// A number, with a fraction if wanted.
    Number {
        /// The smallest.
        min: u32,
        /// The largest.
        max: u32,
    },
    /// A list of these.
    List(&'static Shape),
    /// One of these, short forms first.
    Either(&'static [Shape]),
    /// A form of its own, described by the doc line.
    Special,
}

/// A kind of step.
#[derive(Clone, Copy)]
pub struct StepKindSpec {
    /// The key that names the kind.
    pub key: &'static str,
    /// The shape of that key's value.
    pub shape: Shape,
    /// One line for people.
    pub doc: &'static str,
    /// The keys beside it, without the common ones.
    pub fields: &'static [Field],
    /// Reads it; `None` for kinds that are not executed yet.
    pub(crate) parse: Option<ParseStep>,
}

/// Reads a step of one kind; `None` when an error was reported.
pub(crate) type ParseStep = fn(&mut Reader<'_>, &Fields<'_>) -> Option<StepKind>;

impl StepKindSpec {
    /// Whether this version executes it.
    pub fn executed(&self) -> bool {
        self.parse.is_some()
    }
}

/// A key that may be left out.
pub(crate) const fn optional(key: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { key, shape, doc, status: Status::Optional }
}

/// A key that must be there.
pub(crate) const fn required(key: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { key, shape, doc, status: Status::Required }
}

/// A key that is refused by name.
pub(crate) const fn later(key: &'static str, doc: &'static str) -> Field {
    Field { key, shape: Shape::Special, doc, status: Status::Later }
}

const fn kind(
    key: &'static str,
    shape: Shape,
    doc: &'static str,
    fields: &'static [Field],
    parse: ParseStep,
) -> StepKindSpec {
    StepKindSpec { key, shape, doc, fields, parse: Some(parse) }
}

const fn later_kind(key: &'static str, doc: &'static str, fields: &'static [Field]) -> StepKindSpec {
    StepKindSpec { key, shape: Shape::Special, doc, fields, parse: None }
}

/// Most steps of a workflow, those inside of others included.
pub const MAX_STEPS: usize = 500;

/// Most iterations of a `for_each` at once.
pub const MAX_PARALLEL: u32 = 100;

/// Every kind of step, in the order of the documentation.
pub const STEP_KINDS: &[StepKindSpec] = &[
    kind("script", Shape::Text, "Runs Rhai, inline or from `./file.rhai`; gives its last value.", &[], steps::script),
    kind(
        "plugin",
        Shape::Text,
        "Calls a function of a WASM plugin: `fraud-score`, or `fraud-score/score` where it has several; gives what it gives.",
        &[optional("with", Shape::Template, "What the function takes; `{}` when absent.")],
        steps::plugin,
    ),
    kind(
        "http",
        Shape::Template,
        "Makes an outbound call: `METHOD URL`; gives `{status, headers, body}`.",
        &[
            optional("headers", Shape::Template, "A map of texts."),
            optional("query", Shape::Template, "A map of texts, numbers or lists of them."),
            optional("body", Shape::Template, "JSON, or text."),
            optional("form", Shape::Template, "A map, sent as a web form; instead of `body`."),
            optional("expect", Shape::Texts, "Statuses that are fine: `2xx` (the default), `404`, `200-299`."),
            optional("parse", Shape::OneOf(steps::PARSE_WORDS), "How the answer's body is read."),
            optional(
                "idempotent",
                Shape::Boolean,
                "Repeating the call is harmless. GET, HEAD, PUT, DELETE and OPTIONS are by default.",
            ),
        ],
        steps::http,
    ),
    kind(
        "woo",
        Shape::Template,
        "Calls a store's REST API: a path such as `orders/61/notes`; gives the answer's body.",
        &[
            optional("method", Shape::OneOf(steps::WOO_METHODS), "GET when absent."),
            optional("with", Shape::Template, "What is sent: a map."),
            optional("query", Shape::Template, "A map of texts, numbers or lists of them."),
            optional("store", Shape::Template, "The id of the store; the event's when absent."),
            optional("all", Shape::Boolean, "Walks all pages of a list and gives all of its items."),
        ],
        steps::woo,
    ),
    later_kind(
        "batch",
        "Writes many items to many stores.",
        &[later("stores", ""), later("create", ""), later("update", ""), later("delete", "")],
    ),
    later_kind("command", "Executes a command inside WordPress.", &[later("with", ""), later("store", "")]),
    later_kind(
        "mirror",
        "Asks the local copy of the stores' data.",
        &[later("where", ""), later("order", ""), later("limit", ""), later("stores", "")],
    ),
    kind(
        "emit",
        Shape::Template,
        "Raises an event; gives its id.",
        &[optional("data", Shape::Template, "The event's data, `{}` when absent.")],
        steps::emit,
    ),
    kind(
        "sleep",
        Shape::Template,
        "Waits: a duration, a number of seconds, or a time.",
        &[optional(
            "recheck",
            Shape::Boolean,
            "Evaluate the workflow's `if` again on waking; when false the run stops as succeeded.",
        )],
        steps::sleep,
    ),
    kind(
        "wait_for",
        Shape::TextOr(steps::WAIT_FOR),
        "Waits for an event of the run's store: a topic, or a map; gives the event, `()` when none came in time.",
        &[],
        steps::wait_for,
    ),
    kind(
        "approve",
        Shape::Template,
        "Asks a person; gives `{approved, by, at, comment}`. After its `timeout` it is not approved.",
        &[optional("by", Shape::Texts, "Roles that may answer: `operator`, `owner`; both when absent.")],
        steps::approve,
    ),
    kind(
        "choose",
        Shape::Maps(steps::BRANCH),
        "Takes the first branch whose `if` holds; gives its last output.",
        &[],
        steps::choose,
    ),
    kind(
        "for_each",
        Shape::Expression,
        "Runs steps for each item of a list; gives the list of last outputs.",
        &[
            required("steps", Shape::Steps, "What to do for each `item` (at `index`)."),
            optional("parallel", Shape::Integer { min: 1, max: MAX_PARALLEL }, "How many at once, 1 when absent."),
        ],
        steps::for_each,
    ),
    kind(
        "parallel",
        Shape::Branches,
        "Runs named branches side by side: `{ left: [steps], right: [steps] }`; gives the map of last outputs.",
        &[],
        steps::parallel,
    ),
    kind(
        "call",
        Shape::Text,
        "Starts another workflow; gives its output, or its run's id without `await`.",
        &[
            optional("with", Shape::Template, "A map: its inputs, the data of its event."),
            optional("await", Shape::Boolean, "Whether the step waits for its end; true when absent."),
        ],
        steps::call,
    ),
    kind(
        "respond",
        Shape::Map(steps::RESPOND_FIELDS),
        "Answers the caller of an `http` trigger with `respond: sync`; steps may follow. Gives whether it was the answer.",
        &[],
        steps::respond,
    ),
    kind("stop", Shape::Template, "Ends the run early as succeeded; the text says why.", &[], steps::stop),
    kind("fail", Shape::Template, "Ends the run as failed; the text says why.", &[], steps::fail),
];

/// Keys that every step may have.
pub const COMMON_STEP_FIELDS: &[Field] = &[
    optional("id", Shape::Text, "Its name in `steps.ID`; unique in the workflow."),
    optional("name", Shape::Text, "For people."),
    optional("if", Shape::Expression, "The step is skipped when this is false."),
    optional("retry", RETRY, "When and how often it is tried again."),
    optional("timeout", Shape::Duration, "Of the whole step, all its attempts and waits included."),
    optional("on_error", ON_ERROR, "`park`, `fail`, `continue` or `{ goto: ID }`; for `for_each` also `stop`."),
    optional("on_unknown", Shape::OneOf(ON_UNKNOWN_WORDS), "What to do when nobody can say whether a call happened."),
    optional("output", Shape::Expression, "Trims what is kept; sees `output`."),
    optional(
        "undo",
        Shape::Undo,
        "What takes it back when the run fails and `undo_on_failure` is set: a step without `id`.",
    ),
];

/// The value of `retry`: how often, or a map.
pub(crate) const RETRY: Shape =
    Shape::Either(&[Shape::Integer { min: 1, max: crate::retry::MAX_ATTEMPTS }, Shape::Map(RETRY_FIELDS)]);

/// The value of `on_error`.
const ON_ERROR: Shape = Shape::Either(&[
    Shape::OneOf(&["park", "fail", "continue", "stop"]),
    Shape::Map(&[required("goto", Shape::Text, "The id of a later step of the same block.")]),
]);

/// Keys of `retry`.
pub const RETRY_FIELDS: &[Field] = &[
    optional(
        "attempts",
        Shape::Integer { min: 1, max: crate::retry::MAX_ATTEMPTS },
        "All tries, the first included; 5 when absent.",
    ),
    optional("initial", Shape::Duration, "Wait before the second try; 2s when absent."),
    optional(
        "factor",
        Shape::Number { min: 1, max: 100 },
        "Each wait is this many times the one before, 1 to 100; 2 when absent.",
    ),
    optional("max", Shape::Duration, "No wait is longer; 10m when absent."),
];

/// Values of `on_unknown`.
pub const ON_UNKNOWN_WORDS: &[&str] = &["park", "retry", "fail"];

/// Keys of a workflow file.
pub const WORKFLOW_FIELDS: &[Field] = &[
    optional("name", Shape::Text, "For people."),
    optional("description", Shape::Text, "For people."),
    optional("enabled", Shape::Boolean, "`false`: starts no runs; those that run go on."),
    required("on", super::triggers::ON, "What starts it."),
    optional("if", Shape::Expression, "A condition for all triggers."),
    optional("vars", Shape::Template, "A map, evaluated once when the run starts."),
    optional(
        "inputs",
        Shape::Named(super::triggers::INPUT_FIELDS),
        "What a start by hand or a `call` gives; the same as `inputs` of `manual`.",
    ),
    optional("grants", Shape::Map(super::grants::GRANT_FIELDS), "What it may do; nothing when absent."),
    optional(
        "concurrency",
        Shape::Either(&[Shape::Text, Shape::Map(super::concurrency::CONCURRENCY_FIELDS)]),
        "How many runs at once: a map, a limit, or a key such as `\"${{ event.data.id }}\"`.",
    ),
    optional("retry", RETRY, "For steps that have none."),
    optional("timeout", Shape::Duration, "Of the whole run."),
    optional(
        "undo_on_failure",
        Shape::Boolean,
        "When the run fails, the `undo` of each step that succeeded runs, the last first.",
    ),
    optional("on_unknown", Shape::OneOf(ON_UNKNOWN_WORDS), "For steps that have none."),
    optional("on_failure", Shape::Steps, "What to do when the run fails; sees `failure`."),
    optional("on_cancel", Shape::Steps, "What to do when the run is cancelled; `failure.message` says by whom."),
    required("steps", Shape::Steps, "What it does, one after another."),
    optional("output", Shape::Expression, "What the run gives."),
];

/// The kind with this key.
pub fn step_kind(key: &str) -> Option<&'static StepKindSpec> {
    STEP_KINDS.iter().find(|kind| kind.key == key)
}
