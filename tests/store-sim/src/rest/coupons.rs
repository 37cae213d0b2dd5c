//! `/coupons`. Codes are unique and kept in lower case; a changed amount does not move `date_modified`, a changed
//! code, description or status does.

use serde_json::{Value, json};

use super::args::{Arg, Is};
use super::batch::{self, Verbs};
use super::paging::{self, Rules};
use super::{Ctx, Params, Reply, Resource, RestError, Route, links};
use crate::orders::decimal;
use crate::orders::fields::{object, set_meta};
use crate::orders::lines::set_line_meta;
use crate::shop::Happened;
use crate::state::{Kind, Object, Sequence};

const BASE: &str = "/wc/v3/coupons";
const VERBS: Verbs = Verbs { create, update, delete, parent: None };
const RULES: Rules = Rules { search: &["code", "description"], order: ("date", "desc") };

const AMOUNTS: [&str; 3] = ["amount", "minimum_amount", "maximum_amount"];
const FLAGS: [&str; 3] = ["individual_use", "free_shipping", "exclude_sale_items"];
const COUNTS: [&str; 3] = ["usage_limit", "usage_limit_per_user", "limit_usage_to_x_items"];
const ID_LISTS: [&str; 4] =
    ["product_ids", "excluded_product_ids", "product_categories", "excluded_product_categories"];

const ARGS: &[Arg] = &[
    Arg::new("code", Is::Text).required(),
    Arg::new("amount", Is::Text),
    Arg::new("status", Is::Text),
    Arg::new("discount_type", Is::OneOf(&["percent", "fixed_cart", "fixed_product"])),
    Arg::new("description", Is::Text),
    Arg::new("date_expires", Is::Text),
    Arg::new("date_expires_gmt", Is::Text),
    Arg::new("individual_use", Is::Flag),
    Arg::new("product_ids", Is::List(&Is::Int)),
    Arg::new("excluded_product_ids", Is::List(&Is::Int)),
    Arg::new("usage_limit", Is::Int),
    Arg::new("usage_limit_per_user", Is::Int),
    Arg::new("limit_usage_to_x_items", Is::Int),
    Arg::new("free_shipping", Is::Flag),
    Arg::new("product_categories", Is::List(&Is::Int)),
    Arg::new("excluded_product_categories", Is::List(&Is::Int)),
    Arg::new("exclude_sale_items", Is::Flag),
    Arg::new("minimum_amount", Is::Text),
    Arg::new("maximum_amount", Is::Text),
    Arg::new("email_restrictions", Is::List(&Is::Text)),
    Arg::new("meta_data", Is::List(&Is::Object(&[Arg::new("id", Is::Int), Arg::new("key", Is::Text)]))),
];
const LIST: &[Arg] = &[
    Arg::new("code", Is::Text),
    Arg::new("status", Is::Text),
    Arg::new("orderby", Is::OneOf(&["date", "id", "include", "title", "slug", "modified"])),
];

/// The routes of coupons.
pub(super) fn routes() -> Vec<Route> {
    Resource {
        base: BASE,
        item: "/wc/v3/coupons/<id>",
        batch: Some(("/wc/v3/coupons/batch", |ctx, params| batch::run(ctx, params, &VERBS))),
        list_args: &[LIST],
        args: ARGS,
        exists: |state, params| state.get(Kind::Coupon, params.id("id")).is_some(),
        list,
        create,
        get,
        update,
        delete,
    }
    .routes()
}

fn list(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let code = params.text("code").map(str::to_lowercase);
    let status = params.text("status").unwrap_or("any").to_owned();
    let rows = ctx.state.table(Kind::Coupon).values().filter(|coupon| {
        let shown = if status == "any" { coupon.text("status") != "trash" } else { coupon.text("status") == status };
        shown && code.as_ref().is_none_or(|code| coupon.text("code") == code)
    });
    Ok(paging::list(ctx, params, rows, &RULES, show))
}

fn get(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let coupon = ctx.state.get(Kind::Coupon, params.id("id")).ok_or_else(|| invalid(404))?;
    Ok(Reply::ok(show(ctx, coupon)))
}

fn create(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let code = params.text("code").unwrap_or_default().trim().to_lowercase();
    if code.is_empty() {
        return Err(RestError::new("woocommerce_rest_empty_coupon_code", "The coupon code cannot be empty.", 400));
    }
    free_code(ctx, &code, 0)?;
    let fields = object(json!({
        "code": code, "amount": "0.00", "status": "publish", "discount_type": "fixed_cart", "description": "",
        "usage_count": 0, "individual_use": false, "product_ids": [], "excluded_product_ids": [], "usage_limit": null,
        "usage_limit_per_user": null, "limit_usage_to_x_items": null, "free_shipping": false, "product_categories": [],
        "excluded_product_categories": [], "exclude_sale_items": false, "minimum_amount": "0.00",
        "maximum_amount": "0.00", "email_restrictions": [], "used_by": [], "meta_data": [],
    }));
    let mut coupon = Object { created: ctx.now, modified: ctx.now, fields, ..Object::default() };
    apply(ctx, &mut coupon, params)?;
    coupon.id = ctx.state.next_id(Sequence::Post);
    let id = coupon.id;
    let body = show(ctx, &coupon);
    ctx.state.put(Kind::Coupon, coupon);
    ctx.happened("coupon", "created", id);
    Ok(Reply::created(body, ctx.rest_url(&format!("{BASE}/{id}"))))
}

fn update(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = params.id("id");
    let mut coupon = ctx.state.get(Kind::Coupon, id).ok_or_else(|| invalid(400))?.clone();
    let before = ["code", "description", "status"].map(|name| coupon.text(name).to_owned());
    if let Some(code) = params.text("code").map(|code| code.trim().to_lowercase()).filter(|code| !code.is_empty()) {
        free_code(ctx, &code, id)?;
        coupon.set("code", code);
    }
    apply(ctx, &mut coupon, params)?;
    if before != ["code", "description", "status"].map(|name| coupon.text(name).to_owned()) {
        coupon.modified = ctx.now;
    }
    let body = show(ctx, &coupon);
    ctx.state.put(Kind::Coupon, coupon);
    ctx.happened("coupon", "updated", id);
    Ok(Reply::ok(body))
}

/// Trashing tells `coupon.deleted`, and `product.deleted` too: the hook does not look at what was trashed.
fn delete(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = params.id("id");
    let mut coupon = ctx.state.get(Kind::Coupon, id).ok_or_else(|| invalid(404))?.clone();
    let before = show(ctx, &coupon);
    if params.flag("force") {
        ctx.state.table_mut(Kind::Coupon).remove(&id);
        return Ok(Reply::ok(before));
    }
    if coupon.text("status") == "trash" {
        let message = "The shop_coupon has already been deleted.";
        return Err(RestError::new("woocommerce_rest_already_trashed", message, 410));
    }
    let slug = coupon.text("code").to_owned();
    let notes = [
        ("_wp_trash_meta_status", coupon.text("status").to_owned()),
        ("_wp_trash_meta_time", ctx.now.to_string()),
        ("_wp_desired_post_slug", slug),
    ];
    for (key, value) in notes {
        let state = &mut *ctx.state;
        set_meta(&mut coupon.fields, key, Some(json!(value)), || state.next_id(Sequence::Meta));
    }
    coupon.set("status", "trash");
    coupon.modified = ctx.now;
    ctx.state.put(Kind::Coupon, coupon);
    for resource in ["coupon", "product"] {
        ctx.state.happened(Happened::new(resource, "deleted", id));
    }
    Ok(Reply::ok(before))
}

fn free_code(ctx: &Ctx<'_>, code: &str, own: u64) -> Result<(), RestError> {
    let taken = |coupon: &Object| coupon.id != own && coupon.text("code") == code && coupon.text("status") != "trash";
    if ctx.state.table(Kind::Coupon).values().any(taken) {
        let message = "The coupon code already exists";
        return Err(RestError::new("woocommerce_rest_coupon_code_already_exists", message, 400));
    }
    Ok(())
}

fn apply(ctx: &mut Ctx<'_>, coupon: &mut Object, params: &Params) -> Result<(), RestError> {
    for name in ["discount_type", "description", "status"] {
        if let Some(value) = params.text(name) {
            coupon.set(name, value);
        }
    }
    for name in AMOUNTS {
        if let Some(value) = params.get(name) {
            coupon.set(name, decimal::print(decimal::read(value).unwrap_or_default(), decimal::PRICE_PLACES));
        }
    }
    for name in FLAGS.into_iter().filter(|name| params.get(name).is_some()) {
        coupon.set(name, params.flag(name));
    }
    for name in COUNTS.into_iter().filter(|name| params.sent(name).is_some()) {
        coupon.set(name, params.int(name).filter(|count| *count > 0).map_or(Value::Null, |count| json!(count)));
    }
    for name in ID_LISTS.into_iter().filter(|name| params.get(name).is_some()) {
        coupon.set(name, json!(params.ids(name)));
    }
    if params.get("email_restrictions").is_some() {
        coupon.set("email_restrictions", json!(params.texts("email_restrictions")));
    }
    set_expiry(ctx, coupon, params);
    if let Some(Value::Array(entries)) = params.get("meta_data") {
        for entry in entries.iter().filter_map(Value::as_object) {
            set_line_meta(ctx, &mut coupon.fields, entry);
        }
    }
    check_amount(coupon)
}

fn check_amount(coupon: &Object) -> Result<(), RestError> {
    let amount = crate::orders::fields::amount(&coupon.fields, "amount");
    let too_much = coupon.text("discount_type") == "percent" && amount > rust_decimal::Decimal::ONE_HUNDRED;
    if too_much || amount.is_sign_negative() && !amount.is_zero() {
        return Err(RestError::new("coupon_invalid_amount", "Invalid discount amount.", 400));
    }
    Ok(())
}

/// An empty or unreadable date means "never".
fn set_expiry(ctx: &Ctx<'_>, coupon: &mut Object, params: &Params) {
    for (name, offset) in [("date_expires", ctx.shop.utc_offset_minutes), ("date_expires_gmt", 0)] {
        if params.sent(name).is_some() {
            let moment = params.text(name).and_then(|text| {
                crate::date::parse(text, offset).or_else(|| crate::date::parse(&format!("{text}T00:00:00"), offset))
            });
            coupon.hidden.insert("expires".to_owned(), json!(moment));
        }
    }
}

fn show(ctx: &Ctx<'_>, coupon: &Object) -> Value {
    let mut shown = coupon.fields.clone();
    let expires = coupon.hidden.get("expires").and_then(Value::as_i64);
    let more = json!({
        "id": coupon.id,
        "date_created": ctx.local(coupon.created),
        "date_created_gmt": crate::date::gmt(coupon.created),
        "date_modified": ctx.local(coupon.modified),
        "date_modified_gmt": crate::date::gmt(coupon.modified),
        "date_expires": expires.map(|moment| ctx.local(moment)),
        "date_expires_gmt": expires.map(crate::date::gmt),
        "_links": links::item(ctx, BASE, coupon.id),
    });
    shown.extend(object(more));
    Value::Object(shown)
}

fn invalid(status: u16) -> RestError {
    RestError::new("woocommerce_rest_shop_coupon_invalid_id", "Invalid ID.", status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LOOSE, Trial};

    #[test]
    fn codes_are_lower_case_and_unique_and_amounts_bounded() {
        let trial = Trial::new();
        let coupon = trial.made("/coupons", json!({"code": "Spring", "amount": "7.5", "discount_type": "percent"}));
        assert_eq!((&coupon["code"], &coupon["amount"]), (&json!("spring"), &json!("7.50")));
        let refused = |body: Value| trial.refused("POST", "/coupons", body).1;
        assert_eq!(refused(json!({"code": "SPRING"})), "woocommerce_rest_coupon_code_already_exists");
        assert_eq!(refused(json!({"code": "x", "discount_type": "percent", "amount": "101"})), "coupon_invalid_amount");
        assert_eq!(trial.ask("PUT", "/coupons/9999", json!({"amount": "1"})).0, 400);
        assert_eq!(trial.ask("GET", "/coupons/9999", Value::Null).0, 404);
    }

    #[test]
    fn only_some_changes_move_a_coupons_date() {
        let trial = Trial::new();
        let coupon = trial.made("/coupons", json!({"code": "c"}));
        trial.wait(5);
        let (_, cheaper) = trial.ask("PUT", "/coupons/200", json!({"amount": "3"}));
        assert_eq!(cheaper["date_modified"], coupon["date_modified"]);
        let (_, described) = trial.ask("PUT", "/coupons/200", json!({"description": "new"}));
        assert_ne!(described["date_modified"], coupon["date_modified"]);
    }

    #[test]
    fn a_used_coupon_is_counted_and_freed_again_by_cancelling() {
        let trial = Trial::new();
        trial.made("/coupons", json!({"code": "half", "discount_type": "percent", "amount": "50", "usage_limit": 1}));
        let body = json!({"billing": {"email": "g@shop.test"}, "line_items": [{"product_id": LOOSE, "quantity": 4}],
            "coupon_lines": [{"code": "HALF"}]});
        let order = trial.made("/orders", body.clone());
        assert_eq!((&order["total"], &order["coupon_lines"][0]["discount"]), (&json!("6.00"), &json!("5.00")));
        let coupon = trial.get("/coupons/200");
        assert_eq!((&coupon["usage_count"], &coupon["used_by"]), (&json!(1), &json!(["g@shop.test"])));
        assert_eq!(trial.ask("POST", "/orders", body).0, 400, "used up");
        trial.ask("PUT", "/orders/201", json!({"status": "cancelled"}));
        assert_eq!(trial.get("/coupons/200")["usage_count"], 0);
    }

    #[test]
    fn trashing_a_coupon_is_told_of_a_product_too() {
        let trial = Trial::new();
        trial.made("/coupons", json!({"code": "c"}));
        trial.told();
        trial.ask("DELETE", "/coupons/200", Value::Null);
        assert_eq!(trial.told(), ["coupon.deleted 200", "product.deleted 200"]);
        assert_eq!(trial.ask("DELETE", "/coupons/200", Value::Null).0, 410);
        trial.ask("DELETE", "/coupons/200?force=true", Value::Null);
        assert_eq!(trial.told(), Vec::<String>::new());
    }
}
