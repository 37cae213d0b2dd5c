//! Sources compiled once, at first use, and kept beside the workflow; so are their errors.

use std::{
    any::Any,
    sync::{Arc, OnceLock},
};

use cartwright_core::{evaluate::Scope, secret::SecretMarks};
use rhai::{AST, Dynamic, Engine};

use crate::{
    error::{Cause, Described, syntax},
    limits::Bounds,
    session::{Session, Slot},
    source::{Source, path::Path},
};

/// A compiled source.
pub(crate) struct Compiled {
    pub(crate) source: Source,
    pub(crate) ast: AST,
}

/// Compiled, or why not.
pub(crate) type Compilation = Result<Compiled, Described>;

/// The compilation kept in `slot`, made at first use.
pub(crate) fn cached<'a>(
    slot: &'a Arc<OnceLock<Box<dyn Any + Send + Sync>>>,
    text: &str,
    engine: &Engine,
    bounds: &Bounds,
    expression: bool,
) -> Result<&'a Compiled, Described> {
    let kept = slot.get_or_init(|| Box::new(compile(text, engine, bounds, expression)));
    match kept.downcast_ref::<Compilation>() {
        Some(Ok(compiled)) => Ok(compiled),
        Some(Err(error)) => Err(error.clone()),
        None => Err(Described::internal("a foreign compiled form")),
    }
}

/// Compiles a source. Total: a panic inside Rhai's parser becomes an error.
pub(crate) fn compile(text: &str, engine: &Engine, bounds: &Bounds, expression: bool) -> Compilation {
    if text.len() > bounds.source_bytes {
        let message = format!("it is {} bytes long; at most {} are allowed", text.len(), bounds.source_bytes);
        return Err(Described::limit(message));
    }
    if expression && text.trim().is_empty() {
        return Err(Described { cause: Cause::Syntax, message: "the expression is empty".into(), offset: Some(0) });
    }
    let source = Source::new(text);
    let parse = || {
        if expression {
            engine.compile_expression(&source.rewritten.text)
        } else {
            engine.compile(&source.rewritten.text)
        }
    };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(parse)) {
        Ok(Ok(ast)) => Ok(Compiled { source, ast }),
        Ok(Err(error)) => {
            let offset = source.offset(error.position()).or(Some(text.len()));
            Err(Described { cause: Cause::Syntax, message: syntax(error.err_type()), offset })
        }
        Err(_) => Err(Described::internal("the parser gave up")),
    }
}

impl Compiled {
    /// What the source's paths lead to in `scope`.
    pub(crate) fn values(&self, scope: &Scope<'_>, marks: &SecretMarks, hints: bool) -> Vec<Slot> {
        let slot = |path: &Path| Slot { value: path.resolve(scope, marks, hints), once: path.once };
        self.source.rewritten.paths.iter().map(slot).collect()
    }

    /// Rhai's scope: only names that the source also declares itself; all others are paths.
    pub(crate) fn rhai_scope(&self, scope: &Scope<'_>, marks: &SecretMarks) -> rhai::Scope<'static> {
        let mut inner = rhai::Scope::new();
        for root in &self.source.rewritten.shadowed {
            let path = Path { root: *root, segments: Vec::new(), once: true };
            if let Ok(value) = path.resolve(scope, marks, false) {
                inner.push_constant_dynamic(root.name(), value);
            }
        }
        inner
    }
}

/// Evaluates a compiled source as `session`. `Err` is a description; the session comes back for what it learned.
pub(crate) fn evaluate(
    engine: &Engine,
    compiled: &Compiled,
    mut scope: rhai::Scope<'static>,
    session: Session,
) -> (Result<Dynamic, Ended>, Option<Session>) {
    let run = || engine.eval_ast_with_scope::<Dynamic>(&mut scope, &compiled.ast);
    let (result, session) = crate::session::run(session, run);
    let result = match result {
        None => Err(Ended::Panicked),
        Some(Ok(value)) => Ok(value.flatten()),
        Some(Err(error)) => Err(Ended::Failed(error)),
    };
    (result, session)
}

/// How an evaluation ended without a value.
pub(crate) enum Ended {
    Failed(Box<rhai::EvalAltResult>),
    Panicked,
}
