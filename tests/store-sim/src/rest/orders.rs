//! `/orders`: the routes of orders. What an order is and becomes stands in `crate::orders`.

use serde_json::{Value, json};

use super::args::{Arg, Default, Is};
use super::batch::{self, Verbs};
use super::paging::{self, Rules};
use super::{Ctx, Params, Reply, Resource, RestError, Route};
use crate::orders::fields::{Fields, id, list as rows_of, text};
use crate::orders::status::{LIST_STATUSES, STATUSES};
use crate::orders::{coupons, edit, view};
use crate::state::{Kind, Object, Sequence, State};

const BASE: &str = "/wc/v3/orders";
const VERBS: Verbs = Verbs { create, update, delete, parent: None };
const RULES: Rules = Rules { search: &[], order: ("date", "desc") };

/// Places of amounts when `dp` is absent.
pub(super) const PLACES: u32 = 2;
/// Places of amounts a request may ask for at most.
const MAX_PLACES: u32 = 20;

const META: Arg = Arg::new(
    "meta_data",
    Is::List(&Is::Object(&[Arg::new("id", Is::Int), Arg::new("key", Is::Text), Arg::new("value", Is::Mixed)])),
);
const ADDRESS: &[Arg] = &[
    Arg::new("first_name", Is::Text),
    Arg::new("last_name", Is::Text),
    Arg::new("company", Is::Text),
    Arg::new("address_1", Is::Text),
    Arg::new("address_2", Is::Text),
    Arg::new("city", Is::Text),
    Arg::new("state", Is::Text),
    Arg::new("postcode", Is::Text),
    Arg::new("country", Is::Text),
    Arg::new("phone", Is::Text),
];
const LINE_ITEM: &[Arg] = &[
    Arg::new("id", Is::Int),
    Arg::new("product_id", Is::Mixed),
    Arg::new("variation_id", Is::Int),
    Arg::new("quantity", Is::Int),
    Arg::new("tax_class", Is::Text),
    Arg::new("subtotal", Is::Text),
    Arg::new("total", Is::Text),
    Arg::new("sku", Is::Text),
    META,
];
const SHIPPING_LINE: &[Arg] =
    &[Arg::new("id", Is::Int), Arg::new("instance_id", Is::Text), Arg::new("total", Is::Text), META];
const FEE_LINE: &[Arg] = &[
    Arg::new("id", Is::Int),
    Arg::new("tax_class", Is::Text),
    Arg::new("tax_status", Is::OneOf(&["taxable", "none"])),
    Arg::new("total", Is::Text),
    META,
];
const COUPON_LINE: &[Arg] = &[Arg::new("id", Is::Int), META];
const ARGS: &[Arg] = &[
    Arg::new("parent_id", Is::Int),
    Arg::new("status", Is::OneOf(STATUSES)),
    Arg::new("currency", Is::Text),
    Arg::new("customer_id", Is::Int),
    Arg::new("customer_note", Is::Text),
    Arg::new("billing", Is::Object(ADDRESS)),
    Arg::new("shipping", Is::Object(ADDRESS)),
    Arg::new("payment_method", Is::Text),
    Arg::new("payment_method_title", Is::Text),
    Arg::new("transaction_id", Is::Text),
    META,
    Arg::new("line_items", Is::List(&Is::Object(LINE_ITEM))),
    Arg::new("shipping_lines", Is::List(&Is::Object(SHIPPING_LINE))),
    Arg::new("fee_lines", Is::List(&Is::Object(FEE_LINE))),
    Arg::new("coupon_lines", Is::List(&Is::Object(COUPON_LINE))),
    Arg::new("set_paid", Is::Flag),
];
const LIST: &[Arg] = &[
    Arg::new("status", Is::List(&Is::OneOf(LIST_STATUSES))),
    Arg::new("customer", Is::Int),
    Arg::new("product", Is::Int),
    Arg::new("parent", Is::List(&Is::Int)),
    Arg::new("dp", Is::Int).or(Default::Int(PLACES as i64)),
    Arg::new("orderby", Is::OneOf(&["date", "id", "include", "title", "slug", "modified"])).or(Default::Text("date")),
];

/// The routes of orders.
pub(super) fn routes() -> Vec<Route> {
    Resource {
        base: BASE,
        item: "/wc/v3/orders/<id>",
        batch: Some(("/wc/v3/orders/batch", |ctx, params| batch::run(ctx, params, &VERBS))),
        list_args: &[LIST],
        args: ARGS,
        exists: |state, params| state.get(Kind::Order, params.id("id")).is_some(),
        list,
        create,
        get,
        update,
        delete,
    }
    .routes()
}

/// How many places the answer's amounts have.
pub(super) fn places(params: &Params) -> u32 {
    params.int("dp").map_or(PLACES, |places| u32::try_from(places.max(0)).unwrap_or(PLACES).min(MAX_PLACES))
}

fn list(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let wanted = Wanted::read(params);
    let rows = ctx.state.table(Kind::Order).values().filter(|order| wanted.takes(order));
    let mut rest = params.clone();
    rest.set("search", json!(""));
    let places = places(params);
    let mut reply = paging::list(ctx, &rest, rows, &RULES, |ctx, order| view::show(ctx, order, places));
    for (_, link) in reply.headers.iter_mut().filter(|(name, _)| *name == "Link") {
        *link = with_defaults(link, ctx.query);
    }
    Ok(reply)
}

/// The page links of orders, and of nothing else, spell out what was not asked for.
fn with_defaults(link: &str, query: &str) -> String {
    let asked = |name: &str| query.split('&').any(|part| part.starts_with(name));
    let defaults = [("status", "status%5B0%5D=any"), ("dp=", "dp=2"), ("context=", "context=view")];
    let more: String = defaults.iter().filter(|(name, _)| !asked(name)).map(|(_, part)| format!("&{part}")).collect();
    link.replace(">; rel", &format!("{more}>; rel"))
}

/// The filters only orders have.
struct Wanted {
    statuses: Vec<String>,
    customer: Option<u64>,
    product: Option<u64>,
    search: String,
}

impl Wanted {
    fn read(params: &Params) -> Self {
        let number = |name: &str| params.get(name).map(|_| params.id(name));
        Self {
            statuses: params.texts("status"),
            customer: number("customer"),
            product: number("product"),
            search: params.text("search").unwrap_or_default().to_lowercase(),
        }
    }

    fn takes(&self, order: &Object) -> bool {
        let sells = |product: u64| {
            rows_of(&order.fields, "line_items")
                .any(|line| id(line, "product_id") == product || id(line, "variation_id") == product)
        };
        self.takes_status(order.text("status"))
            && self.customer.is_none_or(|customer| id(&order.fields, "customer_id") == customer)
            && self.product.is_none_or(sells)
            && (self.search.is_empty() || self.finds(order))
    }

    /// Without a status, or with "any": all but the trash and what nobody saved yet.
    fn takes_status(&self, status: &str) -> bool {
        let any = self.statuses.is_empty() || self.statuses.iter().any(|wanted| wanted == "any");
        let named = self.statuses.iter().any(|wanted| wanted == status);
        named || (any && !matches!(status, "trash" | "auto-draft"))
    }

    /// Ids, addresses and the names of what was bought are searched.
    fn finds(&self, order: &Object) -> bool {
        let within = |fields: &Fields| {
            fields.values().filter_map(Value::as_str).any(|text| text.to_lowercase().contains(&self.search))
        };
        let address = |name: &str| order.fields.get(name).and_then(Value::as_object).is_some_and(within);
        order.id.to_string() == self.search
            || address("billing")
            || address("shipping")
            || rows_of(&order.fields, "line_items").any(|line| text(line, "name").to_lowercase().contains(&self.search))
    }
}

fn create(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = edit::create(ctx, params)?;
    let location = ctx.rest_url(&format!("{BASE}/{id}"));
    Ok(Reply::created(shown(ctx, id, params)?, location))
}

fn get(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    Ok(Reply::ok(shown(ctx, params.id("id"), params)?))
}

fn update(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    edit::update(ctx, params.id("id"), params)?;
    get(ctx, params)
}

fn shown(ctx: &Ctx<'_>, id: u64, params: &Params) -> Result<Value, RestError> {
    let order = ctx.state.get(Kind::Order, id).ok_or_else(invalid)?;
    Ok(view::show(ctx, order, places(params)))
}

/// The answer is the order as it was before.
fn delete(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = params.id("id");
    let before = shown(ctx, id, params)?;
    if params.flag("force") {
        remove(ctx.state, id);
        return Ok(Reply::ok(before));
    }
    if !trash(ctx, id) {
        let message = "The shop_order has already been deleted.";
        return Err(RestError::new("woocommerce_rest_already_trashed", message, 410));
    }
    Ok(Reply::ok(before))
}

/// Moves an order into the trash, which is told as `order.deleted`. False when it lies there already.
pub(crate) fn trash(ctx: &mut Ctx<'_>, id: u64) -> bool {
    let Some(mut order) = ctx.state.get(Kind::Order, id).cloned().filter(|order| order.text("status") != "trash")
    else {
        return false;
    };
    let status = format!("wc-{}", order.text("status"));
    order.set("status", "trash");
    for (key, value) in [("_wp_trash_meta_status", status), ("_wp_trash_meta_time", ctx.now.to_string())] {
        let state = &mut *ctx.state;
        crate::orders::fields::set_meta(&mut order.fields, key, Some(json!(value)), || state.next_id(Sequence::Meta));
    }
    order.modified = ctx.now;
    coupons::count_usage(ctx, &mut order, false);
    ctx.state.put(Kind::Order, order);
    ctx.happened("order", "deleted", id);
    true
}

/// Takes an order out of the trash as the admin screen does: told as `order.restored` and by its status, not as
/// `order.updated`. False when it does not lie there.
pub(crate) fn untrash(ctx: &mut Ctx<'_>, id: u64) -> bool {
    let Some(mut order) = ctx.state.get(Kind::Order, id).cloned().filter(|order| order.text("status") == "trash")
    else {
        return false;
    };
    let before = crate::orders::fields::meta(&order.fields, "_wp_trash_meta_status").and_then(Value::as_str);
    let status = crate::orders::status::meant(before.unwrap_or("wc-pending")).to_owned();
    for key in ["_wp_trash_meta_status", "_wp_trash_meta_time"] {
        crate::orders::fields::set_meta(&mut order.fields, key, None, || 0);
    }
    ctx.happened("order", "restored", id);
    crate::orders::status::change(ctx, &mut order, &status, crate::orders::status::Cause::Set);
    order.modified = ctx.now;
    ctx.state.put(Kind::Order, order);
    true
}

/// Deletes an order with its refunds and notes. Nobody is told.
fn remove(state: &mut State, id: u64) {
    state.table_mut(Kind::Order).remove(&id);
    for kind in [Kind::Refund, Kind::Note] {
        state.table_mut(kind).retain(|_, object| object.parent != id);
    }
}

fn invalid() -> RestError {
    RestError::new("woocommerce_rest_shop_order_invalid_id", "Invalid ID.", 404)
}

#[cfg(test)]
mod tests;
