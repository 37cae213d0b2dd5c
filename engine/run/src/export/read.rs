//! The way out: one kind of lines page by page, each page bounded in bytes. Nothing is held between pages.

use std::sync::Arc;

use cartwright_core::{
    Json,
    id::{StoreId, WorkflowId},
    time::Timestamp,
};
use cartwright_storage::{EventFilter, Page, Record, RunFilter, StorageError, Table};
use serde::Serialize;
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};

use super::{
    Kind,
    line::{DefinitionLine, EventLine, RunLine, StateLine, StoreLine},
};
use crate::{SecretError, inner::Inner};

/// A page ends when it has so many bytes; its last line may go beyond.
const PAGE_BYTES: usize = 1024 * 1024;
/// Lines on a page at most.
const PAGE_LINES: usize = 500;

/// Which lines.
#[derive(Debug, Clone)]
pub struct Part {
    /// Of this kind.
    pub kind: Kind,
    /// Of events and runs: those whose event was accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Of events and runs: those whose event was accepted before this time.
    pub until: Option<Timestamp>,
    /// Of stores, events and runs: this store's only.
    pub store: Option<StoreId>,
}

/// A page that fills up.
struct Lines {
    lines: Vec<Box<RawValue>>,
    bytes: usize,
}

impl Lines {
    fn add<T: Serialize>(&mut self, line: &T) -> Result<(), StorageError> {
        let line = to_raw_value(line).map_err(|error| corrupt(error.to_string()))?;
        self.bytes += line.get().len();
        self.lines.push(line);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.bytes >= PAGE_BYTES || self.lines.len() >= PAGE_LINES
    }
}

fn corrupt(reason: String) -> StorageError {
    StorageError::Corrupt { reason }
}

/// The next lines, and the cursor of those after them.
pub(crate) async fn page(
    inner: &Arc<Inner>,
    part: &Part,
    cursor: Option<&str>,
) -> Result<Page<Box<RawValue>>, StorageError> {
    let mut lines = Lines { lines: Vec::new(), bytes: 0 };
    let kind = part.kind.of_line().to_owned();
    let next = match part.kind {
        Kind::Stores => stores(inner, part, &mut lines).map(|()| None),
        Kind::Secrets => secrets(inner, &mut lines).await.map(|()| None),
        Kind::Tokens | Kind::People => who(inner, part.kind, &mut lines).map(|()| None),
        Kind::Audit => {
            let line = |record: &Record| Ok(json!({ "kind": kind, "entry": value::<Json>(record)? }));
            records(inner, Table::Audit, cursor, &mut lines, line).await
        }
        Kind::Definitions => {
            let line = |record: &Record| {
                let version = record.key.parse().map_err(|_| damaged(record))?;
                Ok(DefinitionLine { kind: kind.clone(), version, definition: value(record)? })
            };
            records(inner, Table::Definitions, cursor, &mut lines, line).await
        }
        Kind::State => {
            let line = |record: &Record| {
                let (workflow, key) = record.key.split_once('\0').ok_or_else(|| damaged(record))?;
                let workflow: WorkflowId = workflow.parse().map_err(|_| damaged(record))?;
                Ok(StateLine { kind: kind.clone(), workflow, key: key.to_owned(), value: value(record)? })
            };
            records(inner, Table::State, cursor, &mut lines, line).await
        }
        Kind::Events => events(inner, part, cursor, &mut lines).await,
        Kind::Runs => runs(inner, part, cursor, &mut lines).await,
    }?;
    Ok(Page { items: lines.lines, next })
}

fn value<T: serde::de::DeserializeOwned>(record: &Record) -> Result<T, StorageError> {
    serde_json::from_slice(&record.value).map_err(|_| damaged(record))
}

fn damaged(record: &Record) -> StorageError {
    corrupt(format!("record {:?} is not understood", record.key))
}

fn stores(inner: &Inner, part: &Part, lines: &mut Lines) -> Result<(), StorageError> {
    for open in inner.stores.list() {
        let store = &open.store;
        if part.store.as_ref().is_none_or(|only| *only == store.id) {
            lines.add(&StoreLine {
                kind: part.kind.of_line().to_owned(),
                id: store.id.clone(),
                url: store.url.clone(),
                tags: open.tags.clone(),
                created: store.created,
                webhook_secrets: store.webhook_secret_count(),
                rest_keys: store.has_rest_keys(),
            })?;
        }
    }
    Ok(())
}

async fn secrets(inner: &Inner, lines: &mut Lines) -> Result<(), StorageError> {
    let listed = inner.secrets.list().await.map_err(|error| match error {
        SecretError::Storage(cartwright_storage::CommitError::Storage(error)) => error,
        other => corrupt(other.to_string()),
    })?;
    let line = |info: &crate::SecretInfo| json!({ "kind": "secret", "name": info.name, "version": info.version, "set": info.set });
    listed.iter().try_for_each(|info| lines.add(&line(info)))
}

fn who(inner: &Inner, kind: Kind, lines: &mut Lines) -> Result<(), StorageError> {
    if kind == Kind::People {
        return inner.access.people().iter().try_for_each(|person| {
            lines.add(
                &json!({ "kind": "person", "name": person.name, "roles": person.roles, "created": person.created }),
            )
        });
    }
    inner.access.tokens().iter().try_for_each(|token| {
        lines.add(&json!({
            "kind": "token", "id": token.id, "name": token.name, "scopes": token.assignment.scopes,
            "stores": token.assignment.stores, "created": token.created, "created_by": token.created_by,
            "expires": token.expires, "requests_per_second": token.requests_per_second,
        }))
    })
}

async fn records<T: Serialize>(
    inner: &Inner,
    table: Table,
    cursor: Option<&str>,
    lines: &mut Lines,
    line: impl Fn(&Record) -> Result<T, StorageError>,
) -> Result<Option<String>, StorageError> {
    const AT_ONCE: usize = 50;
    let mut after = cursor.map(str::to_owned);
    loop {
        let page = inner.storage.records(table, "", after.as_deref(), AT_ONCE).await?;
        for record in &page {
            lines.add(&line(record)?)?;
            after = Some(record.key.clone());
            if lines.is_full() {
                return Ok(after);
            }
        }
        if page.len() < AT_ONCE {
            return Ok(None);
        }
    }
}

async fn events(
    inner: &Inner,
    part: &Part,
    cursor: Option<&str>,
    lines: &mut Lines,
) -> Result<Option<String>, StorageError> {
    let filter = EventFilter { store: part.store.clone(), topic: None, since: part.since, until: part.until };
    let mut cursor = cursor.map(str::to_owned);
    loop {
        // One by one, because each may be as large as a request.
        let page = inner.storage.query_events(&filter, cursor.as_deref(), 1).await?;
        for stored in page.items {
            let kind = Kind::Events.of_line().to_owned();
            lines.add(&EventLine { kind, event: stored.event, matches: stored.matches })?;
        }
        cursor = page.next;
        if cursor.is_none() || lines.is_full() {
            return Ok(cursor);
        }
    }
}

async fn runs(
    inner: &Inner,
    part: &Part,
    cursor: Option<&str>,
    lines: &mut Lines,
) -> Result<Option<String>, StorageError> {
    let filter = RunFilter { store: part.store.clone(), since: part.since, until: part.until, ..RunFilter::default() };
    let mut cursor = cursor.map(str::to_owned);
    loop {
        let page = inner.storage.query_runs(&filter, cursor.as_deref(), 1).await?;
        for row in page.items {
            // The journal may have grown since the row was read, and retention may have taken it: it says what the row is.
            let journal = inner.storage.journal(&row.id).await?;
            let folded = cartwright_core::run::apply::fold(&journal).map_err(|error| corrupt(error.to_string()))?;
            if let Some(state) = folded {
                lines.add(&RunLine { kind: Kind::Runs.of_line().to_owned(), run: state.row(), journal })?;
            }
        }
        cursor = page.next;
        if cursor.is_none() || lines.is_full() {
            return Ok(cursor);
        }
    }
}
