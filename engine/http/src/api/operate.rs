//! What people say about one run: what an unknown call did, and that a parked run is given up.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
};
use cartwright_core::{
    Json,
    id::{RunId, StepPath},
    run::{
        decide::{Said, Which},
        row::RunStatus,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use utoipa::ToSchema;

use super::{Answer, Segment, body, json, optional_body, runs};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, a, gives, may_take, takes},
    door::Door,
    ingest,
    json::check,
    problem::Problem,
};

/// Of a reason, in characters.
const MAX_REASON_CHARS: usize = 500;
/// Of a given result, in bytes: as much as an event that a run emits may hold.
const MAX_RESULT_BYTES: usize = cartwright_core::run::decide::EMIT_BYTES_MAX;

/// What an unknown call did.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Resolve {
    /// It happened; otherwise it did not.
    done: bool,
    /// What it gave, where it happened.
    #[schema(value_type = Option<Value>)]
    result: Option<Box<RawValue>>,
    /// The calling step, where several calls are unknown.
    step: Option<String>,
    /// From 0 in order of calling.
    call: Option<u32>,
}

/// Where a run is after somebody said what its call did.
#[derive(Serialize, ToSchema)]
struct Resolved {
    /// The run.
    id: RunId,
    /// Its state now.
    #[schema(required)]
    status: Option<RunStatus>,
}

/// `POST /runs/{id}/resolve` `{"done": true, "result": …, "step": "path", "call": 0}` → 202 with the run's status
pub(super) async fn resolve(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segment(id): Segment,
    request: Request,
) -> Answer {
    let Resolve { done, result, step, call } = body(&door, request, false).await?;
    let said = said(done, result)?;
    let (run, row) = runs::to_change(&door, &caller, &id).await?;
    let entry = runs::did(&door, &caller, "run.resolve", &row);
    let how = json!({ "done": done, "step": step, "call": call });
    let which = Which { step: step.map(StepPath::new), call };
    door.engine.resolve(&run, caller.name(), which, said).await?;
    door.audit(entry.after(how)).await?;
    let status = door.engine.run(&run).await?.map(|row| row.status);
    json(StatusCode::ACCEPTED, &Resolved { id: run, status })
}

/// A result counts as what the call would have given, so it is read as carefully as what comes from outside.
fn said(done: bool, result: Option<Box<RawValue>>) -> Result<Said, Problem> {
    let result = result.filter(|result| result.get() != "null");
    match (done, result) {
        (false, None) => Ok(Said::NotDone),
        (false, Some(_)) => {
            let detail = "a call that did not happen gave no result: leave `result` out, or say `done`";
            Err(Problem::bad_request("argument_invalid", detail))
        }
        (true, None) => Ok(Said::Done(Json::Null)),
        (true, Some(result)) if result.get().len() > MAX_RESULT_BYTES => {
            let detail = format!("a result holds at most {MAX_RESULT_BYTES} bytes");
            Err(Problem::bad_request("argument_invalid", detail))
        }
        (true, Some(result)) => {
            check(result.get()).map_err(|refused| ingest::unreadable(&refused))?;
            let result = serde_json::from_str(result.get());
            result.map(Said::Done).map_err(|error| Problem::bad_request("body_invalid", error.to_string()))
        }
    }
}

/// Why somebody gives up.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Fail {
    /// One line for people.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// `POST /runs/{id}/fail` `{"reason": "…"}`; the body may be absent → 202
pub(super) async fn fail(
    State(door): State<Arc<Door>>,
    caller: Caller,
    Segment(id): Segment,
    request: Request,
) -> Answer {
    let Fail { reason } = optional_body(&door, request).await?;
    let reason = reason_of(reason)?;
    let (run, row) = runs::to_change(&door, &caller, &id).await?;
    door.engine.fail(&run, caller.name(), reason.clone()).await?;
    door.audit(runs::did(&door, &caller, "run.fail", &row).after(json!({ "reason": reason }))).await?;
    json(StatusCode::ACCEPTED, &runs::Moved { id: run })
}

/// A reason that fits on a line; an empty one is none.
pub(crate) fn reason_of(reason: Option<String>) -> Result<Option<String>, Problem> {
    let Some(reason) = reason.filter(|reason| !reason.is_empty()) else { return Ok(None) };
    if reason.chars().count() > MAX_REASON_CHARS || reason.chars().any(char::is_control) {
        let detail = format!("a reason is one line of at most {MAX_REASON_CHARS} characters");
        return Err(Problem::bad_request("argument_invalid", detail));
    }
    Ok(Some(reason))
}

/// What the document says about these addresses.
pub(super) const ABOUT: &[About] = &[
    About {
        method: "POST",
        path: "/runs/{id}/resolve",
        id: "resolveRun",
        summary: "Says what an unknown call of a parked run did",
        text: "`step` and `call` are needed only where several calls are unknown.",
        takes: takes(a::<Resolve>, r#"{"done": true, "result": {"id": 17}}"#),
        gives: &[gives(202, "Noted in the run's journal.", a::<Resolved>)],
        refuses: &[
            (400, "argument_invalid"),
            (400, "body_not_json"),
            (400, "body_too_deep"),
            (404, "run_unknown"),
            (409, "run_refuses"),
            (409, "run_damaged"),
        ],
        ..PLAIN
    },
    About {
        method: "POST",
        path: "/runs/{id}/fail",
        id: "failRun",
        summary: "Gives a parked run up",
        text: "Its `on_failure` steps follow.",
        takes: may_take(a::<Fail>, r#"{"reason": "the customer cancelled"}"#),
        gives: &[gives(202, "Noted in the run's journal.", a::<runs::Moved>)],
        refuses: &[(400, "argument_invalid"), (404, "run_unknown"), (409, "run_refuses"), (409, "run_damaged")],
        ..PLAIN
    },
];
