//! `/wc/v3/products/reviews`: what customers say of products.

use serde_json::{Value, json};

use super::args::{Arg, Is};
use super::batch::{self, Verbs};
use super::paging::{self, Rules};
use super::{Ctx, Params, Reply, Resource, RestError, Route, links};
use crate::state::{Kind, Object, Sequence};

const BASE: &str = "/wc/v3/products/reviews";
const RULES: Rules = Rules { search: &["review", "reviewer"], order: ("date", "desc") };
const VERBS: Verbs = Verbs { create, update, delete, parent: None };
const OWN: &[Arg] = &[
    Arg::new("orderby", Is::OneOf(&["date", "date_gmt", "id", "include", "product"])),
    Arg::new("product", Is::List(&Is::Int)),
    Arg::new("status", Is::OneOf(&["all", "hold", "approved", "spam", "trash"])),
];
const ITEM: &[Arg] = &[
    Arg::new("product_id", Is::Int).required(),
    Arg::new("status", Is::OneOf(&["approved", "hold", "spam", "unspam", "trash", "untrash"])),
    Arg::new("reviewer", Is::Text).required(),
    Arg::new("reviewer_email", Is::Email).required(),
    Arg::new("review", Is::Text).required(),
    Arg::new("rating", Is::Int),
    Arg::new("verified", Is::Flag),
];

/// The routes.
pub(super) fn routes() -> Vec<Route> {
    let resource = Resource {
        base: BASE,
        item: "/wc/v3/products/reviews/<id>",
        batch: Some(("/wc/v3/products/reviews/batch", |ctx, params| batch::run(ctx, params, &VERBS))),
        list_args: &[OWN],
        args: ITEM,
        exists: |state, params| state.get(Kind::Review, params.id("id")).is_some(),
        list,
        create,
        get,
        update,
        delete,
    };
    resource.routes()
}

fn list(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let products = params.ids("product");
    let status = params.text("status").unwrap_or("approved");
    let rows = ctx.state.table(Kind::Review).values().filter(|review| {
        (products.is_empty() || products.contains(&review.parent))
            && (status == "all" || review.text("status") == status)
    });
    Ok(paging::list(ctx, params, rows, &RULES, show))
}

fn get(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let review = known(ctx, params)?;
    Ok(Reply::ok(show(ctx, &review)))
}

fn create(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let product = params.id("product_id");
    if ctx.state.get(Kind::Product, product).is_none() {
        return Err(RestError::new("woocommerce_rest_product_invalid_id", "Invalid product ID.", 404));
    }
    let id = ctx.state.next_id(Sequence::Comment);
    let mut review = Object { id, parent: product, created: ctx.now, modified: ctx.now, ..Object::default() };
    for (field, value) in [("status", json!("approved")), ("rating", json!(0)), ("verified", json!(false))] {
        review.set(field, value);
    }
    apply(&mut review, params);
    let body = show(ctx, &review);
    ctx.state.put(Kind::Review, review);
    Ok(Reply::created(body, ctx.rest_url(&format!("{BASE}/{id}"))))
}

fn update(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let mut review = known(ctx, params)?;
    apply(&mut review, params);
    let body = show(ctx, &review);
    ctx.state.put(Kind::Review, review);
    Ok(Reply::ok(body))
}

/// To the trash first, unless forced.
fn delete(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let mut review = known(ctx, params)?;
    let body = show(ctx, &review);
    if params.flag("force") {
        ctx.state.table_mut(Kind::Review).remove(&review.id);
        return Ok(Reply::ok(json!({ "deleted": true, "previous": body })));
    }
    if review.text("status") == "trash" {
        let message = "The object has already been trashed.";
        return Err(RestError::new("woocommerce_rest_already_trashed", message, 410));
    }
    review.set("status", "trash");
    ctx.state.put(Kind::Review, review);
    Ok(Reply::ok(body))
}

fn known(ctx: &Ctx<'_>, params: &Params) -> Result<Object, RestError> {
    let invalid = || RestError::new("woocommerce_rest_review_invalid_id", "Invalid review ID.", 404);
    ctx.state.get(Kind::Review, params.id("id")).cloned().ok_or_else(invalid)
}

fn apply(review: &mut Object, params: &Params) {
    for field in ["reviewer", "reviewer_email", "review", "rating", "verified", "status"] {
        if let Some(value) = params.get(field) {
            review.set(field, value.clone());
        }
    }
}

fn show(ctx: &Ctx<'_>, review: &Object) -> Value {
    let mut shown = review.fields.clone();
    shown.insert("id".to_owned(), json!(review.id));
    shown.insert("product_id".to_owned(), json!(review.parent));
    shown.insert("date_created".to_owned(), json!(ctx.local(review.created)));
    shown.insert("date_created_gmt".to_owned(), json!(crate::date::gmt(review.created)));
    let up = format!("{}/{}", super::products::BASE, review.parent);
    shown.insert("_links".to_owned(), links::item_and(ctx, BASE, review.id, &[("up", up)]));
    Value::Object(shown)
}
