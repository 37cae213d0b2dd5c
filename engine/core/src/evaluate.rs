//! What decisions need of an expression language. The sandbox implements it with Rhai; decisions stay pure because
//! evaluation is: the same expression in the same scope gives the same answer.

use std::{
    any::Any,
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use crate::{
    Json,
    workflow::{Expression, Template},
};

/// Evaluates expressions and templates. Implementations never panic, never block and bound their time.
pub trait Evaluate: Send + Sync {
    /// The value of an expression; a secret in it is an error.
    fn expression(&self, expression: &Expression, scope: &Scope<'_>) -> Result<Json, EvaluateError>;

    /// An expression that must be `true` or `false`.
    fn condition(&self, expression: &Expression, scope: &Scope<'_>) -> Result<bool, EvaluateError>;

    /// A template rendered: every text that holds `${{ }}` replaced, types kept for a text that is one whole `${{ }}`.
    /// Where `secrets` is in scope its values appear as sealed marks, never as plaintext.
    fn template(&self, template: &Template, scope: &Scope<'_>) -> Result<Json, EvaluateError>;
}

/// An expression that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvaluateError {
    /// What went wrong, in words for people, naming the path (`event.data.totl does not exist`).
    pub message: String,
    /// Byte offset into the expression's source, where known.
    pub offset: Option<usize>,
}

/// What an expression can see. Absent names are errors that say where they exist.
#[derive(Debug, Clone, Default)]
pub struct Scope<'a> {
    /// `event`: `{id, topic, store, time, data, source}`
    pub event: Option<&'a Prepared>,
    /// `incoming`, in a wait's condition: the event that may end it.
    pub incoming: Option<&'a Prepared>,
    /// `steps`: step id → `{status, output, error}`, innermost iteration first
    pub steps: Option<&'a BTreeMap<String, Arc<Prepared>>>,
    /// `vars`
    pub vars: Option<&'a Prepared>,
    /// `inputs`
    pub inputs: Option<&'a Prepared>,
    /// `store`: `{id, tags}`
    pub store: Option<&'a Prepared>,
    /// `run`: `{id, workflow, retries, started}`
    pub run: Option<&'a Prepared>,
    /// `item`, in loops
    pub item: Option<&'a Prepared>,
    /// `index`, in loops
    pub index: Option<u64>,
    /// `failure`, in `on_failure`: `{step, code, message}`
    pub failure: Option<&'a Prepared>,
    /// `output`, in a step's `output:` expression: what the step gave
    pub output: Option<&'a Prepared>,
    /// The names of secrets that may be used; `None` where secrets may not appear.
    pub secrets: Option<&'a [String]>,
}

/// A value made ready for the evaluator once and used many times.
#[derive(Default)]
pub struct Prepared {
    /// The value.
    pub json: Json,
    /// The evaluator's own form of it, filled at first use.
    pub form: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Prepared {
    /// A value not yet converted.
    pub fn new(json: Json) -> Self {
        Self { json, form: OnceLock::new() }
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.json.fmt(f)
    }
}
