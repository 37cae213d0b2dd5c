//! What starts a case, and what happens later.

use serde_json::Map;

use super::{
    At, EventStart, GivenAnswer, Happening, HttpStart, Later, ScheduleStart,
    fields::{EVENT_AFTER, EVENT_KEYS, GIVEN, HTTP_KEYS, LATER, MANUAL_KEYS, PEOPLE, SCHEDULE_KEYS, STARTS},
    parse::TestReader,
};
use crate::{
    Json,
    event::Source,
    workflow::{
        codes,
        node::{Node, Value},
        reader::{Fields, Files},
    },
};

impl TestReader<'_> {
    /// What starts a case: one thing, or several events of which the first does.
    pub(super) fn start(&mut self, fields: &Fields<'_>, files: Files<'_>) -> Option<(Happening, Vec<Later>)> {
        let all: Vec<&str> = STARTS.into_iter().chain(["events"]).collect();
        let given = self.only_one(fields, "a case", &all)?;
        let node = fields.value(given)?;
        if given != "events" {
            return Some((self.happening(given, node, files)?, Vec::new()));
        }
        let mut later = Vec::new();
        for node in self.maps("events", Some(node)) {
            let Some(fields) = self.fields("an event", node, &[EVENT_AFTER]) else { continue };
            let after = fields.value("after").and_then(|node| self.duration("`after`", node)).unwrap_or_default();
            later.extend(
                self.event_of(&fields, node, files).map(|event| Later { after, what: Happening::Event(event) }),
            );
        }
        later.sort_by_key(|one| one.after);
        match later.first() {
            Some(first) if first.after.is_zero() => Some((later.remove(0).what, later)),
            Some(_) => {
                let help = "leave `after` out of the first: the case begins with it";
                self.error(codes::TEST_START, &node.span, "no event starts the case", help);
                None
            }
            None => {
                self.error(codes::TEST_START, &node.span, "no event starts the case", "`events` lists them");
                None
            }
        }
    }

    /// `then`, in order of time.
    pub(super) fn later(&mut self, node: Option<&Node>, files: Files<'_>) -> Vec<Later> {
        let all: Vec<&str> = STARTS.into_iter().chain(PEOPLE).collect();
        let mut later = Vec::new();
        for node in self.maps("then", node) {
            let Some(fields) = self.fields("what happens later", node, &[LATER]) else { continue };
            let after = fields.value("after").and_then(|node| self.duration("`after`", node));
            let what = self.only_one(&fields, "what happens later", &all).and_then(|given| {
                let node = fields.value(given)?;
                if given == "approve" {
                    return self.answer_given(node).map(Happening::Approve);
                }
                if !PEOPLE.contains(&given) {
                    return self.happening(given, node, files);
                }
                if self.boolean(&format!("`{given}`"), node)? {
                    return Some(if given == "cancel" { Happening::Cancel } else { Happening::Retry });
                }
                self.error(codes::BAD_VALUE, &node.span, format!("`{given}: false` does nothing"), "remove it");
                None
            });
            later.extend(after.zip(what).map(|(after, what)| Later { after, what }));
        }
        later.sort_by_key(|one| one.after);
        later
    }

    fn answer_given(&mut self, node: &Node) -> Option<GivenAnswer> {
        let fields = self.fields("`approve`", node, &[GIVEN])?;
        let step = fields.value("step").and_then(|node| {
            let value = self.text("`step`", node)?;
            Some(At { value, span: node.span.clone() })
        });
        let approved = fields.value("approved").and_then(|node| self.boolean("`approved`", node));
        let by = fields.value("by").and_then(|node| self.text("`by`", node));
        let comment = fields.value("comment").and_then(|node| self.text("`comment`", node));
        Some(GivenAnswer { step: step?, approved: approved?, by, comment })
    }

    fn only_one<'k>(&mut self, fields: &Fields<'_>, what: &str, keys: &[&'k str]) -> Option<&'k str> {
        let given: Vec<&str> = keys.iter().copied().filter(|key| fields.get(key).is_some()).collect();
        match given[..] {
            [one] => Some(one),
            [] => {
                let message = format!("{what} lacks what starts it");
                self.error(codes::TEST_START, &fields.span, message, &format!("write one of: {}", keys.join(", ")));
                None
            }
            [_, second, ..] => {
                let span = fields.get(second).map_or(&fields.span, |entry| &entry.key_span).clone();
                let message = format!("{what} has one of {}, this one has {}", keys.join(", "), given.join(" and "));
                self.error(codes::TEST_START, &span, message, "what happens afterwards stands in `then`");
                None
            }
        }
    }

    fn happening(&mut self, key: &str, node: &Node, files: Files<'_>) -> Option<Happening> {
        match key {
            "event" => self.event(node, files).map(Happening::Event),
            "http" => self.http_start(node).map(Happening::Http),
            "schedule" => self.schedule_start(node).map(Happening::Schedule),
            _ => {
                let fields = self.fields("`manual`", node, &[MANUAL_KEYS])?;
                let store = self.store(&fields);
                let inputs = fields.value("inputs").map_or_else(|| Json::Object(Map::new()), |node| self.json(node));
                Some(Happening::Manual { inputs, store })
            }
        }
    }

    fn event(&mut self, node: &Node, files: Files<'_>) -> Option<EventStart> {
        let fields = self.fields("`event`", node, &[EVENT_KEYS])?;
        self.event_of(&fields, node, files)
    }

    fn event_of(&mut self, fields: &Fields<'_>, node: &Node, files: Files<'_>) -> Option<EventStart> {
        let fixture = match fields.value("file") {
            None => Fixture::default(),
            Some(node) => self.fixture(node, files)?,
        };
        let store = self.store(fields).or(fixture.store);
        let mut data = fixture.data;
        if let Some(node) = fields.value("data") {
            merge(&mut data, self.json(node));
        }
        let topic = match fields.value("topic") {
            Some(node) => self.text("`topic`", node),
            None => fixture.topic,
        };
        let Some(topic) = topic else {
            self.error(codes::MISSING_KEY, &fields.span, "`event` lacks the key `topic`", "such as order.created");
            return None;
        };
        Some(EventStart { topic, store, data, source: fixture.source, span: node.span.clone() })
    }

    fn fixture(&mut self, node: &Node, files: Files<'_>) -> Option<Fixture> {
        let name = self.text("`file`", node)?;
        let read = files(&name).and_then(|text| {
            let value: Json = serde_json::from_str(&text).map_err(|error| format!("`{name}` is not JSON: {error}"))?;
            Fixture::of(value).map_err(|why| format!("`{name}`: {why}"))
        });
        let help = "`cartwright events export EVENT --output FILE` writes one";
        read.map_err(|why| self.error(codes::TEST_FIXTURE, &node.span, why, help)).ok()
    }

    fn http_start(&mut self, node: &Node) -> Option<HttpStart> {
        let fields = self.fields("`http`", node, &[HTTP_KEYS])?;
        let method = fields.value("method").and_then(|node| self.text("`method`", node));
        let path = fields.value("path").and_then(|node| self.text("`path`", node));
        let query = self.pairs("query", fields.value("query"));
        let headers = self.pairs("headers", fields.value("headers"));
        Some(HttpStart {
            method: method.map(|method| method.to_ascii_uppercase()),
            path: path.map(|path| path.trim_start_matches("/hooks/").trim_start_matches('/').to_owned()),
            query,
            headers: headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect(),
            body: fields.value("body").map_or(Json::Null, |node| self.json(node)),
            span: node.span.clone(),
        })
    }

    /// A map of texts or lists of them, as pairs.
    pub(super) fn pairs(&mut self, key: &str, node: Option<&Node>) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for entry in self.named(key, node) {
            let texts = self.texts(&format!("`{key}`"), &entry.value);
            pairs.extend(texts.into_iter().map(|(text, _)| (entry.key.clone(), text)));
        }
        pairs
    }

    fn schedule_start(&mut self, node: &Node) -> Option<ScheduleStart> {
        let span = node.span.clone();
        let mut start = ScheduleStart { at: None, cron: None, store: None, span };
        match &node.value {
            Value::Scalar(scalar) if scalar.text == "next" => {}
            Value::Scalar(_) => start.at = Some(self.time("schedule", node)?),
            _ => {
                let fields = self.fields("`schedule`", node, &[SCHEDULE_KEYS])?;
                start.at = match fields.value("at") {
                    Some(node) => Some(self.time("at", node)?),
                    None => None,
                };
                start.cron = fields.value("cron").and_then(|node| self.text("`cron`", node));
                start.store = self.store(&fields);
            }
        }
        Some(start)
    }
}

/// A recorded event, or only its data.
#[derive(Default)]
struct Fixture {
    topic: Option<String>,
    store: Option<crate::id::StoreId>,
    data: Json,
    source: Option<Source>,
}

impl Fixture {
    fn of(value: Json) -> Result<Self, String> {
        let is_event = value.get("topic").is_some_and(Json::is_string) && value.get("data").is_some();
        if !is_event {
            return Ok(Self { data: value, ..Self::default() });
        }
        let store = match &value["store"] {
            Json::Null => None,
            store => Some(store.as_str().unwrap_or_default().parse().map_err(|error| format!("`store`: {error}"))?),
        };
        Ok(Self {
            topic: value["topic"].as_str().map(str::to_owned),
            store,
            data: value["data"].clone(),
            // Of a source that this version does not know nothing follows.
            source: serde_json::from_value(value["source"].clone()).ok(),
        })
    }
}

/// Members of `with` go before those of `into`, at every depth; `null` removes one.
fn merge(into: &mut Json, with: Json) {
    match (into, with) {
        (Json::Object(there), Json::Object(members)) => {
            for (key, value) in members {
                if value.is_null() {
                    there.remove(&key);
                } else {
                    merge(there.entry(key).or_insert(Json::Null), value);
                }
            }
        }
        (into, with) => *into = with,
    }
}
