//! What is recognised by our marker alone: orders, products without a SKU, refunds. WooCommerce cannot search metadata,
//! so the newest objects are listed and looked through.

use cartwright_core::{Json, call::CallError};
use rust_decimal::Decimal;
use serde_json::json;

use super::{
    marker,
    probe::{Finding, Listing, PAGES_MAX, Probe, ids},
    window::Made,
};

/// What is read of each listed object.
const FIELDS: &str = "id,status,date_created_gmt,meta_data";
/// What an order that WooCommerce gave up in the middle (a coupon that is not valid) is left as.
const ABANDONED: [&str; 2] = ["checkout-draft", "auto-draft"];
/// Lists of lines an order is asked for.
const LINES: [&str; 3] = ["line_items", "shipping_lines", "fee_lines"];

/// `POST orders`.
pub(super) async fn order(probe: &Probe<'_>) -> Result<Finding, CallError> {
    let finding = by_marker(probe, "orders").await?;
    Ok(match finding {
        Finding::Ours(order) if probe.request.query.is_empty() => whole(probe, order),
        other => other,
    })
}

/// Products and variations: `POST products`, `POST products/ID/variations`.
pub(super) async fn product(probe: &Probe<'_>) -> Result<Finding, CallError> {
    by_marker(probe, &probe.request.path).await
}

/// The newest objects of a collection, with their markers. Cut only when it does not go back far enough.
pub(super) async fn newest(probe: &Probe<'_>, collection: &str) -> Result<Listing, CallError> {
    let query = json!({
        "orderby": "date", "order": "desc", "after": probe.window.after(), "dates_are_gmt": true, "_fields": FIELDS,
    });
    let mut listing = probe.list(collection, query).await?;
    listing.is_cut &= !listing.items.last().is_some_and(|oldest| probe.window.is_covered_by(oldest));
    let wanted = probe.text("status");
    let abandoned = |object: &Json| {
        let status = object.get("status").and_then(Json::as_str);
        collection == "orders" && status.is_some_and(|status| ABANDONED.contains(&status)) && status != wanted
    };
    listing.items.retain(|object| !abandoned(object));
    Ok(listing)
}

async fn by_marker(probe: &Probe<'_>, collection: &str) -> Result<Finding, CallError> {
    let listing = newest(probe, collection).await?;
    let found: Vec<&Json> =
        listing.items.iter().filter(|object| marker::is_in(object, marker::KEY, probe.marker)).collect();
    if found.is_empty() && listing.is_cut {
        return Ok(Finding::Doubt(cut(collection)));
    }
    probe.only(collection, &found, "what it makes").await
}

/// Why a list that is too long decides nothing.
pub(super) fn cut(collection: &str) -> String {
    format!(
        "the answer to an earlier try was lost, and more than {} of the store's {collection} are new since: too many to look \
         through",
        PAGES_MAX * 100
    )
}

/// An order is saved before its lines are: one without them is still being made, or its making broke off.
pub(super) fn whole(probe: &Probe<'_>, order: Json) -> Finding {
    let count = |object: Option<&Json>| object.and_then(Json::as_array).map_or(0, Vec::len);
    let lacks = |list: &str| count(order.get(list)) < count(probe.field(list));
    match LINES.into_iter().find(|list| lacks(list)) {
        None => Finding::Ours(order),
        Some(list) => Finding::Doubt(format!(
            "the answer to an earlier try was lost; it made order {}, but not all of its {list}. Complete or delete that \
             order, then say what happened",
            ids(&[&order])
        )),
    }
}

/// `POST orders/ID/refunds`. WooCommerce makes the refund, moves the money and then keeps metadata, so a refund without a
/// marker may be ours as well.
pub(super) async fn refund(probe: &Probe<'_>) -> Result<Finding, CallError> {
    let path = &probe.request.path;
    let listing = probe.list(path, json!({})).await?;
    let refunds = || listing.items.iter();
    let found: Vec<&Json> = refunds().filter(|refund| marker::is_in(refund, marker::KEY, probe.marker)).collect();
    if !found.is_empty() {
        return probe.only(path, &found, "this refund").await;
    }
    let perhaps: Vec<&Json> = refunds()
        .filter(|refund| marker::entries(refund, marker::KEY).next().is_none())
        .filter(|refund| probe.window.of(refund) != Made::Otherwise && has_amount(probe, refund))
        .collect();
    if perhaps.is_empty() {
        return Ok(if listing.is_cut { Finding::Doubt(cut(path)) } else { Finding::Nothing });
    }
    Ok(Finding::Doubt(format!(
        "the answer to an earlier try was lost, and refund {} on this order may be its: it has the same amount, but no mark \
         of the engine. Look whether it is, then say what happened",
        ids(&perhaps)
    )))
}

/// Whether a refund may be the one asked for; WooCommerce computes the amount where only lines are given.
fn has_amount(probe: &Probe<'_>, refund: &Json) -> bool {
    let decimal = |value: Option<&Json>| value?.as_str()?.trim().parse::<Decimal>().ok();
    let Some(wanted) = decimal(probe.field("amount")) else { return true };
    decimal(refund.get("amount")).is_none_or(|amount| amount == wanted)
}
