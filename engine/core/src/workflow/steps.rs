//! Steps: the keys all have in common, and one function for each kind that this version executes.

use std::sync::Arc;

use super::{
    Block, Branch, Expression, ForEach, HttpStep, OnError, ParseBody, Script, Span, StatusPattern, Step, StepKind,
    Template, TextPart, codes,
    diagnostic::Diagnostic,
    duration::parse_duration,
    reader::{Fields, Reader},
    registry::{COMMON_STEP_FIELDS, Field, MAX_PARALLEL, MAX_STEPS, STEP_KINDS, Shape, StepKindSpec, optional},
    topic,
    yaml::{Node, Value, shorten},
};
use crate::{Json, time::Timestamp};

/// Longest step id.
const MAX_STEP_ID_BYTES: usize = 64;
/// Largest script, inline or in a file.
pub const MAX_SCRIPT_BYTES: usize = 256 * 1024;

/// Keys of a branch of `choose`.
pub(crate) const BRANCH: &[Field] = &[
    optional("if", Shape::Expression, "When this branch is taken."),
    optional("steps", Shape::Steps, "What it does."),
    optional("else", Shape::Steps, "What to do when no branch before holds; the last branch."),
];

/// Values of `parse`.
pub(crate) const PARSE_WORDS: &[&str] = &["auto", "json", "text", "none"];

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

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
        let kinds: Vec<_> = entries
            .iter()
            .filter_map(|entry| Some((entry, STEP_KINDS.iter().find(|kind| kind.key == entry.key)?)))
            .collect();
        // `parallel` is a kind and also a key of `for_each`, as `woo`'s and others' keys may be.
        let (entry, kind) = match kinds[..] {
            [] => {
                self.no_kind(node);
                return None;
            }
            [(entry, kind)] => (entry, kind),
            _ => {
                let owner = kinds.iter().find(|(_, kind)| {
                    kinds.iter().all(|(entry, other)| {
                        other.key == kind.key || kind.fields.iter().any(|field| field.key == entry.key)
                    })
                });
                match owner {
                    Some((entry, kind)) => (*entry, *kind),
                    None => {
                        let names: Vec<_> = kinds.iter().map(|(_, kind)| format!("`{}`", kind.key)).collect();
                        let message = format!("this step is of several kinds: {}", names.join(", "));
                        self.error(
                            codes::TWO_KINDS,
                            &kinds[1].0.key_span,
                            message,
                            "make a step of each: begin each with `- `",
                        );
                        return None;
                    }
                }
            }
        };
        let Some(parse) = kind.parse else {
            let id = entries.iter().find(|entry| entry.key == "id");
            self.step_id(id.map(|entry| &entry.value), number, &node.span);
            let message = format!("`{}` steps are not available in this version yet", kind.key);
            self.error(codes::LATER_STEP, &entry.key_span, message, &format!("available are: {}", executed_kinds()));
            return None;
        };
        let own =
            [Field { key: kind.key, shape: kind.shape, doc: kind.doc, status: super::registry::Status::Required }];
        let fields = self.fields(&a_step(kind), node, &[&own, kind.fields, COMMON_STEP_FIELDS])?;
        let id = self.step_id(fields.value("id"), number, &node.span);
        let common = self.common(&fields, kind);
        let kind = parse(self, &fields)?;
        Some(Step { id: id?, kind, span: node.span.clone(), ..common })
    }

    fn no_kind(&mut self, node: &Node) {
        let Value::Map(entries) = &node.value else { return };
        let known: Vec<&str> = STEP_KINDS.iter().map(|kind| kind.key).collect();
        let common = |key: &str| COMMON_STEP_FIELDS.iter().any(|field| field.key == key);
        let span = entries.first().map_or(&node.span, |entry| &entry.key_span).clone();
        let stranger = entries.iter().find(|entry| !common(&entry.key));
        let (span, message) = match stranger {
            Some(entry) => (entry.key_span.clone(), format!("`{}` is not a kind of step", shorten(&entry.key))),
            None => (span, "this step does not say what to do".to_owned()),
        };
        let mut diagnostic =
            Diagnostic::error(codes::NO_KIND, span, message).help(format!("a step has one of: {}", executed_kinds()));
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
                let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                let starts = id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
                if !starts || !id.chars().all(fine) || id.len() > MAX_STEP_ID_BYTES {
                    let message = format!("`{}` cannot be a step id", shorten(&id));
                    let help = "use up to 64 of a-z, A-Z, 0-9, `_` and `-`, beginning with a letter";
                    self.error(codes::STEP_ID, &node.span, message, help);
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
                "ids are unique in the whole workflow, inner steps and `on_failure` included",
            );
            return None;
        }
        self.ids.insert(id.clone(), span);
        Some(id)
    }

    /// The keys that all kinds share; id and kind are filled in by the caller.
    fn common(&mut self, fields: &Fields<'_>, kind: &StepKindSpec) -> Step {
        let is_http = kind.key == "http";
        let on_error = match fields.value("on_error") {
            // A loop's own words were read by its parse function.
            Some(node) if kind.key == "for_each" && loop_word(node).is_some() => None,
            Some(node) => self.on_error(node, kind.key == "for_each"),
            None => None,
        };
        if let Some(entry) =
            fields.get("retry").filter(|_| matches!(kind.key, "choose" | "for_each" | "sleep" | "stop" | "fail"))
        {
            let message = format!("`retry` has no effect on {}", a_step(kind));
            self.diagnostics.push(
                Diagnostic::warning(codes::NO_EFFECT, entry.key_span.clone(), message)
                    .help("put it on the steps that make calls"),
            );
        }
        Step {
            id: String::new(),
            name: fields.value("name").and_then(|node| self.text("`name`", node)),
            kind: StepKind::Stop(Template::Literal(Json::Null)),
            condition: self.expression(fields, "if"),
            retry: fields.value("retry").and_then(|node| self.retry(node)),
            timeout: fields.value("timeout").filter(|_| !is_http).and_then(|node| self.timeout(node)),
            on_error,
            on_unknown: fields.value("on_unknown").and_then(|node| self.on_unknown(node)),
            output: self.expression(fields, "output"),
            span: fields.span.clone(),
        }
    }

    fn on_error(&mut self, node: &Node, in_loop: bool) -> Option<OnError> {
        if let Value::Map(_) = &node.value {
            let fields = self.fields(
                "`on_error`",
                node,
                &[&[super::registry::required("goto", Shape::Text, "The id of a later step of the same block.")]],
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
    let article = if matches!(kind.key, "http" | "emit") { "an" } else { "a" };
    format!("{article} `{}` step", kind.key)
}

fn executed_kinds() -> String {
    STEP_KINDS.iter().filter(|kind| kind.executed()).map(|kind| kind.key).collect::<Vec<_>>().join(", ")
}

fn loop_word(node: &Node) -> Option<bool> {
    match &node.value {
        Value::Scalar(scalar) if scalar.text == "continue" => Some(true),
        Value::Scalar(scalar) if scalar.text == "stop" => Some(false),
        _ => None,
    }
}

pub(crate) fn script(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let node = fields.value("script")?;
    let Value::Scalar(scalar) = &node.value else {
        let message = format!("`script` must be text, but this is {}", node.describe());
        reader.error(codes::WRONG_TYPE, &node.span, message, "write `script: |` and the script below it, indented");
        return None;
    };
    if scalar.text.trim().is_empty() {
        let help = "write `script: |` and the script below it, indented; YAML takes what follows `#` as a comment";
        reader.error(codes::EMPTY_VALUE, &node.span, "`script` is empty", help);
        return None;
    }
    let text = scalar.text.trim();
    let names_file = !text.contains('\n') && text.ends_with(".rhai") && !text.contains(char::is_whitespace);
    let (source, file) = match names_file {
        false => (scalar.text.clone(), None),
        true => (script_file(reader, node, text)?, Some(text.to_owned())),
    };
    if source.len() > MAX_SCRIPT_BYTES {
        let message = format!("the script has {} bytes; a script may have {MAX_SCRIPT_BYTES}", source.len());
        reader.error(codes::TOO_LARGE, &node.span, message, "split it into several steps");
        return None;
    }
    Some(StepKind::Script(Script { source: source.into(), file, span: node.span.clone(), compiled: Arc::default() }))
}

fn script_file(reader: &mut Reader<'_>, node: &Node, name: &str) -> Option<String> {
    let inside = name.strip_prefix("./").is_some_and(|path| {
        path.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '\0']))
    });
    if !inside {
        let message = format!("`{}` cannot be used as a script file", shorten(name));
        reader.error(
            codes::SCRIPT_PATH,
            &node.span,
            message,
            "name a file beside the workflow or below it: `./scripts/score.rhai`",
        );
        return None;
    }
    match (reader.files)(name) {
        Ok(source) => {
            reader.scripts.insert(name.to_owned(), source.clone());
            Some(source)
        }
        Err(error) => {
            let message = format!("the script file `{}` cannot be read: {error}", shorten(name));
            reader.error(codes::SCRIPT_FILE, &node.span, message, "the path is relative to the workflow file");
            None
        }
    }
}

pub(crate) fn http(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let call = fields.value("http").and_then(|node| http_call(reader, node));
    let mut template = |key: &str| fields.value(key).map(|node| (reader.template(node), node.span.clone()));
    let (headers, query, body, form) = (template("headers"), template("query"), template("body"), template("form"));
    for (key, value) in [("headers", &headers), ("query", &query), ("form", &form)] {
        if let Some((Template::Literal(json), span)) = value
            && !json.is_object()
        {
            reader.error(
                codes::WRONG_TYPE,
                span,
                format!("`{key}` must be a map"),
                "write `name: value` lines, indented below it",
            );
        }
    }
    if let (Some(_), Some((_, span))) = (&body, &form) {
        reader.error(
            codes::BAD_VALUE,
            span,
            "a call has either `body` or `form`, not both",
            "keep the one the receiver wants",
        );
    }
    let expect =
        fields.value("expect").map_or_else(|| vec![StatusPattern { from: 200, to: 299 }], |node| expect(reader, node));
    let parse = match fields.value("parse").map(|node| reader.word("`parse`", node, PARSE_WORDS, &[])) {
        Some(Some("json")) => ParseBody::Json,
        Some(Some("text")) => ParseBody::Text,
        Some(Some("none")) => ParseBody::None,
        _ => ParseBody::Auto,
    };
    let call_timeout = fields.value("timeout").and_then(|node| reader.timeout(node));
    let idempotent = fields.value("idempotent").and_then(|node| reader.boolean("`idempotent`", node));
    let (method, url) = call?;
    let harmless = matches!(method.as_str(), "GET" | "HEAD" | "PUT" | "DELETE" | "OPTIONS");
    Some(StepKind::Http(HttpStep {
        method,
        url,
        headers: headers.map(|(template, _)| template),
        query: query.map(|(template, _)| template),
        body: body.map(|(template, _)| template),
        form: form.map(|(template, _)| template),
        call_timeout,
        expect,
        parse,
        idempotent: idempotent.unwrap_or(harmless),
    }))
}

/// `METHOD URL`, where the address may hold expressions.
fn http_call(reader: &mut Reader<'_>, node: &Node) -> Option<(String, Template)> {
    const HELP: &str = "write the method and the address: `http: POST https://example.com/path`";
    let wrong = |reader: &mut Reader<'_>, message: String| {
        reader.error(codes::HTTP_CALL, &node.span, message, HELP);
        None
    };
    let mut parts = match reader.text_template("`http`", node)? {
        Template::Literal(Json::String(text)) => vec![TextPart::Literal(text)],
        Template::Text(parts) => parts,
        Template::Literal(_) => return None, // reported
        _ => return wrong(reader, "`http` lacks a method before the address".to_owned()),
    };
    let Some(TextPart::Literal(first)) = parts.first_mut() else {
        return wrong(reader, "`http` must begin with a method".to_owned());
    };
    let trimmed = first.trim_start();
    let (method, rest) = trimmed.split_once(char::is_whitespace).unwrap_or(("", trimmed));
    if method.is_empty() {
        return wrong(reader, format!("`{}` lacks a method before the address", shorten(trimmed)));
    }
    let upper = method.to_ascii_uppercase();
    if !METHODS.contains(&upper.as_str()) {
        return wrong(reader, format!("`{}` is not an HTTP method", shorten(method)));
    }
    *first = rest.trim_start().to_owned();
    if let Some(TextPart::Literal(last)) = parts.last_mut() {
        last.truncate(last.trim_end().len());
    }
    parts.retain(|part| !matches!(part, TextPart::Literal(text) if text.is_empty()));
    let url = match &parts[..] {
        [] => return wrong(reader, "`http` lacks an address after the method".to_owned()),
        [TextPart::Literal(url)] => Template::Literal(Json::String(url.clone())),
        [TextPart::Expression(expression)] => Template::Expression(expression.clone()),
        _ => Template::Text(parts),
    };
    if let Some(problem) = super::check::url_problem(&url) {
        return wrong(reader, problem);
    }
    Some((upper, url))
}

fn expect(reader: &mut Reader<'_>, node: &Node) -> Vec<StatusPattern> {
    let mut patterns = Vec::new();
    for (text, node) in reader.texts("`expect`", node) {
        let status = |text: &str| text.parse::<u16>().ok().filter(|status| (100..=599).contains(status));
        let class =
            text.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok()).filter(|class| (1..=5).contains(class));
        let pattern = match (class, text.split_once('-')) {
            (Some(class), _) => Some((class * 100, class * 100 + 99)),
            (None, Some((from, to))) => status(from.trim()).zip(status(to.trim())).filter(|(from, to)| from <= to),
            (None, None) => status(&text).map(|status| (status, status)),
        };
        match pattern {
            Some((from, to)) => patterns.push(StatusPattern { from, to }),
            None => {
                let message = format!("`{}` is not a status", shorten(&text));
                reader.error(codes::STATUS, &node.span, message, "write `2xx`, `404` or `200-299`");
            }
        }
    }
    patterns
}

pub(crate) fn emit(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let data = fields.value("data").map(|node| reader.template(node));
    let node = fields.value("emit")?;
    let topic = reader.text_template("`emit`", node)?;
    if let Template::Literal(Json::String(text)) = &topic
        && let Err(message) = topic::check_topic(text)
    {
        reader.error(codes::TOPIC, &node.span, message, "topics look like `stock.low`");
        return None;
    }
    Some(StepKind::Emit {
        topic,
        data: data.unwrap_or_else(|| Template::Literal(Json::Object(serde_json::Map::new()))),
    })
}

pub(crate) fn sleep(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let recheck = fields.value("recheck").and_then(|node| reader.boolean("`recheck`", node)).unwrap_or(false);
    let node = fields.value("sleep")?;
    let Value::Scalar(scalar) = &node.value else {
        let message = format!("`sleep` must be a duration or a time, but this is {}", node.describe());
        reader.error(codes::WRONG_TYPE, &node.span, message, "write `sleep: 10m`");
        return None;
    };
    if scalar.number().is_some_and(|number| number.as_f64().is_some_and(|seconds| seconds >= 0.0)) {
        return Some(StepKind::Sleep { until: reader.template(node), recheck });
    }
    let until = reader.text_template("`sleep`", node)?;
    if let Template::Literal(Json::String(text)) = &until
        && Timestamp::parse(text).is_none()
        && let Err(message) = parse_duration(text)
    {
        reader.error(codes::DURATION, &node.span, message, "a time is written `2026-12-24T18:00:00Z`");
        return None;
    }
    Some(StepKind::Sleep { until, recheck })
}

pub(crate) fn choose(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let node = fields.value("choose")?;
    let Value::List(items) = &node.value else {
        let message = format!("`choose` must be a list of branches, but this is {}", node.describe());
        reader.error(codes::WRONG_TYPE, &node.span, message, "write `- if: …` and `steps:` below it for each branch");
        return None;
    };
    if items.is_empty() {
        reader.error(codes::BRANCH, &node.span, "`choose` has no branches", "add `- if: …` with `steps:`");
    }
    let mut branches = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let before = reader.diagnostics.len();
        let Some(fields) = reader.fields("a branch", item, &[BRANCH]) else { continue };
        let misspelt = reader.diagnostics.len() > before;
        let has = |key: &str| fields.get(key).is_some();
        match (has("if"), has("steps"), has("else")) {
            (true, true, false) => {
                let condition = reader.expression(&fields, "if");
                let steps = reader.block(&fields, "steps");
                if condition.is_some() {
                    branches.push(Branch { condition, steps });
                }
            }
            (false, false, true) => {
                if index + 1 < items.len() {
                    reader.error(
                        codes::BRANCH,
                        &item.span,
                        "branches after `else` are never taken",
                        "make `else` the last branch",
                    );
                }
                let steps = reader.block(&fields, "else");
                branches.push(Branch { condition: None, steps });
            }
            _ => {
                if !misspelt {
                    reader.error(
                        codes::BRANCH,
                        &item.span,
                        "a branch has either `if` and `steps`, or `else`",
                        "the last branch may be `- else: [steps]`",
                    );
                }
                // Inner problems are worth showing too.
                reader.block(&fields, "steps");
                reader.block(&fields, "else");
            }
        }
    }
    Some(StepKind::Choose(branches))
}

pub(crate) fn for_each(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let items: Option<Expression> = reader.expression(fields, "for_each");
    let parallel =
        fields.value("parallel").and_then(|node| reader.integer("`parallel`", node, 1, MAX_PARALLEL)).unwrap_or(1);
    let continue_on_error = fields.value("on_error").and_then(loop_word).unwrap_or(false);
    let steps = reader.block(fields, "steps");
    Some(StepKind::ForEach(ForEach { items: items?, steps, parallel, continue_on_error }))
}

pub(crate) fn stop(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    reader.text_template("`stop`", fields.value("stop")?).map(StepKind::Stop)
}

pub(crate) fn fail(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    reader.text_template("`fail`", fields.value("fail")?).map(StepKind::Fail)
}
