//! `/wc/v3/products/reviews`: to be read. What writes them in a shop is its customers; seeds put them in directly.

use serde_json::{Value, json};

use super::args::{Arg, Is};
use super::paging::{self, Rules};
use super::resource::READ;
use super::{Ctx, Endpoint, Guard, Params, Reply, RestError, Route, links};
use crate::state::{Kind, Object};

const BASE: &str = "/wc/v3/products/reviews";
const RULES: Rules = Rules { search: &["review", "reviewer"], order: ("date", "desc") };
const OWN: &[Arg] = &[
    Arg::new("orderby", Is::OneOf(&["date", "date_gmt", "id", "include", "product"])),
    Arg::new("product", Is::List(&Is::Int)),
    Arg::new("status", Is::OneOf(&["all", "hold", "approved", "spam", "trash"])),
];

/// The list and one of it.
pub(super) fn routes() -> Vec<Route> {
    let list_args = super::resource::leak_args(paging::ARGS.iter().chain(OWN).copied());
    let known: super::resource::Exists = |state, params| state.get(Kind::Review, params.id("id")).is_some();
    vec![
        Route {
            pattern: BASE,
            endpoints: vec![Endpoint { methods: READ, guard: Guard::List, args: list_args, handler: list }],
        },
        Route {
            pattern: "/wc/v3/products/reviews/<id>",
            endpoints: vec![Endpoint { methods: READ, guard: Guard::View(known), args: &[], handler: get }],
        },
    ]
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
    let review = ctx.state.get(Kind::Review, params.id("id"));
    let review =
        review.ok_or_else(|| RestError::new("woocommerce_rest_review_invalid_id", "Invalid review ID.", 404))?;
    Ok(Reply::ok(show(ctx, review)))
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
