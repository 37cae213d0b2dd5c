//! A run's trace, made of its journal: entries are facts with times, so spans are made of them at the commit. The ids are
//! derived from the run's, so that a run that goes on after a crash or a wait of two weeks stays one trace.

use std::collections::BTreeMap;

use cartwright_core::{
    Json,
    call::CallOutcome,
    id::{RunId, StepPath},
    run::entry::{Entry, What},
    time::Timestamp,
};
use sha2::{Digest, Sha256};
use url::Url;

use crate::telemetry::{Attribute, Span};

type Attributes = Vec<(&'static str, Attribute)>;

/// Something that has begun.
struct Open {
    id: [u8; 8],
    start: Timestamp,
    name: String,
    attributes: Attributes,
}

/// What a run's next entries are spans of.
pub(crate) struct RunTrace {
    trace: [u8; 16],
    /// The run itself, or what a person's retry began.
    root: [u8; 8],
    round: Option<Open>,
    steps: BTreeMap<StepPath, Open>,
    calls: BTreeMap<(StepPath, u32), Open>,
    /// Begins counted, so that each try has an id of its own.
    begun: u32,
    link: Option<([u8; 16], [u8; 8])>,
    event: Json,
}

/// The first bytes of a hash over parts: an id that is the same whenever it is made.
fn derived<const N: usize>(run: &str, parts: &[&str]) -> [u8; N] {
    let mut hash = Sha256::new();
    for part in [&["cartwright", run], parts].concat() {
        hash.update(part);
        hash.update([0]);
    }
    let digest = hash.finalize();
    std::array::from_fn(|at| digest[at])
}

/// `00-TRACE-SPAN-FLAGS`, as W3C has it.
fn parse_traceparent(text: &str) -> Option<([u8; 16], [u8; 8])> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    if !lower
        || version.len() != 2
        || version == "ff"
        || flags.len() != 2
        || (version == "00" && parts.next().is_some())
    {
        return None;
    }
    let (mut ids, mut id) = ([0; 16], [0; 8]);
    hex::decode_to_slice(trace, &mut ids).ok()?;
    hex::decode_to_slice(span, &mut id).ok()?;
    (ids != [0; 16] && id != [0; 8]).then_some((ids, id))
}

/// The trace of a run.
pub(crate) fn trace_id(run: &RunId) -> [u8; 16] {
    derived(run.as_str(), &["trace"])
}

impl RunTrace {
    /// Of a run that has no entries yet. `event` is the event as expressions see it.
    pub(crate) fn new(run: &RunId, event: Json) -> Self {
        let header = event["source"]["headers"]["traceparent"].as_str();
        Self {
            trace: trace_id(run),
            root: derived(run.as_str(), &["run"]),
            round: None,
            steps: BTreeMap::new(),
            calls: BTreeMap::new(),
            begun: 0,
            link: header.and_then(parse_traceparent),
            event,
        }
    }

    /// What the next service is told about a call that was intended.
    pub(crate) fn traceparent(&self, path: &StepPath, index: u32) -> Option<String> {
        let open = self.calls.get(&(path.clone(), index))?;
        Some(format!("00-{}-{}-01", hex::encode(self.trace), hex::encode(open.id)))
    }

    /// The time a commit took.
    pub(crate) fn commit(&mut self, start: Timestamp, end: Timestamp, entries: usize) -> Span {
        let entries = i64::try_from(entries).unwrap_or(i64::MAX);
        let open = self.open("commit".to_owned(), start, vec![("cartwright.commit.entries", entries.into())]);
        self.close(open, Some(self.root), end, None)
    }

    /// Takes the next entry; gives what it ended.
    pub(crate) fn observe(&mut self, entry: &Entry) -> Vec<Span> {
        let at = entry.at;
        match &entry.what {
            What::RunStarted { run, workflow, version, event, store, .. } => {
                let mut attributes: Attributes = vec![
                    ("cartwright.run", run.as_str().into()),
                    ("cartwright.workflow", workflow.as_str().into()),
                    ("cartwright.version", version.as_str().into()),
                    ("cartwright.event", event.as_str().into()),
                ];
                attributes.extend(store.as_ref().map(|store| ("cartwright.store", store.as_str().into())));
                let name = format!("run {workflow}");
                self.round = Some(Open { id: self.root, start: at, name, attributes });
                let accepted = self.event["time"].as_str().and_then(Timestamp::parse).unwrap_or(at);
                let topic = self.event["topic"].as_str().unwrap_or_default();
                let attributes = vec![("cartwright.event", event.as_str().into()), ("cartwright.topic", topic.into())];
                let open = self.open("event accepted".to_owned(), accepted, attributes);
                vec![self.close(open, Some(self.root), at, None)]
            }
            What::StepStarted { path, attempt, kind } => {
                let attributes = vec![
                    ("cartwright.step", path.as_str().into()),
                    ("cartwright.step.kind", kind.as_str().into()),
                    ("cartwright.attempt", i64::from(*attempt).into()),
                ];
                let open = self.open(format!("step {path}"), at, attributes);
                self.steps.insert(path.clone(), open);
                Vec::new()
            }
            What::StepSucceeded { path, .. } => self.end_step(path, at, None),
            What::AttemptFailed { path, error, .. } | What::StepFailed { path, error, .. } => {
                self.end_step(path, at, Some(&error.code))
            }
            What::StepUnknown { path, .. } => self.end_step(path, at, Some("unknown")),
            What::CallIntended { path, index, function, summary, .. } => {
                let attributes = call_attributes(function, summary);
                let name = summary.split_whitespace().next().unwrap_or("call").to_owned();
                let open = self.open(name, at, attributes);
                self.calls.insert((path.clone(), *index), open);
                Vec::new()
            }
            What::CallRepeated { path, index, .. } => {
                if let Some(before) = self.calls.get(&(path.clone(), *index)) {
                    let (name, attributes) = (before.name.clone(), before.attributes.clone());
                    let open = self.open(name, at, attributes);
                    self.calls.insert((path.clone(), *index), open);
                }
                Vec::new()
            }
            What::CallDeferred { path, index, error } => {
                // The call stays open: its next try is a span of its own.
                let Some(open) = self.calls.get(&(path.clone(), *index)) else { return Vec::new() };
                let open = Open {
                    id: open.id,
                    start: open.start,
                    name: open.name.clone(),
                    attributes: open.attributes.clone(),
                };
                vec![self.end_call(path, open, at, error.status, Some(&error.code))]
            }
            What::CallResolved { path, index, outcome, .. } => {
                let Some(open) = self.calls.remove(&(path.clone(), *index)) else { return Vec::new() };
                let (status, failed) = match outcome {
                    CallOutcome::Ok(answer) => {
                        (answer["status"].as_u64().and_then(|status| u16::try_from(status).ok()), None)
                    }
                    CallOutcome::Err(error) => (error.status, Some(error.code.as_str())),
                };
                vec![self.end_call(path, open, at, status, failed)]
            }
            What::RunRetried { .. } if self.round.is_none() => {
                self.round = Some(self.open("run retried".to_owned(), at, Vec::new()));
                Vec::new()
            }
            What::RunFinished { status, error, .. } => {
                let Some(mut open) = self.round.take() else { return Vec::new() };
                open.attributes.push(("cartwright.status", status.as_str().into()));
                let parent = (open.id != self.root).then_some(self.root);
                let mut span = self.close(open, parent, at, error.as_ref().map(|error| error.code.as_str()));
                span.link = self.link.filter(|_| parent.is_none());
                vec![span]
            }
            _ => Vec::new(),
        }
    }

    fn open(&mut self, name: String, start: Timestamp, attributes: Attributes) -> Open {
        self.begun += 1;
        let id = derived(&hex::encode(self.trace), &[&name, &self.begun.to_string(), &start.as_millis().to_string()]);
        Open { id, start, name, attributes }
    }

    fn close(&self, open: Open, parent: Option<[u8; 8]>, end: Timestamp, failed: Option<&str>) -> Span {
        let Open { id, start, name, attributes } = open;
        let failed = failed.map(str::to_owned);
        Span {
            trace: self.trace,
            id,
            parent,
            link: None,
            name,
            is_client: false,
            start,
            end: end.max(start),
            attributes,
            failed,
        }
    }

    fn end_step(&mut self, path: &StepPath, at: Timestamp, failed: Option<&str>) -> Vec<Span> {
        let Some(open) = self.steps.remove(path) else { return Vec::new() };
        let parent = self.around(path);
        vec![self.close(open, Some(parent), at, failed)]
    }

    fn end_call(&self, path: &StepPath, open: Open, at: Timestamp, status: Option<u16>, failed: Option<&str>) -> Span {
        let parent = self.steps.get(path).map_or(self.root, |step| step.id);
        let mut span = self.close(open, Some(parent), at, failed);
        span.is_client = true;
        span.attributes.extend(status.map(|status| ("http.response.status_code", i64::from(status).into())));
        span
    }

    /// The innermost open step that a step is part of, else the run.
    fn around(&self, path: &StepPath) -> [u8; 8] {
        let inside = |outer: &StepPath| {
            path.as_str().strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with(['[', '.']))
        };
        let outer = self.steps.iter().filter(|(outer, _)| inside(outer)).max_by_key(|(outer, _)| outer.as_str().len());
        outer.map_or(self.root, |(_, open)| open.id)
    }
}

/// By the semantic conventions for HTTP clients. What stands behind `?` or before `@` is never shown.
fn call_attributes(function: &str, summary: &str) -> Attributes {
    let mut words = summary.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut attributes: Attributes = vec![("cartwright.call", function.into()), ("http.request.method", method.into())];
    match Url::parse(target) {
        Ok(mut url) if url.has_host() => {
            url.set_query(None);
            url.set_fragment(None);
            // Both succeed where there is a host.
            let _ = url.set_username("").and(url.set_password(None));
            attributes.extend(url.host_str().map(|host| ("server.address", host.into())));
            attributes.extend(url.port_or_known_default().map(|port| ("server.port", i64::from(port).into())));
            attributes.push(("url.full", url.as_str().into()));
        }
        _ => attributes.push(("url.path", target.split(['?', '#']).next().unwrap_or_default().into())),
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_queries_are_not_shown() {
        let attributes = call_attributes("http::get", "GET https://user:hush@api.example:8443/a/b?key=hush#hush");
        assert!(attributes.contains(&("url.full", "https://api.example:8443/a/b".into())), "{attributes:?}");
        assert!(attributes.contains(&("server.port", 8443.into())));
        let attributes = call_attributes("woo::get", "GET orders?search=hush");
        assert!(attributes.contains(&("url.path", "orders".into())), "{attributes:?}");
        assert!(!format!("{:?}", call_attributes("http::get", "")).contains("hush"));
    }

    #[test]
    fn only_a_callers_well_formed_trace_is_linked() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(parse_traceparent(good).is_some());
        assert!(parse_traceparent(&good.replacen("00", "01", 1)).is_some(), "later versions say the same first");
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf9-00f067aa0ba902b7-01",
        ] {
            assert_eq!(parse_traceparent(bad), None, "{bad}");
        }
    }
}
