//! Steps: the keys all have in common. What each kind takes beside them is read in [`calls`], [`store`] and [`flow`].

mod calls;
mod flow;
mod plugin;
mod respond;
mod store;
mod undo;
mod wait;

use super::{
    Block, OnError, Span, Step, StepKind, Template, codes,
    diagnostic::Diagnostic,
    node::{Entry, Node, Value, shorten},
    reader::{Fields, Reader},
    registry::{COMMON_STEP_FIELDS, Field, MAX_STEPS, STEP_KINDS, Shape, Status, StepKindSpec, required},
};
use crate::Json;

pub use calls::{DEFAULT_CALL_TIMEOUT, MAX_CALL_TIMEOUT, MAX_SCRIPT_BYTES};
pub(crate) use calls::{PARSE_WORDS, call, emit, http, script};
use flow::loop_word;
pub(crate) use flow::{BRANCH, choose, fail, for_each, parallel, sleep, stop};
pub(crate) use plugin::plugin;
pub(crate) use respond::{RESPOND_FIELDS, respond};
pub(crate) use store::{WOO_METHODS, woo};
pub(crate) use undo::{UNDO_FIELDS, undo_kinds};
pub(crate) use wait::{WAIT_FOR, approve, wait_for};

/// Longest step id.
const MAX_STEP_ID_BYTES: usize = 64;

const STEP_ID_HELP: &str = "use up to 64 of a-z, A-Z, 0-9, `_` and `-`, beginning with a letter";

/// Whether steps, and branches of `parallel`, may be called so.
fn is_step_id(id: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let starts = id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts && id.chars().all(fine) && id.len() <= MAX_STEP_ID_BYTES
}

impl Reader<'_> {
    /// A list of steps.
    pub(crate) fn steps(&mut self, key: &str, node: &Node) -> Block {
        let items = match &node.value {
            Value::List(items) => items,
            _ => {
                let message = format!("`{key}` must be a list of steps, but this is {}", node.describe());
                self.error(codes::WRONG_TYPE, &node.span, message, "begin each step with `- `");
                return Block::new();
            }
        };
        if items.is_empty() {
            self.error(codes::NO_STEPS, &node.span, format!("`{key}` has no steps"), "add a step, or remove the key");
        }
        let mut steps = Block::new();
        for item in items {
            let before = self.diagnostics.len();
            match self.step(item) {
                Some(step) => steps.push(step),
                // A step never vanishes without a word.
                None if self.diagnostics.len() == before && self.steps <= MAX_STEPS => {
                    self.error(codes::BAD_VALUE, &item.span, "this step cannot be read", "");
                }
                None => {}
            }
        }
        self.check_gotos(&steps);
        steps
    }

    fn step(&mut self, node: &Node) -> Option<Step> {
        self.steps += 1;
        let number = self.steps;
        if number == MAX_STEPS + 1 {
            let help = "split the workflow in two and connect them with `emit`";
            self.error(codes::TOO_MANY_STEPS, &node.span, format!("a workflow has at most {MAX_STEPS} steps"), help);
        }
        if number > MAX_STEPS {
            return None;
        }
        let entries = self.entries("a step", node)?;
        let (entry, kind) = self.kind_of("step", node, entries)?;
        let Some(parse) = kind.parse else {
            let id = entries.iter().find(|entry| entry.key == "id");
            self.step_id(id.map(|entry| &entry.value), number, &node.span);
            self.later_kind(entry, kind, &executed_kinds());
            return None;
        };
        let own = [Field { key: kind.key, shape: kind.shape, doc: kind.doc, status: Status::Required }];
        let fields = self.fields(&a_step(kind), node, &[&own, kind.fields, COMMON_STEP_FIELDS])?;
        let id = self.step_id(fields.value("id"), number, &node.span);
        let common = self.common(&fields, kind);
        let undo = fields.value("undo").map(|node| self.undo(node, id.as_deref().unwrap_or_default()));
        let kind = parse(self, &fields)?;
        // An undo that cannot be read was reported; its step does not stand without it.
        Some(Step {
            id: id?,
            kind,
            undo: undo.map_or(Some(None), |undo| undo.map(Some))?,
            span: node.span.clone(),
            ..common
        })
    }

    fn later_kind(&mut self, entry: &Entry, kind: &StepKindSpec, instead: &str) {
        let message = format!("`{}` steps are not available in this version yet", kind.key);
        self.error(codes::LATER_STEP, &entry.key_span, message, &format!("available are: {instead}"));
    }

    /// The one kind that a step or an undo is of, with the key that says so.
    fn kind_of<'n>(
        &mut self,
        what: &str,
        node: &Node,
        entries: &'n [Entry],
    ) -> Option<(&'n Entry, &'static StepKindSpec)> {
        let kinds: Vec<_> = entries
            .iter()
            .filter_map(|entry| Some((entry, STEP_KINDS.iter().find(|kind| kind.key == entry.key)?)))
            .collect();
        // `parallel` is a kind and also a key of `for_each`, as `woo`'s and others' keys may be.
        match kinds[..] {
            [] => {
                self.no_kind(what, node);
                None
            }
            [(entry, kind)] => Some((entry, kind)),
            _ => {
                let owner = kinds.iter().find(|(_, kind)| {
                    kinds.iter().all(|(entry, other)| {
                        other.key == kind.key || kind.fields.iter().any(|field| field.key == entry.key)
                    })
                });
                match owner {
                    Some((entry, kind)) => Some((*entry, *kind)),
                    None => {
                        let names: Vec<_> = kinds.iter().map(|(_, kind)| format!("`{}`", kind.key)).collect();
                        let message = format!("this {what} is of several kinds: {}", names.join(", "));
                        self.error(
                            codes::TWO_KINDS,
                            &kinds[1].0.key_span,
                            message,
                            if what == "undo" {
                                "an undo does one thing; a script can make several calls"
                            } else {
                                "make a step of each: begin each with `- `"
                            },
                        );
                        None
                    }
                }
            }
        }
    }

    fn no_kind(&mut self, what: &str, node: &Node) {
        let Value::Map(entries) = &node.value else { return };
        let known: Vec<&str> = STEP_KINDS.iter().map(|kind| kind.key).collect();
        let common = |key: &str| COMMON_STEP_FIELDS.iter().any(|field| field.key == key);
        let span = entries.first().map_or(&node.span, |entry| &entry.key_span).clone();
        let stranger = entries.iter().find(|entry| !common(&entry.key));
        let (span, message) = match stranger {
            Some(entry) => (entry.key_span.clone(), format!("`{}` is not a kind of {what}", shorten(&entry.key))),
            None => (span, format!("this {what} does not say what to do")),
        };
        let mut diagnostic = Diagnostic::error(codes::NO_KIND, span, message).help(match what {
            "undo" => format!("an undo is one of: {}", undo::kinds_in_words()),
            _ => format!("a step has one of: {}", executed_kinds()),
        });
        if let Some(entry) = stranger {
            diagnostic = diagnostic.suggest(&entry.key, known);
        }
        self.diagnostics.push(diagnostic);
    }

    /// The step's id, given or numbered, unique in the file.
    fn step_id(&mut self, node: Option<&Node>, number: usize, step: &Span) -> Option<String> {
        let (id, span) = match node {
            None => (format!("step{number}"), step.clone()),
            Some(node) => {
                let id = self.text("`id`", node)?;
                if !is_step_id(&id) {
                    let message = format!("`{}` cannot be a step id", shorten(&id));
                    self.error(codes::STEP_ID, &node.span, message, STEP_ID_HELP);
                    return None;
                }
                (id, node.span.clone())
            }
        };
        if self.ids.contains_key(&id) {
            let message = format!("two steps have the id `{id}`");
            self.error(
                codes::DUPLICATE_ID,
                &span,
                message,
                "ids are unique in the whole workflow, inner steps, `on_failure` and `on_cancel` included",
            );
            return None;
        }
        self.ids.insert(id.clone(), span);
        Some(id)
    }

    /// The keys that all kinds share; id and kind are filled in by the caller.
    fn common(&mut self, fields: &Fields<'_>, kind: &StepKindSpec) -> Step {
        let on_error = match fields.value("on_error") {
            // A loop's own words were read by its parse function.
            Some(node) if kind.key == "for_each" && loop_word(node).is_some() => None,
            Some(node) => self.on_error(node, kind.key == "for_each"),
            None => None,
        };
        let calls_outside = matches!(kind.key, "script" | "http" | "woo");
        if let Some(entry) = fields.get("retry").filter(|_| !calls_outside) {
            let message = format!("`retry` has no effect on {}", a_step(kind));
            self.diagnostics.push(
                Diagnostic::warning(codes::NO_EFFECT, entry.key_span.clone(), message)
                    .help("put it on the steps that make calls"),
            );
        }
        if let Some(entry) = fields.get("on_unknown").filter(|_| !calls_outside) {
            let message = format!("`on_unknown` has no effect on {}", a_step(kind));
            self.diagnostics.push(
                Diagnostic::warning(codes::NO_EFFECT, entry.key_span.clone(), message)
                    .help("put it on the steps that make calls: nobody can say whether one of those happened"),
            );
        }
        Step {
            id: String::new(),
            name: fields.value("name").and_then(|node| self.text("`name`", node)),
            kind: StepKind::Stop(Template::Literal(Json::Null)),
            condition: self.expression(fields, "if"),
            retry: fields.value("retry").and_then(|node| self.retry(node)),
            timeout: fields.value("timeout").and_then(|node| self.timeout(node)),
            on_error,
            on_unknown: fields.value("on_unknown").and_then(|node| self.on_unknown(node)),
            output: self.expression(fields, "output"),
            undo: None,
            span: fields.span.clone(),
        }
    }

    fn on_error(&mut self, node: &Node, in_loop: bool) -> Option<OnError> {
        if let Value::Map(_) = &node.value {
            let fields = self.fields(
                "`on_error`",
                node,
                &[&[required("goto", Shape::Text, "The id of a later step of the same block.")]],
            )?;
            return self.text("`goto`", fields.value("goto")?).map(OnError::Goto);
        }
        let words: &[&'static str] =
            if in_loop { &["park", "fail", "continue", "stop"] } else { &["park", "fail", "continue"] };
        Some(match self.word("`on_error`", node, words, &[])? {
            "park" => OnError::Park,
            "fail" => OnError::Fail,
            _ => OnError::Continue,
        })
    }

    /// A `goto` leads forward in its own block, so that no run goes in circles.
    fn check_gotos(&mut self, steps: &[Step]) {
        for (index, step) in steps.iter().enumerate() {
            let Some(OnError::Goto(target)) = &step.on_error else { continue };
            let later: Vec<&str> = steps[index + 1..].iter().map(|step| step.id.as_str()).collect();
            if !later.contains(&target.as_str()) {
                let message = format!("`goto: {}` names no later step of the same block", shorten(target));
                let diagnostic =
                    Diagnostic::error(codes::GOTO, step.span.clone(), message).suggest(target, later.iter().copied());
                let help = if later.is_empty() {
                    "no step follows here".to_owned()
                } else {
                    format!("it may be one of: {}", later.join(", "))
                };
                self.diagnostics.push(diagnostic.help(help));
            }
        }
    }

    /// Text with expressions, for a key that wants text.
    fn text_template(&mut self, what: &str, node: &Node) -> Option<Template> {
        let Value::Scalar(scalar) = &node.value else {
            self.error(
                codes::WRONG_TYPE,
                &node.span,
                format!("{what} must be text, but this is {}", node.describe()),
                "",
            );
            return None;
        };
        if scalar.is_null() {
            // A hidden comment is reported by the template reader.
            let before = self.diagnostics.len();
            self.template(node);
            if self.diagnostics.len() == before {
                self.error(codes::EMPTY_VALUE, &node.span, format!("{what} is empty"), "write a text");
            }
            return None;
        }
        if scalar.text.contains("${{") {
            return Some(self.template(node));
        }
        Some(Template::Literal(Json::String(scalar.text.clone())))
    }
}

/// `an \`http\` step`
fn a_step(kind: &StepKindSpec) -> String {
    let article = if matches!(kind.key, "http" | "emit" | "approve") { "an" } else { "a" };
    format!("{article} `{}` step", kind.key)
}

fn executed_kinds() -> String {
    STEP_KINDS.iter().filter(|kind| kind.executed()).map(|kind| kind.key).collect::<Vec<_>>().join(", ")
}
