//! Walks over a workflow in the order of its steps and types each piece of code with the names that exist where it
//! stands: what the event holds, what steps before it gave, what a loop goes over.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    super::{
        Expression, Side, Span, Step, StepKind, Template, TextPart, TriggerKind, Workflow, diagnostic::Diagnostic,
        parse::MAX_DIAGNOSTICS, shapes, visit::Code,
    },
    Place,
    functions::{answer, at_path},
    kinds::Type,
    order::Order,
    schema_type,
    syntax::parse,
    types::{Names, Typing, Wanted},
};
use crate::{Json, woo::WooMethod};

/// Names that exist only in some places, and where.
const ELSEWHERE: &[(&str, &str)] = &[
    ("steps", "in steps, not where a workflow is started"),
    ("vars", "in steps, not where a workflow is started"),
    ("run", "in steps, not where a workflow is started"),
    ("item", "in the steps of a `for_each`"),
    ("index", "in the steps of a `for_each`"),
    ("failure", "in `on_failure`"),
    ("incoming", "in the `if` of `wait_for`"),
    ("output", "in a step's `output`"),
    // Reported on their own, with what to do.
    ("secrets", "in `http` steps"),
    ("links", "in `http` steps"),
];

/// Checks all code of a workflow.
pub(super) fn check(file: &str, workflow: &Workflow, diagnostics: &mut Vec<Diagnostic>) {
    let mut walk = Walk {
        file,
        workflow,
        order: Order::of(workflow),
        base: base(workflow),
        outputs: BTreeMap::new(),
        loops: BTreeSet::new(),
        seen: BTreeSet::new(),
        diagnostics,
    };
    walk.start();
    walk.block(&workflow.steps, None);
    walk.end();
    walk.rest();
}

struct Walk<'w> {
    file: &'w str,
    workflow: &'w Workflow,
    order: Order<'w>,
    /// What exists everywhere.
    base: BTreeMap<&'static str, Type>,
    /// What steps gave, as far as the walk has come.
    outputs: BTreeMap<String, Type>,
    /// The loops that the walk has come to.
    loops: BTreeSet<String>,
    /// Code that was checked, by its place.
    seen: BTreeSet<(usize, usize)>,
    diagnostics: &'w mut Vec<Diagnostic>,
}

fn base(workflow: &Workflow) -> BTreeMap<&'static str, Type> {
    let store = Type::fields("`store`", [("id", Type::Text), ("tags", Type::list(Type::Text))]);
    let inputs = if workflow.inputs.is_some() { Type::Map } else { Type::Any };
    // Of later versions or reported elsewhere: nothing is said about them here.
    let open = ["events", "parent", "call", "secrets", "links", "approval"].map(|name| (name, Type::Any));
    let event = event(data(workflow));
    [("event", event), ("store", store.or(Type::Any)), ("inputs", inputs)].into_iter().chain(open).collect()
}

/// An event with this data.
fn event(data: Type) -> Type {
    let texts = ["id", "topic", "store"].map(|name| (name, Type::Text));
    let others = [("time", Type::Date), ("data", data), ("source", Type::Any)];
    Type::fields("`event`", texts.into_iter().chain(others))
}

/// What the data of an event can be that starts the workflow.
fn data(workflow: &Workflow) -> Type {
    let mut tables = Vec::new();
    for trigger in &workflow.triggers {
        let TriggerKind::Woo { topics, .. } = &trigger.kind else { return Type::Any };
        for topic in topics {
            let Some(found) = shapes::of_topic(topic) else { return Type::Any };
            tables.extend(found.into_iter().filter(|table| !tables.contains(table)).collect::<Vec<_>>());
        }
    }
    if tables.is_empty() { Type::Any } else { Type::Object(tables) }
}

/// An iteration that failed in a loop that went on.
fn failed_iteration() -> Type {
    let texts = ["step", "code", "message"].map(|name| (name, Type::Text));
    Type::fields("failed iteration", [("index", Type::Number)].into_iter().chain(texts))
}

impl<'w> Walk<'w> {
    /// Where workflows are started: conditions of triggers and of the workflow, then `vars`.
    fn start(&mut self) {
        let triggers = self.workflow.triggers.iter().filter_map(|trigger| trigger.condition.as_ref());
        for condition in triggers.chain(&self.workflow.condition) {
            let names = Names { known: self.base.clone(), elsewhere: ELSEWHERE, later: BTreeMap::new() };
            self.expression(condition, &names, Wanted::Condition);
        }
        let run = [("id", Type::Text), ("workflow", Type::Text), ("retries", Type::Number), ("started", Type::Date)];
        self.base.insert("run", Type::fields("`run`", run));
        let vars = self.vars();
        self.base.insert("vars", vars);
    }

    fn vars(&mut self) -> Type {
        let names = Names { known: self.base.clone(), elsewhere: ELSEWHERE, later: BTreeMap::new() };
        self.template(&self.workflow.vars, &names)
    }

    /// What comes when all steps are through.
    fn end(&mut self) {
        self.block(&self.workflow.on_failure, None);
        self.block(&self.workflow.on_cancel, None);
        if let Some(output) = &self.workflow.output {
            let names = self.names(None, None);
            self.expression(output, &names, Wanted::Value);
        }
    }

    fn block(&mut self, steps: &'w [Step], item: Option<&Type>) {
        for step in steps {
            self.step(step, item);
        }
    }

    fn step(&mut self, step: &'w Step, item: Option<&Type>) {
        let names = self.names(Some(step), item);
        if let Some(condition) = &step.condition {
            self.expression(condition, &names, Wanted::Condition);
        }
        let mut inner = Type::Any;
        match &step.kind {
            StepKind::ForEach(each) => {
                self.loops.insert(step.id.clone());
                if let Type::List(found) = self.expression(&each.items, &names, Wanted::List) {
                    inner = (*found).clone();
                }
            }
            StepKind::Choose(branches) => {
                for condition in branches.iter().filter_map(|branch| branch.condition.as_ref()) {
                    self.expression(condition, &names, Wanted::Condition);
                }
            }
            StepKind::WaitFor(wait) => {
                if let Some(condition) = &wait.condition {
                    let mut names = self.names(Some(step), item);
                    names.known.insert("incoming", awaited(&wait.topic));
                    self.expression(condition, &names, Wanted::Condition);
                }
            }
            _ => {}
        }
        // What is left: templates and scripts. `output:` sees what the step gave.
        let mut code = Vec::new();
        step.visit_code(&mut |one| code.push(one));
        let is_output = |one: &Code<'_>| matches!((one, &step.output), (Code::Expression { expression, .. }, Some(output)) if std::ptr::eq(*expression, output));
        for one in code.iter().filter(|one| !is_output(one)) {
            self.code(*one, &names);
        }
        match &step.kind {
            StepKind::Choose(branches) => branches.iter().for_each(|branch| self.block(&branch.steps, item)),
            StepKind::ForEach(each) => self.block(&each.steps, Some(&inner)),
            StepKind::Parallel(sides) => sides.iter().for_each(|side| self.block(&side.steps, item)),
            _ => {}
        }
        let gives = match &step.kind {
            StepKind::Parallel(sides) => self.beside(sides),
            kind => gives(kind),
        };
        let gives = match &step.output {
            Some(output) => {
                let mut names = self.names(Some(step), item);
                names.known.insert("output", gives);
                self.expression(output, &names, Wanted::Value)
            }
            None => gives,
        };
        self.outputs.insert(step.id.clone(), gives);
    }

    /// The last outputs of branches side by side.
    fn beside(&self, sides: &[Side]) -> Type {
        let last = |side: &Side| side.steps.last().and_then(|step| self.outputs.get(&step.id)).cloned();
        let fields = sides.iter().map(|side| (side.name.clone(), last(side).unwrap_or(Type::Any))).collect();
        Type::Fields("`parallel`", Arc::new(fields))
    }

    /// What code sees that stands in a step, or behind all of them.
    fn names(&self, step: Option<&Step>, item: Option<&Type>) -> Names<'static> {
        let mut known = self.base.clone();
        let error = Type::fields("error", ["code", "message", "status"].map(|name| (name, Type::Any)));
        let seen = |id: &String| {
            let output = self.outputs.get(id).cloned().unwrap_or(Type::Any);
            let mut fields = vec![("status", Type::Text), ("output", output), ("error", error.clone())];
            if self.loops.contains(id) {
                fields.push(("errors", Type::list(failed_iteration())));
            }
            (id.clone(), Type::fields("step", fields))
        };
        known.insert("steps", Type::Fields(STEPS, Arc::new(self.order.ids().map(seen).collect())));
        if let Some(item) = item {
            known.insert("item", item.clone());
            known.insert("index", Type::Number);
        }
        let fails = step.is_some_and(|step| self.order.is_aside(&step.id));
        if fails {
            let failure = ["step", "code", "message"].map(|name| (name, Type::Text));
            known.insert("failure", Type::fields("`failure`", failure));
        }
        let later = self.order.unseen(step.map(|step| step.id.as_str()));
        Names { known, elsewhere: ELSEWHERE, later }
    }

    fn code(&mut self, code: Code<'_>, names: &Names<'_>) {
        match code {
            Code::Expression { expression, .. } => drop(self.expression(expression, names, Wanted::Value)),
            Code::Script(script) => {
                // A script file's places are not in this file.
                let file = if script.file.is_some() { "" } else { self.file };
                self.text(file, &script.source, &script.span, names, Wanted::Value);
            }
        }
    }

    fn expression(&mut self, expression: &Expression, names: &Names<'_>, wanted: Wanted) -> Type {
        self.text(self.file, &expression.source, &expression.span, names, wanted)
    }

    fn text(&mut self, file: &str, source: &str, span: &Span, names: &Names<'_>, wanted: Wanted) -> Type {
        if !self.seen.insert((span.start, span.end)) || self.diagnostics.len() >= MAX_DIAGNOSTICS {
            return Type::Any;
        }
        let Some(node) = parse(source) else { return Type::Any };
        let place = Place::new(file, source, span);
        let mut typing =
            Typing { place: &place, names, diagnostics: self.diagnostics, locals: Vec::new(), changed: Vec::new() };
        typing.whole(&node, wanted)
    }

    fn template(&mut self, template: &Template, names: &Names<'_>) -> Type {
        match template {
            Template::Literal(json) => of_json(json),
            Template::Expression(expression) => self.expression(expression, names, Wanted::Value),
            Template::Text(parts) => {
                for part in parts {
                    if let TextPart::Expression(expression) = part {
                        self.expression(expression, names, Wanted::Value);
                    }
                }
                Type::Text
            }
            Template::List(items) => {
                items.iter().for_each(|item| drop(self.template(item, names)));
                Type::list(Type::Any)
            }
            Template::Map(map) => {
                let fields = map.iter().map(|(key, value)| (key.clone(), self.template(value, names))).collect();
                Type::Fields("map", Arc::new(fields))
            }
        }
    }

    /// Code that stands in no step: what it may use is known to whoever runs it, so only what is surely wrong is said.
    fn rest(&mut self) {
        let mut code = Vec::new();
        self.workflow.visit_code(&mut |one| code.push(one));
        let mut known = self.base.clone();
        known.extend(ELSEWHERE.iter().map(|(name, _)| (*name, Type::Any)));
        for name in ["steps", "item", "index", "failure", "incoming", "output"] {
            known.insert(name, Type::Any);
        }
        let names = Names { known, elsewhere: ELSEWHERE, later: BTreeMap::new() };
        for one in code {
            self.code(one, &names);
        }
    }
}

/// The name under which [`Type::Fields`] holds the steps; unknown ones are reported by their own check.
pub(super) const STEPS: &str = "`steps`";

/// The event that a wait ends with.
fn awaited(topic: &Template) -> Type {
    let tables = match topic {
        Template::Literal(Json::String(topic)) => shapes::of_topic(topic),
        _ => None,
    };
    event(tables.map_or(Type::Any, Type::Object))
}

/// What a kind of step gives.
fn gives(kind: &StepKind) -> Type {
    match kind {
        StepKind::Http(_) => answer(),
        StepKind::Woo(woo) => {
            let trimmed =
                woo.query.as_ref().is_some_and(|query| !matches!(query, Template::Map(_) | Template::Literal(_)));
            let path = match &woo.path {
                Template::Literal(Json::String(path)) => path.clone(),
                Template::Text(parts) => parts.iter().map(literal).collect(),
                _ => return Type::Any,
            };
            let path = path.split('?').next().unwrap_or_default().to_owned();
            match woo.method {
                _ if trimmed => Type::Any,
                WooMethod::Get => at_path(&path),
                // A write to a list gives the one object that was made.
                _ => match at_path(&path) {
                    Type::List(item) => (*item).clone(),
                    other => other,
                },
            }
        }
        StepKind::Plugin(plugin) => schema_type::of(plugin.schemas().1),
        StepKind::Emit { .. } => Type::Text,
        StepKind::ForEach(_) => Type::list(Type::Any),
        StepKind::WaitFor(wait) => awaited(&wait.topic),
        StepKind::Approve(_) => Type::fields(
            "answer",
            [("approved", Type::Bool), ("by", Type::Text), ("at", Type::Date), ("comment", Type::Text)],
        ),
        StepKind::Call(call) if !call.awaited => Type::Text,
        _ => Type::Any,
    }
}

fn literal(part: &TextPart) -> &str {
    match part {
        TextPart::Literal(text) => text,
        TextPart::Expression(_) => "{}",
    }
}

fn of_json(json: &Json) -> Type {
    match json {
        Json::Null => Type::Any,
        Json::Bool(_) => Type::Bool,
        Json::Number(_) => Type::Number,
        Json::String(_) => Type::Text,
        Json::Array(_) => Type::list(Type::Any),
        Json::Object(map) => {
            let fields = map.iter().map(|(key, value)| (key.clone(), of_json(value))).collect();
            Type::Fields("map", Arc::new(fields))
        }
    }
}
