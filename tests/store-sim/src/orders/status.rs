//! An order's way from one status to the next, and all that follows: dates, stock, coupon usage, the customer who
//! has paid, notes, events.

use serde_json::{Value, json};

use super::fields::{Fields, amount, id, list, text};
use super::{catalog, coupons, notes, refunds, stock};
use crate::rest::Ctx;
use crate::shop::Happened;
use crate::state::{Kind, Object};

/// Statuses a single request may set.
pub const STATUSES: &[&str] = &[
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

/// Statuses a list may ask for.
pub const LIST_STATUSES: &[&str] = &[
    "any",
    "trash",
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

/// The status a posted text means: `wc-` falls off, and what is no status becomes `pending`. Only batches get here
/// with a text that is none.
pub fn meant(posted: &str) -> &str {
    let bare = posted.strip_prefix("wc-").unwrap_or(posted);
    if STATUSES.contains(&bare) || bare == "trash" { bare } else { "pending" }
}

/// As notes name it.
fn title(status: &str) -> &str {
    match status {
        "pending" => "Pending payment",
        "processing" => "Processing",
        "on-hold" => "On hold",
        "completed" => "Completed",
        "cancelled" => "Cancelled",
        "refunded" => "Refunded",
        "failed" => "Failed",
        "checkout-draft" => "Draft",
        other => other,
    }
}

/// How a status came about, which decides what is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Somebody set it.
    Set,
    /// The order was paid.
    Payment,
}

/// Moves an order (not yet kept) to a status. True when that changed something; then the order's status event is out.
pub fn change(ctx: &mut Ctx<'_>, order: &mut Object, to: &str, cause: Cause) -> bool {
    let from = order.text("status").to_owned();
    if from == to {
        return false;
    }
    order.set("status", to);
    set_dates(ctx.now, order, to);
    follow(ctx, order, to);
    if cause == Cause::Set {
        notes::remark(ctx, order.id, &format!("Order status changed from {} to {}.", title(&from), title(to)));
    }
    for hook in [format!("woocommerce_order_status_{to}"), "woocommerce_order_status_changed".to_owned()] {
        ctx.state.happened(Happened::action(&hook, json!(order.id)));
    }
    true
}

/// Marks an order as paid, where its status allows it. True when it was.
pub fn pay(ctx: &mut Ctx<'_>, order: &mut Object, transaction: &str) -> bool {
    if !matches!(order.text("status"), "pending" | "on-hold" | "failed" | "cancelled") {
        return false;
    }
    if !transaction.is_empty() {
        order.set("transaction_id", transaction);
    }
    notes::remark(ctx, order.id, "Payment complete.");
    order.hidden.entry("paid").or_insert_with(|| json!(ctx.now));
    let to = if needs_processing(ctx, &order.fields) { "processing" } else { "completed" };
    change(ctx, order, to, Cause::Payment)
}

/// Whether somebody must pack something: an order of nothing, or of downloads only, needs nobody.
pub fn needs_processing(ctx: &Ctx<'_>, order: &Fields) -> bool {
    list(order, "line_items")
        .any(|line| catalog::of_line(ctx.state, line).is_some_and(|goods| goods.needs_processing()))
}

/// Whether the customer still has to pay.
pub fn needs_payment(order: &Fields) -> bool {
    matches!(text(order, "status"), "pending" | "failed") && !amount(order, "total").is_zero()
}

fn set_dates(now: i64, order: &mut Object, to: &str) {
    if matches!(to, "processing" | "completed") {
        order.hidden.entry("paid").or_insert_with(|| json!(now));
    }
    if to == "completed" {
        order.hidden.insert("completed".to_owned(), json!(now));
    }
}

fn follow(ctx: &mut Ctx<'_>, order: &mut Object, to: &str) {
    match to {
        "processing" | "completed" | "on-hold" => {
            stock::reduce(ctx, order.id, &mut order.fields);
            count_sales(ctx, order, true);
        }
        "cancelled" | "pending" => stock::restore(ctx, order.id, &mut order.fields),
        _ => {}
    }
    if matches!(to, "cancelled" | "refunded" | "trash") {
        count_sales(ctx, order, false);
    }
    match to {
        "pending" | "processing" | "completed" | "on-hold" => coupons::count_usage(ctx, order, true),
        "cancelled" | "failed" | "trash" => coupons::count_usage(ctx, order, false),
        _ => {}
    }
    if to == "completed" {
        note_paying_customer(ctx, id(&order.fields, "customer_id"));
    }
    if to == "refunded" {
        refunds::refund_the_rest(ctx, order);
    }
}

fn count_sales(ctx: &mut Ctx<'_>, order: &mut Object, sold: bool) {
    let counted = order.hidden.get("sales_counted").and_then(Value::as_bool).unwrap_or_default();
    if counted != sold {
        stock::count_sales(ctx, &order.fields, if sold { 1 } else { -1 });
        order.hidden.insert("sales_counted".to_owned(), json!(sold));
    }
}

/// The first completed order makes its customer a paying one, which changes the customer.
fn note_paying_customer(ctx: &mut Ctx<'_>, customer: u64) {
    let now = ctx.now;
    let Some(object) = ctx.state.get_mut(Kind::Customer, customer) else { return };
    if object.flag("is_paying_customer") {
        return;
    }
    object.set("is_paying_customer", true);
    object.modified = now;
    ctx.happened("customer", "updated", customer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posted_statuses_lose_their_prefix_and_nonsense_means_pending() {
        let check = |posted, expect| assert_eq!(meant(posted), expect, "{posted}");
        check("completed", "completed");
        check("wc-on-hold", "on-hold");
        check("shipped", "pending");
        check("", "pending");
    }

    #[test]
    fn only_unpaid_orders_that_cost_something_need_payment() {
        let order = |status: &str, total: &str| super::super::fields::object(json!({"status": status, "total": total}));
        assert!(needs_payment(&order("pending", "0.01")));
        assert!(needs_payment(&order("failed", "3.00")));
        assert!(!needs_payment(&order("pending", "0.00")));
        assert!(!needs_payment(&order("on-hold", "3.00")));
    }
}
