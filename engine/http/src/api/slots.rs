//! `/api/v1/slots`: which groups of `concurrency` are in use, who holds their slots and who waits.

use std::sync::Arc;

use axum::{extract::State, http::Uri};
use cartwright_core::{
    access::{Area, Right},
    id::WorkflowId,
};
use cartwright_run::SlotGroup;

use super::{Answer, page, query, sift::sift};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, a, gives, page_of, param},
    door::Door,
};

/// `GET /slots?workflow=`
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller, uri: Uri) -> Answer {
    let query = query::Query::read(uri.query(), &["workflow"])?;
    let workflow: Option<WorkflowId> = query.value("workflow")?;
    let sees = |group: &SlotGroup| caller.reaches(&door, Area::Runs, Right::Read, group.group.store.as_ref());
    let (engine, workflow) = (&door.engine, workflow.as_ref());
    let fetch =
        |cursor: Option<String>, limit| async move { Ok(engine.slots(workflow, cursor.as_deref(), limit).await?) };
    let (items, next) = sift(query.cursor(), query.limit()?, sees, fetch).await?;
    page(items, next)
}

pub(super) const ABOUT: &[About] = &[About {
    path: "/slots",
    id: "listSlots",
    summary: "Groups of `concurrency` in use",
    text: "A group has a row while a run holds one of its slots or waits for one.",
    pages: true,
    query: &[param("workflow", "Only groups of this workflow.", a::<WorkflowId>)],
    gives: &[gives(200, "A page of groups by workflow.", page_of::<SlotGroup>)],
    ..PLAIN
}];
