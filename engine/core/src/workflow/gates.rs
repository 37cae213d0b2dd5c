//! `dedupe`, `debounce`, `collect` and `throttle` of a trigger: what stands between its conditions and a run. See
//! [`crate::gate`] for what they do.

use std::time::Duration;

use super::{
    Template, Trigger, TriggerKind, codes,
    diagnostic::Diagnostic,
    duration::{MAX_DURATION, format_duration},
    node::{Entry, Node, Scalar, Value},
    reader::{Fields, Reader},
    registry::{Field, Shape, optional, required},
};
use crate::gate::{GateKind, MEMBERS_NAMED_MAX};

/// The longest time that events wait for their run: what is held is kept, whatever retention says.
pub const HOLD_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// A `debounce` without `max_wait` waits at most this many times its `wait`.
const MAX_WAIT_FACTOR: u32 = 10;
/// Most starts that one `throttle` lets into its `per`: so many times are remembered.
pub const THROTTLE_LIMIT_MAX: u32 = 1_000;
/// Most events of one `collect`.
const COLLECT_MAX: u32 = MEMBERS_NAMED_MAX as u32;

/// The gates of a trigger.
#[derive(Debug, Clone, Default)]
pub struct Gates {
    /// `dedupe`
    pub dedupe: Option<Dedupe>,
    /// `debounce`
    pub debounce: Option<Debounce>,
    /// `collect`
    pub collect: Option<Collect>,
    /// `throttle`
    pub throttle: Option<Throttle>,
}

/// `dedupe`: one event per key and window.
#[derive(Debug, Clone)]
pub struct Dedupe {
    /// What makes two events the same.
    pub key: Template,
    /// For how long.
    pub window: Duration,
}

/// `debounce`: one run after a burst.
#[derive(Debug, Clone)]
pub struct Debounce {
    /// Which events are one burst; `None`: all.
    pub key: Option<Template>,
    /// The silence that ends a burst.
    pub wait: Duration,
    /// The longest burst.
    pub max_wait: Duration,
}

/// `collect`: many events, one run.
#[derive(Debug, Clone)]
pub struct Collect {
    /// Which events go together; `None`: all.
    pub key: Option<Template>,
    /// So many start the run at once.
    pub max_items: u32,
    /// After this it starts with what there is.
    pub max_wait: Duration,
}

/// `throttle`: at most `limit` starts in any `per`.
#[derive(Debug, Clone)]
pub struct Throttle {
    /// Which runs share the limit; `None`: all.
    pub key: Option<Template>,
    /// How many.
    pub limit: u32,
    /// In which time.
    pub per: Duration,
}

impl Gates {
    /// Whether there is none: the way of most events.
    pub fn is_empty(&self) -> bool {
        self.dedupe.is_none() && self.debounce.is_none() && self.collect.is_none() && self.throttle.is_none()
    }

    /// The gates there are, in the order in which they are passed, each with its `key`.
    pub fn iter(&self) -> impl Iterator<Item = (GateKind, Option<&Template>)> {
        let dedupe = self.dedupe.as_ref().map(|gate| (GateKind::Dedupe, Some(&gate.key)));
        let debounce = self.debounce.as_ref().map(|gate| (GateKind::Debounce, gate.key.as_ref()));
        let collect = self.collect.as_ref().map(|gate| (GateKind::Collect, gate.key.as_ref()));
        let throttle = self.throttle.as_ref().map(|gate| (GateKind::Throttle, gate.key.as_ref()));
        [dedupe, debounce, collect, throttle].into_iter().flatten()
    }
}

const KEY: Field =
    optional("key", Shape::Template, "What belongs together: `\"${{ event.data.id }}\"`; all when absent.");

const DEDUPE_FIELDS: &[Field] = &[
    required("key", Shape::Template, "What makes two events the same: `\"${{ event.data.id }}\"`."),
    required("window", Shape::Duration, "For how long: `1d`, `365d`."),
];

const DEBOUNCE_FIELDS: &[Field] = &[
    KEY,
    required("wait", Shape::Duration, "The silence that ends a burst: `30s`."),
    optional("max_wait", Shape::Duration, "The longest burst; ten times `wait` when absent."),
];

const COLLECT_FIELDS: &[Field] = &[
    KEY,
    optional(
        "max_items",
        Shape::Integer { min: 1, max: COLLECT_MAX },
        "So many start the run at once; 1000 when absent.",
    ),
    required("max_wait", Shape::Duration, "After this it starts with what there is: `10m`."),
];

const THROTTLE_FIELDS: &[Field] = &[
    KEY,
    required("limit", Shape::Integer { min: 1, max: THROTTLE_LIMIT_MAX }, "How many starts."),
    required("per", Shape::Duration, "In which time: `1m`."),
];

/// The keys of every trigger that are gates, in the order in which they are passed.
pub const GATE_FIELDS: [Field; 4] = [
    optional("dedupe", Shape::Map(DEDUPE_FIELDS), "One run per key and window; later events are duplicates."),
    optional("debounce", Shape::Map(DEBOUNCE_FIELDS), "One run after a burst, with its last event."),
    optional("collect", Shape::Map(COLLECT_FIELDS), "Many events, one run, as `events`."),
    optional("throttle", Shape::Map(THROTTLE_FIELDS), "At most so many starts a time; delays, never drops."),
];

impl Reader<'_> {
    /// The gates of a trigger's map, whose keys were checked; other forms have none.
    pub(super) fn gates(&mut self, trigger: &Node) -> Gates {
        let Value::Map(entries) = &trigger.value else { return Gates::default() };
        let find = |key: &str| entries.iter().find(|entry| entry.key == key);
        Gates {
            dedupe: find("dedupe").and_then(|entry| self.dedupe(entry)),
            debounce: find("debounce").and_then(|entry| self.debounce(entry)),
            collect: find("collect").and_then(|entry| self.collect(entry)),
            throttle: find("throttle").and_then(|entry| self.throttle(entry)),
        }
    }

    fn dedupe(&mut self, entry: &Entry) -> Option<Dedupe> {
        let fields = self.fields("`dedupe`", &entry.value, &[DEDUPE_FIELDS])?;
        let key = self.gate_key(&fields, true);
        let window = self.span(&fields, "window", MAX_DURATION);
        Some(Dedupe { key: key?, window: window? })
    }

    fn debounce(&mut self, entry: &Entry) -> Option<Debounce> {
        let fields = self.fields("`debounce`", &entry.value, &[DEBOUNCE_FIELDS])?;
        let key = self.gate_key(&fields, false);
        let wait = self.span(&fields, "wait", HOLD_MAX)?;
        let max_wait = match fields.get("max_wait") {
            None => wait.saturating_mul(MAX_WAIT_FACTOR).min(HOLD_MAX),
            Some(_) => self.span(&fields, "max_wait", HOLD_MAX)?,
        };
        if max_wait < wait {
            let message = format!(
                "`max_wait` ({}) is shorter than `wait` ({})",
                format_duration(max_wait),
                format_duration(wait)
            );
            self.error(codes::GATE, &fields.span, message, "make `max_wait` at least as long as `wait`");
            return None;
        }
        Some(Debounce { key, wait, max_wait })
    }

    fn collect(&mut self, entry: &Entry) -> Option<Collect> {
        let fields = self.fields("`collect`", &entry.value, &[COLLECT_FIELDS])?;
        let key = self.gate_key(&fields, false);
        let max_items = match fields.value("max_items") {
            None => Some(COLLECT_MAX),
            Some(node) => self.integer("`max_items`", node, 1, COLLECT_MAX),
        };
        let max_wait = self.span(&fields, "max_wait", HOLD_MAX);
        Some(Collect { key, max_items: max_items?, max_wait: max_wait? })
    }

    fn throttle(&mut self, entry: &Entry) -> Option<Throttle> {
        let fields = self.fields("`throttle`", &entry.value, &[THROTTLE_FIELDS])?;
        let key = self.gate_key(&fields, false);
        let limit = fields.value("limit").and_then(|node| self.integer("`limit`", node, 1, THROTTLE_LIMIT_MAX));
        let per = self.span(&fields, "per", HOLD_MAX);
        Some(Throttle { key, limit: limit?, per: per? })
    }

    /// A key that is the same text for every event is a forgotten `${{ }}`.
    fn gate_key(&mut self, fields: &Fields<'_>, needed: bool) -> Option<Template> {
        let node = fields.value("key")?;
        let key = self.template(node);
        if !matches!(key, Template::Literal(_)) {
            return Some(key);
        }
        let text = match &node.value {
            Value::Scalar(Scalar { text, .. }) if !text.is_empty() => text.as_str(),
            _ => "event.data.id",
        };
        let help = match needed {
            true => format!("write an expression: `key: \"${{{{ {text} }}}}\"`"),
            false => {
                format!("write an expression: `key: \"${{{{ {text} }}}}\"`, or leave `key` out for one group of all")
            }
        };
        let message = "this key is the same for every event";
        self.diagnostics.push(Diagnostic::error(codes::GATE, node.span.clone(), message).help(help));
        None
    }

    /// A duration of at least a millisecond.
    fn span(&mut self, fields: &Fields<'_>, key: &str, max: Duration) -> Option<Duration> {
        let node = fields.value(key)?;
        let duration = self.duration(&format!("`{key}`"), node)?;
        if duration.is_zero() || duration > max {
            let message = format!("`{key}` must be longer than nothing and at most {}", format_duration(max));
            self.error(codes::GATE, &node.span, message, "");
            return None;
        }
        Some(duration)
    }
}

/// Names triggers by kind and place, so that what their gates remember stays theirs when the file changes: `woo`, and
/// `woo.1` for the second of its kind.
pub(super) fn name_triggers(triggers: &mut [Trigger]) {
    let mut seen = std::collections::BTreeMap::<&'static str, usize>::new();
    for trigger in triggers {
        let kind = match &trigger.kind {
            TriggerKind::Woo { .. } => "woo",
            TriggerKind::Event { .. } => "event",
            TriggerKind::Schedule(_) => "schedule",
            TriggerKind::Http(_) => "http",
            TriggerKind::Manual => "manual",
        };
        let place = seen.entry(kind).or_default();
        trigger.name = if *place == 0 { kind.to_owned() } else { format!("{kind}.{place}") };
        *place += 1;
    }
}
