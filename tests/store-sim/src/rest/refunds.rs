//! `/orders/<order_id>/refunds` and the list of all refunds. There is no update and no batch.

use serde_json::Value;

use super::args::{Arg, Default, Is};
use super::batch::DELETE_ARGS;
use super::orders::{PLACES, places};
use super::paging::{self, Rules};
use super::resource::{CREATE, DELETE, READ, leak_args};
use super::{Ctx, Endpoint, Guard, Params, Reply, RestError, Route};
use crate::orders::decimal;
use crate::orders::refunds::{self, Wanted};
use crate::state::{Kind, Object, State};

const RULES: Rules = Rules { search: &["reason"], order: ("date", "desc") };
const DP: Arg = Arg::new("dp", Is::Int).or(Default::Int(PLACES as i64));
const ARGS: &[Arg] = &[
    Arg::new("amount", Is::Text),
    Arg::new("reason", Is::Text),
    Arg::new("refunded_by", Is::Int),
    Arg::new("meta_data", Is::List(&Is::Object(&[Arg::new("id", Is::Int), Arg::new("key", Is::Text)]))),
    Arg::new(
        "line_items",
        Is::List(&Is::Object(&[
            Arg::new("id", Is::Mixed),
            Arg::new("quantity", Is::Int),
            Arg::new("refund_total", Is::Number),
            Arg::new(
                "refund_tax",
                Is::List(&Is::Object(&[Arg::new("id", Is::Mixed), Arg::new("refund_total", Is::Number)])),
            ),
        ])),
    ),
    Arg::new("api_refund", Is::Flag).or(Default::Flag(true)),
    Arg::new("api_restock", Is::Flag).or(Default::Flag(true)),
];

/// The routes of refunds.
pub(super) fn routes() -> Vec<Route> {
    let list_args = leak_args(paging::ARGS.iter().copied().chain([DP]));
    let end = |methods, guard, args, handler| Endpoint { methods, guard, args, handler };
    vec![
        Route {
            pattern: "/wc/v3/orders/<order_id>/refunds",
            endpoints: vec![end(READ, Guard::List, list_args, list), end(CREATE, Guard::Create, ARGS, create)],
        },
        Route {
            pattern: "/wc/v3/orders/<order_id>/refunds/<id>",
            endpoints: vec![
                end(READ, Guard::View(exists), &[DP], get),
                end(DELETE, Guard::Delete(exists), DELETE_ARGS, delete),
            ],
        },
        Route { pattern: "/wc/v3/refunds", endpoints: vec![end(READ, Guard::List, list_args, list_all)] },
    ]
}

fn exists(state: &State, params: &Params) -> bool {
    state.get(Kind::Refund, params.id("id")).is_some()
}

fn list(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let order = params.id("order_id");
    ctx.state.get(Kind::Order, order).ok_or_else(no_order)?;
    let rows = ctx.state.table(Kind::Refund).values().filter(|refund| refund.parent == order);
    let places = places(params);
    Ok(paging::list(ctx, params, rows, &RULES, |ctx, refund| refunds::show(ctx, refund, places, false)))
}

fn list_all(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let rows = ctx.state.table(Kind::Refund).values();
    let places = places(params);
    Ok(paging::list(ctx, params, rows, &RULES, |ctx, refund| refunds::show(ctx, refund, places, true)))
}

fn get(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let refund = find(ctx, params)?;
    Ok(Reply::ok(refunds::show(ctx, refund, places(params), false)))
}

/// The `Location` keeps the route's pattern, as in the original.
fn create(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let lines = match params.get("line_items") {
        Some(Value::Array(lines)) => lines.clone(),
        _ => Vec::new(),
    };
    let asking = ctx.user.as_ref().map(|user| user.id).unwrap_or_default();
    let wanted = Wanted {
        amount: params.get("amount").and_then(decimal::read),
        reason: params.text("reason").unwrap_or_default().to_owned(),
        by: params.get("refunded_by").map_or(asking, |_| params.id("refunded_by")),
        send_money: params.flag("api_refund"),
        restock: params.flag("api_restock"),
        lines,
    };
    let id = refunds::create(ctx, params.id("order_id"), &wanted)?;
    let refund = ctx.state.get(Kind::Refund, id).ok_or_else(invalid)?;
    let body = refunds::show(ctx, refund, places(params), false);
    let location = ctx.rest_url(&format!("/wc/v3/orders/(?P<order_id>[\\d]+)/refunds/{id}"));
    Ok(Reply::created(body, location))
}

/// Deletes at once, with or without `force`.
fn delete(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let refund = find(ctx, params)?;
    let (id, body) = (refund.id, refunds::show(ctx, refund, places(params), false));
    ctx.state.table_mut(Kind::Refund).remove(&id);
    Ok(Reply::ok(body))
}

fn find<'a>(ctx: &'a Ctx<'_>, params: &Params) -> Result<&'a Object, RestError> {
    let order = params.id("order_id");
    ctx.state.get(Kind::Order, order).ok_or_else(no_order)?;
    ctx.state.get(Kind::Refund, params.id("id")).filter(|refund| refund.parent == order).ok_or_else(invalid)
}

fn no_order() -> RestError {
    RestError::new("woocommerce_rest_invalid_order", "Invalid order ID.", 404)
}

fn invalid() -> RestError {
    RestError::new("woocommerce_rest_shop_order_refund_invalid_id", "Invalid ID.", 404)
}
