//! `/api/v1/audit`: who changed what, newest first. Nothing there can be changed.

use std::sync::Arc;

use axum::{extract::State, http::Uri};
use cartwright_core::{
    access::{Area, Right},
    id::StoreId,
};
use cartwright_run::{
    access::{AuditEntry, AuditFilter},
    storage::Page,
};

use super::{Answer, page, query::Query, query::invalid, sift::sift};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, SINCE, UNTIL, a, gives, page_of, param, text},
    door::Door,
};

/// `GET /audit?who=&what=&store=&target=&since=&until=`
pub(super) async fn list(State(door): State<Arc<Door>>, caller: Caller, uri: Uri) -> Answer {
    let query = Query::read(uri.query(), &["who", "what", "store", "target", "since", "until"])?;
    let (since, until) = query.span()?;
    let text = |name: &str| query.text(name).map(str::to_owned);
    let (who, what, target) = (text("who"), text("what"), text("target"));
    let filter = AuditFilter { who, what, target, store: query.value("store")?, since, until };
    let ours = |cursor: &str| cursor.len() <= 40 && cursor.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if !query.cursor().is_none_or(ours) {
        return Err(invalid("the cursor is not one of this list"));
    }
    let sees = |entry: &AuditEntry| caller.reaches(&door, Area::Audit, Right::Read, entry.store.as_ref());
    let (log, filter) = (&door.engine.access().audit, &filter);
    let fetch = |cursor: Option<String>, limit| async move {
        let (items, next) = log.page(filter, cursor.as_deref(), limit).await?;
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
    text: "An entry is on stable storage before its change is answered. None holds a secret. A page may hold fewer than `limit` entries, or none, \
           and still have a `next`: little of much was looked for.",
    pages: true,
    query: &[
        param("who", "Made by exactly this one: `admin`, `token:ci`, `user:ada`.", text),
        param("what", "Of exactly this kind: `store.add`, `run.retry`, `token.revoke`.", text),
        param("store", "Concerning this store.", a::<StoreId>),
        param("target", "About exactly this id or name.", text),
        SINCE,
        UNTIL,
    ],
    gives: &[gives(200, "A page of entries.", page_of::<AuditEntry>)],
    ..PLAIN
}];
