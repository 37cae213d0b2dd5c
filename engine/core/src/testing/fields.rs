//! The keys of a test file: what parsing, "did you mean" and the JSON Schema read.

use super::outcome::{NOT_HEARD, REFUSED};
use crate::workflow::registry::{Field, Shape, optional, required};

pub(super) const FILE: &[Field] = &[
    optional("workflow", Shape::Text, "The workflow's id, where the file's name does not say it."),
    CLOCK,
    STORES,
    SECRETS,
    STUBS,
    required("cases", Shape::AnyMaps(CASE), "The tests."),
];

const CLOCK: Field = optional("clock", Shape::Text, "When cases begin, such as 2026-01-05T09:00:00Z.");
const STORES: Field = optional("stores", Shape::Named(STORE), "Connected stores: `my-shop: { tags: [eu] }`.");
const SECRETS: Field = optional("secrets", Shape::Special, "Fake values by name; `null`: not set.");
const STUBS: Field = optional("stubs", Shape::AnyMaps(STUB), "Answers to calls.");

pub(super) const CASE: &[Field] = &[
    required("name", Shape::Text, "Unique in the file."),
    CLOCK,
    STORES,
    SECRETS,
    STUBS,
    optional("state", Shape::Special, "What the workflow remembers at the start."),
    EVENT,
    optional("events", Shape::Maps(EVENT_AFTER), "Several events start it, one after another."),
    HTTP,
    SCHEDULE,
    MANUAL,
    optional("then", Shape::AnyMaps(LATER), "What happens later."),
    optional("expect", Shape::Map(EXPECT), "What must come of it."),
    optional("snapshot", Shape::Boolean, "Compare everything with what is kept beside the test."),
];

/// The keys that start a case: exactly one of them, or `events`.
pub(super) const STARTS: [&str; 4] = ["event", "http", "schedule", "manual"];
/// What can happen later besides.
pub(super) const PEOPLE: [&str; 3] = ["cancel", "retry", "approve"];

const EVENT: Field = optional("event", Shape::Map(EVENT_KEYS), "An event starts it.");
const HTTP: Field = optional("http", Shape::Map(HTTP_KEYS), "A request to its endpoint starts it.");
const SCHEDULE: Field =
    optional("schedule", Shape::TextOr(SCHEDULE_KEYS), "Its schedule starts it: `next`, a time, or a map.");
const MANUAL: Field = optional("manual", Shape::Map(MANUAL_KEYS), "A person starts it.");

pub(super) const LATER: &[Field] = &[
    required("after", Shape::Duration, "Since the start of the case."),
    EVENT,
    HTTP,
    SCHEDULE,
    MANUAL,
    optional("cancel", Shape::Boolean, "A person cancels every open run."),
    optional("retry", Shape::Boolean, "A person retries every parked or failed run."),
    optional("approve", Shape::Map(GIVEN), "A person answers an `approve` step."),
];

pub(super) const GIVEN: &[Field] = &[
    required("step", Shape::Text, "The step that asks: its id or path."),
    required("approved", Shape::Boolean, "Yes, or no."),
    optional("by", Shape::Text, "Who; `test` when absent."),
    optional("comment", Shape::Text, "In their words."),
];

pub(super) const EVENT_KEYS: &[Field] = &[
    optional("topic", Shape::Text, "Such as order.created."),
    optional("store", Shape::Text, "The id of its store."),
    optional("data", Shape::Special, "What it says; merged into the data of `file`."),
    optional("file", Shape::Text, "A fixture beside the test, as `cartwright events export` writes it."),
];

pub(super) const EVENT_AFTER: &[Field] = &[
    EVENT_KEYS[0],
    EVENT_KEYS[1],
    EVENT_KEYS[2],
    EVENT_KEYS[3],
    optional("after", Shape::Duration, "Since the start of the case; at once when absent."),
];

pub(super) const HTTP_KEYS: &[Field] = &[
    optional("method", Shape::Text, "The trigger's when absent."),
    optional("path", Shape::Text, "The trigger's when absent."),
    optional("query", Shape::Special, "A map of texts or lists of them."),
    optional("headers", Shape::Special, "A map of texts."),
    optional("body", Shape::Special, "The event's data."),
];

pub(super) const SCHEDULE_KEYS: &[Field] = &[
    optional("at", Shape::Text, "When; the next time it is due when absent."),
    optional("cron", Shape::Text, "Which schedule of several."),
    optional("store", Shape::Text, "For which store."),
];

pub(super) const MANUAL_KEYS: &[Field] =
    &[optional("inputs", Shape::Special, "What the person gives."), optional("store", Shape::Text, "For which store.")];

pub(super) const STUB: &[Field] = &[
    optional("step", Shape::Text, "Calls of this step."),
    optional("http", Shape::Text, "`METHOD URL` with `*` for any text."),
    optional("woo", Shape::Text, "`METHOD path` with `*` for any text."),
    optional("command", Shape::Text, "A command's name."),
    optional("plugin", Shape::Text, "A plugin's name."),
    optional("workflow", Shape::Text, "The id of a workflow that is called; it is not started."),
    optional("store", Shape::Text, "Calls to this store."),
    optional("answer", Shape::Map(ANSWER), "What comes back."),
    optional("answers", Shape::Maps(ANSWER), "One after another, the last again and again."),
    optional("times", Shape::Integer { min: 0, max: 10_000 }, "How many calls it answers."),
];

pub(super) const ANSWER: &[Field] = &[
    optional("status", Shape::Integer { min: 100, max: 599 }, "200 when absent."),
    optional("headers", Shape::Special, "A map of texts."),
    optional("body", Shape::Special, "JSON, or text."),
    optional("error", Shape::OneOf(ERRORS), "Why there is no answer."),
    optional("failed", Shape::Text, "Why a called workflow fails."),
    optional("delay", Shape::Duration, "Time that passes before."),
];

pub(super) const ERRORS: &[&str] = &["connection", "timeout", "lost", "dns", "tls"];

pub(super) const EXPECT: &[Field] = &[
    optional("status", Shape::OneOf(STATUSES), "How the run ends; succeeded when absent."),
    optional("ran", Shape::Texts, "Ids of the steps that ran, in order."),
    optional("skipped", Shape::Texts, "Ids of the steps that were skipped, in order."),
    optional("steps", Shape::Named(STEP), "By id: a status, or a map."),
    optional("calls", Shape::AnyMaps(CALL), "All calls to the outside, in order."),
    optional("output", Shape::Special, "What the run gives."),
    optional("emitted", Shape::AnyMaps(EMITTED), "Events that are raised, in order."),
    optional(
        "slept",
        Shape::Either(&[Shape::Duration, Shape::Map(SLEPT)]),
        "Time between start and end: `14d`, or `{ min, max }`.",
    ),
    optional("failure", Shape::Map(FAILURE), "Why it fails or is parked."),
    optional("reason", Shape::Text, "A part of why it does not start."),
    optional("events", Shape::Texts, "What becomes of each event, in order: started, merged, duplicate, …"),
    optional(
        "response",
        Shape::Either(&[Shape::Null, Shape::Map(RESPONSE)]),
        "What a caller that waits gets; `null`: nothing of a `respond` step.",
    ),
    optional("state", Shape::Special, "What the workflow remembers, by key."),
    optional("runs", Shape::Special, "How many runs, or a list of expectations."),
];

pub(super) const RESPONSE: &[Field] = &[
    optional("status", Shape::Integer { min: 200, max: 599 }, "HTTP status."),
    optional("headers", Shape::Special, "A map; others may be there, `null`: it is not."),
    optional("body", Shape::Special, "JSON, or text; `null`: none."),
];

pub(super) const STATUSES: &[&str] = &["succeeded", "failed", "parked", "waiting", "cancelled", "not_started"];

pub(super) const STEP: &[Field] = &[
    optional("status", Shape::OneOf(STEP_STATUSES), "How it ends."),
    optional("output", Shape::Special, "What it gives."),
    optional("attempts", Shape::Integer { min: 0, max: 1_000 }, "How often it is tried."),
    optional("error", Shape::Map(FAILURE), "Why it fails."),
];

pub(super) const STEP_STATUSES: &[&str] =
    &["succeeded", "failed", "skipped", "waiting", "running", "unknown", "cancelled", "not_run"];

pub(super) const FAILURE: &[Field] = &[
    optional("step", Shape::Text, "The step's id or path."),
    optional("code", Shape::Text, "The error's code."),
    optional("message", Shape::Text, "A part of its message."),
];

pub(super) const CALL: &[Field] = &[
    optional("http", Shape::Text, "`METHOD URL` with `*` for any text."),
    optional("woo", Shape::Text, "`METHOD path` with `*` for any text."),
    optional("command", Shape::Text, "A command's name."),
    optional("plugin", Shape::Text, "A plugin's name."),
    optional("workflow", Shape::Text, "The id of a called workflow that a stub answers for."),
    optional("step", Shape::Text, "The step's id or path."),
    optional("store", Shape::Text, "To which store."),
    optional("query", Shape::Special, "A map."),
    optional("headers", Shape::Special, "A map; others may be there."),
    optional("body", Shape::Special, "What is sent."),
    optional("form", Shape::Special, "What is sent as a web form."),
    optional("answer", Shape::Map(ANSWER), "What comes back."),
];

/// What can become of an event.
pub(super) const BECAME: &[&str] = &[
    "started",
    "condition_false",
    "condition_failed",
    "loop_cut",
    "duplicate",
    "merged",
    "collected",
    "delayed",
    "key_failed",
    "dropped",
    NOT_HEARD,
    REFUSED,
];

pub(super) const EMITTED: &[Field] =
    &[required("topic", Shape::Text, "Its topic."), optional("data", Shape::Special, "Its data.")];

pub(super) const SLEPT: &[Field] =
    &[optional("min", Shape::Duration, "At least."), optional("max", Shape::Duration, "At most.")];

pub(super) const STORE: &[Field] = &[optional("tags", Shape::Texts, "Its tags.")];
