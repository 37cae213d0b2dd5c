//! The coupons of one order: taken from a request's `coupon_lines`, checked, applied to the lines, counted as used.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::catalog::{line_meta, recalculate};
use super::decimal;
use super::discount::{Refusal, check, discounts};
use super::fields::{Fields, amount, id, list, list_mut, object, push, set_amount, text};
use crate::rest::{Ctx, RestError};
use crate::state::{Kind, Object, Sequence};

/// Replaces the order's coupons by the posted ones. Lines fall back to their subtotals before discounts are taken.
pub fn apply(ctx: &mut Ctx<'_>, order: &mut Object, posted: &[Value]) -> Result<(), RestError> {
    let held: Vec<String> = list(&order.fields, "coupon_lines").map(|line| text(line, "code").to_owned()).collect();
    let mut codes: Vec<String> = Vec::new();
    for item in posted.iter().filter_map(Value::as_object) {
        let code = posted_code(item)?;
        if !held.contains(&code) {
            let coupon = find(ctx, &code).map(|coupon| coupon.id);
            usable(ctx, coupon, &order.fields).map_err(|refusal| refused(&refusal, &code))?;
        }
        codes.push(code);
    }
    count_usage(ctx, order, false);
    order.set("coupon_lines", json!([]));
    for line in list_mut(&mut order.fields, "line_items") {
        let subtotal = amount(line, "subtotal");
        set_amount(line, "total", subtotal);
    }
    recalculate(ctx, &mut order.fields);
    for code in codes {
        take_off(ctx, &mut order.fields, &code);
    }
    count_usage(ctx, order, true);
    Ok(())
}

fn posted_code(item: &Fields) -> Result<String, RestError> {
    if id(item, "id") > 0 {
        return Err(RestError::new("woocommerce_rest_coupon_item_id_readonly", "Coupon item ID is readonly.", 400));
    }
    match text(item, "code").trim() {
        "" => Err(RestError::new("woocommerce_rest_invalid_coupon", "Coupon code is required.", 400)),
        code => Ok(code.to_lowercase()),
    }
}

/// The published coupon of this code; case does not matter.
pub fn find<'a>(ctx: &'a Ctx<'_>, code: &str) -> Option<&'a Object> {
    let code = code.to_lowercase();
    ctx.state
        .table(Kind::Coupon)
        .values()
        .find(|coupon| coupon.text("code") == code && coupon.text("status") == "publish")
}

fn usable(ctx: &Ctx<'_>, coupon: Option<u64>, order: &Fields) -> Result<(), Refusal> {
    let coupon = coupon.and_then(|id| ctx.state.get(Kind::Coupon, id)).ok_or(Refusal::Missing)?;
    let expires = coupon.hidden.get("expires").and_then(Value::as_i64);
    check(&coupon.fields, order, expires, ctx.now)
}

fn refused(refusal: &Refusal, code: &str) -> RestError {
    RestError::new("woocommerce_rest_invalid_coupon", refusal.message(code), 400)
}

/// Takes one coupon's discounts off the lines and adds its coupon line.
fn take_off(ctx: &mut Ctx<'_>, order: &mut Fields, code: &str) {
    let Some(coupon) = find(ctx, code).cloned() else { return };
    let tax_before = cart_tax(order);
    let off = discounts(&coupon.fields, order);
    for (line, off) in list_mut(order, "line_items").zip(&off) {
        let total = amount(line, "total") - *off;
        set_amount(line, "total", total);
    }
    recalculate(ctx, order);
    let (kind, worth) = (coupon.text("discount_type").to_owned(), amount(&coupon.fields, "amount"));
    let info = json!([coupon.id, code, kind, decimal::number(worth)]).to_string();
    let mut line = object(json!({"id": ctx.state.next_id(Sequence::Item), "code": code, "meta_data": []}));
    set_amount(&mut line, "discount", off.iter().sum());
    set_amount(&mut line, "discount_tax", tax_before - cart_tax(order));
    let entry = line_meta(ctx.state.next_id(Sequence::Meta), "coupon_info", &json!(info));
    push(&mut line, "meta_data", entry);
    push(order, "coupon_lines", line);
}

fn cart_tax(order: &Fields) -> Decimal {
    list(order, "line_items").map(|line| amount(line, "total_tax")).sum()
}

/// Counts the order's coupons as used, or no longer so. Neither moves a coupon's date nor tells a webhook.
pub fn count_usage(ctx: &mut Ctx<'_>, order: &mut Object, used: bool) {
    let codes: Vec<String> = list(&order.fields, "coupon_lines").map(|line| text(line, "code").to_owned()).collect();
    let counted = order.hidden.get("usage_counted").and_then(Value::as_bool).unwrap_or_default();
    if counted == used || codes.is_empty() {
        return;
    }
    order.hidden.insert("usage_counted".to_owned(), json!(used));
    let by = used_by(&order.fields);
    for code in codes {
        let Some(coupon) = find(ctx, &code).map(|coupon| coupon.id).and_then(|id| ctx.state.get_mut(Kind::Coupon, id))
        else {
            continue;
        };
        let count = coupon.int("usage_count") + if used { 1 } else { -1 };
        coupon.set("usage_count", count.max(0));
        if let Some(Value::Array(users)) = coupon.fields.get_mut("used_by") {
            match users.iter().position(|user| *user == by) {
                _ if used => users.push(json!(by)),
                Some(at) => drop(users.remove(at)),
                None => {}
            }
        }
    }
}

/// A customer's id, or a guest's e-mail.
fn used_by(order: &Fields) -> String {
    match id(order, "customer_id") {
        0 => order
            .get("billing")
            .and_then(Value::as_object)
            .map(|billing| text(billing, "email").to_owned())
            .unwrap_or_default(),
        customer => customer.to_string(),
    }
}
