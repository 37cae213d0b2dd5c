//! Code in a workflow file: expressions, templates with expressions inside, scripts.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use super::Span;
use crate::Json;

/// A text of the expression language with its place in the file.
#[derive(Clone)]
pub struct Expression {
    /// The expression without `${{ }}`.
    pub source: Arc<str>,
    /// Where it stands.
    pub span: Span,
    /// The evaluator's compiled form, filled at first use and shared by clones.
    pub compiled: Arc<OnceLock<Box<dyn Any + Send + Sync>>>,
}

impl Expression {
    /// An expression not yet compiled.
    pub fn new(source: impl Into<Arc<str>>, span: Span) -> Self {
        Self { source: source.into(), span, compiled: Arc::default() }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({} @{:?})", self.source, self.span)
    }
}

/// A value that may hold expressions anywhere inside.
#[derive(Debug, Clone)]
pub enum Template {
    /// A value without expressions.
    Literal(Json),
    /// A text that is one whole `${{ }}`: keeps the expression's type.
    Expression(Expression),
    /// A text with expressions inside: rendered.
    Text(Vec<TextPart>),
    /// A list with templates inside.
    List(Vec<Template>),
    /// A map with templates as values; keys are literal.
    Map(BTreeMap<String, Template>),
}

/// A piece of a text template.
#[derive(Debug, Clone)]
pub enum TextPart {
    /// Text as it stands (`$${{` already made `${{`).
    Literal(String),
    /// An expression to render.
    Expression(Expression),
}

/// A script with its source.
#[derive(Clone)]
pub struct Script {
    /// Rhai.
    pub source: Arc<str>,
    /// The file it came from, relative to the workflow file; `None` when inline.
    pub file: Option<String>,
    /// Where it stands in the workflow file.
    pub span: Span,
    /// The sandbox's compiled form, filled at first use and shared by clones.
    pub compiled: Arc<OnceLock<Box<dyn Any + Send + Sync>>>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({} bytes @{:?})", self.source.len(), self.span)
    }
}
