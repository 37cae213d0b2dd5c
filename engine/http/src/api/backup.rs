//! `/api/v1/backup/records`: what a backup consists of, as storage has it. Secrets in it are sealed under the master
//! key, which the API never gives: whoever makes a backup adds it from where it lies.

use std::{str::FromStr, sync::Arc};

use axum::extract::{RawQuery, State};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cartwright_run::{BackupPlace, BackupRecord};
use serde::Serialize;

use super::{
    Answer, page,
    query::{Query, invalid},
};
use crate::{caller::Caller, door::Door};

/// A record on the wire.
#[derive(Serialize)]
struct RecordBody {
    table: String,
    key: String,
    /// Base64.
    value: String,
}

impl From<BackupRecord> for RecordBody {
    fn from(BackupRecord { table, key, value }: BackupRecord) -> Self {
        Self { table, key, value: BASE64.encode(value) }
    }
}

/// `GET /backup/records`
pub(super) async fn records(State(door): State<Arc<Door>>, caller: Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::read(query.as_deref(), &[])?;
    let after = query.cursor().map(BackupPlace::from_str).transpose().map_err(invalid)?;
    let (records, next) = door.engine.backup_records(after.as_ref(), query.limit()?).await?;
    if after.is_none() {
        door.audit(caller.did(&door, "backup.read", "records")).await?;
    }
    page(records.into_iter().map(RecordBody::from).collect(), next.map(|place| place.to_string()))
}
