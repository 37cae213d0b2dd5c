//! What WooCommerce keeps unique: products by SKU, customers by e-mail, coupons by code. The marker tells ours from one
//! that was there before.

use cartwright_core::{Json, call::CallError};
use serde_json::json;

use super::{
    marked, marker,
    probe::{Finding, Probe, ids},
    window::Made,
};

/// `POST products`, `POST products/ID/variations`. The filter finds variations too, and takes a comma for a list.
pub(super) async fn product(probe: &Probe<'_>) -> Result<Finding, CallError> {
    let Some(sku) = probe.text("sku").map(str::trim).filter(|sku| !sku.is_empty() && !sku.contains(',')) else {
        return marked::product(probe).await;
    };
    let listing = probe.list("products", json!({"sku": sku})).await?;
    let same = |object: &&Json| object.get("sku").and_then(Json::as_str) == Some(sku);
    let found: Vec<&Json> = listing.items.iter().filter(same).collect();
    if found.is_empty() {
        // WooCommerce cleans SKUs of spaces and markup, and then does not find them as they were written.
        return marked::product(probe).await;
    }
    among(probe, &found, &format!("the SKU {sku}")).await
}

/// `POST customers`.
pub(super) async fn customer(probe: &Probe<'_>) -> Result<Finding, CallError> {
    let Some(email) = probe.text("email").map(str::trim) else { return Ok(Finding::Nothing) };
    let listing = probe.list("customers", json!({"email": email, "role": "all"})).await?;
    let same = |object: &&Json| {
        object.get("email").and_then(Json::as_str).is_some_and(|known| known.eq_ignore_ascii_case(email))
    };
    let found: Vec<&Json> = listing.items.iter().filter(same).collect();
    among(probe, &found, "the customer's e-mail address").await
}

/// `POST coupons`. WooCommerce writes codes its own way (lower case, for one), so whatever it finds is the one.
pub(super) async fn coupon(probe: &Probe<'_>) -> Result<Finding, CallError> {
    let Some(code) = probe.text("code") else { return Ok(Finding::Nothing) };
    let listing = probe.list("coupons", json!({"code": code})).await?;
    let found: Vec<&Json> = listing.items.iter().collect();
    among(probe, &found, &format!("the code {code}")).await
}

async fn among(probe: &Probe<'_>, found: &[&Json], what: &str) -> Result<Finding, CallError> {
    let is_ours = |object: &&&Json| marker::is_in(object, marker::KEY, probe.marker);
    let ours: Vec<&Json> = found.iter().filter(is_ours).copied().collect();
    if !ours.is_empty() {
        return probe.only(&probe.request.path, &ours, what).await;
    }
    let unmarked = |object: &&&Json| marker::entries(object, marker::KEY).next().is_none();
    // WooCommerce saves an object before its metadata, so one of that very time without a marker may be ours.
    let perhaps: Vec<&Json> =
        found.iter().filter(unmarked).filter(|object| probe.window.of(object) == Made::Then).copied().collect();
    Ok(match (found, perhaps.as_slice()) {
        ([], _) => Finding::Nothing,
        (_, []) => Finding::Taken,
        (_, perhaps) => Finding::Doubt(format!(
            "the answer to an earlier try was lost, and {} was made just then with {what}, but carries no mark of the engine. \
             Look whether this run made it, then say what happened",
            ids(perhaps)
        )),
    })
}
