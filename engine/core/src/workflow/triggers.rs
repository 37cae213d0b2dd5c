//! `on`: what starts a workflow.

mod auth;
mod http;
mod manual;

use std::time::Duration;

use super::{
    CatchUp, CronExpression, Expression, HttpAuth, HttpTrigger, InputSpec, Respond, Schedule, Span, StoreSelector,
    Trigger, TriggerKind, codes,
    diagnostic::Diagnostic,
    gates::{GATE_FIELDS as GATES, Gates, name_triggers},
    node::{Entry, Node, Value, shorten},
    reader::Reader,
    registry::{Field, Shape, optional, required},
    topic,
};

pub use auth::{DEFAULT_BEARER_SECRET, DEFAULT_TOLERANCE};
pub use http::{DEFAULT_SYNC_SECONDS, HTTP_FIELDS, MAX_SYNC_WAIT};
pub use manual::{INPUT_FIELDS, MANUAL_FIELDS};

/// Most triggers of a workflow.
const MAX_TRIGGERS: usize = 100;

/// The value of `on`: triggers by their kind, or a list of such maps.
pub const ON: Shape = Shape::Either(&[Shape::Map(TRIGGER_FIELDS), Shape::List(&Shape::Map(TRIGGER_FIELDS))]);

/// Topics, or a map.
const WOO: Shape = Shape::Either(&[Shape::Texts, Shape::Map(WOO_FIELDS)]);
const EVENT: Shape = Shape::Either(&[Shape::Texts, Shape::Map(EVENT_FIELDS)]);
const HTTP: Shape = Shape::Either(&[Shape::Text, Shape::Map(HTTP_FIELDS)]);
const MANUAL: Shape = Shape::Either(&[Shape::Boolean, Shape::Map(MANUAL_FIELDS)]);
/// One occurrence after another, or several schedules.
const SCHEDULE: Shape = Shape::Either(&[
    Shape::Text,
    Shape::Map(SCHEDULE_FIELDS),
    Shape::List(&Shape::Either(&[Shape::Text, Shape::Map(SCHEDULE_FIELDS)])),
]);

/// Keys of `on`.
pub const TRIGGER_FIELDS: &[Field] = &[
    optional("woo", WOO, "Topics of stores: `[order.created]`, `order.*`, or a map."),
    optional("schedule", SCHEDULE, "A cron expression, a list of them, or of maps."),
    optional("http", HTTP, "A path below `/hooks/`, or a map."),
    optional("event", EVENT, "Topics that workflows emit: `[stock.low]`, or a map."),
    optional("manual", MANUAL, "`true`, or `{ inputs }`: a form in the dashboard, flags in the CLI."),
];

const CONDITION: Field = optional("if", Shape::Expression, "A condition for this trigger.");

/// Keys of `woo`.
pub const WOO_FIELDS: &[Field] = &[
    required("topics", Shape::Texts, "Topics or patterns: `order.created`, `order.*`."),
    optional("stores", Shape::Texts, "Which stores: `\"*\"` (the default), ids, `tag:NAME`."),
    CONDITION,
    GATES[0],
    GATES[1],
    GATES[2],
    GATES[3],
];

/// Keys of `event`.
pub const EVENT_FIELDS: &[Field] = &[
    required("topics", Shape::Texts, "Topics or patterns: `stock.low`, `stock.*`."),
    CONDITION,
    GATES[0],
    GATES[1],
    GATES[2],
    GATES[3],
];

/// The most times that `catch_up: all` makes up for, the last of those that passed.
pub const CATCH_UP_MAX: usize = 100;
/// The longest `jitter`.
const MAX_JITTER: Duration = Duration::from_secs(24 * 3600);
const CATCH_UP_WORDS: &[&str] = &["none", "one", "all"];

/// Keys of a `schedule`.
pub const SCHEDULE_FIELDS: &[Field] = &[
    required("cron", Shape::Text, "Five fields with Unix meaning: `0 7 * * MON-FRI`."),
    optional("timezone", Shape::Text, "A name such as `Europe/Berlin`, `UTC` when absent."),
    CONDITION,
    optional("stores", Shape::Texts, "One run for each of these stores: `\"*\"`, ids, `tag:NAME`."),
    optional(
        "catch_up",
        Shape::OneOf(CATCH_UP_WORDS),
        "What becomes of times that passed while no engine ran; `none` when absent.",
    ),
    optional(
        "jitter",
        Shape::Duration,
        "Puts each start off by a part of this, at most a day and never past the next time.",
    ),
    GATES[0],
    GATES[1],
    GATES[2],
    GATES[3],
];

impl Reader<'_> {
    /// `on`: a map of triggers, or a list of such maps.
    pub(crate) fn triggers(&mut self, node: &Node) -> Vec<Trigger> {
        let maps: Vec<&Node> = match &node.value {
            Value::List(items) => items.iter().collect(),
            _ => vec![node],
        };
        let mut triggers = Vec::new();
        for map in maps.iter().take(MAX_TRIGGERS + 1) {
            let Some(fields) = self.fields("`on`", map, &[TRIGGER_FIELDS]) else { continue };
            if let Value::Map(entries) = &map.value
                && entries.is_empty()
            {
                self.error(
                    codes::EMPTY_VALUE,
                    &map.span,
                    "`on` is empty",
                    "name a trigger: woo, schedule, http, event or manual",
                );
            }
            for key in ["woo", "event", "http", "schedule", "manual"] {
                if let Some(entry) = fields.get(key) {
                    let before = triggers.len();
                    self.trigger(entry, &mut triggers);
                    self.add_gates(&entry.value, &mut triggers[before..]);
                }
            }
        }
        if triggers.len() > MAX_TRIGGERS {
            self.error(codes::TOO_LARGE, &node.span, format!("a workflow has at most {MAX_TRIGGERS} triggers"), "");
            triggers.clear();
        }
        name_triggers(&mut triggers);
        triggers
    }

    /// Triggers made of one entry get its gates: those of a list, each its own.
    fn add_gates(&mut self, node: &Node, triggers: &mut [Trigger]) {
        let maps = match &node.value {
            Value::List(items) => items.iter().take(MAX_TRIGGERS).collect(),
            _ => vec![node],
        };
        // A map that is no trigger was reported: then the file is not used.
        let gates: Vec<Gates> = maps.into_iter().map(|map| self.gates(map)).collect();
        for (trigger, gates) in triggers.iter_mut().zip(gates) {
            trigger.gates = gates;
        }
    }

    fn trigger(&mut self, entry: &Entry, triggers: &mut Vec<Trigger>) {
        let node = &entry.value;
        let span = entry.key_span.start..node.span.end.max(entry.key_span.end);
        let mut push = |kind: Option<TriggerKind>, condition: Option<Expression>, span: Span| {
            let trigger = |kind| Trigger { kind, condition, gates: Gates::default(), name: String::new(), span };
            triggers.extend(kind.map(trigger));
        };
        match (entry.key.as_str(), &node.value) {
            ("woo", Value::Map(_)) => {
                let Some(fields) = self.fields("`woo`", node, &[WOO_FIELDS]) else { return };
                let condition = self.expression(&fields, "if");
                let topics = fields.value("topics").map(|node| self.topics(node, true)).unwrap_or_default();
                let stores = fields.value("stores").map_or_else(|| vec![StoreSelector::All], |node| self.stores(node));
                push(Some(TriggerKind::Woo { topics, stores }), condition, span);
            }
            ("woo", _) => {
                let topics = self.topics(node, true);
                push(Some(TriggerKind::Woo { topics, stores: vec![StoreSelector::All] }), None, span);
            }
            ("event", Value::Map(_)) => {
                let Some(fields) = self.fields("`event`", node, &[EVENT_FIELDS]) else { return };
                let condition = self.expression(&fields, "if");
                let topics = fields.value("topics").map(|node| self.topics(node, false)).unwrap_or_default();
                push(Some(TriggerKind::Event { topics }), condition, span);
            }
            ("event", _) => {
                let topics = self.topics(node, false);
                push(Some(TriggerKind::Event { topics }), None, span);
            }
            ("http", Value::Map(_)) => {
                let Some(fields) = self.fields("`http`", node, &[HTTP_FIELDS]) else { return };
                let condition = self.expression(&fields, "if");
                push(self.http_trigger(&fields).map(TriggerKind::Http), condition, span);
            }
            ("http", _) => {
                // The short form has no place for `auth`: it takes the safe one.
                let auth = HttpAuth::Bearer { secret: DEFAULT_BEARER_SECRET.to_owned() };
                let path = self.hook_path(node);
                push(
                    path.map(|path| {
                        let (method, respond) = ("POST".to_owned(), Respond::Async);
                        TriggerKind::Http(HttpTrigger { path, method, auth, respond, schema: None })
                    }),
                    None,
                    span,
                );
            }
            ("manual", Value::Map(_)) => {
                let Some(fields) = self.fields("`manual`", node, &[MANUAL_FIELDS]) else { return };
                let condition = self.expression(&fields, "if");
                if let Some(inputs) = fields.get("inputs") {
                    let span = inputs.key_span.clone();
                    let specs = self.inputs(&inputs.value);
                    self.declare_inputs(specs, &span);
                }
                push(Some(TriggerKind::Manual), condition, span);
            }
            ("manual", _) => match self.boolean("`manual`", node) {
                Some(false) => {
                    let help = "remove the key; whoever may start runs can start any workflow by hand";
                    self.error(codes::BAD_VALUE, &node.span, "`manual` cannot be `false`", help);
                }
                said => push(said.map(|_| TriggerKind::Manual), None, span),
            },
            (_, Value::List(items)) => {
                if items.is_empty() {
                    self.error(
                        codes::EMPTY_VALUE,
                        &node.span,
                        "`schedule` is empty",
                        "write `schedule: \"0 7 * * *\"`",
                    );
                }
                if items.len() > MAX_TRIGGERS {
                    self.error(
                        codes::TOO_LARGE,
                        &node.span,
                        format!("a workflow has at most {MAX_TRIGGERS} triggers"),
                        "",
                    );
                }
                for item in items.iter().take(MAX_TRIGGERS) {
                    let (kind, condition) = self.schedule(item);
                    push(kind, condition, item.span.clone());
                }
            }
            _ => {
                let (kind, condition) = self.schedule(node);
                push(kind, condition, span);
            }
        }
    }

    /// Inputs are declared once, wherever that is.
    pub(crate) fn declare_inputs(&mut self, specs: Option<Vec<InputSpec>>, span: &Span) {
        if self.inputs.is_some() {
            let help = "`inputs` of the workflow and `inputs` of `manual` are the same: keep one";
            self.error(codes::INPUT, span, "inputs are declared twice", help);
            return;
        }
        self.inputs = specs;
    }

    fn schedule(&mut self, node: &Node) -> (Option<TriggerKind>, Option<Expression>) {
        let (mut stores, mut catch_up, mut jitter) = (Vec::new(), CatchUp::None, Duration::ZERO);
        let (cron, timezone, condition) = match &node.value {
            Value::Map(_) => {
                let Some(fields) = self.fields("`schedule`", node, &[SCHEDULE_FIELDS]) else { return (None, None) };
                let condition = self.expression(&fields, "if");
                let timezone = fields.value("timezone").map(|node| self.timezone(node));
                stores = fields.value("stores").map(|node| self.stores(node)).unwrap_or_default();
                catch_up = match fields.value("catch_up").map(|node| self.word("`catch_up`", node, CATCH_UP_WORDS, &[]))
                {
                    Some(Some("one")) => CatchUp::One,
                    Some(Some("all")) => CatchUp::All,
                    _ => CatchUp::None,
                };
                if let Some(node) = fields.value("jitter") {
                    jitter = self.duration("`jitter`", node).unwrap_or_default();
                    if jitter > MAX_JITTER {
                        self.error(codes::DURATION, &node.span, "`jitter` is at most a day", "write `5m`");
                    }
                }
                let Some(cron) = fields.value("cron") else { return (None, condition) };
                (self.cron(cron), timezone.unwrap_or(Some(chrono_tz::UTC)), condition)
            }
            _ => (self.cron(node), Some(chrono_tz::UTC), None),
        };
        let schedule = cron
            .zip(timezone)
            .map(|(cron, timezone)| TriggerKind::Schedule(vec![Schedule { cron, timezone, stores, catch_up, jitter }]));
        (schedule, condition)
    }

    fn cron(&mut self, node: &Node) -> Option<CronExpression> {
        let text = self.text("`cron`", node)?;
        match CronExpression::parse(&text) {
            Ok(cron) => Some(cron),
            Err(message) => {
                self.error(codes::CRON, &node.span, message, "`0 7 * * MON-FRI` is seven o'clock on working days");
                None
            }
        }
    }

    fn timezone(&mut self, node: &Node) -> Option<chrono_tz::Tz> {
        let text = self.text("`timezone`", node)?;
        if let Ok(timezone) = text.parse() {
            return Some(timezone);
        }
        let names = chrono_tz::TZ_VARIANTS.iter().map(|timezone| timezone.name());
        let lower = text.to_lowercase();
        let same = names.clone().find(|name| name.to_lowercase() == lower);
        let message = format!("`{}` is not a time zone", shorten(&text));
        let mut diagnostic = Diagnostic::error(codes::TIMEZONE, node.span.clone(), message)
            .suggest(&text, names)
            .help("use a name such as `Europe/Berlin` or `America/New_York`");
        if let Some(name) = same {
            diagnostic.did_you_mean = Some(name.to_owned());
        }
        self.diagnostics.push(diagnostic);
        None
    }

    fn topics(&mut self, node: &Node, of_stores: bool) -> Vec<String> {
        let mut topics = Vec::new();
        for (text, node) in self.texts("`topics`", node) {
            match topic::check_pattern(&text) {
                Ok(()) => {
                    if of_stores {
                        self.doubt_topic(&text, node);
                    }
                    topics.push(text);
                }
                Err(message) => self.error(
                    codes::TOPIC,
                    &node.span,
                    message,
                    "topics look like `order.created`, patterns like `order.*` or `\"*\"`",
                ),
            }
        }
        topics
    }

    /// WooCommerce's own resources have four events each; another one is most likely misspelt.
    fn doubt_topic(&mut self, topic: &str, node: &Node) {
        const VERBS: [&str; 4] = ["created", "updated", "deleted", "restored"];
        let Some((resource, verb)) = topic.split_once('.') else { return };
        if !["coupon", "customer", "order", "product"].contains(&resource) || verb == "*" || VERBS.contains(&verb) {
            return;
        }
        let known: Vec<String> = VERBS.iter().map(|verb| format!("{resource}.{verb}")).collect();
        let diagnostic = Diagnostic::warning(
            codes::TOPIC,
            node.span.clone(),
            format!("WooCommerce sends no `{}` by itself", shorten(topic)),
        )
        .suggest(topic, known.iter().map(String::as_str))
        .help(format!("it sends {}; topics of your own are fine", known.join(", ")));
        self.diagnostics.push(diagnostic);
    }

    fn stores(&mut self, node: &Node) -> Vec<StoreSelector> {
        let texts = self.texts("`stores`", node);
        texts.into_iter().filter_map(|(text, node)| self.store(&text, node)).collect()
    }

    /// `"*"`, an id, or `tag:NAME`.
    pub(crate) fn store(&mut self, text: &str, node: &Node) -> Option<StoreSelector> {
        let selector = text.parse().ok();
        if selector.is_none() {
            let message = format!("`{}` does not name stores", shorten(text));
            self.error(codes::STORE, &node.span, message, "write a store's id, `tag:NAME`, or `\"*\"` for all");
        }
        selector
    }
}
