//! `/api/v1/backup`: what a backup consists of, part by part, as storage has it, and the word that lets a restored engine
//! go on. Secrets in it are sealed under the master key, which the API never gives: whoever makes a backup adds it from
//! where it lies.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use cartwright_run::Hold;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, json, page, query::Query};
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, a, gives, page_of},
    door::Door,
};

/// A part on the wire.
#[derive(Serialize, ToSchema)]
#[schema(as = BackupPart)]
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

/// Whether a restored engine is held.
#[derive(Serialize, ToSchema)]
struct HoldBody {
    /// Null: it is not.
    #[schema(required)]
    hold: Option<Hold>,
}

/// `GET /backup/hold` → `{"hold": {"backup", "restored"}}`, or `{"hold": null}`
pub(super) async fn hold(State(door): State<Arc<Door>>) -> Answer {
    json(StatusCode::OK, &HoldBody { hold: door.engine.hold().await? })
}

/// `DELETE /backup/hold`: what was restored goes on. The same answer as above, with what held it.
pub(super) async fn release(State(door): State<Arc<Door>>, caller: Caller) -> Answer {
    let hold = door.engine.release().await?;
    if let Some(hold) = &hold {
        let before = serde_json::to_value(hold).expect("two times become JSON");
        door.audit(caller.did(&door, "backup.release", "hold").before(before)).await?;
    }
    json(StatusCode::OK, &HoldBody { hold })
}

/// What the document says about these addresses.
pub(super) const ABOUT: &[About] = &[
    About {
        path: "/backup/records",
        id: "readBackup",
        summary: "A backup, part by part",
        text: "Without `cursor` a new backup begins. Secrets in it are sealed under the master key, which the API never gives; \
               `cartwright backup` puts both into one file.",
        pages: true,
        gives: &[gives(200, "A part; in order they are the backup.", page_of::<PartBody>)],
        ..PLAIN
    },
    About {
        path: "/backup/hold",
        id: "showHold",
        summary: "Whether this engine was restored and waits",
        gives: &[gives(200, "Since when.", a::<HoldBody>)],
        ..PLAIN
    },
    About {
        method: "DELETE",
        path: "/backup/hold",
        id: "releaseHold",
        summary: "Lets a restored engine go on",
        gives: &[gives(200, "It goes on; this held it.", a::<HoldBody>)],
        ..PLAIN
    },
];
