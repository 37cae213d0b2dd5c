//! Asking the store: reads go out through the client like any other, what comes back is what the recipes look at.

use cartwright_core::{
    Json,
    call::{CallError, ErrorClass},
    woo::WooRequest,
};
use serde_json::{Map, json};

use super::{unknown, window::Window};
use crate::client::{self, Client, Connection};

/// Pages of a list that are read at most.
pub(super) const PAGES_MAX: u32 = 10;
/// Objects on one page.
const PER_PAGE: usize = 100;

/// What a look at the store says about an earlier try.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Finding {
    /// It took effect; this is the answer it would have given.
    Ours(Json),
    /// There is nothing of it.
    Nothing,
    /// Somebody else has what must be unique, so it cannot take effect.
    Taken,
    /// Nobody can say, for this reason.
    Doubt(String),
}

/// One look at one store for one object.
#[derive(Clone, Copy)]
pub(super) struct Probe<'a> {
    pub(super) client: &'a Client,
    pub(super) store: &'a Connection,
    /// The write, as it was asked for. For an item of a batch: as if it were made alone.
    pub(super) request: &'a WooRequest,
    pub(super) marker: &'a str,
    pub(super) window: Window,
}

/// A list, as far as it was read.
pub(super) struct Listing {
    pub(super) items: Vec<Json>,
    /// There was more than may be read.
    pub(super) is_cut: bool,
}

impl Probe<'_> {
    /// A field of the write's body as text.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.field(field).and_then(Json::as_str).filter(|text| !text.is_empty())
    }

    /// A field of the write's body.
    pub(super) fn field(&self, field: &str) -> Option<&Json> {
        self.request.body.as_ref()?.get(field)
    }

    /// One read. Its failure leaves the write in doubt, whatever it says about itself.
    pub(super) async fn get(&self, path: &str, query: Json) -> Result<Json, CallError> {
        let query = if let Json::Object(query) = query { query } else { Map::new() };
        self.client
            .exchange(self.store, &client::read(path, query))
            .await
            .map(|answer| answer.body)
            .map_err(|failure| doubtful(failure.error))
    }

    /// A list, page by page, newest first where `query` says so.
    pub(super) async fn list(&self, path: &str, query: Json) -> Result<Listing, CallError> {
        let mut items = Vec::new();
        for page in 1..=PAGES_MAX {
            let mut query = query.clone();
            query["per_page"] = json!(PER_PAGE);
            query["page"] = json!(page);
            let Json::Array(mut read) = self.get(path, query).await? else {
                return Err(unknown(&format!(
                    "{path} of the store is no list, so the engine cannot find out what happened"
                )));
            };
            let is_last = read.len() < PER_PAGE;
            items.append(&mut read);
            if is_last {
                return Ok(Listing { items, is_cut: false });
            }
        }
        Ok(Listing { items, is_cut: true })
    }

    /// The object as the write would have answered it: in the same context, with the same fields.
    pub(super) async fn object(&self, collection: &str, found: &Json) -> Result<Json, CallError> {
        let Some(id) = found.get("id").and_then(Json::as_u64) else {
            return Err(unknown("the store listed an object without an id, so the engine cannot read what happened"));
        };
        let mut query = self.request.query.clone();
        query.insert("context".into(), json!("edit"));
        self.get(&format!("{collection}/{id}"), Json::Object(query)).await
    }

    /// What one, none or several objects that can only be this call's mean.
    pub(super) async fn only(&self, collection: &str, found: &[&Json], what: &str) -> Result<Finding, CallError> {
        match found {
            [] => Ok(Finding::Nothing),
            [one] => Ok(Finding::Ours(self.object(collection, one).await?)),
            [..] => Ok(Finding::Doubt(format!(
                "the answer to an earlier try was lost, and the store has {} of {what}: {}. Look which of them belongs to \
                 this run",
                found.len(),
                ids(found)
            ))),
        }
    }
}

/// `61, 62`.
pub(super) fn ids(found: &[&Json]) -> String {
    let ids: Vec<String> = found.iter().filter_map(|object| Some(object.get("id")?.to_string())).collect();
    ids.join(", ")
}

/// What a failed look means for the write: when the store may answer later, it is asked later, which costs no attempt.
/// A refusal says nothing about the write, so it must not end it as failed.
fn doubtful(error: CallError) -> CallError {
    match error.class {
        ErrorClass::Deferred => error,
        ErrorClass::Retryable | ErrorClass::Unknown => CallError { class: ErrorClass::Deferred, ..error },
        ErrorClass::Final | ErrorClass::Park => CallError {
            message: format!(
                "the answer to an earlier try was lost, and the store does not let the engine find out what happened: {}",
                error.message
            ),
            class: ErrorClass::Unknown,
            ..error
        },
    }
}
