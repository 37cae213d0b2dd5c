//! Paths from the names in scope (`event.data.total`), walked on the JSON that the scope holds. Only the value at the
//! end of a path is converted for the evaluator, and what is missing is named by its whole path.

use std::fmt::Write;

use cartwright_core::{
    Json,
    evaluate::{Events, Scope},
};
use rhai::Dynamic;

use crate::{
    limits::{SUGGESTION_MAX_BYTES, SUGGESTION_MAX_DISTANCE, SUGGESTION_MAX_NAMES},
    secret::Secret,
    value,
};
use cartwright_core::secret::SecretMarks;

/// A name that a scope may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Root {
    Event,
    Events,
    Incoming,
    Steps,
    Vars,
    Inputs,
    Store,
    Run,
    Item,
    Index,
    Failure,
    Output,
    Secrets,
    Links,
}

impl Root {
    pub(crate) const ALL: [(&'static str, Self); 14] = [
        ("event", Self::Event),
        ("events", Self::Events),
        ("incoming", Self::Incoming),
        ("steps", Self::Steps),
        ("vars", Self::Vars),
        ("inputs", Self::Inputs),
        ("store", Self::Store),
        ("run", Self::Run),
        ("item", Self::Item),
        ("index", Self::Index),
        ("failure", Self::Failure),
        ("output", Self::Output),
        ("secrets", Self::Secrets),
        ("links", Self::Links),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, root)| *root)
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, root)| *root == self).map_or("", |(name, _)| name)
    }

    /// Where it can be used, for the error where it cannot.
    fn lives(self) -> &'static str {
        match self {
            Self::Event | Self::Store => "it exists only where an event started the run",
            Self::Incoming => "it exists only in the condition of a wait",
            Self::Steps => "it exists only in steps, not in conditions of triggers",
            Self::Events | Self::Vars | Self::Inputs | Self::Run => "it exists only inside a run",
            Self::Item | Self::Index => "it exists only inside `for_each`",
            Self::Failure => "it exists only in `on_failure`, `on_cancel` and `undo`",
            Self::Output => "it exists only in a step's `output:` and `undo`",
            Self::Secrets => {
                "secrets can be used only in the url, headers, query, body and form of `http` steps, and in scripts \
                 through secrets::get"
            }
            Self::Links => {
                "links to approvals can be used only in the url, headers, query, body and form of `http` steps: whoever \
                 has one may answer, and a store or a journal would show it"
            }
        }
    }
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Key {
        name: String,
        optional: bool,
    },
    Index {
        at: i64,
        optional: bool,
    },
    /// `.len()`, always last.
    Length {
        optional: bool,
    },
}

impl Segment {
    pub(crate) fn key(name: &str, optional: bool) -> Self {
        Self::Key { name: name.to_owned(), optional }
    }

    fn optional(&self) -> bool {
        match self {
            Self::Key { optional, .. } | Self::Index { optional, .. } | Self::Length { optional } => *optional,
        }
    }
}

/// `event.data.items[0]?.name`
#[derive(Debug, Clone)]
pub(crate) struct Path {
    pub(crate) root: Root,
    pub(crate) segments: Vec<Segment>,
    /// It is asked for at most once in an evaluation: it stands in no loop, closure or function.
    pub(crate) once: bool,
}

/// What a path leads to, or why it leads nowhere.
pub(crate) type Resolved = Result<Dynamic, Box<str>>;

impl Path {
    /// Walks the path. A problem is returned as text, to be raised only if the value is asked for; it is cheap
    /// because many a path is never asked for: what was meant is suggested only where `hints` says so.
    pub(crate) fn resolve(&self, scope: &Scope<'_>, marks: &SecretMarks, hints: bool) -> Resolved {
        let json = |prepared: Option<&cartwright_core::evaluate::Prepared>| match prepared {
            Some(prepared) => {
                let (value, followed) = prepared.descend(self.plain_key(0), self.plain_key(1));
                self.walk(value, followed, hints)
            }
            None => self.absent(),
        };
        match self.root {
            Root::Event => json(scope.event),
            Root::Events => match scope.events {
                Some(Events::All(events)) => self.walk(events.json(), 0, hints),
                Some(Events::One(event)) => self.walk(&Json::Array(vec![event.json().clone()]), 0, hints),
                None => self.absent(),
            },
            Root::Incoming => json(scope.incoming),
            Root::Vars => json(scope.vars),
            Root::Inputs => json(scope.inputs),
            Root::Store => json(scope.store),
            Root::Run => json(scope.run),
            Root::Item => json(scope.item),
            Root::Failure => json(scope.failure),
            Root::Output => json(scope.output),
            Root::Index => match (scope.index, self.segments.is_empty()) {
                (Some(index), true) => Ok(Dynamic::from_int(i64::try_from(index).unwrap_or(i64::MAX))),
                (Some(index), false) => self.walk(&Json::from(index), 0, hints),
                (None, _) => self.absent(),
            },
            Root::Steps => self.step(scope, hints),
            Root::Secrets => self.secret(scope, marks),
            Root::Links => self.link(scope, marks),
        }
    }

    /// The name of a segment that is a key.
    fn plain_key(&self, at: usize) -> Option<&str> {
        match self.segments.get(at) {
            Some(Segment::Key { name, .. }) => Some(name),
            Some(Segment::Index { .. } | Segment::Length { .. }) | None => None,
        }
    }

    fn absent(&self) -> Resolved {
        Err(format!("`{}` does not exist here: {}", self.root.name(), self.root.lives()).into())
    }

    fn step(&self, scope: &Scope<'_>, hints: bool) -> Resolved {
        let Some(steps) = scope.steps else { return self.absent() };
        let Some(first) = self.segments.first() else {
            let mut all = rhai::Map::new();
            for (id, step) in steps {
                all.insert(id.as_str().into(), value::from_json(step.json()));
            }
            return Ok(Dynamic::from_map(all));
        };
        let Segment::Key { name, optional } = first else {
            return Err("`steps` has no numbers; name the step: steps.some_id.output".into());
        };
        match steps.get(name) {
            Some(step) => self.walk(step.json(), 1, hints),
            None if *optional => Ok(self.walk(&Json::Null, 1, hints).unwrap_or_default()),
            None => {
                let hint = suggest(name, steps.keys().map(String::as_str));
                Err(format!("steps.{name} does not exist, or has not run yet{hint}").into())
            }
        }
    }

    fn secret(&self, scope: &Scope<'_>, marks: &SecretMarks) -> Resolved {
        let Some(names) = scope.secrets else { return self.absent() };
        let [Segment::Key { name, .. }] = self.segments.as_slice() else {
            return Err("name one secret: secrets.some_name".into());
        };
        if names.iter().any(|granted| granted == name) {
            return Ok(Dynamic::from(Secret::named(marks, name)));
        }
        let hint = suggest(name, names.iter().map(String::as_str));
        Err(format!("the secret `{name}` is not granted; add it to `grants: secrets: [{name}]`{hint}").into())
    }

    fn link(&self, scope: &Scope<'_>, marks: &SecretMarks) -> Resolved {
        let Some(links) = scope.links else { return self.absent() };
        let [Segment::Key { name, .. }] = self.segments.as_slice() else {
            return Err("name one `approve` step: links.some_step".into());
        };
        if let Some(path) = links.get(name) {
            return Ok(Dynamic::from(Secret::link(marks, path.as_str())));
        }
        let hint = suggest(name, links.keys().map(String::as_str));
        Err(format!("links.{name} leads nowhere: there is no such `approve` step, or it is in a loop that this step is not in{hint}").into())
    }

    fn walk(&self, value: &Json, from: usize, hints: bool) -> Resolved {
        let mut current = value;
        for (at, segment) in self.segments.iter().enumerate().skip(from) {
            if current.is_null() && segment.optional() {
                // As in Rhai, the rest of the chain is skipped.
                return Ok(Dynamic::UNIT);
            }
            let next = match (current, segment) {
                (Json::Object(map), Segment::Key { name, .. }) => map.get(name.as_str()),
                (Json::Array(list), Segment::Index { at, .. }) => position(*at, list.len()).map(|at| &list[at]),
                _ => {
                    if let (Some(length), true) = (self.length(current, segment), at + 1 == self.segments.len()) {
                        return Ok(Dynamic::from_int(length));
                    }
                    None
                }
            };
            match next {
                Some(next) => current = next,
                None if segment.optional() && matches!(current, Json::Object(_) | Json::Array(_)) => {
                    // Missing under `?.` is nothing; a plain `.` after it still fails, as on any `()`.
                    current = &Json::Null;
                }
                None => return Err(self.missing(at, current, hints)),
            }
        }
        Ok(value::from_json(current))
    }

    /// `.len` of lists and texts, `.len()` of maps too.
    #[expect(clippy::unused_self, reason = "it belongs to walking")]
    fn length(&self, value: &Json, segment: &Segment) -> Option<i64> {
        let call = match segment {
            Segment::Length { .. } => true,
            Segment::Key { name, .. } if name == "len" => false,
            _ => return None,
        };
        let length = match value {
            Json::Array(list) => list.len(),
            Json::String(text) => text.chars().count(),
            Json::Object(map) if call => map.len(),
            _ => return None,
        };
        Some(i64::try_from(length).unwrap_or(i64::MAX))
    }

    fn missing(&self, at: usize, parent: &Json, hints: bool) -> Box<str> {
        let whole = self.text(at + 1);
        let before = self.text(at);
        match (parent, &self.segments[at]) {
            (Json::Object(map), Segment::Key { name, .. }) => {
                let names = || map.keys().map(String::as_str);
                let hint = match hints {
                    true => match suggest(name, names()) {
                        nothing if nothing.is_empty() => has(names()),
                        suggestion => suggestion,
                    },
                    false => String::new(),
                };
                format!("{whole} does not exist{hint}").into()
            }
            (other, Segment::Length { .. }) => {
                format!("there is no function `len` for {}: {before}", value::kind_of_json(other)).into()
            }
            (Json::Array(list), Segment::Index { .. }) => {
                format!("{whole} does not exist: {before} has {} items", list.len()).into()
            }
            (Json::Array(_), Segment::Key { .. }) => format!(
                "{whole} does not exist: {before} is a list; take an item ({before}[0]) or go through it with map"
            )
            .into(),
            (Json::Null, _) => {
                format!("{whole} does not exist: {before} is (), nothing; write `?.` where it may be").into()
            }
            (other, _) => format!("{whole} does not exist: {before} is {}", value::kind_of_json(other)).into(),
        }
    }

    /// The whole path as text.
    pub(crate) fn whole(&self) -> String {
        self.text(self.segments.len())
    }

    /// The path's first `count` segments as text.
    fn text(&self, count: usize) -> String {
        let mut text = self.root.name().to_owned();
        for segment in self.segments.iter().take(count) {
            let done = match segment {
                Segment::Key { name, .. } if plain(name) => write!(text, ".{name}"),
                Segment::Key { name, .. } => write!(text, "[\"{name}\"]"),
                Segment::Index { at, .. } => write!(text, "[{at}]"),
                Segment::Length { .. } => write!(text, ".len()"),
            };
            done.expect("writing to a String cannot fail");
        }
        text
    }
}

/// `; it has id, number, …`, or nothing.
fn has<'a>(names: impl Iterator<Item = &'a str>) -> String {
    /// More than these are not read.
    const NAMES: usize = 8;
    let mut names: Vec<&str> = names.filter(|name| name.len() <= SUGGESTION_MAX_BYTES).take(NAMES + 1).collect();
    if names.len() > NAMES {
        names[NAMES] = "…";
    }
    if names.is_empty() { String::new() } else { format!("; it has {}", names.join(", ")) }
}

/// The position that `at` means in a list of `length`; negative counts from the end.
pub(crate) fn position(at: i64, length: usize) -> Option<usize> {
    let at = if at < 0 { i64::try_from(length).ok()?.checked_add(at)? } else { at };
    usize::try_from(at).ok().filter(|at| *at < length)
}

fn plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `; did you mean total?`, or nothing.
pub(crate) fn suggest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .take(SUGGESTION_MAX_NAMES)
        .filter(|other| {
            name.len() <= SUGGESTION_MAX_BYTES && name.len().abs_diff(other.len()) <= SUGGESTION_MAX_DISTANCE
        })
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .filter(|(distance, other)| *distance <= SUGGESTION_MAX_DISTANCE.min(name.len().max(other.len()) / 2))
        .min()
        .map_or(String::new(), |(_, other)| format!("; did you mean {other}?"))
}
