//! What a workflow calls, as far as it is written literally: what its grants are held against.

use std::collections::BTreeSet;

use super::{
    super::{
        Script, Step, StepKind, Template, Workflow,
        rhai::{Token, Tokens},
        topic,
        visit::Code,
    },
    host_of, literal_host,
    store::{literal_start, method_of, resource_of},
};
use crate::{Json, woo::WooMethod};

/// Method, host and port of a call.
pub(super) type HttpUse = (Option<String>, Option<(String, u16)>);

/// Everything that a workflow calls. Where `None` stands it may be anything.
#[derive(Debug, Default)]
pub(super) struct Uses {
    /// Outbound calls.
    pub(super) http: BTreeSet<HttpUse>,
    /// `GET` or another method, and the first segment of the path.
    pub(super) woo: BTreeSet<(String, Option<String>)>,
    /// Which stores are called.
    pub(super) stores: BTreeSet<StoreUse>,
    /// Names of secrets.
    pub(super) secrets: BTreeSet<Option<String>>,
    /// Topics.
    pub(super) topics: BTreeSet<Option<String>>,
}

/// Which store a call goes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StoreUse {
    /// The event's own.
    Own,
    /// The one with this id.
    Named(String),
    /// Known only at run time.
    Any,
}

impl Uses {
    pub(super) fn of(workflow: &Workflow) -> Self {
        let mut uses = Self::default();
        uses.secrets.extend(workflow.trigger_secrets().map(|name| Some(name.to_owned())));
        workflow.visit_code(&mut |code| match code {
            Code::Expression { expression, .. } => uses.expression(&expression.source),
            Code::Script(script) => uses.script(script),
        });
        workflow.visit_steps(&mut |step| match &step.kind {
            StepKind::Http(http) => {
                uses.http.insert((Some(http.method.clone()), literal_host(&http.url)));
            }
            StepKind::Woo(woo) => {
                let (start, whole) = literal_start(&woo.path);
                let resource = resource_of(start, whole).map(str::to_owned);
                uses.woo.insert((woo.method.as_str().to_owned(), resource));
                uses.stores.insert(match &woo.store {
                    None | Some(Template::Literal(Json::Null)) => StoreUse::Own,
                    Some(Template::Literal(Json::String(id))) => StoreUse::Named(id.clone()),
                    Some(_) => StoreUse::Any,
                });
            }
            StepKind::Emit { topic, .. } => {
                uses.topics.insert(known(topic));
            }
            StepKind::Plugin(plugin) => uses.imports(&plugin.plugin.imports),
            _ => {}
        });
        uses
    }

    /// Only secrets can be used there.
    fn expression(&mut self, source: &str) {
        if !source.contains("secrets") {
            return;
        }
        let Ok(tokens) = Tokens::new(source, 0).map(|one| one.map(|(_, token)| token)).collect::<Result<Vec<_>, _>>()
        else {
            self.secrets.insert(None);
            return;
        };
        for (at, _) in tokens.iter().enumerate().filter(|(_, token)| **token == Token::Word("secrets")) {
            let name = match (tokens.get(at + 1), tokens.get(at + 2)) {
                (Some(Token::Sign("." | "?.")), Some(Token::Word(name))) => Some(*name),
                (Some(Token::Sign("[" | "?[")), Some(Token::Text(name))) => literal(name),
                _ => None,
            };
            self.secrets.insert(name.map(str::to_owned));
        }
    }

    fn script(&mut self, script: &Script) {
        let tokens = Tokens::new(&script.source, 0).map(|one| one.map(|(_, token)| token));
        let Ok(tokens) = tokens.collect::<Result<Vec<_>, _>>() else {
            return self.anything();
        };
        for (at, three) in tokens.windows(3).enumerate() {
            let [Token::Word(module), Token::Sign("::"), Token::Word(function)] = three else { continue };
            let arguments = tokens.get(at + 4..).unwrap_or_default();
            // The first argument, where it is a text and nothing else.
            let text = match arguments {
                [Token::Text(text), Token::Sign(next), ..] => {
                    literal(text).map(|text| (text, matches!(*next, "," | ")")))
                }
                _ => None,
            };
            let whole = text.and_then(|(text, whole)| whole.then_some(text));
            match *module {
                "http" => {
                    let method = (*function != "request").then(|| function.to_ascii_uppercase());
                    let host = method.as_ref().and(text).and_then(|(url, whole)| host_of(url, whole));
                    self.http.insert((method, host));
                }
                "woo" => {
                    let Some(method) = method_of(function) else { continue };
                    let resource = text.and_then(|(path, whole)| resource_of(path, whole));
                    self.woo.insert((method.as_str().to_owned(), resource.map(str::to_owned)));
                    // The third argument may name a store.
                    self.stores.insert(if count(arguments) < 3 { StoreUse::Own } else { StoreUse::Any });
                }
                "secrets" => {
                    self.secrets.insert(whole.map(str::to_owned));
                }
                "events" if *function == "emit" => {
                    self.topics.insert(whole.filter(|topic| topic::check_topic(topic).is_ok()).map(str::to_owned));
                }
                _ => {}
            }
        }
    }

    /// Code that cannot be read may call whatever it likes.
    fn anything(&mut self) {
        self.imports(&["http", "woo", "secrets", "events"].map(str::to_owned).into());
    }

    /// A plugin may call whatever it imports.
    fn imports(&mut self, imports: &BTreeSet<String>) {
        for import in imports {
            match import.as_str() {
                "http" => drop(self.http.insert((None, None))),
                "woo" => {
                    for method in [WooMethod::Get, WooMethod::Post] {
                        self.woo.insert((method.as_str().to_owned(), None));
                    }
                    self.stores.insert(StoreUse::Any);
                }
                "secrets" => drop(self.secrets.insert(None)),
                "events" => drop(self.topics.insert(None)),
                _ => {}
            }
        }
    }
}

fn known(topic: &Template) -> Option<String> {
    match topic {
        Template::Literal(Json::String(topic)) => Some(topic.clone()),
        _ => None,
    }
}

/// The topics that a step emits itself; `None` is one that is known only at run time.
pub(in super::super) fn emitted(step: &Step) -> BTreeSet<Option<String>> {
    match &step.kind {
        StepKind::Emit { topic, .. } => BTreeSet::from([known(topic)]),
        StepKind::Script(script) if script.source.contains("events") => {
            let mut uses = Uses::default();
            uses.script(script);
            uses.topics
        }
        StepKind::Plugin(plugin) if plugin.plugin.imports.contains("events") => BTreeSet::from([None]),
        _ => BTreeSet::new(),
    }
}

/// The inside of a string, where nothing is escaped in it.
fn literal(text: &str) -> Option<&str> {
    (!text.contains('\\')).then_some(text)
}

/// At most how many arguments there are, from the first one's beginning on.
fn count(arguments: &[Token<'_>]) -> usize {
    let mut depth = 0usize;
    let mut commas = 0;
    for token in arguments {
        match token {
            Token::Sign("(" | "[" | "?[" | "{") => depth += 1,
            Token::Sign(")" | "]" | "}") if depth == 0 => break,
            Token::Sign(")" | "]" | "}") => depth -= 1,
            Token::Sign(",") if depth == 0 => commas += 1,
            _ => {}
        }
    }
    commas + 1
}
