//! Every piece of code in a workflow, in the order of the file's sections: what checks and compilers walk over.

use crate::{Json, id::WorkflowId};

use super::{Block, Expression, Script, Step, StepKind, Template, TextPart, TriggerKind, Workflow};

/// A piece of code.
#[derive(Debug, Clone, Copy)]
pub enum Code<'w> {
    /// An expression; `secrets` says whether secrets may appear in it.
    Expression {
        /// The expression.
        expression: &'w Expression,
        /// Whether it stands in `http`, `headers`, `query`, `body` or `form`.
        secrets: bool,
    },
    /// A script.
    Script(&'w Script),
}

/// Workflows that steps call.
#[derive(Debug, Clone, Default)]
pub struct Calls {
    /// Those that are named.
    pub named: Vec<WorkflowId>,
    /// Whether an expression names others.
    pub computed: bool,
}

impl Workflow {
    /// Calls `each` for every expression and script.
    pub fn visit_code<'w>(&'w self, each: &mut dyn FnMut(Code<'w>)) {
        let triggers = self.triggers.iter().filter_map(|trigger| trigger.condition.as_ref());
        for expression in triggers.chain(&self.condition) {
            each(Code::Expression { expression, secrets: false });
        }
        for (_, key) in self.triggers.iter().flat_map(|trigger| trigger.gates.iter()) {
            key.into_iter().for_each(|key| template(key, false, each));
        }
        if let Some(key) = self.concurrency.as_ref().and_then(|concurrency| concurrency.key.as_ref()) {
            template(key, false, each);
        }
        template(&self.vars, false, each);
        block(&self.steps, each);
        block(&self.on_failure, each);
        block(&self.on_cancel, each);
        if let Some(expression) = &self.output {
            each(Code::Expression { expression, secrets: false });
        }
    }

    /// Whether it sends links to approvals.
    pub fn sends_links(&self) -> bool {
        let mut sends = false;
        self.visit_code(&mut |code| {
            if let Code::Expression { expression, secrets: true } = code {
                sends |= expression.source.contains("links") && expression.mentions().names.contains("links");
            }
        });
        sends
    }

    /// Calls `each` for every step, outer ones before inner ones, each one's undo right behind it, `on_failure` and
    /// `on_cancel` last.
    pub fn visit_steps<'w>(&'w self, each: &mut dyn FnMut(&'w Step)) {
        visit_block(&self.steps, each);
        visit_block(&self.on_failure, each);
        visit_block(&self.on_cancel, each);
    }

    /// The step with this id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        let mut found = None;
        // An undo has its step's id and comes behind it.
        self.visit_steps(&mut |step| {
            if found.is_none() && step.id == id {
                found = Some(step);
            }
        });
        found
    }

    /// Calls `each` for every list of steps, the main one, `on_failure`, `on_cancel`, then inner ones.
    pub fn visit_blocks<'w>(&'w self, each: &mut dyn FnMut(&'w [Step])) {
        each(&self.steps);
        each(&self.on_failure);
        each(&self.on_cancel);
        self.visit_steps(&mut |step| step.kind.blocks().into_iter().for_each(|block| each(block)));
    }

    /// The workflows that its steps call.
    pub fn calls(&self) -> Calls {
        let mut calls = Calls::default();
        self.visit_steps(&mut |step| {
            let StepKind::Call(call) = &step.kind else { return };
            match &call.workflow {
                Template::Literal(Json::String(id)) => calls.named.extend(id.parse()),
                _ => calls.computed = true,
            }
        });
        calls
    }

    /// The names of the secrets that its HTTP triggers verify callers with.
    pub fn trigger_secrets(&self) -> impl Iterator<Item = &str> {
        self.triggers
            .iter()
            .flat_map(|trigger| match &trigger.kind {
                TriggerKind::Http(http) => http.auth.secrets(),
                _ => &[],
            })
            .map(String::as_str)
    }
}

/// Calls `each` for every step of a block, outer ones before inner ones, each one's undo right behind it.
pub(crate) fn visit_block<'w>(steps: &'w Block, each: &mut dyn FnMut(&'w Step)) {
    for step in steps {
        each(step);
        step.undo.iter().for_each(|undo| each(undo));
        for inner in step.kind.blocks() {
            visit_block(inner, each);
        }
    }
}

/// Calls `each` for every expression and script of a block.
pub(crate) fn block<'w>(steps: &'w Block, each: &mut dyn FnMut(Code<'w>)) {
    let mut all = Vec::new();
    visit_block(steps, &mut |step| all.push(step));
    all.into_iter().for_each(|step| step.visit_code(each));
}

impl Step {
    /// Calls `each` for every expression and script of this step, those of steps inside of it left out.
    pub(crate) fn visit_code<'w>(&'w self, each: &mut dyn FnMut(Code<'w>)) {
        let step = self;
        if let Some(expression) = &step.condition {
            each(Code::Expression { expression, secrets: false });
        }
        match &step.kind {
            StepKind::Script(script) => each(Code::Script(script)),
            // A plugin gets secrets by `secrets.get`, by name; what it is given is kept.
            StepKind::Plugin(plugin) => template(&plugin.with, false, each),
            StepKind::Http(http) => {
                template(&http.url, true, each);
                for part in [&http.headers, &http.query, &http.body, &http.form].into_iter().flatten() {
                    template(part, true, each);
                }
            }
            // Nothing that is sent to a store is a secret of the workflow.
            StepKind::Woo(woo) => {
                template(&woo.path, false, each);
                for part in [&woo.store, &woo.query, &woo.body].into_iter().flatten() {
                    template(part, false, each);
                }
            }
            StepKind::Call(call) => {
                template(&call.workflow, false, each);
                template(&call.with, false, each);
            }
            StepKind::Emit { topic, data } => {
                template(topic, false, each);
                template(data, false, each);
            }
            StepKind::Sleep { until, .. } => template(until, false, each),
            StepKind::WaitFor(wait) => {
                template(&wait.topic, false, each);
                if let Some(expression) = &wait.condition {
                    each(Code::Expression { expression, secrets: false });
                }
            }
            StepKind::Approve(approve) => template(&approve.question, false, each),
            StepKind::Choose(branches) => {
                for expression in branches.iter().filter_map(|branch| branch.condition.as_ref()) {
                    each(Code::Expression { expression, secrets: false });
                }
            }
            StepKind::ForEach(loops) => each(Code::Expression { expression: &loops.items, secrets: false }),
            StepKind::Parallel(_) => {}
            StepKind::Respond(respond) => {
                for part in [&respond.status, &respond.headers, &respond.body].into_iter().flatten() {
                    template(part, false, each);
                }
            }
            StepKind::Stop(text) | StepKind::Fail(text) => template(text, false, each),
        }
        if let Some(expression) = &step.output {
            each(Code::Expression { expression, secrets: false });
        }
    }
}

fn template<'w>(value: &'w Template, secrets: bool, each: &mut dyn FnMut(Code<'w>)) {
    match value {
        Template::Literal(_) => {}
        Template::Expression(expression) => each(Code::Expression { expression, secrets }),
        Template::Text(parts) => {
            for part in parts {
                if let TextPart::Expression(expression) = part {
                    each(Code::Expression { expression, secrets });
                }
            }
        }
        Template::List(items) => items.iter().for_each(|item| template(item, secrets, each)),
        Template::Map(map) => map.values().for_each(|item| template(item, secrets, each)),
    }
}
