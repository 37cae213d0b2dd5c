//! `/orders/<order_id>/refunds` and the list of all refunds. There is no update and no batch.

use serde_json::Value;

use super::args::{Arg, Default, Is};
use super::batch::DELETE_ARGS;
use super::meta;
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
    meta::ARG,
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
    if let Some(Value::Array(sent)) = params.get("meta_data").cloned() {
        let known = ctx.state.get(Kind::Refund, id).and_then(|refund| refund.fields.get("meta_data").cloned());
        let merged = meta::merged(ctx.state, known.as_ref(), &sent);
        if let Some(refund) = ctx.state.get_mut(Kind::Refund, id) {
            refund.set("meta_data", merged);
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TRACKED, Trial};
    use serde_json::json;

    fn with_order(method: &str) -> Trial {
        let trial = Trial::new();
        let lines = json!([{"product_id": TRACKED, "quantity": 5}]);
        trial.made("/orders", json!({"payment_method": method, "set_paid": true, "line_items": lines}));
        trial.told();
        trial
    }

    #[test]
    fn odd_amounts_are_refused_with_500_and_a_bare_number() {
        let trial = with_order("bacs");
        let check = |body: Value, data: u16| {
            let (status, _, answer) = trial.refused("POST", "/orders/200/refunds", body.clone());
            assert_eq!((status, &answer["data"]), (500, &json!(data)), "{body}");
        };
        check(json!({"amount": "48.01", "api_refund": false}), 500);
        check(json!({"amount": "-1", "api_refund": false}), 400);
        check(json!({"amount": "1"}), 500);
        check(json!({}), 500);
        assert_eq!(trial.told(), Vec::<String>::new());
        assert_eq!(trial.get("/orders/200/refunds"), json!([]));
        trial.made("/orders/200/refunds", json!({"amount": "0", "api_refund": false}));
    }

    #[test]
    fn a_part_leaves_the_status_and_the_rest_makes_it_refunded() {
        let trial = with_order("bacs");
        trial.made("/orders/200/refunds", json!({"amount": "18", "reason": "scratch", "api_refund": false}));
        assert_eq!(trial.told(), ["order.updated 200"]);
        let order = trial.get("/orders/200");
        assert_eq!((&order["status"], &order["refunds"][0]["total"]), (&json!("processing"), &json!("-18.00")));
        trial.made("/orders/200/refunds", json!({"amount": "30", "api_refund": false}));
        assert_eq!(trial.get("/orders/200")["status"], "refunded");
        assert_eq!(trial.get("/refunds").as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn meta_data_is_kept_and_listed() {
        let trial = with_order("bacs");
        let mark = json!([{"key": "_mark", "value": "a1"}]);
        let refund =
            trial.made("/orders/200/refunds", json!({"amount": "1.00", "api_refund": false, "meta_data": mark}));
        let listed = trial.get("/orders/200/refunds");
        for shown in [&refund, &listed[0]] {
            let entries = shown["meta_data"].as_array().expect("a list");
            let kept = entries.iter().find(|entry| entry["key"] == "_mark").expect("kept");
            assert!(kept["value"] == "a1" && kept["id"].is_u64(), "{shown}");
        }
    }

    #[test]
    fn refunded_lines_count_backwards_and_go_back_into_stock() {
        let trial = with_order("card");
        let line = trial.get("/orders/200")["line_items"][0]["id"].clone();
        let lines =
            json!([{"id": line, "quantity": 2, "refund_total": 16, "refund_tax": [{"id": 1, "refund_total": 3.2}]}]);
        let refund = trial.made("/orders/200/refunds", json!({"line_items": lines}));
        assert_eq!((&refund["amount"], &refund["refunded_payment"]), (&json!("19.20"), &json!(true)));
        let shown = &refund["line_items"][0];
        assert_eq!(
            (&shown["quantity"], &shown["total"], &shown["total_tax"]),
            (&json!(-2), &json!("-16.00"), &json!("-3.20"))
        );
        assert_eq!(trial.stock(TRACKED), 7, "5 of 10 were sold, 2 came back");
        let id = refund["id"].as_u64().expect("an id");
        assert_eq!(trial.ask("DELETE", &format!("/orders/200/refunds/{id}"), Value::Null).0, 200, "no force needed");
        assert_eq!(trial.ask("GET", &format!("/orders/200/refunds/{id}"), Value::Null).0, 404);
    }
}
