//! Reads nodes as typed values and collects everything that is wrong on the way, so that one check shows all of it.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Block, Expression, GrantPlace, InputSpec, OnUnknown, RetryPolicy, Span, Template, codes,
    diagnostic::Diagnostic,
    duration::{format_duration, parse_duration},
    node::{Entry, Node, Scalar, Value, shorten},
    registry::{Field, RETRY_FIELDS, Status},
    template::Expressions,
};

/// Reads a script file named by a workflow.
pub(crate) type Files<'s> = &'s dyn Fn(&str) -> Result<String, String>;

/// The state of reading one file.
pub(crate) struct Reader<'s> {
    pub(crate) expressions: Expressions<'s>,
    pub(crate) files: Files<'s>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Script files that were read, by name: part of the version.
    pub(crate) scripts: BTreeMap<String, String>,
    /// Every step id with its place.
    pub(crate) ids: BTreeMap<String, Span>,
    /// How many steps were seen.
    pub(crate) steps: usize,
    /// What `inputs` declares.
    pub(crate) inputs: Option<Vec<InputSpec>>,
    /// Where each grant stands.
    pub(crate) grant_places: Vec<GrantPlace>,
}

/// The entries of one map whose keys were checked.
pub(crate) struct Fields<'n> {
    /// Where the map stands.
    pub(crate) span: Span,
    entries: BTreeMap<&'n str, &'n Entry>,
}

impl<'n> Fields<'n> {
    pub(crate) fn get(&self, key: &str) -> Option<&'n Entry> {
        self.entries.get(key).copied()
    }

    pub(crate) fn value(&self, key: &str) -> Option<&'n Node> {
        self.get(key).map(|entry| &entry.value)
    }
}

impl<'s> Reader<'s> {
    pub(crate) fn new(source: &'s str, files: Files<'s>) -> Self {
        Self {
            expressions: Expressions { source },
            files,
            diagnostics: Vec::new(),
            scripts: BTreeMap::new(),
            ids: BTreeMap::new(),
            steps: 0,
            inputs: None,
            grant_places: Vec::new(),
        }
    }

    pub(crate) fn error(&mut self, code: &'static str, span: &Span, message: impl Into<String>, help: &str) {
        let diagnostic = Diagnostic::error(code, span.clone(), message);
        self.diagnostics.push(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
    }

    /// The entries of a map; `what` names it in messages.
    pub(crate) fn entries<'n>(&mut self, what: &str, node: &'n Node) -> Option<&'n [Entry]> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            _ => {
                let message = format!("{what} must be a map, but this is {}", node.describe());
                self.error(codes::WRONG_TYPE, &node.span, message, "write `key: value` lines, indented below it");
                None
            }
        }
    }

    /// A map with known keys. Unknown, missing and not yet executed keys are reported.
    pub(crate) fn fields<'n>(&mut self, what: &str, node: &'n Node, known: &[&[Field]]) -> Option<Fields<'n>> {
        let entries = self.entries(what, node)?;
        let all = || known.iter().flat_map(|fields| fields.iter());
        for entry in entries {
            match all().find(|field| field.key == entry.key) {
                None => self.unknown_key(what, entry, &all().map(|field| field.key).collect::<Vec<_>>()),
                Some(field) if field.status == Status::Later => self.later_key(what, entry),
                Some(_) => {}
            }
        }
        let fields = Fields {
            span: node.span.clone(),
            entries: entries.iter().map(|entry| (entry.key.as_str(), entry)).collect(),
        };
        for field in all().filter(|field| field.status == Status::Required) {
            if fields.get(field.key).is_none() {
                let first = entries.first().map_or(&node.span, |entry| &entry.key_span);
                let message = format!("{what} lacks the key `{}`", field.key);
                self.error(codes::MISSING_KEY, first, message, field.doc);
            }
        }
        Some(fields)
    }

    pub(crate) fn unknown_key(&mut self, what: &str, entry: &Entry, known: &[&str]) {
        if entry.key.is_empty() || entry.key == "<<" {
            return; // reported while reading the YAML
        }
        let message = format!("{what} has no key `{}`", shorten(&entry.key));
        let mut diagnostic = Diagnostic::error(codes::UNKNOWN_KEY, entry.key_span.clone(), message)
            .suggest(&entry.key, known.iter().copied());
        if diagnostic.did_you_mean.is_none() && !known.is_empty() {
            diagnostic = diagnostic.help(format!("it may have: {}", known.join(", ")));
        }
        self.diagnostics.push(diagnostic);
    }

    pub(crate) fn later_key(&mut self, what: &str, entry: &Entry) {
        let message = format!("`{}` of {what} is not available in this version yet", entry.key);
        self.error(
            codes::LATER_KEY,
            &entry.key_span,
            message,
            "remove it; ignoring it would change what the workflow does",
        );
    }

    /// A single value as it stands; no expressions.
    pub(crate) fn scalar<'n>(&mut self, what: &str, node: &'n Node) -> Option<&'n Scalar> {
        match &node.value {
            Value::Scalar(scalar) if scalar.is_null() => {
                self.error(
                    codes::EMPTY_VALUE,
                    &node.span,
                    format!("{what} is empty"),
                    "write a value, or remove the key",
                );
                None
            }
            Value::Scalar(scalar) if scalar.text.contains("${{") => {
                self.error(
                    codes::NO_EXPRESSION_HERE,
                    &node.span,
                    format!("{what} cannot hold expressions"),
                    "write the value itself",
                );
                None
            }
            Value::Scalar(scalar) => Some(scalar),
            _ => {
                let message = format!("{what} must be a single value, but this is {}", node.describe());
                self.error(codes::WRONG_TYPE, &node.span, message, "");
                None
            }
        }
    }

    /// Text as it stands: `0123` and `true` stay what was written.
    pub(crate) fn text(&mut self, what: &str, node: &Node) -> Option<String> {
        self.scalar(what, node).map(|scalar| scalar.text.clone())
    }

    pub(crate) fn boolean(&mut self, what: &str, node: &Node) -> Option<bool> {
        let scalar = self.scalar(what, node)?;
        if scalar.boolean().is_none() {
            let message = format!("{what} must be `true` or `false`, not `{}`", shorten(&scalar.text));
            self.error(
                codes::WRONG_TYPE,
                &node.span,
                message,
                "YAML 1.2 knows no `yes` and `no`, and quotes make text",
            );
        }
        scalar.boolean()
    }

    pub(crate) fn integer(&mut self, what: &str, node: &Node, min: u32, max: u32) -> Option<u32> {
        let scalar = self.scalar(what, node)?;
        let number = scalar.number().and_then(|number| number.as_u64()).and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| (min..=max).contains(number));
        if number.is_none() {
            let message = format!("{what} must be a whole number from {min} to {max}, not `{}`", shorten(&scalar.text));
            self.error(codes::BAD_VALUE, &node.span, message, "");
        }
        number
    }

    pub(crate) fn duration(&mut self, what: &str, node: &Node) -> Option<Duration> {
        let scalar = self.scalar(what, node)?;
        match parse_duration(&scalar.text) {
            Ok(duration) => Some(duration),
            Err(message) => {
                self.error(codes::DURATION, &node.span, format!("{what}: {message}"), "");
                None
            }
        }
    }

    /// A duration of at least a millisecond.
    pub(crate) fn timeout(&mut self, node: &Node) -> Option<Duration> {
        let duration = self.duration("`timeout`", node)?;
        if duration.is_zero() {
            self.error(
                codes::DURATION,
                &node.span,
                "`timeout` must be longer than nothing",
                "remove the key for no timeout",
            );
            return None;
        }
        Some(duration)
    }

    /// One of some words; what the format knows but this version does not is refused by name.
    pub(crate) fn word(
        &mut self,
        what: &str,
        node: &Node,
        words: &[&'static str],
        later: &[&str],
    ) -> Option<&'static str> {
        let scalar = self.scalar(what, node)?;
        let text = scalar.text.as_str();
        if let Some(word) = words.iter().find(|word| **word == text) {
            return Some(word);
        }
        if later.contains(&text) {
            let message = format!("`{text}` for {what} is not available in this version yet");
            self.error(codes::LATER_VALUE, &node.span, message, &format!("use one of: {}", words.join(", ")));
            return None;
        }
        let message = format!("`{}` is not a value of {what}", shorten(text));
        let diagnostic =
            Diagnostic::error(codes::BAD_VALUE, node.span.clone(), message).suggest(text, words.iter().copied());
        self.diagnostics.push(diagnostic.help(format!("use one of: {}", words.join(", "))));
        None
    }

    /// A single text or a list of texts, each with its node.
    pub(crate) fn texts<'n>(&mut self, what: &str, node: &'n Node) -> Vec<(String, &'n Node)> {
        let nodes = match &node.value {
            Value::List(items) => items.iter().collect(),
            _ => vec![node],
        };
        if nodes.is_empty() {
            self.error(
                codes::EMPTY_VALUE,
                &node.span,
                format!("{what} is empty"),
                "name at least one, or remove the key",
            );
        }
        nodes.into_iter().filter_map(|node| Some((self.text(what, node)?, node))).collect()
    }

    pub(crate) fn template(&mut self, node: &Node) -> Template {
        self.expressions.template(node, &mut self.diagnostics)
    }

    pub(crate) fn expression(&mut self, fields: &Fields<'_>, key: &str) -> Option<Expression> {
        let node = fields.value(key)?;
        self.expressions.expression(key, node, &mut self.diagnostics)
    }

    pub(crate) fn on_unknown(&mut self, node: &Node) -> Option<OnUnknown> {
        Some(match self.word("`on_unknown`", node, super::registry::ON_UNKNOWN_WORDS, &[])? {
            "retry" => OnUnknown::Retry,
            "fail" => OnUnknown::Fail,
            _ => OnUnknown::Park,
        })
    }

    /// `retry: { attempts, initial, factor, max }`, or only the number of attempts. Absent keys have their defaults.
    pub(crate) fn retry(&mut self, node: &Node) -> Option<RetryPolicy> {
        let mut policy = crate::retry::DEFAULT_RETRY;
        if let Value::Scalar(_) = &node.value {
            policy.attempts = self.integer("`retry`", node, 1, crate::retry::MAX_ATTEMPTS)?;
            return Some(policy);
        }
        let fields = self.fields("`retry`", node, &[RETRY_FIELDS])?;
        if let Some(node) = fields.value("attempts") {
            policy.attempts = self.integer("`attempts`", node, 1, crate::retry::MAX_ATTEMPTS)?;
        }
        if let Some(node) = fields.value("initial") {
            policy.initial = self.duration("`initial`", node)?;
        }
        if let Some(node) = fields.value("factor") {
            policy.factor = self.factor(node)?;
        }
        match fields.value("max") {
            Some(node) => policy.max = self.duration("`max`", node)?,
            None => policy.max = policy.max.max(policy.initial),
        }
        if policy.initial > policy.max {
            let message = format!(
                "`initial` ({}) is longer than `max` ({})",
                format_duration(policy.initial),
                format_duration(policy.max)
            );
            self.error(codes::RETRY, &fields.span, message, "make `max` at least as long as `initial`");
            return None;
        }
        Some(policy)
    }

    fn factor(&mut self, node: &Node) -> Option<f64> {
        let scalar = self.scalar("`factor`", node)?;
        let factor = scalar.number().and_then(|number| number.as_f64()).filter(|factor| (1.0..=100.0).contains(factor));
        if factor.is_none() {
            let message = format!("`factor` must be a number from 1 to 100, not `{}`", shorten(&scalar.text));
            self.error(codes::RETRY, &node.span, message, "2 doubles the wait each time, 1 keeps it");
        }
        factor
    }

    /// The steps below a key; an absent key has none.
    pub(crate) fn block(&mut self, fields: &Fields<'_>, key: &str) -> Block {
        fields.value(key).map(|node| self.steps(key, node)).unwrap_or_default()
    }
}
