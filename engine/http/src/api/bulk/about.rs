//! What the document says about `POST /runs/bulk`.

use std::collections::BTreeMap;

use cartwright_core::id::RunId;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Action, Bulk, Detail, perform::NotMoved};
use crate::describe::about::{ABOUT as PLAIN, About, a, gives, takes};

/// A preview, or what came of each run. Both are put together where they are answered; the door's tests hold them to this.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = BulkAnswer)]
#[expect(dead_code, reason = "only its description is used")]
enum Answered {
    /// What would happen.
    Preview(Preview),
    /// What happened.
    Done(Done),
}

/// What would happen.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkPreview)]
struct Preview {
    action: Action,
    /// How many runs are selected.
    count: usize,
    /// There are more than one request takes.
    more: bool,
    /// For acting on exactly this set.
    token: String,
    /// How many runs in which state.
    statuses: BTreeMap<String, usize>,
    /// The first of them with what they wrote.
    details: Vec<Detail<'static>>,
    /// All of them.
    runs: Vec<RunId>,
    /// Named runs that are not there.
    missing: Vec<RunId>,
}

/// What happened.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkDone)]
struct Done {
    action: Action,
    /// These were moved.
    moved: Vec<RunId>,
    /// These were not, and why.
    not_moved: Vec<NotMoved>,
    /// There are more than one request takes; ask again.
    more: bool,
}

/// A row for the address.
pub(in crate::api) const ABOUT: &[About] = &[About {
    method: "POST",
    path: "/runs/bulk",
    id: "moveRuns",
    summary: "Retries, cancels, gives up or replays many runs",
    text: "By `filter` or by `runs`, at most 10 000. With `preview` nothing is done, and the answer says which writes would be made \
           again and gives a `token`; acting on a filter takes that token, or `expect`, so that nobody acts on a set that has changed.",
    takes: takes(a::<Bulk>, r#"{"action": "retry", "filter": {"workflow": "stock/sync"}, "preview": true}"#),
    gives: &[gives(200, "A preview, or what came of each run.", a::<Answered>)],
    refuses: &[(400, "filter_invalid"), (400, "argument_invalid"), (409, "set_changed"), (500, "internal")],
    ..PLAIN
}];
