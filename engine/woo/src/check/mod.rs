//! What a call to a store must not be: values that WooCommerce takes with a 200 and turns into something else.
//!
//! A [`WooRequest`] comes in as the workflow wrote it and goes out as it may be sent. WooCommerce reads `"14,75"` as
//! `1475`, an unknown status in a batch as `pending`, a null stock as 0, and an `id` in the body as the object to change,
//! whatever the URL says; it answers 200 to all of it. So those are refused here, before anything is sent, with the
//! field's path, what stood there and what to write. What is plainly meant is mended instead: a price written as a number,
//! `wc-completed`, an `id` that repeats the path's.
//!
//! Fields this file does not know are not touched: stores have plugins. What WooCommerce itself answers with a 400 is
//! left to it, unless the same value slips through in a batch, where it validates nothing.
//!
//! Read in this order: this file (which resource, which lists), [`field`] (the rules), [`batch`], [`value`] (one value).

mod batch;
mod field;
mod identity;
mod value;

use cartwright_core::{
    Json,
    call::CallError,
    woo::{WooMethod, WooRequest},
};

/// Items that WooCommerce takes in one page or one batch.
const ITEMS_MAX: u64 = 100;

/// What a path is about, as far as there are rules for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource {
    Product,
    Variation,
    Order,
    Refund,
    Coupon,
    Webhook,
    TaxRate,
    /// No rules of its own.
    Other,
}

/// Where a body stands: rules differ between a new object and a change, alone and in a batch.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    resource: Resource,
    /// It makes a new object.
    creates: bool,
    /// WooCommerce validates nothing.
    in_batch: bool,
    /// In front of a field's name in messages: `update[3].`.
    prefix: &'a str,
}

/// Gives the request as it may be sent, or says which value would be damaged.
pub(crate) fn check(mut request: WooRequest) -> Result<WooRequest, CallError> {
    paging(&request)?;
    identity::agree(&mut request)?;
    if !matches!(request.method, WooMethod::Post | WooMethod::Put) {
        return Ok(request);
    }
    let parts: Vec<&str> = request.path.split('/').collect();
    let parts = parts.as_slice();
    if let [collection @ .., "batch"] = parts {
        batch::check(resource(collection), collection, request.body.as_mut())?;
        return Ok(request);
    }
    let creates = request.method == WooMethod::Post && !ends_with_id(parts);
    let place = Place { resource: resource(parts), creates, in_batch: false, prefix: "" };
    match request.body.as_mut() {
        Some(Json::Object(body)) => field::check(place, body)?,
        Some(other) if place.resource != Resource::Other => {
            return Err(refused("the body", other, "write a map of fields"));
        }
        None if creates => field::check(place, &mut serde_json::Map::new())?,
        _ => {}
    }
    Ok(request)
}

fn resource(parts: &[&str]) -> Resource {
    match parts {
        ["products"] => Resource::Product,
        ["products", id] if is_id(id) => Resource::Product,
        ["products", _, "variations", ..] => Resource::Variation,
        ["orders"] | ["orders", _] => Resource::Order,
        ["orders", _, "refunds"] => Resource::Refund,
        ["coupons", ..] => Resource::Coupon,
        ["webhooks", ..] => Resource::Webhook,
        ["taxes"] => Resource::TaxRate,
        ["taxes", id] if is_id(id) => Resource::TaxRate,
        _ => Resource::Other,
    }
}

fn ends_with_id(parts: &[&str]) -> bool {
    parts.len() >= 2 && parts.last().is_some_and(|last| is_id(last))
}

fn is_id(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())
}

/// WooCommerce answers 400 to these; a list that a workflow needs should not wait for the store to hear so.
fn paging(request: &WooRequest) -> Result<(), CallError> {
    let bounds = [("per_page", 1, ITEMS_MAX), ("page", 1, u64::from(u32::MAX))];
    for (name, min, max) in bounds {
        let Some(given) = request.query.get(name) else { continue };
        let inside = value::integer(given).is_some_and(|n| u64::try_from(n).is_ok_and(|n| (min..=max).contains(&n)));
        if !inside {
            let write = if name == "page" { "pages count from 1".to_owned() } else { format!("write {min} to {max}") };
            return Err(refused(&format!("query.{name}"), given, &write));
        }
    }
    Ok(())
}

/// `update[3].regular_price` is the text "14,75": write …
fn refused(path: &str, given: &Json, write: &str) -> CallError {
    invalid(format!("{path} is {}: {write}", value::shape(given)))
}

fn invalid(message: String) -> CallError {
    CallError::r#final("invalid", message)
}

#[cfg(test)]
mod tests;
