//! Lines added to an order: `PUT orders/ID` with lines that have no id, which WooCommerce adds at every request.

use cartwright_core::{Json, call::CallError};
use serde_json::json;

use super::{
    marker,
    probe::{Finding, Probe},
};

/// Lists of lines and what tells a line of theirs from others, as far as it was asked for.
const LINES: [(&str, &[&str]); 3] = [
    ("line_items", &["product_id", "variation_id", "sku", "quantity"]),
    ("shipping_lines", &["method_id", "method_title"]),
    ("fee_lines", &["name"]),
];

/// Looks for the marker on the order. WooCommerce saves it before the lines, so those have to be there too.
pub(super) async fn find(probe: &Probe<'_>) -> Result<Finding, CallError> {
    let path = &probe.request.path;
    let order = probe.get(path, json!({"context": "edit"})).await?;
    if !marker::is_in(&order, &marker::lines_key(probe.marker), probe.marker) {
        return Ok(Finding::Nothing);
    }
    if LINES.iter().any(|(list, fields)| lacks_lines(probe, &order, list, fields)) {
        return Ok(Finding::Doubt(
            "the answer to an earlier try was lost; it marked the order, but not all of its lines are there. Look at the \
             order, then say what happened"
                .into(),
        ));
    }
    if probe.request.query.is_empty() {
        return Ok(Finding::Ours(order));
    }
    Ok(Finding::Ours(probe.get(path, Json::Object(probe.request.query.clone())).await?))
}

fn lacks_lines(probe: &Probe<'_>, order: &Json, list: &str, fields: &[&str]) -> bool {
    let lines = |object: Option<&Json>| object.and_then(Json::as_array).cloned().unwrap_or_default();
    let mut present = lines(order.get(list));
    let asked = lines(probe.field(list));
    let mut new = asked.iter().filter(|line| line.get("id").is_none_or(Json::is_null));
    // Each line that was asked for takes one that is there.
    new.any(|wanted| match present.iter().position(|line| is_like(wanted, line, fields)) {
        Some(place) => {
            present.swap_remove(place);
            false
        }
        None => true,
    })
}

fn is_like(wanted: &Json, line: &Json, fields: &[&str]) -> bool {
    fields.iter().all(|field| {
        let Some(wanted) = wanted.get(*field).filter(|value| !value.is_null()) else { return true };
        let same = |known: Option<&Json>| known.is_some_and(|known| text(known) == text(wanted));
        // A variation's id is taken as a product's too, and kept as a variation's.
        same(line.get(*field)) || (*field == "product_id" && same(line.get("variation_id")))
    })
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
