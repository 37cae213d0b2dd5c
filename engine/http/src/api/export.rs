//! `/api/v1/export`: everything there is to read, kind by kind and page by page, for `cartwright export`. No secret is in
//! it, not even sealed; what customers ordered is.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use cartwright_core::{Json, id::StoreId};
use cartwright_run::{Kind, Part};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, schema::Type};

use super::{Answer, page, query::Query, query::invalid};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, SINCE, Shapes, UNTIL, a, gives, page_of, param},
    door::Door,
};

/// Of a cursor, in bytes: it is the key of a record, or of a list.
const MAX_CURSOR_BYTES: usize = 4096;

/// `GET /export?kind=&since=&until=&store=`: the lines of one kind
pub(super) async fn lines(State(door): State<Arc<Door>>, caller: Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::read(query.as_deref(), &["kind", "since", "until", "store"])?;
    query.limit()?;
    let (since, until) = query.span()?;
    let kind = query.value("kind")?.unwrap_or(Kind::ALL[0]);
    let part = Part { kind, since, until, store: query.value("store")? };
    if query.cursor().is_some_and(|cursor| cursor.len() > MAX_CURSOR_BYTES) {
        return Err(invalid("the cursor is not one of this list"));
    }
    let lines = door.engine.export_page(&part, query.cursor()).await?;
    if query.cursor().is_none() {
        door.audit(caller.did(&door, "export.read", kind.as_str())).await?;
    }
    page(lines.items, lines.next)
}

fn kinds(_: &mut Shapes) -> RefOr<Schema> {
    let words = Kind::ALL.iter().map(|kind| kind.as_str());
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

/// What the document says about this address.
pub(super) const ABOUT: &[About] = &[About {
    path: "/export",
    id: "readExport",
    summary: "Everything there is to read, kind by kind",
    text: "What `cartwright export` puts into a file; engine/docs/export.md describes the lines. No secret is in it. A page \
           ends at about a MiB, whatever `limit` says.",
    pages: true,
    query: &[
        param("kind", "Which kind of lines; stores, where it is absent.", kinds),
        SINCE,
        UNTIL,
        param("store", "Of stores, events and runs: this store's only.", a::<StoreId>),
    ],
    gives: &[gives(200, "Lines.", page_of::<Json>)],
    ..PLAIN
}];
