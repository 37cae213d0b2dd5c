//! `/api/v1/gates`: what gates of triggers hold now.

use std::sync::Arc;

use axum::{extract::State, http::Uri};
use cartwright_core::{
    access::{Area, Right},
    id::WorkflowId,
};
use cartwright_run::HeldGroup;

use super::{Answer, page, query::Query, sift::sift};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, a, gives, page_of, param},
    door::Door,
};

/// `GET /gates?workflow=`
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller, uri: Uri) -> Answer {
    let query = Query::read(uri.query(), &["workflow"])?;
    let (workflow, limit) = (query.value::<WorkflowId>("workflow")?, query.limit()?);
    let sees = |group: &HeldGroup| caller.reaches(&door, Area::Runs, Right::Read, group.store.as_ref());
    let (engine, workflow) = (&door.engine, workflow.as_ref());
    let fetch = |cursor: Option<String>, limit| async move {
        Ok(engine.held_groups(workflow, cursor.as_deref(), limit).await?)
    };
    let (items, next) = sift(query.cursor(), limit, sees, fetch).await?;
    page(items, next)
}

pub(super) const ABOUT: &[About] = &[About {
    path: "/gates",
    id: "listHeldGroups",
    summary: "Events that `debounce` and `collect` hold for a run to come, oldest first",
    text: "A run that `throttle` delays is there already: it is queued, and `delayed_until` says when it begins.",
    pages: true,
    query: &[param("workflow", "Of this workflow only.", a::<WorkflowId>)],
    gives: &[gives(200, "A page of held groups.", page_of::<HeldGroup>)],
    ..PLAIN
}];
