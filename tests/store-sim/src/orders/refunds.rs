//! Refunds: money given back for an order, as a whole or line by line, and pieces that go back into stock.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::catalog::line_meta;
use super::decimal::{self, PRICE_PLACES, print};
use super::fields::{Fields, amount, as_int, by_id, id, list, object, push, set_amount};
use super::status::{self, Cause};
use super::{notes, stock};
use crate::rest::{Ctx, RestError};
use crate::state::{Kind, Object, Sequence};

/// Payment methods that cannot send money back by themselves.
const MANUAL_GATEWAYS: [&str; 3] = ["bacs", "cheque", "cod"];

/// Groups of lines a refund can name by the id of the order's line.
const GROUPS: [&str; 3] = ["line_items", "shipping_lines", "fee_lines"];

/// What is asked for.
pub struct Wanted {
    /// Without it, the sum of the lines.
    pub amount: Option<Decimal>,
    /// As the customer reads it.
    pub reason: String,
    /// The user who asks.
    pub by: u64,
    /// Whether the payment method shall send the money.
    pub send_money: bool,
    /// Whether refunded pieces go back into stock.
    pub restock: bool,
    /// `{"id", "quantity", "refund_total", "refund_tax"}`
    pub lines: Vec<Value>,
}

/// What can still be refunded.
pub fn left(ctx: &Ctx<'_>, order: &Object) -> Decimal {
    let refunds = ctx.state.table(Kind::Refund).values().filter(|refund| refund.parent == order.id);
    amount(&order.fields, "total") - refunds.map(|refund| amount(&refund.fields, "amount")).sum::<Decimal>()
}

/// Makes a refund of an order that is kept; its id. Everything is refused before anything is kept, but for money the
/// payment method cannot send: that costs an id, as in the original.
pub fn create(ctx: &mut Ctx<'_>, order: u64, wanted: &Wanted) -> Result<u64, RestError> {
    let Some(mut order) = ctx.state.get(Kind::Order, order).cloned() else {
        return Err(RestError::new("woocommerce_rest_invalid_order", "Invalid order ID.", 404));
    };
    let sum = wanted.amount.unwrap_or_else(|| asked_for(&wanted.lines));
    if sum.is_sign_negative() && !sum.is_zero() {
        return Err(odd("woocommerce_rest_invalid_order_refund", "Refund amount must be greater than zero.", 400));
    }
    let left = left(ctx, &order);
    if sum > left {
        return Err(cannot("Invalid refund amount."));
    }
    let id = ctx.state.next_id(Sequence::Post);
    if wanted.send_money {
        can_send_money(&order)?;
    }
    let refund = built(ctx, id, &order, wanted, sum, sum == left);
    ctx.state.put(Kind::Refund, refund);
    if wanted.restock {
        restock(ctx, &mut order, &wanted.lines);
    }
    order.modified = ctx.now;
    ctx.happened("order", "updated", order.id);
    if sum == left {
        status::change(ctx, &mut order, "refunded", Cause::Set);
    }
    ctx.state.put(Kind::Order, order);
    Ok(id)
}

/// What follows when somebody sets an order to "refunded": the rest is refunded, without lines.
pub fn refund_the_rest(ctx: &mut Ctx<'_>, order: &Object) {
    let left = left(ctx, order);
    if left.is_zero() || left.is_sign_negative() {
        return;
    }
    let id = ctx.state.next_id(Sequence::Post);
    let reason = "Order fully refunded.".to_owned();
    let wanted = Wanted { amount: Some(left), reason, by: 0, send_money: false, restock: false, lines: Vec::new() };
    let refund = built(ctx, id, order, &wanted, left, true);
    ctx.state.put(Kind::Refund, refund);
}

/// HTTP 500 with a bare number for `data`: what refunds answer for nearly everything.
fn odd(code: &'static str, message: &'static str, data: u16) -> RestError {
    RestError::new(code, message, 500).with_data(json!(data))
}

fn cannot(message: &'static str) -> RestError {
    odd("woocommerce_rest_cannot_create_order_refund", message, 500)
}

fn can_send_money(order: &Object) -> Result<(), RestError> {
    match order.text("payment_method") {
        "" => Err(cannot("The payment gateway for this order does not exist.")),
        gateway if MANUAL_GATEWAYS.contains(&gateway) => {
            Err(cannot("The payment gateway for this order does not support automatic refunds."))
        }
        _ => Ok(()),
    }
}

fn asked_for(lines: &[Value]) -> Decimal {
    let of_line = |line: &Fields| {
        let taxes: Decimal = list(line, "refund_tax").map(|tax| amount(tax, "refund_total")).sum();
        amount(line, "refund_total") + taxes
    };
    lines.iter().filter_map(Value::as_object).map(of_line).sum()
}

fn built(ctx: &mut Ctx<'_>, id: u64, order: &Object, wanted: &Wanted, sum: Decimal, whole: bool) -> Object {
    let kind =
        line_meta(ctx.state.next_id(Sequence::Meta), "_refund_type", &json!(if whole { "full" } else { "partial" }));
    let mut fields = object(json!({
        "amount": print(sum, PRICE_PLACES), "reason": wanted.reason, "refunded_by": wanted.by,
        "refunded_payment": wanted.send_money, "meta_data": [kind], "line_items": [], "shipping_lines": [],
        "tax_lines": [], "fee_lines": [],
    }));
    let mut order_fields = order.fields.clone();
    for line in wanted.lines.iter().filter_map(Value::as_object) {
        add_line(ctx, &mut fields, &mut order_fields, line);
    }
    add_tax_lines(ctx, &mut fields, &order.fields);
    Object { id, parent: order.id, created: ctx.now, modified: ctx.now, fields, ..Object::default() }
}

/// A refunded line is the order's line with everything counted backwards.
fn add_line(ctx: &mut Ctx<'_>, refund: &mut Fields, order: &mut Fields, asked: &Fields) {
    let wanted = id(asked, "id");
    for group in GROUPS {
        let Some(mut line) = by_id(order, group, wanted).cloned() else { continue };
        let total = -amount(asked, "refund_total");
        let taxes = refunded_taxes(asked, group == "line_items");
        line.insert("id".to_owned(), json!(ctx.state.next_id(Sequence::Item)));
        set_amount(&mut line, "total", total);
        set_amount(&mut line, "total_tax", list_sum(&taxes));
        if group == "line_items" {
            line.insert("quantity".to_owned(), json!(-asked.get("quantity").map_or(0, as_int)));
            set_amount(&mut line, "subtotal", total);
            set_amount(&mut line, "subtotal_tax", list_sum(&taxes));
        }
        line.insert("taxes".to_owned(), Value::Array(taxes));
        let origin = line_meta(ctx.state.next_id(Sequence::Meta), "_refunded_item_id", &json!(wanted.to_string()));
        line.insert("meta_data".to_owned(), json!([origin]));
        push(refund, group, line);
    }
}

fn refunded_taxes(asked: &Fields, goods: bool) -> Vec<Value> {
    let row = |tax: &Fields| {
        let amount = (-amount(tax, "refund_total")).to_string();
        let subtotal = if goods { amount.clone() } else { String::new() };
        json!({"id": id(tax, "id"), "total": amount, "subtotal": subtotal})
    };
    list(asked, "refund_tax").map(row).collect()
}

fn list_sum(taxes: &[Value]) -> Decimal {
    taxes.iter().filter_map(|tax| decimal::read(&tax["total"])).sum()
}

fn add_tax_lines(ctx: &mut Ctx<'_>, refund: &mut Fields, order: &Fields) {
    let of_rate = |groups: &[&str], rate: u64| -> Decimal {
        let taxes = groups.iter().flat_map(|group| list(refund, group)).flat_map(|line| list(line, "taxes"));
        taxes.filter(|tax| id(tax, "id") == rate).map(|tax| amount(tax, "total")).sum()
    };
    let mut lines = Vec::new();
    for line in list(order, "tax_lines") {
        let rate = id(line, "rate_id");
        let (goods, shipping) = (of_rate(&["line_items", "fee_lines"], rate), of_rate(&["shipping_lines"], rate));
        if goods.is_zero() && shipping.is_zero() {
            continue;
        }
        let mut line = line.clone();
        line.insert("id".to_owned(), json!(ctx.state.next_id(Sequence::Item)));
        set_amount(&mut line, "tax_total", goods);
        set_amount(&mut line, "shipping_tax_total", shipping);
        lines.push(Value::Object(line));
    }
    refund.insert("tax_lines".to_owned(), Value::Array(lines));
}

fn restock(ctx: &mut Ctx<'_>, order: &mut Object, lines: &[Value]) {
    for asked in lines.iter().filter_map(Value::as_object) {
        let pieces = asked.get("quantity").map_or(0, as_int);
        let Some(line) = by_id(&mut order.fields, "line_items", id(asked, "id")) else { continue };
        if let Some(change) = stock::restock(ctx, line, pieces) {
            let (holder, from, to) = (change.holder, change.from, change.to);
            notes::remark(ctx, order.id, &format!("Item #{holder} stock increased from {from} to {to}."));
        }
    }
}

/// A refund as REST shows it.
pub fn show(ctx: &Ctx<'_>, refund: &Object, places: u32, with_parent: bool) -> Value {
    let mut shown = refund.fields.clone();
    super::view::show_lines(ctx, &mut shown, places);
    let printed = print(amount(&shown, "amount"), places);
    shown.insert("amount".to_owned(), json!(printed));
    shown.insert("id".to_owned(), json!(refund.id));
    shown.insert("date_created".to_owned(), json!(ctx.local(refund.created)));
    shown.insert("date_created_gmt".to_owned(), json!(crate::date::gmt(refund.created)));
    if with_parent {
        shown.insert("parent_id".to_owned(), json!(refund.parent));
    }
    let order = ctx.rest_url(&format!("/wc/v3/orders/{}", refund.parent));
    let all = format!("{order}/refunds");
    shown.insert(
        "_links".to_owned(),
        json!({
            "self": [{"href": format!("{all}/{}", refund.id), "targetHints": {"allow": ["GET", "DELETE"]}}],
            "collection": [{"href": all}],
            "up": [{"href": order}],
        }),
    );
    Value::Object(shown)
}
