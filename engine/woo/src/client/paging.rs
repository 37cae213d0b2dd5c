//! All pages of a list as one. Page addresses are our own: WooCommerce's `Link` header may hold our credentials.

use std::collections::HashSet;

use cartwright_core::{Json, call::CallError, woo::WooRequest};
use serde_json::json;

use super::{Client, Connection, repeatable, routes};

/// Items asked for at once, WooCommerce's limit.
const PER_PAGE: u64 = 100;
/// Of one list.
const PAGES_MAX: u32 = 1_000;
/// Of one list.
const ITEMS_MAX: usize = 100_000;
/// Of one list as JSON.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Walks every page.
pub(super) async fn all(client: &Client, store: &Connection, request: &WooRequest) -> Result<Json, CallError> {
    let (mut request, per_page) = first(request)?;
    let mut items = Items::default();
    for page in 1..=PAGES_MAX {
        request.query.insert("page".into(), json!(page));
        let answer = client.exchange(store, &request).await.map_err(repeatable)?;
        let Json::Array(list) = answer.body else {
            // Some paths give one object; there is nothing to walk.
            return if page == 1 { Ok(answer.body) } else { Err(no_list()) };
        };
        let count = list.len() as u64;
        items.add(list)?;
        let more = match answer.pages {
            Some(pages) => page < pages && count > 0,
            None => count >= per_page,
        };
        if !more {
            return Ok(Json::Array(items.list));
        }
    }
    Err(too_long(&format!("{PAGES_MAX} pages")))
}

/// The request for one page, and how many items that has.
fn first(request: &WooRequest) -> Result<(WooRequest, u64), CallError> {
    let mut request = WooRequest { all: false, ..request.clone() };
    request.query.remove("page");
    let per_page = match request.query.get("per_page") {
        None | Some(Json::Null) => PER_PAGE,
        Some(value) => value
            .as_u64()
            .or_else(|| value.as_str()?.parse().ok())
            .filter(|n| (1..=PER_PAGE).contains(n))
            .ok_or_else(|| CallError::r#final("invalid", "`per_page` is 1 to 100"))?,
    };
    request.query.insert("per_page".into(), json!(per_page));
    let is_free = !request.query.contains_key("orderby") && !request.query.contains_key("order");
    if is_free && routes::sorts_by_id(&request.path) {
        // What is created meanwhile comes last, so no page shifts.
        request.query.insert("orderby".into(), json!("id"));
        request.query.insert("order".into(), json!("asc"));
    }
    Ok((request, per_page))
}

/// What was read so far.
#[derive(Default)]
struct Items {
    list: Vec<Json>,
    ids: HashSet<u64>,
    bytes: usize,
}

impl Items {
    /// Takes a page; an object that a shifted page repeats is taken once.
    fn add(&mut self, page: Vec<Json>) -> Result<(), CallError> {
        for item in page {
            if let Some(id) = item.get("id").and_then(Json::as_u64)
                && !self.ids.insert(id)
            {
                continue;
            }
            self.bytes += size(&item);
            self.list.push(item);
        }
        if self.list.len() > ITEMS_MAX {
            return Err(too_long(&format!("{ITEMS_MAX} items")));
        }
        if self.bytes > BYTES_MAX {
            return Err(too_long(&format!("{} MiB", BYTES_MAX / (1024 * 1024))));
        }
        Ok(())
    }
}

/// About as many bytes as it has as text.
fn size(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) => 5,
        Json::Number(number) => number.as_str().len() + 1,
        Json::String(text) => text.len() + 3,
        Json::Array(items) => 2 + items.iter().map(size).sum::<usize>(),
        Json::Object(map) => 2 + map.iter().map(|(key, value)| key.len() + 4 + size(value)).sum::<usize>(),
    }
}

fn too_long(limit: &str) -> CallError {
    let help = "filter it (`modified_after`, `status`, `include`) or take less of each object (`_fields`)";
    CallError::r#final("too_large", format!("the list has more than {limit}: {help}"))
}

fn no_list() -> CallError {
    CallError::retryable("not_json", "the store gave something else than a list in the middle of a list")
}
