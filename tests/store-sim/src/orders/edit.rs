//! An order made or changed by a request: addresses, lines, coupons, status, payment, in WooCommerce's order. Nothing
//! is kept before everything was accepted, but for the draft that a refused coupon leaves behind.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fields::{Fields, as_int, by_id, id, object, push, text};
use super::status::{self, Cause};
use super::{catalog, coupons, lines, notes, stock};
use crate::rest::{Ctx, Params, RestError};
use crate::state::{Kind, Object, Sequence};

/// Fields of an address; only a billing address has the e-mail.
pub const ADDRESS: [&str; 10] =
    ["first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode", "country", "phone"];

/// Plain texts a request may set.
const TEXTS: [&str; 5] = ["payment_method", "payment_method_title", "transaction_id", "customer_note", "currency"];

/// Makes an order from a request and keeps it; its id.
pub fn create(ctx: &mut Ctx<'_>, params: &Params) -> Result<u64, RestError> {
    let mut order = blank(ctx, "rest-api");
    set_fields(ctx, &mut order, params)?;
    set_lines(ctx, &mut order, params)?;
    order.id = ctx.state.next_id(Sequence::Post);
    order.set("order_key", order_key(ctx, order.id));
    catalog::recalculate(ctx, &mut order.fields);
    if let Some(Value::Array(posted)) = params.get("coupon_lines")
        && let Err(refused) = coupons::apply(ctx, &mut order, posted)
    {
        let id = order.id;
        order.set("status", "checkout-draft");
        ctx.state.put(Kind::Order, order);
        return Err(refused.with("new_draft_order_id", id));
    }
    ctx.happened("order", "created", order.id);
    ctx.happened("order", "updated", order.id);
    set_status(ctx, &mut order, params);
    if params.flag("set_paid") {
        let transaction = params.text("transaction_id").unwrap_or_default().to_owned();
        status::pay(ctx, &mut order, &transaction);
    }
    let id = order.id;
    ctx.state.put(Kind::Order, order);
    Ok(id)
}

/// Changes an order as a request asks. The date moves even when nothing else does.
pub fn update(ctx: &mut Ctx<'_>, order: u64, params: &Params) -> Result<(), RestError> {
    let Some(mut order) = ctx.state.get(Kind::Order, order).cloned() else {
        return Err(RestError::new("woocommerce_rest_shop_order_invalid_id", "ID is invalid.", 400));
    };
    set_fields(ctx, &mut order, params)?;
    set_lines(ctx, &mut order, params)?;
    let moved = ["billing", "shipping", "line_items", "shipping_lines", "fee_lines", "coupon_lines"];
    if moved.iter().any(|name| params.get(name).is_some()) {
        catalog::recalculate(ctx, &mut order.fields);
    }
    if let Some(Value::Array(posted)) = params.get("coupon_lines") {
        coupons::apply(ctx, &mut order, posted)?;
    }
    // Out of the trash the original tells of the status only.
    if order.text("status") != "trash" {
        ctx.happened("order", "updated", order.id);
    }
    set_status(ctx, &mut order, params);
    if params.flag("set_paid") && status::needs_payment(&order.fields) {
        let transaction = params.text("transaction_id").unwrap_or_default().to_owned();
        status::pay(ctx, &mut order, &transaction);
    }
    order.modified = ctx.now;
    ctx.state.put(Kind::Order, order);
    Ok(())
}

/// An empty pending order without id and key.
pub fn blank(ctx: &Ctx<'_>, created_via: &str) -> Object {
    let address: Fields = ADDRESS.iter().map(|name| ((*name).to_owned(), json!(""))).collect();
    let mut billing = address.clone();
    billing.insert("email".to_owned(), json!(""));
    let fields = object(json!({
        "parent_id": 0, "status": "pending", "currency": ctx.shop.currency, "version": ctx.shop.woocommerce_version,
        "prices_include_tax": ctx.shop.tax.prices_include_tax, "customer_id": 0, "order_key": "", "billing": billing,
        "shipping": address, "payment_method": "", "payment_method_title": "", "transaction_id": "",
        "customer_ip_address": "", "customer_user_agent": "", "created_via": created_via, "customer_note": "",
        "cart_hash": "", "meta_data": [], "line_items": [], "tax_lines": [], "shipping_lines": [], "fee_lines": [],
        "coupon_lines": [],
    }));
    Object { created: ctx.now, modified: ctx.now, fields, ..Object::default() }
}

/// What links to an order without a login carry: unguessable in the original, here the same for the same shop, id
/// and moment.
pub fn order_key(ctx: &Ctx<'_>, order: u64) -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const LENGTH: usize = 13;
    let hash = Sha256::digest(format!("{} {order} {}", ctx.shop.url, ctx.now));
    let key = hash.iter().take(LENGTH).map(|byte| char::from(DIGITS[usize::from(*byte) % DIGITS.len()]));
    format!("wc_order_{}", key.collect::<String>())
}

fn set_fields(ctx: &mut Ctx<'_>, order: &mut Object, params: &Params) -> Result<(), RestError> {
    for name in TEXTS {
        if let Some(value) = params.text(name) {
            order.set(name, value);
        }
    }
    if params.get("parent_id").is_some() {
        order.set("parent_id", params.id("parent_id"));
    }
    if params.get("customer_id").is_some() {
        set_customer(ctx, order, params.id("customer_id"))?;
    }
    for name in ["billing", "shipping"] {
        if let (Some(Value::Object(posted)), Some(Value::Object(held))) = (params.get(name), order.fields.get_mut(name))
        {
            set_address(held, posted);
        }
    }
    default_email(ctx, order);
    if let Some(Value::Array(entries)) = params.get("meta_data") {
        for entry in entries.iter().filter_map(Value::as_object) {
            lines::set_line_meta(ctx, &mut order.fields, entry);
        }
    }
    Ok(())
}

/// Sets the fields an address has; others fall away.
pub fn set_address(held: &mut Fields, posted: &Fields) {
    for (name, value) in posted {
        if let (Some(slot), Value::String(_)) = (held.get_mut(name), value) {
            *slot = value.clone();
        }
    }
}

fn set_customer(ctx: &Ctx<'_>, order: &mut Object, customer: u64) -> Result<(), RestError> {
    let known = ctx.state.get(Kind::Customer, customer).is_some() || ctx.state.access.users.contains_key(&customer);
    if customer > 0 && !known {
        return Err(RestError::new("woocommerce_rest_invalid_customer_id", "Customer ID is invalid.", 400));
    }
    order.set("customer_id", customer);
    Ok(())
}

/// An order of a customer that names no e-mail gets the customer's.
pub fn default_email(ctx: &Ctx<'_>, order: &mut Object) {
    let Some(customer) = ctx.state.get(Kind::Customer, id(&order.fields, "customer_id")) else { return };
    let email = customer.text("email").to_owned();
    if let Some(Value::Object(billing)) = order.fields.get_mut("billing")
        && text(billing, "email").is_empty()
    {
        billing.insert("email".to_owned(), json!(email));
    }
}

fn set_lines(ctx: &mut Ctx<'_>, order: &mut Object, params: &Params) -> Result<(), RestError> {
    for group in lines::GROUPS {
        let Some(Value::Array(posted)) = params.get(group) else { continue };
        for item in posted.iter().filter_map(Value::as_object) {
            set_line(ctx, order, group, item)?;
        }
    }
    Ok(())
}

fn set_line(ctx: &mut Ctx<'_>, order: &mut Object, group: &str, posted: &Fields) -> Result<(), RestError> {
    let wanted = id(posted, "id");
    if wanted == 0 {
        if lines::removes(posted) {
            return Ok(());
        }
        let mut line = lines::create(ctx, group, posted)?;
        follow_quantity(ctx, order, group, &mut line);
        push(&mut order.fields, group, line);
        return Ok(());
    }
    let Some(mut line) = by_id(&mut order.fields, group, wanted).cloned() else {
        let message = "Order item ID provided is not associated with order.";
        return Err(RestError::new("woocommerce_rest_invalid_item_id", message, 400));
    };
    let removed = lines::removes(posted);
    if removed {
        line.insert("quantity".to_owned(), json!(0));
    } else {
        lines::update(ctx, group, &mut line, posted);
    }
    follow_quantity(ctx, order, group, &mut line);
    if let Some(Value::Array(held)) = order.fields.get_mut(group) {
        held.retain_mut(|item| {
            let this = item["id"].as_u64() == Some(wanted);
            if this && !removed {
                *item = Value::Object(line.clone());
            }
            !(this && removed)
        });
    }
    Ok(())
}

/// Stock follows a line of an order for which it was taken already.
fn follow_quantity(ctx: &mut Ctx<'_>, order: &Object, group: &str, line: &mut Fields) {
    let taken = matches!(order.text("status"), "processing" | "completed" | "on-hold");
    if group != "line_items" || !taken || order.id == 0 {
        return;
    }
    let quantity = line.get("quantity").map_or(0, as_int);
    if let Some(change) = stock::adjust(ctx, line, quantity) {
        let text = format!("Adjusted stock: {} ({}&rarr;{})", change.name, change.from, change.to);
        notes::remark(ctx, order.id, &text);
    }
}

fn set_status(ctx: &mut Ctx<'_>, order: &mut Object, params: &Params) {
    if let Some(posted) = params.text("status").filter(|status| !status.is_empty()) {
        status::change(ctx, order, status::meant(posted), Cause::Set);
    }
}
