//! A run begins anew with other input: what is read of the request, what a preview says, and the word to the run.

use axum::http::StatusCode;
use cartwright_core::{
    Json,
    id::RunId,
    run::{
        apply::fold,
        decide::why_not_anew,
        row::RunRow,
        writes::{Write, writes_anew},
    },
};
use serde::Serialize;
use serde_json::{json, value::RawValue};
use utoipa::ToSchema;

use super::{Answer, json as answer, runs};
use crate::{caller::Caller, door::Door, ingest, json::check, problem::Problem};

/// Of an input, in bytes; it is kept in the run's journal.
const MAX_INPUT_BYTES: usize = 1024 * 1024;

/// Reads an input as carefully as what comes from outside.
pub(super) fn input(text: &RawValue) -> Result<Json, Problem> {
    if text.get().len() > MAX_INPUT_BYTES {
        return Err(invalid(&format!("an input holds at most {MAX_INPUT_BYTES} bytes")));
    }
    check(text.get()).map_err(|refused| ingest::unreadable(&refused))?;
    let input: Json =
        serde_json::from_str(text.get()).map_err(|error| Problem::bad_request("body_invalid", error.to_string()))?;
    if input.is_null() { Err(invalid("the input is the event's data, so it is not null")) } else { Ok(input) }
}

fn invalid(detail: &str) -> Problem {
    Problem::bad_request("argument_invalid", detail)
}

/// What beginning anew would do.
#[derive(Serialize, ToSchema)]
#[schema(as = AnewPreview)]
pub(super) struct Preview {
    id: RunId,
    /// What the run wrote; made again under new identities, as far as its steps are reached.
    writes: Vec<Write>,
    /// Why it would be refused, where it would.
    refused: Option<String>,
}

/// 200 with the writes that would be made again, and why it would be refused, where it would.
pub(super) async fn preview(door: &Door, run: &RunId, input: Json) -> Answer {
    door.engine.fitting_input(run, input).await?;
    let journal = door.engine.run_detail(run).await?.map(|detail| detail.journal).unwrap_or_default();
    let broken = |illegal: cartwright_core::run::apply::Illegal| {
        Problem::new(StatusCode::CONFLICT, "run_damaged", illegal.to_string())
    };
    let writes = writes_anew(&journal).map_err(broken)?;
    let refused = fold(&journal).map_err(broken)?.as_ref().and_then(why_not_anew);
    answer(StatusCode::OK, &Preview { id: run.clone(), writes, refused })
}

/// 202 once it is durable. The audit log says that there was other input; the journal has it.
pub(super) async fn retry(door: &Door, caller: &Caller, row: &RunRow, input: Json) -> Answer {
    door.engine.retry_with(&row.id, caller.name(), input).await?;
    door.audit(runs::did(door, caller, "run.retry", row).after(json!({ "input": "replaced" }))).await?;
    answer(StatusCode::ACCEPTED, &runs::Moved { id: row.id.clone() })
}
