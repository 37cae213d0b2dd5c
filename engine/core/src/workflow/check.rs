//! What can be known before a run: steps that do not exist, and calls that are not granted. Looks only at what is
//! written literally; the rest is refused when it happens.

mod inputs;
mod link;
mod sides;
mod changes;
mod functions;
mod kinds;
mod order;
mod places;
mod schema_type;
mod plugin;
mod syntax;
mod tree;
mod types;
pub(super) mod calls;
mod store;
mod undo;
pub(super) mod unused;
pub(super) mod uses;

use std::{cell::OnceCell, collections::BTreeMap, ops::Range};

use super::{
    Grants, OnError, Respond, Span, Step, StepKind, Template, TextPart, Trigger, TriggerKind, Workflow, codes,
    diagnostic::Diagnostic,
    node::shorten,
    parse::MAX_DIAGNOSTICS,
    rhai::{Token, Tokens},
    template::place_bytes,
    topic,
    visit::Code,
};
use crate::Json;

/// Checks a whole workflow. `ids` holds every step id of the file, those of steps with errors included.
pub(crate) fn check(file: &str, workflow: &Workflow, ids: &BTreeMap<String, Span>, diagnostics: &mut Vec<Diagnostic>) {
    workflow.visit_code(&mut |code| match code {
        Code::Expression { expression, secrets } => {
            let place = Place::new(file, &expression.source, &expression.span);
            check_code(&place, Some(secrets), workflow, ids, diagnostics);
        }
        Code::Script(script) => {
            // A script file's places are not in this file: its step's `script` stands for them.
            let file = if script.file.is_some() { "" } else { file };
            let place = Place::new(file, &script.source, &script.span);
            check_code(&place, None, workflow, ids, diagnostics);
        }
    });
    inputs::check(file, workflow, diagnostics);
    places::check(file, workflow, diagnostics);
    unheard(workflow, diagnostics);
    workflow.visit_blocks(&mut |block| unreachable(block, diagnostics));
    undo::check(workflow, diagnostics);
    workflow.visit_steps(&mut |step| same_conditions(step, diagnostics));

    calls::check(workflow, diagnostics);
    workflow.visit_steps(&mut |step| match &step.kind {
        StepKind::Http(http) => {
            if let Some((host, port)) = literal_host(&http.url) {
                let denied = workflow.grants.http(&http.method, &host, Some(port));
                diagnostics.extend(denied.err().map(|missing| http_denied(&step.span, &host, &missing)));
            }
        }
        StepKind::Parallel(branches) => sides::check(file, branches, diagnostics),
        StepKind::Woo(woo) => store::step(&step.span, woo, workflow, diagnostics),
        StepKind::Plugin(plugin) => plugin::check(&step.span, plugin, &workflow.grants, diagnostics),
        StepKind::Emit { topic: Template::Literal(Json::String(topic)), .. } => {
            let denied = workflow.grants.emit(topic);
            diagnostics.extend(denied.err().map(|missing| emit_denied(&step.span, topic, &missing)));
        }
        _ => {}
    });
}

/// Steps behind a `stop` or `fail` that nothing skips; a `goto` over it would have to jump from before it.
fn unreachable(block: &[Step], diagnostics: &mut Vec<Diagnostic>) {
    let ends = |step: &Step| matches!(step.kind, StepKind::Stop(_) | StepKind::Fail(_)) && step.condition.is_none();
    let Some(end) = block.iter().position(ends) else { return };
    let jumps = block[..end].iter().any(|step| matches!(step.on_error, Some(OnError::Goto(_))));
    let handled = matches!(block[end].kind, StepKind::Fail(_)) && block[end].on_error.is_some();
    if let Some(next) = block.get(end + 1).filter(|_| !jumps && !handled) {
        let message = format!("`{}` ends the run before this step", block[end].id);
        let diagnostic = Diagnostic::warning(codes::UNREACHABLE, next.span.clone(), message);
        diagnostics.push(diagnostic.help("give the step before an `if`, or remove what follows it"));
    }
}

/// Branches that a branch before them always takes the place of.
fn same_conditions(step: &Step, diagnostics: &mut Vec<Diagnostic>) {
    let StepKind::Choose(branches) = &step.kind else { return };
    let conditions: Vec<_> = branches.iter().filter_map(|branch| branch.condition.as_ref()).collect();
    for (index, condition) in conditions.iter().enumerate() {
        if conditions[..index].iter().any(|before| before.source == condition.source) {
            let message = "this branch is never taken: one before it has the same condition";
            let found = Diagnostic::warning(codes::SAME_CONDITION, condition.span.clone(), message);
            diagnostics.push(found.help("correct the condition, or put the steps of both into one branch"));
        }
    }
}

/// Answers of a workflow that nobody waits for.
fn unheard(workflow: &Workflow, diagnostics: &mut Vec<Diagnostic>) {
    let sync = |trigger: &Trigger| matches!(&trigger.kind, TriggerKind::Http(http) if http.respond != Respond::Async);
    if workflow.triggers.iter().any(sync) {
        return;
    }
    workflow.visit_steps(&mut |step| {
        if let StepKind::Respond(_) = step.kind {
            let message = "nobody waits for this answer: the workflow has no `http` trigger with `respond: sync`";
            let diagnostic = Diagnostic::warning(codes::NO_EFFECT, step.span.clone(), message);
            diagnostics.push(diagnostic.help("say `respond: sync` in the trigger, or remove the step"));
        }
    });
}

/// A piece of code with its place in the file.
struct Place<'c> {
    file: &'c str,
    source: &'c str,
    span: &'c Span,
    /// Found out at the first finding: most code has none.
    bytes: OnceCell<Vec<usize>>,
}

impl<'c> Place<'c> {
    fn new(file: &'c str, source: &'c str, span: &'c Span) -> Self {
        Self { file, source, span, bytes: OnceCell::new() }
    }

    /// The bytes of the file for a part of the code; all of it where the two cannot be aligned.
    fn at(&self, range: &Range<usize>) -> Span {
        let bytes = self.bytes.get_or_init(|| place_bytes(self.file, self.source, self.span));
        match (bytes.get(range.start), bytes.get(range.end)) {
            (Some(start), Some(end)) if start < end => *start..*end,
            _ => self.span.clone(),
        }
    }
}

/// `secrets` is `None` in scripts, where they come from `secrets::get`.
fn check_code(
    place: &Place<'_>,
    secrets: Option<bool>,
    workflow: &Workflow,
    ids: &BTreeMap<String, Span>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let grants = &workflow.grants;
    // Code that does not even hold together is the compiler's to report.
    let Ok(tokens) = Tokens::new(place.source, 0).collect::<Result<Vec<_>, _>>() else { return };
    let own_steps = declares(&tokens, "steps");
    let own_secrets = declares(&tokens, "secrets");
    let own_links = declares(&tokens, "links");
    for index in 0..tokens.len() {
        // Each finding looks its place up in the file; a hostile script must not make thousands of them.
        if diagnostics.len() >= MAX_DIAGNOSTICS {
            return;
        }
        let before = index.checked_sub(1).map(|index| tokens[index].1);
        if matches!(before, Some(Token::Sign("." | "?." | "::"))) {
            continue;
        }
        let window: Vec<Token<'_>> = tokens[index..].iter().take(6).map(|(_, token)| *token).collect();
        let range = tokens[index].0.start..tokens.get(index + 2).map_or(tokens[index].0.end, |(range, _)| range.end);
        match window[..] {
            [Token::Word("steps"), Token::Sign("." | "?."), Token::Word(id), ..]
            | [Token::Word("steps"), Token::Sign("[" | "?["), Token::Text(id), ..]
                if !own_steps && !ids.contains_key(id) =>
            {
                diagnostics.push(unknown_step(id, ids, place.at(&range)));
            }
            [Token::Word("secrets"), Token::Sign("." | "?."), Token::Word(name), ..]
            | [Token::Word("secrets"), Token::Sign("[" | "?["), Token::Text(name), ..]
                if !own_secrets =>
            {
                match secrets {
                    Some(true) => secret(name, grants, place.at(&range), diagnostics),
                    Some(false) => diagnostics.push(
                        Diagnostic::error(codes::SECRETS_HERE, place.at(&range), "secrets cannot be used here")
                            .help("they can be used in `http`, `headers`, `query`, `body` and `form`, where nothing of them is kept"),
                    ),
                    None => diagnostics.push(
                        Diagnostic::error(codes::SECRETS_HERE, place.at(&range), "scripts have no `secrets` map")
                            .help(format!("write `secrets::get(\"{}\")`", shorten(name))),
                    ),
                }
            }
            [Token::Word("links"), Token::Sign("." | "?."), Token::Word(id), ..]
            | [Token::Word("links"), Token::Sign("[" | "?["), Token::Text(id), ..]
                if !own_links =>
            {
                diagnostics.extend(link::check(id, secrets, workflow, ids, place.at(&range)));
            }
            [Token::Word("secrets"), Token::Sign("::"), Token::Word("get"), Token::Sign("("), Token::Text(name), Token::Sign(")")] => {
                secret(name, grants, place.at(&tokens[index + 4].0), diagnostics);
            }
            [Token::Word("events"), Token::Sign("::"), Token::Word("emit"), Token::Sign("("), Token::Text(topic), Token::Sign("," | ")")]
                if topic::check_topic(topic).is_ok() =>
            {
                let span = place.at(&tokens[index + 4].0);
                diagnostics.extend(grants.emit(topic).err().map(|missing| emit_denied(&span, topic, &missing)));
            }
            [Token::Word("http"), Token::Sign("::"), Token::Word(function), Token::Sign("("), Token::Text(url), Token::Sign(next)] => {
                let method = function.to_ascii_uppercase();
                let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str());
                if let Some((host, port)) = host_of(url, matches!(next, "," | ")")).filter(|_| known && !url.contains('\\')) {
                    let span = place.at(&tokens[index + 4].0);
                    diagnostics.extend(grants.http(&method, &host, Some(port)).err().map(|missing| http_denied(&span, &host, &missing)));
                }
            }
            [Token::Word("woo"), Token::Sign("::"), Token::Word(function), Token::Sign("("), Token::Text(path), Token::Sign(next)]
                if !path.contains('\\') =>
            {
                let span = place.at(&tokens[index + 4].0);
                diagnostics.extend(store::script_call(&span, function, path, matches!(next, "," | ")"), grants));
            }
            _ => {}
        }
    }
}

/// Whether code gives a name a meaning of its own: `let steps`, `|steps|`, `fn f(steps)`.
fn declares(tokens: &[(Range<usize>, Token<'_>)], name: &str) -> bool {
    tokens.windows(2).any(|pair| match (pair[0].1, pair[1].1) {
        (Token::Word("let" | "const" | "for"), Token::Word(word)) => word == name,
        (Token::Sign("|"), Token::Word(word)) | (Token::Word(word), Token::Sign("|")) => word == name,
        _ => false,
    }) || tokens.iter().any(|(_, token)| *token == Token::Word("fn"))
        && tokens.iter().any(|(_, token)| *token == Token::Word(name))
}

fn unknown_step(id: &str, ids: &BTreeMap<String, Span>, span: Span) -> Diagnostic {
    let message = format!("no step has the id `{}`", shorten(id));
    let diagnostic = Diagnostic::error(codes::UNKNOWN_STEP, span, message);
    // `steps.my-step` is a subtraction.
    if let Some(dashed) = ids.keys().find(|known| known.starts_with(&format!("{id}-"))) {
        return diagnostic.help(format!("write `steps[\"{dashed}\"]`: `-` would subtract"));
    }
    let diagnostic = diagnostic.suggest(id, ids.keys().map(String::as_str));
    match (diagnostic.did_you_mean.is_some(), ids.len()) {
        (false, 1..=20) => {
            let known = ids.keys().cloned().collect::<Vec<_>>().join(", ");
            diagnostic.help(format!("the steps are: {known}"))
        }
        _ => diagnostic,
    }
}

fn secret(name: &str, grants: &Grants, span: Span, diagnostics: &mut Vec<Diagnostic>) {
    if let Err(missing) = grants.secret(name) {
        let message = format!("the secret `{}` is not granted", shorten(name));
        diagnostics.push(
            Diagnostic::error(codes::SECRET_NOT_GRANTED, span, message).help(format!("add to `grants`: `{missing}`")),
        );
    }
}

fn http_denied(span: &Span, host: &str, missing: &str) -> Diagnostic {
    Diagnostic::error(codes::HTTP_NOT_GRANTED, span.clone(), format!("calls to `{}` are not granted", shorten(host)))
        .help(format!("add to `grants`: `{missing}`"))
}

fn emit_denied(span: &Span, topic: &str, missing: &str) -> Diagnostic {
    Diagnostic::error(codes::EMIT_NOT_GRANTED, span.clone(), format!("emitting `{}` is not granted", shorten(topic)))
        .help(format!("add to `grants`: `{missing}`"))
}

/// The host and port of an address that names them literally.
fn literal_host(url: &Template) -> Option<(String, u16)> {
    match url {
        Template::Literal(Json::String(url)) => host_of(url, true),
        Template::Text(parts) => match parts.first()? {
            TextPart::Literal(start) => host_of(start, false),
            TextPart::Expression(_) => None,
        },
        _ => None,
    }
}

/// The host and port of an address or of its beginning; `None` where the beginning does not hold all of them.
fn host_of(url: &str, whole: bool) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let end = rest.find(['/', '?', '#']);
    let authority = match (end, whole) {
        (Some(end), _) => &rest[..end],
        (None, true) => rest,
        (None, false) => return None,
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, default_port),
    };
    (!host.is_empty()).then(|| (host.to_lowercase(), port))
}

/// What is wrong with an address as far as it is literal.
pub(crate) fn url_problem(url: &Template) -> Option<String> {
    let (start, whole) = match url {
        Template::Literal(Json::String(url)) => (url.as_str(), true),
        Template::Text(parts) => match parts.first() {
            Some(TextPart::Literal(start)) => (start.as_str(), false),
            _ => return None,
        },
        _ => return None,
    };
    let lower = start.to_ascii_lowercase();
    let schemes = ["http://", "https://"];
    let Some(scheme) = schemes.iter().find(|scheme| lower.starts_with(**scheme)) else {
        let unfinished = !whole && schemes.iter().any(|scheme| scheme.starts_with(&lower));
        return (!unfinished).then(|| format!("`{}` must begin with `https://` or `http://`", shorten(start)));
    };
    let rest = &start[scheme.len()..];
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    if authority.contains('@') {
        return Some("an address must not hold a name or password; put them into `headers`".to_owned());
    }
    if start.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some(format!("`{}` has white space in its address", shorten(start)));
    }
    (whole && host_of(start, true).is_none()).then(|| format!("`{}` names no host", shorten(start)))
}
