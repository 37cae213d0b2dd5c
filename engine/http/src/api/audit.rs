//! `/api/v1/audit`: who changed what, newest first. Nothing there can be changed.

use std::sync::Arc;

use axum::{extract::State, http::Uri};
use cartwright_core::access::{Area, Right};
use cartwright_run::{access::AuditEntry, storage::Page};

use super::{Answer, page, query::Query, query::invalid, sift::sift};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, gives, page_of},
    door::Door,
};

/// `GET /audit`
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller, uri: Uri) -> Answer {
    let query = Query::read(uri.query(), &[])?;
    let ours = |cursor: &str| cursor.len() <= 40 && cursor.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !query.cursor().is_none_or(ours) {
        return Err(invalid("the cursor is not one of this list"));
    }
    let sees = |entry: &AuditEntry| caller.reaches(&door, Area::Audit, Right::Read, entry.store.as_ref());
    let log = &door.engine.access().audit;
    let fetch = |cursor: Option<String>, limit| async move {
        let (items, next) = log.page(cursor.as_deref(), limit).await?;
        Ok(Page { items, next })
    };
    let (items, next) = sift(query.cursor(), query.limit()?, sees, fetch).await?;
    page(items, next)
}

/// What the document says about these addresses.
pub(super) const ABOUT: &[About] = &[About {
    path: "/audit",
    id: "listAudit",
    summary: "Changes, newest first",
    text: "An entry is on stable storage before its change is answered. None holds a secret.",
    pages: true,
    gives: &[gives(200, "A page of entries.", page_of::<AuditEntry>)],
    ..PLAIN
}];
