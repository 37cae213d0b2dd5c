//! Stubs and their answers.

use super::{
    Answer, At, Fits, NoAnswer, Pattern, Stub,
    fields::{ANSWER, ERRORS, STUB},
    parse::TestReader,
};
use crate::{
    Json,
    workflow::{codes, node::Node, reader::Fields},
};

impl TestReader<'_> {
    pub(super) fn stubs(&mut self, node: Option<&Node>) -> Vec<Stub> {
        let nodes = self.maps("stubs", node);
        nodes.iter().filter_map(|node| self.stub(node)).collect()
    }

    fn stub(&mut self, node: &Node) -> Option<Stub> {
        let fields = self.fields("a stub", node, &[STUB])?;
        let step = fields.value("step").and_then(|node| {
            let value = self.text("`step`", node)?;
            Some(At { value, span: node.span.clone() })
        });
        let (before, call, store) = (self.diagnostics.len(), self.pattern(&fields, "a stub"), self.store(&fields));
        if self.diagnostics.len() == before && step.is_none() && call.is_none() && store.is_none() {
            let help = "write one of: step, http, woo, command, plugin, workflow, store";
            self.error(codes::TEST_CALL, &fields.span, "a stub must say which calls it answers", help);
        }
        if let (Some(_), Some(entry)) = (fields.value("answer"), fields.get("answers")) {
            let message = "a stub has `answer` or `answers`, not both";
            self.error(codes::NO_EFFECT, &entry.key_span.clone(), message, "write all of them in `answers`");
        }
        let single = fields.value("answer").and_then(|node| self.answer(node));
        let nodes = self.maps("answers", fields.value("answers"));
        let mut answers: Vec<Answer> = nodes.iter().filter_map(|node| self.answer(node)).chain(single).collect();
        if answers.is_empty() {
            answers.push(Answer::default());
        }
        let times = fields.value("times").and_then(|node| self.integer("`times`", node, 0, 10_000));
        self.fit_the_call(&fields, &answers, call.as_ref(), step.is_some());
        Some(Stub { fits: Fits { step, call, store }, answers, times, span: fields.span.clone() })
    }

    /// A called workflow and a plugin give an output or fail; nothing else does.
    pub(super) fn fit_the_call(
        &mut self,
        fields: &Fields<'_>,
        answers: &[Answer],
        call: Option<&Pattern>,
        by_step: bool,
    ) {
        let over_http = |answer: &Answer| answer.status != 200 || !answer.headers.is_empty() || answer.error.is_some();
        let whole = match call {
            Some(Pattern::Workflow(_)) => Some("a called workflow answers with `body`, its output, or with `failed`"),
            Some(Pattern::Plugin(_)) => Some("a plugin answers with `body`, its output, or with `failed`"),
            _ => None,
        };
        let (message, help) = if let Some(message) = whole.filter(|_| answers.iter().any(over_http)) {
            (message, "`status`, `headers` and `error` are of calls over HTTP")
        } else if whole.is_none() && !by_step && answers.iter().any(|answer| answer.failed.is_some()) {
            (
                "`failed` has no effect here",
                "it is of a stub `workflow: ID` or `plugin: NAME`; calls fail by `status` or `error`",
            )
        } else {
            return;
        };
        self.error(codes::NO_EFFECT, &fields.span, message, help);
    }

    /// The one key that names a call, if any does.
    pub(super) fn pattern(&mut self, fields: &Fields<'_>, what: &str) -> Option<Pattern> {
        let given: Vec<&str> = Pattern::KEYS.into_iter().filter(|key| fields.get(key).is_some()).collect();
        if let [_, second, ..] = given[..] {
            let span = fields.get(second).map_or(&fields.span, |entry| &entry.key_span).clone();
            let message = format!("{what} is about one kind of call, this one has {}", given.join(" and "));
            self.error(codes::TEST_CALL, &span, message, "write one for each");
        }
        let key = given.first()?;
        let node = fields.value(key)?;
        let text = self.text(&format!("`{key}`"), node)?;
        Pattern::parse(key, &text)
            .map_err(|why| {
                let help =
                    if *key == "woo" { "such as POST orders/*/notes" } else { "such as POST https://example.com/*" };
                self.error(codes::TEST_CALL, &node.span, why, help);
            })
            .ok()
    }

    pub(super) fn answer(&mut self, node: &Node) -> Option<Answer> {
        let fields = self.fields("an answer", node, &[ANSWER])?;
        let status = fields.value("status").and_then(|node| self.integer("`status`", node, 100, 599));
        let headers = self.pairs("headers", fields.value("headers"));
        let body = fields.value("body").map(|node| self.json(node)).filter(|body| *body != Json::Null);
        let error = fields.value("error").and_then(|node| {
            let word = self.word("`error`", node, ERRORS, &[])?;
            NoAnswer::ALL.into_iter().find(|(known, _)| *known == word).map(|(_, error)| error)
        });
        if let (Some(_), Some(entry)) = (error, fields.get("status").or(fields.get("body"))) {
            let message = format!("`{}` has no effect beside `error`: no answer comes", entry.key);
            self.error(codes::NO_EFFECT, &entry.key_span.clone(), message, "remove one of them");
        }
        let failed = fields.value("failed").and_then(|node| self.text("`failed`", node));
        let delay = fields.value("delay").and_then(|node| self.duration("`delay`", node)).unwrap_or_default();
        let headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        let status = status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
        Some(Answer { status, headers, body, error, failed, delay })
    }
}
