//! Does one action to many runs, several at a time, and says what came of each. The audit log gets one entry for the
//! request and one for each run that was moved.

use axum::http::StatusCode;
use cartwright_core::{access::Area, id::RunId, run::row::RunRow};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{Action, Bulk, Selected, counts};
use crate::{
    api::{Answer, events, json, replay, runs},
    caller::Caller,
    door::Door,
    problem::Problem,
};

/// Runs that are moved at the same time: they share the commits' flushes.
const AT_ONCE: usize = 32;

/// A run that was not moved.
#[derive(Serialize, ToSchema)]
pub(super) struct NotMoved {
    id: RunId,
    code: &'static str,
    reason: String,
}

pub(super) async fn all(
    door: &Door,
    caller: &Caller,
    bulk: &Bulk,
    selected: Selected,
    reason: Option<String>,
) -> Answer {
    let before = counts(&selected.rows);
    let reason = reason.as_deref();
    let one = |row: RunRow| async move {
        let moved = one(door, caller, bulk, &row, reason).await;
        (row.id, moved)
    };
    let ended: Vec<(RunId, Result<(), Problem>)> =
        stream::iter(selected.rows).map(one).buffer_unordered(AT_ONCE).collect().await;
    let missing = |id: RunId| NotMoved { id, code: "run_unknown", reason: "there is no run of this id".to_owned() };
    let (mut moved, mut not_moved) = (Vec::new(), selected.missing.into_iter().map(missing).collect::<Vec<_>>());
    for (id, outcome) in ended {
        match outcome {
            Ok(()) => moved.push(id),
            Err(problem) => not_moved.push(NotMoved { id, code: problem.code, reason: problem.detail }),
        }
    }
    let what = format!("run.bulk_{}", bulk.action.as_str());
    let said = json!({ "filter": bulk.filter, "moved": moved.len(), "not_moved": not_moved.len() });
    door.audit(caller.did(door, &what, "runs").before(json!(before)).after(said)).await?;
    json(
        StatusCode::OK,
        &json!({ "action": bulk.action, "moved": moved, "not_moved": not_moved, "more": selected.more }),
    )
}

async fn one(door: &Door, caller: &Caller, bulk: &Bulk, row: &RunRow, reason: Option<&str>) -> Result<(), Problem> {
    let (engine, by) = (&door.engine, caller.name());
    let (what, after) = match bulk.action {
        Action::Retry => {
            engine.retry(&row.id, by, bulk.repeat_unknown).await?;
            ("run.retry", json!({ "repeat_unknown": bulk.repeat_unknown, "bulk": true }))
        }
        Action::Cancel => {
            engine.cancel(&row.id, by).await?;
            ("run.cancel", json!({ "bulk": true }))
        }
        Action::Fail => {
            engine.fail(&row.id, by, reason.map(str::to_owned)).await?;
            ("run.fail", json!({ "reason": reason, "bulk": true }))
        }
        Action::Replay => {
            caller.change(door, Area::Events, row.store.as_ref(), events::unknown)?;
            let stored = engine.event(&row.event).await?.ok_or_else(events::unknown)?;
            replay::accept(door, caller, &stored, Some(row.workflow.clone())).await?;
            return Ok(());
        }
    };
    door.audit(runs::did(door, caller, what, row).after(after)).await
}
