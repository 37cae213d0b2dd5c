//! One line of an order, made or changed from what a request posts: goods, shipping, fees.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::catalog::{self, line_meta};
use super::decimal;
use super::fields::{Fields, amount, as_int, id, object, push, set_amount, text};
use crate::rest::{Ctx, RestError};
use crate::state::Sequence;

/// The groups of lines a request may post, in the order WooCommerce takes them.
pub const GROUPS: [&str; 3] = ["line_items", "shipping_lines", "fee_lines"];

/// Fields whose `null` in a posted line removes it.
const REMOVING: [&str; 5] = ["product_id", "method_id", "method_title", "name", "code"];

/// Whether a posted line asks for its own removal.
pub fn removes(posted: &Fields) -> bool {
    let null = |name: &&str| posted.get(*name).is_some_and(Value::is_null);
    REMOVING.iter().any(null) || posted.get("quantity").is_some_and(|quantity| quantity.as_i64() == Some(0))
}

/// A new line of this group.
pub fn create(ctx: &mut Ctx<'_>, group: &str, posted: &Fields) -> Result<Fields, RestError> {
    let mut line = match group {
        "line_items" => goods_line(ctx, posted)?,
        "shipping_lines" => shipping_line(posted)?,
        _ => fee_line(posted)?,
    };
    line.insert("id".to_owned(), json!(ctx.state.next_id(Sequence::Item)));
    change(ctx, group, &mut line, posted);
    Ok(line)
}

/// Sets what a request posts for a line that is there.
pub fn update(ctx: &mut Ctx<'_>, group: &str, line: &mut Fields, posted: &Fields) {
    if group == "line_items"
        && let Some(product) = wanted_product(ctx, posted)
    {
        set_product(ctx, line, product);
    }
    change(ctx, group, line, posted);
}

fn goods_line(ctx: &mut Ctx<'_>, posted: &Fields) -> Result<Fields, RestError> {
    let Some(product) = wanted_product(ctx, posted) else {
        return Err(RestError::new(
            "woocommerce_rest_required_product_reference",
            "Product ID or SKU is required.",
            400,
        ));
    };
    let mut line = object(json!({
        "name": "", "product_id": 0, "variation_id": 0, "quantity": 1, "tax_class": "", "subtotal": "0", "subtotal_tax": "0",
        "total": "0", "total_tax": "0", "taxes": [], "meta_data": [],
    }));
    set_product(ctx, &mut line, product);
    let quantity = posted.get("quantity").map_or(1, as_int);
    let price = catalog::of_line(ctx.state, &line).map(|goods| goods.price()).unwrap_or_default();
    for field in ["subtotal", "total"] {
        set_amount(&mut line, field, price * Decimal::from(quantity));
    }
    Ok(line)
}

/// The id a posted line names by SKU, variation or product.
fn wanted_product(ctx: &Ctx<'_>, posted: &Fields) -> Option<u64> {
    let sku = text(posted, "sku").to_lowercase();
    if !sku.is_empty() {
        return Some(ctx.state.skus.get(&sku).copied().unwrap_or_default());
    }
    [id(posted, "variation_id"), id(posted, "product_id")].into_iter().find(|id| *id > 0)
}

/// Names the line after its product. An unknown product leaves it without one, as the original does.
fn set_product(ctx: &mut Ctx<'_>, line: &mut Fields, product: u64) {
    let Some(goods) = catalog::find(ctx.state, product) else { return };
    let (product_id, variation_id) = if goods.parent.is_some() { (goods.item.parent, product) } else { (product, 0) };
    let (name, class, attributes) = (goods.name(), goods.tax_class(), goods.attributes());
    line.insert("name".to_owned(), json!(name));
    line.insert("product_id".to_owned(), json!(product_id));
    line.insert("variation_id".to_owned(), json!(variation_id));
    line.insert("tax_class".to_owned(), json!(class));
    for (key, value) in attributes {
        let entry = line_meta(ctx.state.next_id(Sequence::Meta), &key, &json!(value));
        push(line, "meta_data", entry);
    }
}

fn shipping_line(posted: &Fields) -> Result<Fields, RestError> {
    if text(posted, "method_id").is_empty() {
        let message = "Shipping method ID is required.";
        return Err(RestError::new("woocommerce_rest_invalid_shipping_item", message, 400));
    }
    Ok(object(json!({
        "method_title": "", "method_id": "", "instance_id": "", "total": "0", "total_tax": "0", "taxes": [],
        "tax_status": "taxable", "meta_data": [],
    })))
}

fn fee_line(posted: &Fields) -> Result<Fields, RestError> {
    if text(posted, "name").is_empty() {
        return Err(RestError::new("woocommerce_rest_invalid_fee_item", "Fee name is required.", 400));
    }
    Ok(object(json!({
        "name": "", "tax_class": "", "tax_status": "taxable", "amount": "", "total": "0", "total_tax": "0", "taxes": [],
        "meta_data": [],
    })))
}

/// Sets posted fields; ids, taxes and sums are not for requests to set.
fn change(ctx: &mut Ctx<'_>, group: &str, line: &mut Fields, posted: &Fields) {
    let texts: &[&str] = match group {
        "line_items" => &["name", "tax_class"],
        "shipping_lines" => &["method_id", "method_title", "instance_id", "tax_status"],
        _ => &["name", "tax_class", "tax_status", "amount"],
    };
    for name in texts {
        if let Some(value) = posted.get(*name).filter(|value| value.is_string()) {
            line.insert((*name).to_owned(), value.clone());
        }
    }
    if group == "line_items"
        && let Some(quantity) = posted.get("quantity")
    {
        line.insert("quantity".to_owned(), json!(as_int(quantity)));
    }
    set_amounts(group, line, posted);
    if let Some(Value::Array(entries)) = posted.get("meta_data") {
        for entry in entries.iter().filter_map(Value::as_object) {
            set_line_meta(ctx, line, entry);
        }
    }
}

/// A subtotal is never less than its total.
fn set_amounts(group: &str, line: &mut Fields, posted: &Fields) {
    let sent = |name: &str| posted.get(name).and_then(decimal::read);
    if let Some(total) = sent("total") {
        set_amount(line, "total", total);
    }
    if group != "line_items" {
        return;
    }
    if let Some(subtotal) = sent("subtotal") {
        set_amount(line, "subtotal", subtotal);
    }
    let (subtotal, total) = (amount(line, "subtotal"), amount(line, "total"));
    if subtotal < total {
        set_amount(line, "subtotal", total);
    }
}

/// Meta data is found by id, else by key, else added; a null value removes.
pub fn set_line_meta(ctx: &mut Ctx<'_>, holder: &mut Fields, entry: &Fields) {
    let wanted = id(entry, "id");
    let key = match wanted {
        0 => text(entry, "key").to_owned(),
        _ => super::fields::by_id(holder, "meta_data", wanted)
            .map(|known| text(known, "key").to_owned())
            .unwrap_or_default(),
    };
    let key = if key.is_empty() { text(entry, "key").to_owned() } else { key };
    let value = entry.get("value").filter(|value| !value.is_null()).cloned();
    if !key.is_empty() {
        let state = &mut *ctx.state;
        super::fields::set_meta(holder, &key, value, || state.next_id(Sequence::Meta));
    }
}
