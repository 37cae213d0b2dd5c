//! `POST /api/v1/runs/bulk`: one action for all runs of a filter, or for a list of them. A preview says which runs that
//! are and which writes would be made again, and gives a token; acting on a filter takes the token, or the expected count,
//! so that nobody acts on a set that has changed under them.

mod about;
mod perform;

pub(super) use self::about::ABOUT;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::{Request, State},
    http::StatusCode,
};
use cartwright_core::{
    access::{Area, Right},
    id::{EventId, RunId, StoreId, WorkflowId},
    run::{
        row::{RunRow, RunStatus},
        writes::{Write, writes},
    },
    time::Timestamp,
};
use cartwright_run::storage::RunFilter;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{Answer, body, json, operate::reason_of, query::invalid, sift::sift};
use crate::{caller::Caller, door::Door, problem::Problem};

/// Runs that one request selects at most; the answer says whether there are more.
const RUNS_MAX: usize = 10_000;
/// Runs that a preview tells about in detail.
const DETAILS_MAX: usize = 200;
/// Writes of one run that a preview lists.
const WRITES_MAX: usize = 100;
/// Runs read from storage at once.
const PAGE: usize = 500;

/// What to do with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BulkAction)]
enum Action {
    Retry,
    Cancel,
    Fail,
    /// Its event again, for its workflow alone.
    Replay,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Fail => "fail",
            Self::Replay => "replay",
        }
    }

    /// What it is for where the filter names no status; `None`: any.
    fn statuses(self) -> Vec<Option<RunStatus>> {
        let some: &[RunStatus] = match self {
            Self::Retry => &[RunStatus::Parked, RunStatus::Failed],
            Self::Fail => &[RunStatus::Parked],
            Self::Cancel => &[RunStatus::Queued, RunStatus::Running, RunStatus::Waiting, RunStatus::Parked],
            Self::Replay => return vec![None],
        };
        some.iter().copied().map(Some).collect()
    }
}

/// Which runs; every field narrows.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RunFilter)]
struct Filter {
    workflow: Option<WorkflowId>,
    status: Option<RunStatus>,
    store: Option<StoreId>,
    event: Option<EventId>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// What to do with many runs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Bulk {
    action: Action,
    filter: Option<Filter>,
    /// These runs, in place of a filter.
    runs: Option<Vec<RunId>>,
    /// Say what would happen, and do nothing.
    #[serde(default)]
    preview: bool,
    /// From the preview of the same action and filter.
    token: Option<String>,
    /// How many runs the filter is thought to have, in place of a token.
    expect: Option<usize>,
    #[serde(default)]
    repeat_unknown: bool,
    reason: Option<String>,
}

/// The runs that are meant.
struct Selected {
    rows: Vec<RunRow>,
    /// There are more than one request takes.
    more: bool,
    /// Named runs that are not there, or not the caller's.
    missing: Vec<RunId>,
}

/// `POST /runs/bulk` → 200 with the preview, or with what came of each run
pub(super) async fn bulk(State(door): State<Arc<Door>>, caller: Caller, request: Request) -> Answer {
    let bulk: Bulk = body(&door, request, false).await?;
    let reason = reason_of(bulk.reason.clone())?;
    let selected = select(&door, &caller, &bulk).await?;
    let token = token(bulk.action, &selected.rows);
    if bulk.preview {
        return preview(&door, &bulk, &selected, &token).await;
    }
    if bulk.filter.is_some() {
        unchanged(&bulk, &selected, &token)?;
    }
    perform::all(&door, &caller, &bulk, selected, reason).await
}

async fn select(door: &Door, caller: &Caller, bulk: &Bulk) -> Result<Selected, Problem> {
    match (&bulk.filter, &bulk.runs) {
        (Some(filter), None) => by_filter(door, caller, bulk.action, filter).await,
        (None, Some(runs)) if runs.len() <= RUNS_MAX => by_name(door, caller, runs).await,
        (None, Some(_)) => Err(invalid(format!("at most {RUNS_MAX} runs are named in one request"))),
        _ => Err(invalid("give either `filter` or `runs`")),
    }
}

async fn by_filter(door: &Door, caller: &Caller, action: Action, filter: &Filter) -> Result<Selected, Problem> {
    let may = |row: &RunRow| caller.reaches(door, Area::Runs, Right::Write, row.store.as_ref());
    let statuses = filter.status.map_or_else(|| action.statuses(), |status| vec![Some(status)]);
    let mut rows = Vec::new();
    let mut more = false;
    for status in statuses {
        let filter = RunFilter {
            workflow: filter.workflow.clone(),
            store: filter.store.clone(),
            status,
            event: filter.event.clone(),
            since: filter.since,
            until: filter.until,
        };
        let (engine, filter) = (&door.engine, &filter);
        let fetch =
            |cursor: Option<String>, limit| async move { Ok(engine.runs(filter, cursor.as_deref(), limit).await?) };
        let mut cursor: Option<String> = None;
        loop {
            let (items, next) = sift(cursor.as_deref(), PAGE, may, fetch).await?;
            rows.extend(items);
            more |= rows.len() > RUNS_MAX || rows.len() == RUNS_MAX && next.is_some();
            cursor = next;
            if cursor.is_none() || more {
                break;
            }
        }
    }
    // A run that changed its status between two pages may have come twice.
    let mut seen = std::collections::HashSet::new();
    rows.retain(|row| seen.insert(row.id.clone()));
    more |= rows.len() > RUNS_MAX;
    rows.truncate(RUNS_MAX);
    Ok(Selected { rows, more, missing: Vec::new() })
}

async fn by_name(door: &Door, caller: &Caller, runs: &[RunId]) -> Result<Selected, Problem> {
    let (mut rows, mut missing) = (Vec::new(), Vec::new());
    let mut seen = std::collections::HashSet::new();
    for run in runs.iter().filter(|run| seen.insert((*run).clone())) {
        let row = door.engine.run(run).await?;
        match row.filter(|row| caller.reaches(door, Area::Runs, Right::Write, row.store.as_ref())) {
            Some(row) => rows.push(row),
            None => missing.push(run.clone()),
        }
    }
    Ok(Selected { rows, more: false, missing })
}

/// Names a set of runs for one action: the same set gives the same token, any other another.
fn token(action: Action, rows: &[RunRow]) -> String {
    let mut ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    ids.sort_unstable();
    let mut hash = Sha256::new();
    hash.update(action.as_str());
    for id in &ids {
        hash.update([0]);
        hash.update(id);
    }
    format!("{}-{}", ids.len(), hex::encode(&hash.finalize()[..12]))
}

/// Refuses to act on another set than was looked at.
fn unchanged(bulk: &Bulk, selected: &Selected, token: &str) -> Result<(), Problem> {
    let now = selected.rows.len();
    let then = match (&bulk.token, bulk.expect) {
        (None, None) => {
            return Err(invalid(
                "acting on a filter takes the `token` of its preview, or `expect`: how many runs it has",
            ));
        }
        (Some(given), _) if given == token => return Ok(()),
        (None, Some(expect)) if expect == now => return Ok(()),
        (Some(given), _) => given.split('-').next().unwrap_or_default().chars().take(10).collect(),
        (None, Some(expect)) => expect.to_string(),
    };
    let detail = format!(
        "other runs are in this filter than were looked at: {then} then, {now} now ({})",
        shown(&counts(&selected.rows))
    );
    Err(Problem::new(StatusCode::CONFLICT, "set_changed", detail)
        .help("Nothing was done. Look at a new preview, then act with its token."))
}

fn counts(rows: &[RunRow]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row.status.as_str()).or_insert(0) += 1;
    }
    counts
}

fn shown(counts: &BTreeMap<&'static str, usize>) -> String {
    let parts: Vec<String> = counts.iter().map(|(status, count)| format!("{count} {status}")).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

/// A run in a preview.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkDetail)]
struct Detail<'a> {
    #[serde(flatten)]
    row: &'a RunRow,
    writes: Vec<Write>,
    /// More writes than are listed.
    more_writes: bool,
}

async fn preview(door: &Door, bulk: &Bulk, selected: &Selected, token: &str) -> Answer {
    let mut details = Vec::new();
    for row in selected.rows.iter().take(DETAILS_MAX) {
        let mut writes = writes_of(door, &row.id).await?;
        let more_writes = writes.len() > WRITES_MAX;
        writes.truncate(WRITES_MAX);
        details.push(Detail { row, writes, more_writes });
    }
    let ids: Vec<&RunId> = selected.rows.iter().map(|row| &row.id).collect();
    json(
        StatusCode::OK,
        &json!({
            "action": bulk.action, "count": ids.len(), "more": selected.more, "token": token,
            "statuses": counts(&selected.rows), "details": details, "runs": ids, "missing": selected.missing,
        }),
    )
}

/// What a run did outside, and what a retry would do again.
pub(super) async fn writes_of(door: &Door, run: &RunId) -> Result<Vec<Write>, Problem> {
    let Some(detail) = door.engine.run_detail(run).await? else { return Ok(Vec::new()) };
    writes(&detail.journal)
        .map_err(|illegal| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", illegal.to_string()))
}
