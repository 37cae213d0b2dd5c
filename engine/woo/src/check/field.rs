//! The rules for fields, one resource at a time. Each one is something WooCommerce was seen to damage silently.

use cartwright_core::{Json, call::CallError};
use serde_json::{Map, json};

use super::{
    Place, Resource, invalid, refused,
    value::{self, NoAmount},
};

type Fields = Map<String, Json>;

const PRODUCT_STATUSES: &[&str] = &["draft", "pending", "private", "publish", "future", "auto-draft", "trash"];
const ORDER_STATUSES: &[&str] = &[
    "auto-draft",
    "pending",
    "processing",
    "on-hold",
    "completed",
    "cancelled",
    "refunded",
    "failed",
    "checkout-draft",
];
const WEBHOOK_STATUSES: &[&str] = &["active", "paused", "disabled"];
/// Of a status's name, in bytes: WordPress keeps 20, with `wc-` in front for orders.
const STATUS_BYTES_MAX: usize = 20;

/// Lists of an order's lines: with their kind's amounts.
const LINES: [(&str, &[&str]); 3] = [
    ("line_items", &["subtotal", "total", "total_tax", "subtotal_tax"]),
    ("shipping_lines", &["total"]),
    ("fee_lines", &["total"]),
];

/// Checks and mends one object's fields.
pub(super) fn check(place: Place<'_>, body: &mut Fields) -> Result<(), CallError> {
    match place.resource {
        Resource::Product | Resource::Variation => product(place, body),
        Resource::Order => order(place, body),
        Resource::Refund => refund(place, body),
        Resource::Coupon => {
            status(place, body, PRODUCT_STATUSES)?;
            amounts(place.prefix, body, &["amount", "minimum_amount", "maximum_amount"])
        }
        Resource::Webhook => webhook(place, body),
        Resource::TaxRate => amounts(place.prefix, body, &["rate"]),
        Resource::Other => Ok(()),
    }
}

fn product(place: Place<'_>, body: &mut Fields) -> Result<(), CallError> {
    if place.creates && place.resource == Resource::Product {
        let named = body.get("name").and_then(Json::as_str).is_some_and(|name| !name.trim().is_empty());
        if !named {
            return Err(invalid(format!(
                "{}name is missing: without it WooCommerce publishes a product called \"Product\"",
                place.prefix
            )));
        }
    }
    status(place, body, PRODUCT_STATUSES)?;
    amounts(place.prefix, body, &["regular_price", "sale_price"])?;
    stock(place, body)
}

fn order(place: Place<'_>, body: &mut Fields) -> Result<(), CallError> {
    status(place, body, ORDER_STATUSES)?;
    if place.creates && LINES.iter().all(|(list, _)| !body.contains_key(*list)) {
        return Err(invalid(format!(
            "{}line_items is missing: WooCommerce would make an empty order. Write `line_items: []` if that is meant",
            place.prefix
        )));
    }
    id(place.prefix, body, "customer_id", 0)?;
    for (list, fields) in LINES {
        lines(place.prefix, body, list, |path, line| {
            if list == "line_items" {
                line_item(path, line)?;
            }
            // Null in a line is how lines are removed, or says nothing.
            let given: Vec<&str> =
                fields.iter().copied().filter(|field| !line.get(*field).is_none_or(Json::is_null)).collect();
            amounts(path, line, &given)
        })?;
    }
    Ok(())
}

/// A line without `id` is a new one and needs a product; `product_id: null` in a line with an `id` removes it.
fn line_item(path: &str, line: &mut Fields) -> Result<(), CallError> {
    whole(path, line, "quantity")?;
    let is_new = line.get("id").is_none_or(|id| id.is_null() || value::integer(id) == Some(0));
    if !is_new {
        id(path, line, "id", 1)?;
        return id(path, line, "product_id", 0);
    }
    let has = |key: &str| line.get(key).is_some_and(|value| !value.is_null());
    if !has("product_id") && !has("variation_id") && !has("sku") {
        return Err(invalid(format!("{path}product_id is missing: a new line names its product by id or sku")));
    }
    id(path, line, "product_id", 1)?;
    id(path, line, "variation_id", 0)
}

fn refund(place: Place<'_>, body: &mut Fields) -> Result<(), CallError> {
    amounts(place.prefix, body, &["amount"])?;
    lines(place.prefix, body, "line_items", |path, line| {
        whole(path, line, "quantity")?;
        id(path, line, "id", 1)?;
        // A number in WooCommerce's schema, so it stays as it is written.
        let Some(total) = line.get("refund_total") else { return Ok(()) };
        value::amount(total).map(|_| ()).map_err(|why| no_amount(&format!("{path}refund_total"), total, &why))
    })
}

fn webhook(place: Place<'_>, body: &mut Fields) -> Result<(), CallError> {
    status(place, body, WEBHOOK_STATUSES)?;
    match body.get("status").and_then(Json::as_str) {
        Some(status) if place.creates && status != "active" => Err(invalid(format!(
            "{}status is the text \"{status}\": WooCommerce makes every new webhook active. Make it, then change its status \
             with PUT",
            place.prefix
        ))),
        _ => Ok(()),
    }
}

/// Known statuses pass, and names that a plugin may have given, where WooCommerce itself refuses what it does not know.
fn status(place: Place<'_>, body: &mut Fields, known: &[&str]) -> Result<(), CallError> {
    let path = format!("{}status", place.prefix);
    let list = || known.join(", ");
    let text = match body.get("status") {
        None => return Ok(()),
        Some(Json::String(text)) => text.clone(),
        Some(other) => return Err(refused(&path, other, &format!("write one of {}", list()))),
    };
    let bare = text.strip_prefix("wc-").filter(|_| place.resource == Resource::Order).unwrap_or(&text);
    if known.contains(&bare) {
        if bare != text {
            body.insert("status".into(), json!(bare));
        }
        return Ok(());
    }
    if place.in_batch {
        let damage = match place.resource {
            Resource::Order => "set the order to pending",
            _ => "take it without checking",
        };
        return Err(invalid(format!(
            "{path} is the text \"{bare}\": in a batch WooCommerce would {damage}. Write one of {}; a status that a plugin \
             added goes with a single PUT, where WooCommerce checks it",
            list()
        )));
    }
    let slug = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    if bare.is_empty() || bare.len() > STATUS_BYTES_MAX || !bare.bytes().all(slug) {
        return Err(refused(
            &path,
            &json!(text),
            &format!("write one of {}, or a plugin's own such as `in-transit`", list()),
        ));
    }
    if bare != text {
        body.insert("status".into(), json!(bare));
    }
    Ok(())
}

/// Amounts are text with a point. Numbers are exact here, so they become the text that is meant.
fn amounts(prefix: &str, body: &mut Fields, fields: &[&str]) -> Result<(), CallError> {
    for field in fields {
        let Some(given) = body.get(*field) else { continue };
        let path = format!("{prefix}{field}");
        let text = value::amount(given).map_err(|why| no_amount(&path, given, &why))?;
        body.insert((*field).to_owned(), json!(text));
    }
    Ok(())
}

fn no_amount(path: &str, given: &Json, why: &NoAmount) -> CallError {
    let write = match why {
        NoAmount::Comma => format!(
            "WooCommerce would drop the comma and read another amount. Write it with a point and nothing else, as \"{}\"",
            value::with_a_point(given)
        ),
        NoAmount::Inexact => "round it to the currency's decimals and write it as text, such as \"14.75\"".into(),
        NoAmount::Other => "WooCommerce would drop what is no digit. Write it as text such as \"14.75\"".into(),
        NoAmount::Type => "write it as text such as \"14.75\", or \"\" for none".into(),
    };
    refused(path, given, &write)
}

fn stock(place: Place<'_>, body: &mut Fields) -> Result<(), CallError> {
    // Read products that do not manage stock carry a null here, and sent back it does no harm.
    let managed = !matches!(body.get("manage_stock"), Some(Json::Bool(false)))
        && body.get("manage_stock").and_then(Json::as_str) != Some("parent");
    match body.get("stock_quantity") {
        None => Ok(()),
        Some(Json::Null) if !managed => Ok(()),
        Some(Json::Null) => Err(invalid(format!(
            "{}stock_quantity is null: WooCommerce would set the stock to 0. Leave it out to keep the stock, or write \
             `manage_stock: false` beside it to stop counting",
            place.prefix
        ))),
        Some(_) => whole(place.prefix, body, "stock_quantity"),
    }
}

/// A whole number; text that is one becomes one. Null is another rule's matter.
fn whole(prefix: &str, body: &mut Fields, field: &str) -> Result<(), CallError> {
    let Some(given) = body.get(field).filter(|given| !given.is_null()) else { return Ok(()) };
    let Some(number) = value::integer(given) else {
        return Err(refused(&format!("{prefix}{field}"), given, "write a whole number such as 25"));
    };
    body.insert(field.to_owned(), json!(number));
    Ok(())
}

/// An id of at least `min`; null and a missing one are another rule's matter.
fn id(prefix: &str, body: &Fields, field: &str, min: i64) -> Result<(), CallError> {
    match body.get(field) {
        None | Some(Json::Null) => Ok(()),
        Some(given) if value::integer(given).is_some_and(|id| id >= min) => Ok(()),
        Some(given) => {
            Err(refused(&format!("{prefix}{field}"), given, &format!("write an id, a whole number from {min}")))
        }
    }
}

fn lines(
    prefix: &str,
    body: &mut Fields,
    list: &str,
    mut each: impl FnMut(&str, &mut Fields) -> Result<(), CallError>,
) -> Result<(), CallError> {
    let path = format!("{prefix}{list}");
    let items = match body.get_mut(list) {
        None => return Ok(()),
        Some(Json::Array(items)) => items,
        Some(other) => return Err(refused(&path, other, "write a list of lines")),
    };
    for (index, item) in items.iter_mut().enumerate() {
        let path = format!("{path}[{index}]");
        match item {
            Json::Object(line) => each(&format!("{path}."), line)?,
            other => return Err(refused(&path, other, "write a map of fields")),
        }
    }
    Ok(())
}
