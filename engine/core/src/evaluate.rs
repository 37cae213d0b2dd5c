//! What decisions need of an expression language. The sandbox implements it with Rhai; decisions stay pure because
//! evaluation is: the same expression in the same scope gives the same answer.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, OnceLock},
};

use serde_json::value::RawValue;

use crate::{
    Json,
    id::StepPath,
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
    /// `events`, in a run: those of a `collect`, or the list of its one event
    pub events: Option<Events<'a>>,
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
    /// `failure`, in `on_failure`, `on_cancel` and `undo`: `{step, code, message}`
    pub failure: Option<&'a Prepared>,
    /// `output`, in a step's `output:` expression and its `undo`: what the step gave
    pub output: Option<&'a Prepared>,
    /// The names of secrets that may be used; `None` where secrets may not appear.
    pub secrets: Option<&'a [String]>,
    /// The paths of the `approve` steps that a link may lead to, by id; `None` where links may not appear.
    pub links: Option<&'a BTreeMap<String, StepPath>>,
}

/// The events of a run.
#[derive(Debug, Clone, Copy)]
pub enum Events<'a> {
    /// The list of them.
    All(&'a Prepared),
    /// The one there is; the list is made when it is asked for.
    One(&'a Prepared),
}

/// A value made ready for the evaluator once and used many times.
///
/// One member of a map may be *deferred*: kept as JSON text whose own members are parsed when they are first asked for.
/// An event's data is: most conditions look at two fields of four kilobytes.
#[derive(Default)]
pub struct Prepared {
    json: Json,
    deferred: Option<Deferred>,
}

struct Deferred {
    name: &'static str,
    text: Arc<RawValue>,
    /// Where the text's members are, if it is a map.
    members: OnceLock<Option<BTreeMap<String, Member>>>,
    /// The map with its deferred member parsed.
    whole: OnceLock<Json>,
}

struct Member {
    place: Range<usize>,
    value: OnceLock<Json>,
}

impl Prepared {
    /// A value as it is.
    pub fn new(json: Json) -> Self {
        Self { json, deferred: None }
    }

    /// A map that has one more member, whose text is parsed when it is needed.
    pub fn deferring(map: serde_json::Map<String, Json>, name: &'static str, text: Arc<RawValue>) -> Self {
        let deferred = Deferred { name, text, members: OnceLock::new(), whole: OnceLock::new() };
        Self { json: Json::Object(map), deferred: Some(deferred) }
    }

    /// The whole value.
    pub fn json(&self) -> &Json {
        let Some(deferred) = &self.deferred else { return &self.json };
        deferred.whole.get_or_init(|| {
            let mut whole = self.json.clone();
            if let Json::Object(map) = &mut whole {
                map.insert(deferred.name.to_owned(), parse(deferred.text.get()));
            }
            whole
        })
    }

    /// The value that the first of these keys lead to without parsing more than is needed, and how many of them were
    /// followed: at most two. Where that is not clear, the whole value and none.
    pub fn descend(&self, first: Option<&str>, second: Option<&str>) -> (&Json, usize) {
        let Some(deferred) = &self.deferred else { return (&self.json, 0) };
        match (first, second) {
            (Some(first), _) if first != deferred.name => match self.json.get(first) {
                Some(member) => (member, 1),
                None => (self.json(), 0),
            },
            (Some(_), Some(second)) => match deferred.member(second) {
                Some(member) => (member, 2),
                None => (self.json(), 0),
            },
            (Some(_), None) | (None, _) => (self.json(), 0),
        }
    }
}

impl Deferred {
    fn member(&self, name: &str) -> Option<&Json> {
        let text = self.text.get();
        let members = self.members.get_or_init(|| members(text));
        let member = members.as_ref()?.get(name)?;
        Some(member.value.get_or_init(|| parse(&text[member.place.clone()])))
    }
}

/// Where the members of a map's text are; `None`: it is no map.
fn members(text: &str) -> Option<BTreeMap<String, Member>> {
    let borrowed: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let member = |(name, value): (String, &RawValue)| {
        let start = value.get().as_ptr() as usize - text.as_ptr() as usize;
        (name, Member { place: start..start + value.get().len(), value: OnceLock::new() })
    };
    Some(borrowed.into_iter().map(member).collect())
}

/// A [`RawValue`] is JSON; one that nests deeper than a parser goes is shown as text.
fn parse(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned()))
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.json().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, value::to_raw_value};

    use super::*;

    #[test]
    fn a_deferred_member_reads_like_any_other() {
        let data = json!({"id": 7, "total": 12.50, "lines": [{"sku": "A"}], "ütf": "éA \"quoted\""});
        let text: Arc<RawValue> = Arc::from(to_raw_value(&data).expect("JSON"));
        let map = json!({"id": "evt"}).as_object().cloned().expect("a map");
        let prepared = Prepared::deferring(map, "data", text);
        for (path, expected) in [
            ((Some("data"), Some("lines")), (json!([{"sku": "A"}]), 2)),
            ((Some("data"), Some("ütf")), (json!("éA \"quoted\""), 2)),
            ((Some("id"), Some("x")), (json!("evt"), 1)),
            ((Some("data"), Some("nope")), (json!({"id": "evt", "data": data}), 0)),
            ((Some("data"), None), (json!({"id": "evt", "data": data}), 0)),
            ((None, None), (json!({"id": "evt", "data": data}), 0)),
        ] {
            let (value, followed) = prepared.descend(path.0, path.1);
            assert_eq!((value.clone(), followed), expected, "{path:?}");
        }
    }

    #[test]
    fn a_deferred_list_is_whole() {
        let text: Arc<RawValue> = Arc::from(to_raw_value(&json!([1, 2])).expect("JSON"));
        let prepared = Prepared::deferring(serde_json::Map::new(), "data", text);
        assert_eq!(prepared.descend(Some("data"), Some("x")).0, &json!({"data": [1, 2]}));
    }
}
