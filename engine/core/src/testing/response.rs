//! What a caller that waits gets: read from a run's journal as the engine tells it, and compared with what a test says.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    At, Difference, ExpectResponse,
    judge::How,
    value::{self, lower},
};
use crate::{
    Json,
    run::{
        answer::HttpAnswer,
        entry::{Entry, What},
        row::RunStatus,
    },
    time::Timestamp,
    workflow::Span,
};

/// What a caller gets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// JSON, or text.
    #[serde(skip_serializing_if = "Json::is_null")]
    pub body: Json,
    /// Who says so.
    #[serde(skip)]
    pub by: AnsweredBy,
}

/// Who answers a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnsweredBy {
    /// A `respond` step.
    Respond,
    /// The run, which succeeded without a word: its output.
    Output,
    /// The engine: the run failed, goes on, or did not start.
    Engine,
}

impl Response {
    /// What the run says until a moment.
    pub fn of_run(journal: &[Entry], until: Timestamp) -> Self {
        let heard = journal.iter().take_while(|entry| entry.at <= until).find_map(|entry| match &entry.what {
            What::Responded { answer, .. } => Some(Self::sent(answer, AnsweredBy::Respond)),
            What::RunFinished { status: RunStatus::Succeeded, output, .. } => {
                let answer = HttpAnswer { status: 200, headers: BTreeMap::new(), body: output.clone() };
                Some(Self::sent(&answer, AnsweredBy::Output))
            }
            What::RunFinished { .. } => Some(Self::engine(500)),
            What::RunParked { .. } => Some(Self::engine(202)),
            _ => None,
        });
        heard.unwrap_or_else(|| Self::engine(202))
    }

    /// What the engine says by itself.
    pub fn engine(status: u16) -> Self {
        Self { status, headers: BTreeMap::new(), body: Json::Null, by: AnsweredBy::Engine }
    }

    fn sent(answer: &HttpAnswer, by: AnsweredBy) -> Self {
        Self { status: answer.status, headers: answer.sent_headers(), body: answer.body.clone(), by }
    }

    /// Whether no `respond` step says it.
    pub fn is_usual(&self) -> bool {
        self.by != AnsweredBy::Respond
    }

    /// Everything in which it is not as expected.
    pub(super) fn judge(&self, expect: &At<Option<ExpectResponse>>, at: &str, found: &mut Vec<Difference>) {
        let span = &expect.span;
        let Some(wanted) = &expect.value else {
            if !self.is_usual() {
                let said = format!("expected no answer of a `respond` step, there was one with {}", self.status);
                found.push(said_at(at, span, said));
            }
            return;
        };
        if let Some(status) = wanted.status.filter(|status| *status != self.status) {
            let how = How::Value { expected: status.to_string(), actual: self.status_in_words() };
            found.push(Difference { at: format!("{at}.status"), span: span.clone(), how });
        }
        if self.by == AnsweredBy::Engine {
            if wanted.headers.is_some() || wanted.body.is_some() {
                let said =
                    format!("no `respond` step was reached in time; the engine answers {}", self.status_in_words());
                found.push(said_at(at, span, said));
            }
            return;
        }
        if let Some(Json::Object(headers)) = &wanted.headers {
            for (name, part) in lower(headers) {
                let there = self.headers.get(&name).map_or(Json::Null, |text| Json::from(text.as_str()));
                value::differences(&part, &there, &format!("{at}.headers.{name}"), span, found);
            }
        }
        if let Some(body) = &wanted.body {
            value::differences(body, &self.body, &format!("{at}.body"), span, found);
        }
    }

    fn status_in_words(&self) -> String {
        let Self { status, by, .. } = self;
        match (by, status) {
            (AnsweredBy::Respond, _) => status.to_string(),
            (AnsweredBy::Output, _) => format!("{status} with the run's output"),
            (AnsweredBy::Engine, 202) => "202: accepted, without what came of it".to_owned(),
            (AnsweredBy::Engine, 500) => "500: the run failed or was cancelled".to_owned(),
            (AnsweredBy::Engine, _) => format!("{status}: it was refused"),
        }
    }
}

fn said_at(at: &str, span: &Span, said: String) -> Difference {
    Difference { at: at.to_owned(), span: span.clone(), how: How::Said(said) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(expect: Option<ExpectResponse>, response: &Response) -> Vec<String> {
        let mut found = Vec::new();
        response.judge(&At { value: expect, span: 0..0 }, "response", &mut found);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn answers_are_compared_as_they_are_sent() {
        let answer = HttpAnswer::new(&json!(201), &json!({"Location": "/a"}), json!({"id": 7})).expect("an answer");
        let sent = Response::sent(&answer, AnsweredBy::Respond);
        let of = |status: u16, headers: Json, body: Json| {
            let expect = ExpectResponse { status: Some(status), headers: Some(headers), body: Some(body) };
            told(Some(expect), &sent)
        };
        let none = Vec::<String>::new();
        assert_eq!(of(201, json!({"location": "/a", "Content-Type": "application/json"}), json!({"id": 7.0})), none);
        assert_eq!(of(201, json!({"etag": null}), json!({"$contains": {"id": {"$any": true}}})), none);
        assert_eq!(
            of(200, json!({"LOCATION": "/b"}), Json::Null),
            [
                "response.status: expected 200, got 201",
                "response.headers.location: expected \"/b\", got \"/a\"",
                "response.body: expected null, got {\"id\":7}",
            ]
        );
        assert_eq!(told(None, &sent), ["response: expected no answer of a `respond` step, there was one with 201"]);
    }

    #[test]
    fn what_the_engine_says_by_itself_has_a_status_only() {
        let none = Vec::<String>::new();
        let expect = |status, body| Some(ExpectResponse { status, body, headers: None });
        assert_eq!(told(None, &Response::engine(500)), none);
        assert_eq!(told(expect(Some(500), None), &Response::engine(500)), none);
        assert_eq!(
            told(expect(Some(200), Some(Json::Null)), &Response::engine(202)),
            [
                "response.status: expected 200, got 202: accepted, without what came of it",
                "response: no `respond` step was reached in time; the engine answers 202: accepted, without what came of it",
            ]
        );
    }
}
