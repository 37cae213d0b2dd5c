//! `/wc/v3/products`: the list and the five ways. What is written is in `products/write`, how it is shown in
//! `products/show`.

use serde_json::{Value, json};

use super::batch::{self, Verbs};
use super::paging::{self, Rules};
use super::{Ctx, Params, Reply, Resource, RestError, Route};
use crate::state::{Kind, Object, Sequence};

pub(super) mod args;
pub(crate) mod attributes;
pub(super) mod images;
pub(crate) mod show;
pub(crate) mod sku;
pub(crate) mod write;

pub(crate) const BASE: &str = "/wc/v3/products";
const RULES: Rules = Rules { search: &["name", "description", "short_description"], order: ("date", "desc") };
const VERBS: Verbs = Verbs { create, update, delete, parent: None };

/// The routes of products.
pub(super) fn routes() -> Vec<Route> {
    let resource = Resource {
        base: BASE,
        item: "/wc/v3/products/<id>",
        batch: Some(("/wc/v3/products/batch", |ctx, params| batch::run(ctx, params, &VERBS))),
        list_args: &[args::LIST],
        args: args::ITEM,
        exists: |state, params| find_kind(state, params.id("id")).is_some(),
        list,
        create,
        get,
        update,
        delete,
    };
    resource.routes()
}

/// A product, or a variation under a product's address.
fn find_kind(state: &crate::state::State, id: u64) -> Option<Kind> {
    [Kind::Product, Kind::Variation].into_iter().find(|kind| state.get(*kind, id).is_some())
}

fn list(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let filter = Filter::read(ctx, params);
    if let Some(skus) = params.get("sku").and_then(Value::as_str).filter(|skus| !skus.is_empty()) {
        let rows: Vec<&Object> = skus
            .split(',')
            .filter_map(|sku| ctx.state.skus.get(&sku.trim().to_lowercase()))
            .filter_map(|id| find_kind(ctx.state, *id).and_then(|kind| ctx.state.get(kind, *id)))
            .collect();
        let rows = rows.into_iter().filter(|row| filter.takes(row));
        return Ok(paging::list(ctx, params, rows, &RULES, show::product));
    }
    let rows = ctx.state.table(Kind::Product).values().filter(|row| filter.takes(row));
    let edit = params.text("context") == Some("edit");
    Ok(paging::list(ctx, params, rows, &RULES, if edit { show::edited } else { show::product }))
}

/// The filters only products have.
struct Filter {
    equal: Vec<(&'static str, String)>,
    status: Vec<String>,
    terms: Vec<(&'static str, Vec<String>)>,
    featured: Option<bool>,
    on_sale: Option<bool>,
    price: [Option<rust_decimal::Decimal>; 2],
    parent: Vec<u64>,
    now: i64,
}

impl Filter {
    fn read(ctx: &Ctx<'_>, params: &Params) -> Self {
        let equal = ["type", "stock_status", "slug", "tax_class"].into_iter();
        let terms = [("category", "categories"), ("tag", "tags"), ("brand", "brands")].into_iter();
        let listed = |name: &str| {
            params.list(name).iter().map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned)).collect()
        };
        let given = |name: &str| params.get(name).map(super::params::to_bool);
        let price = |name: &str| super::money::parsed(params.text(name).unwrap_or_default());
        Self {
            equal: equal.filter_map(|name| Some((name, params.text(name)?.to_owned()))).collect(),
            status: params.list("status").iter().filter_map(|status| Some(status.as_str()?.to_owned())).collect(),
            terms: terms.map(|(name, field)| (field, listed(name))).collect(),
            featured: given("featured"),
            on_sale: given("on_sale"),
            price: [price("min_price"), price("max_price")],
            parent: params.ids("parent"),
            now: ctx.now,
        }
    }

    fn takes(&self, object: &Object) -> bool {
        let status = object.text("status");
        let wanted = self.status.iter().filter(|status| *status != "any").count();
        let status_fits = if wanted == 0 { status != "trash" } else { self.status.iter().any(|want| want == status) };
        status_fits
            && self.equal.iter().all(|(field, value)| object.text(field) == value)
            && self.terms.iter().all(|(field, wanted)| wanted.is_empty() || has_any(object, field, wanted))
            && self.featured.is_none_or(|featured| object.flag("featured") == featured)
            && self.on_sale.is_none_or(|on_sale| show::on_sale(object, self.now) == on_sale)
            && (self.parent.is_empty() || self.parent.contains(&object.parent))
            && self.price_fits(object)
    }

    fn price_fits(&self, object: &Object) -> bool {
        let [low, high] = self.price;
        if low.is_none() && high.is_none() {
            return true;
        }
        let price = super::money::parsed(&show::own_price(object, self.now));
        price.is_some_and(|price| low.is_none_or(|low| price >= low) && high.is_none_or(|high| price <= high))
    }
}

fn has_any(object: &Object, field: &str, wanted: &[String]) -> bool {
    let terms = object.fields.get(field).and_then(Value::as_array);
    let fits = |term: &Value| {
        wanted.iter().any(|want| want.parse::<u64>().is_ok_and(|id| term["id"] == id) || term["slug"] == want.as_str())
    };
    terms.is_some_and(|terms| terms.iter().any(fits))
}

fn get(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = params.id("id");
    let object = find_kind(ctx.state, id).and_then(|kind| ctx.state.get(kind, id)).ok_or_else(|| invalid_id(404))?;
    let edit = params.text("context") == Some("edit");
    Ok(Reply::ok(if edit { show::edited(ctx, object) } else { show::product(ctx, object) }))
}

fn create(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    if params.get("id").is_some_and(super::params::to_bool) {
        return Err(RestError::new("woocommerce_rest_product_exists", "Cannot create existing product.", 400));
    }
    let mut product = write::blank(ctx.now);
    write::apply(ctx, &mut product, params)?;
    write::name_slug(ctx.state, &mut product, params);
    let id = ctx.state.next_id(Sequence::Post);
    product.id = id;
    sku::keep(ctx.state, &product);
    let published = product.text("status") == "publish";
    ctx.state.put(Kind::Product, product);
    ctx.happened("product", "created", id);
    if published {
        ctx.happened("product", "published", id);
    }
    ctx.state.happened(crate::shop::Happened::action("woocommerce_product_set_stock", json!([])));
    Ok(Reply::created(shown(ctx, id), ctx.rest_url(&format!("{BASE}/{id}"))))
}

fn update(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = params.id("id");
    if ctx.state.get(Kind::Variation, id).is_some() {
        return Err(not_here());
    }
    let before = ctx.state.get(Kind::Product, id).ok_or_else(|| invalid_id(400))?;
    let (status, stock) = (before.text("status").to_owned(), before.fields.get("stock_quantity").cloned());
    let mut product = before.clone();
    write::apply(ctx, &mut product, params)?;
    write::name_slug(ctx.state, &mut product, params);
    if status == "trash" && product.text("status") != "trash" {
        write::unmark_trashed(&mut product);
    }
    product.modified = ctx.now;
    sku::forget(ctx.state, id);
    sku::keep(ctx.state, &product);
    let published = status != "publish" && product.text("status") == "publish";
    let stock_moved = stock != product.fields.get("stock_quantity").cloned();
    ctx.state.put(Kind::Product, product);
    if published {
        ctx.happened("product", "published", id);
    }
    ctx.happened("product", "updated", id);
    if stock_moved {
        ctx.state.happened(crate::shop::Happened::action("woocommerce_product_set_stock", json!([])));
    }
    Ok(Reply::ok(shown(ctx, id)))
}

fn delete(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = params.id("id");
    if ctx.state.get(Kind::Variation, id).is_some() {
        return Err(not_here());
    }
    let product = ctx.state.get(Kind::Product, id).ok_or_else(|| invalid_id(404))?;
    let body = show::edited(ctx, product);
    if params.flag("force") {
        remove(ctx, id);
        return Ok(Reply::ok(body));
    }
    if product.text("status") == "trash" {
        return Err(RestError::new("woocommerce_rest_already_trashed", "The product has already been deleted.", 410));
    }
    let mut product = product.clone();
    write::mark_trashed(ctx, &mut product);
    sku::forget(ctx.state, id);
    ctx.state.put(Kind::Product, product);
    // The hook behind these topics is WordPress's own for every kind of post, so both are told.
    ctx.happened("product", "deleted", id);
    ctx.happened("coupon", "deleted", id);
    Ok(Reply::ok(body))
}

/// A product just written.
fn shown(ctx: &Ctx<'_>, id: u64) -> Value {
    ctx.state.get(Kind::Product, id).map_or(Value::Null, |product| show::edited(ctx, product))
}

/// Gone for good, with its variations. Nobody is told.
fn remove(ctx: &mut Ctx<'_>, id: u64) {
    for variation in ctx.state.variation_ids(id) {
        sku::forget(ctx.state, variation);
        ctx.state.remove_variation(variation);
    }
    sku::forget(ctx.state, id);
    ctx.state.table_mut(Kind::Product).remove(&id);
}

fn invalid_id(status: u16) -> RestError {
    RestError::new("woocommerce_rest_product_invalid_id", "Invalid ID.", status)
}

fn not_here() -> RestError {
    let message = "To manipulate product variations you should use the /products/&lt;product_id&gt;/variations/&lt;id&gt; endpoint.";
    RestError::new("woocommerce_rest_invalid_product_id", message, 404)
}

#[cfg(test)]
mod tests;
