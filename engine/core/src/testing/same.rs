//! What differs between two outcomes: of a recorded run, and of the same event and answers with a changed workflow.

use serde_json::json;

use super::{
    At, Difference, Emitted, Expect, ExpectCall, ExpectEmitted, ExpectFailure, ExpectResponse, ExpectRuns,
    ExpectStatus, How, MadeCall, Outcome, Pattern, Response, RunOutcome, judge::judge_expect,
};
use crate::Json;

/// Every difference in runs, steps, calls, output and emitted events: `expected` is before, `actual` after. Times do not count.
pub fn changes(before: &Outcome, after: &Outcome) -> Vec<Difference> {
    let mut found = judge_expect(&expectation(before), after);
    let steps = |outcome: &Outcome| -> Vec<String> { outcome.runs.iter().flat_map(steps_of).collect() };
    let (was, is) = (steps(before), steps(after));
    if was != is {
        let how = How::Lines { expected: was, actual: is };
        found.insert(0, Difference { at: "steps".into(), span: 0..0, how });
    }
    found
}

fn steps_of(run: &RunOutcome) -> Vec<String> {
    run.steps.iter().map(|step| format!("{} {}", step.path, step.status)).collect()
}

fn at<T>(value: T) -> At<T> {
    At { value, span: 0..0 }
}

fn expectation(before: &Outcome) -> Expect {
    let each = before.runs.iter().map(|run| Expect {
        status: Some(at(ExpectStatus::Run(run.status))),
        output: Some(at(run.output.clone())),
        failure: run.failure.as_ref().map(|failure| {
            let code = Some(failure.code.clone());
            at(ExpectFailure { step: failure.step.clone(), code, message: Some(failure.message.clone()) })
        }),
        response: (!run.response.is_usual()).then(|| {
            let Response { status, headers, body, .. } = run.response.clone();
            at(Some(ExpectResponse { status: Some(status), headers: Some(json!(headers)), body: Some(body) }))
        }),
        ..Expect::default()
    });
    Expect {
        runs: Some(at(ExpectRuns::Each(each.collect()))),
        calls: Some(at(before.calls.iter().filter_map(call).collect())),
        emitted: Some(at(before.emitted.iter().map(emitted).collect())),
        ..Expect::default()
    }
}

fn call(made: &MadeCall) -> Option<ExpectCall> {
    let request = &made.request;
    let some = |value: &Json| Some(value.clone());
    Some(ExpectCall {
        call: Pattern::parse(request.kind, &request.line()).ok()?,
        step: None,
        store: made.store.as_ref().and_then(|store| store.parse().ok()),
        query: some(&request.query),
        headers: some(&request.headers).filter(Json::is_object),
        body: some(&request.body),
        form: some(&request.form),
        answers: Vec::new(),
        span: 0..0,
    })
}

fn emitted(one: &Emitted) -> ExpectEmitted {
    ExpectEmitted { topic: one.topic.clone(), data: Some(one.data.clone()), span: 0..0 }
}
