//! Expectations.

use std::time::Duration;

use super::{
    At, Expect, ExpectCall, ExpectEmitted, ExpectFailure, ExpectResponse, ExpectRuns, ExpectStatus, ExpectStep, Slept,
    fields::{BECAME, CALL, EMITTED, EXPECT, FAILURE, RESPONSE, SLEPT, STATUSES, STEP, STEP_STATUSES},
    parse::TestReader,
    value::MATCHERS,
};
use crate::{
    Json,
    run::row::RunStatus,
    workflow::{
        Diagnostic, codes,
        diagnostic::nearest,
        node::{Node, Value},
        reader::Fields,
    },
};

/// How far the time between start and end may be from an exact expectation.
const SLEPT_TOLERANCE: Duration = Duration::from_millis(100);
/// Most runs of a case.
const MAX_RUNS: u32 = 1_000;

fn at<T>(value: T, node: &Node) -> At<T> {
    At { value, span: node.span.clone() }
}

impl TestReader<'_> {
    pub(super) fn expect(&mut self, node: &Node) -> Option<Expect> {
        let fields = self.fields("`expect`", node, &[EXPECT])?;
        let status = fields.value("status").and_then(|node| self.status(node).map(|status| at(status, node)));
        let steps = self.named("steps", fields.value("steps")).iter();
        let steps = steps.filter_map(|entry| {
            let id = At { value: entry.key.clone(), span: entry.key_span.clone() };
            Some((id, self.expect_step(&entry.value)?))
        });
        let steps = steps.collect();
        let calls = fields.value("calls").map(|node| {
            let nodes = self.maps("calls", Some(node));
            at(nodes.iter().filter_map(|node| self.expect_call(node)).collect(), node)
        });
        let emitted = fields.value("emitted").map(|node| {
            let nodes = self.maps("emitted", Some(node));
            at(nodes.iter().filter_map(|node| self.expect_emitted(node)).collect(), node)
        });
        let state = self.named("state", fields.value("state")).iter();
        let state = state
            .map(|entry| (At { value: entry.key.clone(), span: entry.key_span.clone() }, self.expected(&entry.value)));
        let state = state.collect();
        Some(Expect {
            span: fields.span.clone(),
            status,
            ran: self.ids(&fields, "ran"),
            skipped: self.ids(&fields, "skipped"),
            steps,
            calls,
            output: fields.value("output").map(|node| at(self.expected(node), node)),
            emitted,
            slept: fields.value("slept").and_then(|node| self.slept(node).map(|slept| at(slept, node))),
            failure: fields.value("failure").and_then(|node| self.failure(node).map(|failure| at(failure, node))),
            events: self.became(&fields),
            response: fields.get("response").and_then(|entry| {
                let node = &entry.value;
                self.response(node).map(|response| at(response, node))
            }),
            reason: fields.value("reason").and_then(|node| self.text("`reason`", node).map(|text| at(text, node))),
            state,
            runs: fields.value("runs").and_then(|node| self.runs(node).map(|runs| at(runs, node))),
        })
    }

    fn status(&mut self, node: &Node) -> Option<ExpectStatus> {
        let word = self.word("`status`", node, STATUSES, &[])?;
        let known = RunStatus::ALL.into_iter().find(|status| status.as_str() == word);
        Some(known.map_or(ExpectStatus::NotStarted, ExpectStatus::Run))
    }

    /// A list of step ids, `[]` included.
    fn ids(&mut self, fields: &Fields<'_>, key: &str) -> Option<At<Vec<String>>> {
        let node = fields.value(key)?;
        if matches!(&node.value, Value::List(items) if items.is_empty()) {
            return Some(at(Vec::new(), node));
        }
        let texts = self.texts(&format!("`{key}`"), node);
        Some(at(texts.into_iter().map(|(text, _)| text).collect(), node))
    }

    fn expect_step(&mut self, node: &Node) -> Option<ExpectStep> {
        if let Value::Scalar(_) = node.value {
            let status = self.word("a step's status", node, STEP_STATUSES, &[])?;
            return Some(ExpectStep { status: Some(status.to_owned()), ..ExpectStep::default() });
        }
        let fields = self.fields("a step's expectation", node, &[STEP])?;
        let status = fields.value("status").and_then(|node| self.word("`status`", node, STEP_STATUSES, &[]));
        Some(ExpectStep {
            status: status.map(str::to_owned),
            output: fields.value("output").map(|node| self.expected(node)),
            attempts: fields.value("attempts").and_then(|node| self.integer("`attempts`", node, 0, 1_000)),
            error: fields.value("error").and_then(|node| self.failure(node)),
        })
    }

    fn failure(&mut self, node: &Node) -> Option<ExpectFailure> {
        let fields = self.fields("a failure", node, &[FAILURE])?;
        let mut text = |key: &str| fields.value(key).and_then(|node| self.text(&format!("`{key}`"), node));
        Some(ExpectFailure { step: text("step"), code: text("code"), message: text("message") })
    }

    fn expect_call(&mut self, node: &Node) -> Option<ExpectCall> {
        let fields = self.fields("an expected call", node, &[CALL])?;
        let before = self.diagnostics.len();
        let call = self.pattern(&fields, "an expected call");
        if call.is_none() && self.diagnostics.len() == before {
            let help = "write one of: http, woo, command, plugin, workflow";
            self.error(codes::TEST_CALL, &fields.span, "an expected call must say which call it is", help);
        }
        let answers: Vec<_> = fields.value("answer").and_then(|node| self.answer(node)).into_iter().collect();
        self.fit_the_call(&fields, &answers, call.as_ref(), false);
        let mut value = |key: &str| fields.value(key).map(|node| self.expected(node));
        let (query, headers, body, form) = (value("query"), value("headers"), value("body"), value("form"));
        Some(ExpectCall {
            call: call?,
            step: fields.value("step").and_then(|node| self.text("`step`", node)),
            store: self.store(&fields),
            query,
            headers,
            body,
            form,
            answers,
            span: fields.span.clone(),
        })
    }

    fn expect_emitted(&mut self, node: &Node) -> Option<ExpectEmitted> {
        let fields = self.fields("an expected event", node, &[EMITTED])?;
        let data = fields.value("data").map(|node| self.expected(node));
        let topic = fields.value("topic").and_then(|node| self.text("`topic`", node))?;
        Some(ExpectEmitted { topic, data, span: fields.span })
    }

    /// `events`: a word for each.
    fn became(&mut self, fields: &Fields<'_>) -> Option<At<Vec<String>>> {
        let node = fields.value("events")?;
        let Value::List(items) = &node.value else {
            let word = self.word("`events`", node, BECAME, &[])?;
            return Some(at(vec![word.to_owned()], node));
        };
        let words = items.iter().filter_map(|item| self.word("`events`", item, BECAME, &[]));
        Some(at(words.map(str::to_owned).collect(), node))
    }

    /// The outer `None`: it is wrong.
    fn response(&mut self, node: &Node) -> Option<Option<ExpectResponse>> {
        if matches!(&node.value, Value::Scalar(_)) && self.json(node).is_null() {
            return Some(None);
        }
        let fields = self.fields("`response`", node, &[RESPONSE])?;
        let status = fields.value("status").and_then(|node| self.integer("`status`", node, 200, 599));
        // `null` says something here.
        let mut value = |key: &str| fields.get(key).map(|entry| self.expected(&entry.value));
        let (headers, body) = (value("headers"), value("body"));
        if let Some(entry) = fields.get("headers").filter(|_| headers.as_ref().is_some_and(|one| !one.is_object())) {
            let message = format!("`headers` must be a map, but this is {}", entry.value.describe());
            self.error(codes::WRONG_TYPE, &entry.value.span, message, "write `{ Content-Type: application/json }`");
        }
        let status = status.and_then(|status| u16::try_from(status).ok());
        Some(Some(ExpectResponse { status, headers, body }))
    }

    fn slept(&mut self, node: &Node) -> Option<Slept> {
        if let Value::Scalar(_) = node.value {
            let exact = self.duration("`slept`", node)?;
            return Some(Slept { min: exact.saturating_sub(SLEPT_TOLERANCE), max: exact + SLEPT_TOLERANCE });
        }
        let fields = self.fields("`slept`", node, &[SLEPT])?;
        let mut part = |key: &str| fields.value(key).and_then(|node| self.duration(&format!("`{key}`"), node));
        let (min, max) = (part("min").unwrap_or_default(), part("max").unwrap_or(Duration::MAX));
        if min > max {
            self.error(codes::BAD_VALUE, &fields.span, "`min` is longer than `max`", "");
        }
        Some(Slept { min, max })
    }

    fn runs(&mut self, node: &Node) -> Option<ExpectRuns> {
        Some(match &node.value {
            Value::List(items) => ExpectRuns::Each(items.iter().map(|item| self.expect(item)).collect::<Option<_>>()?),
            _ => ExpectRuns::Count(self.integer("`runs`", node, 0, MAX_RUNS)?),
        })
    }

    /// A value that may hold matchers.
    fn expected(&mut self, node: &Node) -> Json {
        self.check_matchers(node);
        self.json(node)
    }

    /// A map with one member that is nearly a matcher is a mistake.
    fn check_matchers(&mut self, node: &Node) {
        match &node.value {
            Value::Scalar(_) => {}
            Value::List(items) => items.iter().for_each(|item| self.check_matchers(item)),
            Value::Map(entries) => {
                if let [entry] = &entries[..]
                    && entry.key.starts_with('$')
                    && !MATCHERS.contains(&entry.key.as_str())
                    && nearest(&entry.key, MATCHERS).is_some()
                {
                    let message = format!("there is no matcher `{}`", entry.key);
                    let found = Diagnostic::error(codes::TEST_MATCHER, entry.key_span.clone(), message);
                    self.diagnostics.push(found.suggest(&entry.key, MATCHERS));
                }
                entries.iter().for_each(|entry| self.check_matchers(&entry.value));
            }
        }
    }
}
