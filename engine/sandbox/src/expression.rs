//! Expressions and templates: values from what is in scope, nothing else. Implements what decisions ask for.

use std::sync::{Arc, OnceLock};

use cartwright_core::{
    Json,
    evaluate::{Evaluate, EvaluateError, Scope},
    secret::SecretMarks,
    workflow::{Expression, Template, TextPart},
};
use rhai::{Dynamic, Engine};

use crate::{
    compile::{self, Compiled, Ended},
    engine,
    error::{Cause, Described, describe, not_a_bool},
    known::Functions,
    limits::Limits,
    session::{Exhausted, Session},
    source::path::Path,
    value::{Secrets, kind_of, render, shown, to_json},
};

/// Runs expressions and scripts within [`Limits`]. Cheap to clone; shared by all threads.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) limits: Limits,
    pub(crate) marks: SecretMarks,
    pub(crate) expressions: Engine,
    pub(crate) scripts: Engine,
    /// What `check` holds calls against, in expressions and in scripts; found out when first asked.
    functions: [OnceLock<Functions>; 2],
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("limits", &self.inner.limits).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Builds the engines; a few milliseconds, once per process.
    pub fn new(limits: Limits, marks: SecretMarks) -> Self {
        let expressions = engine::expressions(&limits.expression);
        let scripts = engine::scripts(&limits.script);
        Self { inner: Arc::new(Inner { limits, marks, expressions, scripts, functions: Default::default() }) }
    }

    /// The functions that expressions, or scripts, can call.
    pub(crate) fn functions(&self, expression: bool) -> &Functions {
        let (slot, engine) = match expression {
            true => (&self.inner.functions[0], &self.inner.expressions),
            false => (&self.inner.functions[1], &self.inner.scripts),
        };
        slot.get_or_init(|| Functions::of(engine))
    }

    /// Says why `source` is not an expression, with the byte where; for `cartwright check`.
    pub fn check_expression(&self, source: &str) -> Result<(), EvaluateError> {
        let inner = &*self.inner;
        let compiled = compile::compile(source, &inner.expressions, &inner.limits.expression, true);
        compiled.map(drop).map_err(Described::for_expression)
    }

    /// Says why `source` is not a script, with the byte where; for `cartwright check`.
    pub fn check_script(&self, source: &str) -> Result<(), EvaluateError> {
        let inner = &*self.inner;
        let compiled = compile::compile(source, &inner.scripts, &inner.limits.script, false);
        compiled.map(drop).map_err(Described::for_expression)
    }

    fn value(&self, expression: &Expression, scope: &Scope<'_>) -> Result<Dynamic, EvaluateError> {
        let inner = &*self.inner;
        let bounds = &inner.limits.expression;
        let compiled = compile::cached(&expression.compiled, &expression.source, &inner.expressions, bounds, true)
            .map_err(Described::for_expression)?;
        let values = compiled.values(scope, &inner.marks, false);
        let rhai_scope = compiled.rhai_scope(scope, &inner.marks);
        let session = Session::new(values, bounds.operations, bounds.wall, None);
        let (result, session) = compile::evaluate(&inner.expressions, compiled, rhai_scope, session);
        let exhausted = session.as_ref().and_then(|session| session.exhausted);
        let mut described = match (result, exhausted) {
            (_, Some(Exhausted::Operations)) => Described::limit("the expression takes too many operations"),
            (_, Some(Exhausted::Time)) => Described::limit("the expression takes too long"),
            (Ok(value), None) => return Ok(value),
            (Err(Ended::Panicked), None) => Described::internal("the evaluator gave up"),
            (Err(Ended::Failed(error)), None) => describe(&error, &compiled.source),
        };
        // Expressions cannot catch, so a path that leads nowhere is what ended it; now say so at length.
        let failed = session.and_then(|session| compiled.source.rewritten.paths.get(session.failed_path?));
        if let (Some(path), Cause::Script) = (failed, described.cause)
            && let Err(message) = path.resolve(scope, &inner.marks, true)
        {
            described.message = message.into();
        }
        if described.cause == Cause::Script
            && (described.message.contains(" cannot be compared with ")
                || described.message.contains("` does not work between "))
        {
            described.message.push_str(&operands(compiled, &described.message, scope, &inner.marks));
        }
        Err(described.for_expression())
    }

    fn out(&self, value: &Dynamic, secrets: Secrets) -> Result<Json, EvaluateError> {
        let json = to_json(value, secrets, self.inner.limits.output_bytes)
            .map_err(|message| EvaluateError { message, offset: None })?;
        // A mark that got into text by interpolation does not leave where secrets may not.
        Ok(if secrets == Secrets::Mark { json } else { self.inner.marks.redact_json(&json) })
    }
}

/// Which paths led to the values that do not go together: `; event.data.total is a text ("12.50")`.
fn operands(compiled: &Compiled, message: &str, scope: &Scope<'_>, marks: &SecretMarks) -> String {
    /// More are not read.
    const MOST: usize = 2;
    let fits = |path: &Path| {
        let value = path.resolve(scope, marks, false).ok()?;
        let kind = kind_of(&value);
        // A number goes with most things; what is named is what surprises.
        let surprises = kind != "a number" && (message.starts_with(kind) || message.contains(&format!(" {kind}")));
        let shown = if value.is_unit() { String::new() } else { format!(" ({})", shown(&value)) };
        surprises.then(|| format!("; {} is {kind}{shown}", path.whole()))
    };
    let mut told: Vec<String> = compiled.source.rewritten.paths.iter().filter_map(fits).collect();
    told.dedup();
    told.truncate(MOST);
    told.concat()
}

/// What may become of secrets in a scope's templates.
fn policy(scope: &Scope<'_>) -> Secrets {
    if scope.secrets.is_some() { Secrets::Mark } else { Secrets::Refuse }
}

impl Evaluate for Sandbox {
    fn expression(&self, expression: &Expression, scope: &Scope<'_>) -> Result<Json, EvaluateError> {
        self.out(&self.value(expression, scope)?, Secrets::Refuse)
    }

    fn condition(&self, expression: &Expression, scope: &Scope<'_>) -> Result<bool, EvaluateError> {
        let value = self.value(expression, scope)?;
        value.as_bool().map_err(|_| not_a_bool(&value))
    }

    fn template(&self, template: &Template, scope: &Scope<'_>) -> Result<Json, EvaluateError> {
        match template {
            Template::Literal(json) => Ok(json.clone()),
            Template::Expression(expression) => self.out(&self.value(expression, scope)?, policy(scope)),
            Template::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        TextPart::Literal(literal) => text.push_str(literal),
                        TextPart::Expression(expression) => {
                            let value = self.value(expression, scope)?;
                            let rendered = render(&value, policy(scope), self.inner.limits.output_bytes)
                                .map_err(|message| EvaluateError { message, offset: None })?;
                            text.push_str(&rendered);
                        }
                    }
                    if text.len() > self.inner.limits.output_bytes {
                        let message = format!("the text is longer than {} bytes", self.inner.limits.output_bytes);
                        return Err(EvaluateError { message, offset: None });
                    }
                }
                let keep = policy(scope) == Secrets::Mark;
                Ok(Json::String(if keep { text } else { self.inner.marks.redact(&text) }))
            }
            Template::List(items) => items.iter().map(|item| self.template(item, scope)).collect(),
            Template::Map(map) => {
                let entries = map.iter().map(|(key, value)| Ok((key.clone(), self.template(value, scope)?)));
                Ok(Json::Object(entries.collect::<Result<_, _>>()?))
            }
        }
    }
}
