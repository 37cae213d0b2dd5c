//! Stock that follows an order: taken when it is paid or held, given back when it is cancelled. Which pieces are
//! taken stands in the line's `_reduced_stock`, so that nothing is taken twice.

use serde_json::{Value, json};

use super::catalog;
use super::fields::{Fields, as_int, id, int, list, list_mut, meta, set_meta};
use super::notes;
use crate::rest::Ctx;
use crate::state::{Sequence, StockChange};

/// The meta entry of a line that says how many pieces were taken.
const REDUCED: &str = "_reduced_stock";

/// Takes the stock of all lines that were not taken yet.
pub fn reduce(ctx: &mut Ctx<'_>, order: u64, fields: &mut Fields) {
    let changes = change_lines(ctx, fields, |line| match reduced(line) {
        0 => int(line, "quantity"),
        _ => 0,
    });
    remark(ctx, order, "reduced", &changes);
}

/// Gives back the stock of all lines that was taken.
pub fn restore(ctx: &mut Ctx<'_>, order: u64, fields: &mut Fields) {
    let changes = change_lines(ctx, fields, |line| -reduced(line));
    remark(ctx, order, "increased", &changes);
}

/// Follows a changed quantity of one line, or its removal (`quantity` 0), where stock was taken for it.
pub fn adjust(ctx: &mut Ctx<'_>, line: &mut Fields, quantity: i64) -> Option<StockChange> {
    let difference = quantity - reduced(line);
    if difference == 0 {
        return None;
    }
    take(ctx, line, difference)
}

/// Puts refunded pieces back.
pub fn restock(ctx: &mut Ctx<'_>, line: &mut Fields, pieces: i64) -> Option<StockChange> {
    let pieces = pieces.min(reduced(line));
    if pieces <= 0 {
        return None;
    }
    let change = take(ctx, line, -pieces)?;
    let before = meta(line, "_restock_refunded_items").map_or(0, as_int);
    let state = &mut *ctx.state;
    set_meta(line, "_restock_refunded_items", Some(json!((before + pieces).to_string())), || {
        state.next_id(Sequence::Meta)
    });
    Some(change)
}

fn reduced(line: &Fields) -> i64 {
    meta(line, REDUCED).map_or(0, as_int)
}

fn change_lines(
    ctx: &mut Ctx<'_>,
    fields: &mut Fields,
    difference: impl Fn(&Fields) -> i64,
) -> Vec<(String, StockChange)> {
    let mut changes = Vec::new();
    for line in list_mut(fields, "line_items") {
        let difference = difference(line);
        let name = catalog::of_line(ctx.state, line).map(|goods| goods.name()).unwrap_or_default();
        if difference != 0
            && let Some(change) = take(ctx, line, difference)
        {
            changes.push((name, change));
        }
    }
    changes
}

/// Takes pieces (gives back, when negative) and writes down how many the line now holds.
fn take(ctx: &mut Ctx<'_>, line: &mut Fields, pieces: i64) -> Option<StockChange> {
    let product = if id(line, "variation_id") > 0 { id(line, "variation_id") } else { id(line, "product_id") };
    let change = ctx.state.reduce_stock(product, pieces, ctx.now)?;
    let held = reduced(line) + pieces;
    let value = (held != 0).then(|| Value::String(held.to_string()));
    let state = &mut *ctx.state;
    set_meta(line, REDUCED, value, || state.next_id(Sequence::Meta));
    Some(change)
}

fn remark(ctx: &mut Ctx<'_>, order: u64, verb: &str, changes: &[(String, StockChange)]) {
    if changes.is_empty() {
        return;
    }
    let parts: Vec<String> =
        changes.iter().map(|(name, change)| format!("{name} ({}&rarr;{})", change.from, change.to)).collect();
    notes::remark(ctx, order, &format!("Stock levels {verb}: {}", parts.join(", ")));
}

/// Adds (`sign` 1) or takes back (-1) the pieces of an order in its products' `total_sales`.
pub fn count_sales(ctx: &mut Ctx<'_>, fields: &Fields, sign: i64) {
    for line in list(fields, "line_items") {
        if let Some(product) = ctx.state.get_mut(crate::state::Kind::Product, id(line, "product_id")) {
            let sold = product.int("total_sales") + sign * int(line, "quantity");
            product.set("total_sales", sold);
        }
    }
}
