//! `/api/v1/backup`: what a backup consists of, part by part, as storage has it, and the word that lets a restored engine
//! go on. Secrets in it are sealed under the master key, which the API never gives: whoever makes a backup adds it from
//! where it lies.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::Serialize;
use serde_json::json;

use super::{Answer, json, page, query::Query};
use crate::{caller::Caller, door::Door};

/// A part on the wire.
#[derive(Serialize)]
struct PartBody {
    /// Base64.
    part: String,
}

/// `GET /backup/records`: the first part of a new backup, or (`cursor`) the next one. The parts in order are the backup.
pub(super) async fn records(State(door): State<Arc<Door>>, caller: Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::read(query.as_deref(), &[])?;
    query.limit()?;
    let (part, next) = door.engine.backup_part(query.cursor()).await?;
    if query.cursor().is_none() {
        door.audit(caller.did(&door, "backup.read", "records")).await?;
    }
    page(part.iter().map(|part| PartBody { part: BASE64.encode(part.as_bytes()) }).collect(), next)
}

/// `GET /backup/hold` → `{"hold": {"backup", "restored"}}`, or `{"hold": null}`
pub(super) async fn hold(State(door): State<Arc<Door>>) -> Answer {
    json(StatusCode::OK, &json!({ "hold": door.engine.hold().await? }))
}

/// `DELETE /backup/hold`: what was restored goes on. The same answer as above, with what held it.
pub(super) async fn release(State(door): State<Arc<Door>>, caller: Caller) -> Answer {
    let hold = door.engine.release().await?;
    if let Some(hold) = &hold {
        let before = serde_json::to_value(hold).expect("two times become JSON");
        door.audit(caller.did(&door, "backup.release", "hold").before(before)).await?;
    }
    json(StatusCode::OK, &json!({ "hold": hold }))
}
