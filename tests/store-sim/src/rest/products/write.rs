//! What an update does to a product. The same for items of a batch, whose values nobody checked: whatever is not of
//! its type is made so the way PHP does.

use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::super::params::{php_int, php_text, to_bool};
use super::super::slug::{self, slugged};
use super::super::{Ctx, Params, RestError, html, meta, money};
use super::{attributes, images, sku};
use crate::shop::UNCATEGORIZED;
use crate::state::{Kind, Object, Sequence, State, stock_status};

/// Bytes of a name above which the database gives up and PHP with it.
const MAX_NAME_BYTES: usize = 65_535;

const TEXTS: [&str; 7] =
    ["status", "catalog_visibility", "external_url", "button_text", "tax_status", "global_unique_id", "post_password"];
const HTML: [&str; 3] = ["description", "short_description", "purchase_note"];
const FLAGS: [&str; 6] =
    ["featured", "virtual", "downloadable", "sold_individually", "reviews_allowed", "manage_stock"];
const INTS: [&str; 4] = ["download_limit", "download_expiry", "menu_order", "parent_id"];
const ID_LISTS: [&str; 3] = ["upsell_ids", "cross_sell_ids", "grouped_products"];

/// A new product as it is kept. 15 is the category "Uncategorized".
const BLANK: &str = r#"{
    "name": "Product", "slug": "", "type": "simple", "status": "publish", "featured": false,
    "catalog_visibility": "visible", "description": "", "short_description": "", "sku": "", "regular_price": "",
    "sale_price": "", "date_on_sale_from": null, "date_on_sale_to": null, "total_sales": 0, "virtual": false,
    "downloadable": false, "downloads": [], "download_limit": -1, "download_expiry": -1, "external_url": "",
    "button_text": "", "tax_status": "taxable", "tax_class": "", "manage_stock": false, "stock_quantity": null,
    "backorders": "no", "low_stock_amount": null, "sold_individually": false, "weight": "",
    "dimensions": {"length": "", "width": "", "height": ""}, "shipping_class": "", "shipping_class_id": 0,
    "reviews_allowed": true, "average_rating": "0.00", "rating_count": 0, "upsell_ids": [], "cross_sell_ids": [],
    "parent_id": 0, "purchase_note": "", "categories": [{"id": 15}], "brands": [], "tags": [], "images": [],
    "attributes": [], "default_attributes": [], "grouped_products": [], "menu_order": 0, "meta_data": [],
    "stock_status": "instock", "post_password": "", "global_unique_id": ""
}"#;

/// A new product before anything is said about it.
pub(super) fn blank(now: i64) -> Object {
    static FIELDS: OnceLock<Map<String, Value>> = OnceLock::new();
    let fields = FIELDS.get_or_init(|| serde_json::from_str(BLANK).expect("the text above is an object")).clone();
    Object { created: now, modified: now, fields, ..Object::default() }
}

/// Applies what was sent. Fails before anything is kept.
pub(super) fn apply(ctx: &mut Ctx<'_>, product: &mut Object, params: &Params) -> Result<(), RestError> {
    if let Some(name) = params.get("name") {
        let name = php_text(name);
        if name.len() > MAX_NAME_BYTES {
            return Err(RestError::critical());
        }
        product.set("name", html::kses(&name));
    }
    if let Some(kind) = params.text("type") {
        product.set("type", kind);
    }
    simple_fields(product, params);
    if let Some(sku) = params.get("sku") {
        let sku = php_text(sku).trim().to_owned();
        sku::check(ctx.state, &sku, product.id)?;
        product.set("sku", sku);
    }
    terms(ctx.state, product, params);
    shipping_class(ctx.state, product, params);
    if params.get("attributes").is_some() {
        let list = attributes::resolved(ctx.state, &params.list("attributes"));
        product.set("attributes", list);
    }
    if params.get("default_attributes").is_some() {
        let list = attributes::defaults(ctx.state, &params.list("default_attributes"));
        product.set("default_attributes", list);
    }
    if params.get("images").is_some() {
        let list = images::resolved(ctx, &params.list("images"))?;
        product.set("images", list);
    }
    let utc_offset_minutes = ctx.shop.utc_offset_minutes;
    prices(product, params, utc_offset_minutes);
    stock(product, params);
    extras(ctx.state, product, params, utc_offset_minutes);
    Ok(())
}

fn simple_fields(product: &mut Object, params: &Params) {
    let names = |names: &'static [&str]| names.iter().filter_map(|name| Some((*name, params.get(name)?)));
    for (name, value) in names(&TEXTS).chain(params.get("tax_class").map(|value| ("tax_class", value))) {
        product.set(name, php_text(value));
    }
    for (name, value) in names(&HTML) {
        product.set(name, html::kses(&php_text(value)));
    }
    for (name, value) in names(&FLAGS) {
        product.set(name, to_bool(value));
    }
    for (name, value) in names(&INTS) {
        product.set(name, php_int(value));
    }
    for (name, _) in names(&ID_LISTS) {
        product.set(name, params.ids(name));
    }
    if let Some(weight) = params.get("weight") {
        product.set("weight", money::cleaned(weight));
    }
    dimensions(product, params);
}

/// Length, width and height, each on its own.
pub(in crate::rest) fn dimensions(object: &mut Object, params: &Params) {
    for side in ["length", "width", "height"] {
        if let Some(value) = params.get("dimensions").and_then(|sent| sent.get(side)) {
            object.fields["dimensions"][side] = json!(money::cleaned(value));
        }
    }
}

/// Ids nobody knows vanish; a product without categories is uncategorized.
fn terms(state: &State, product: &mut Object, params: &Params) {
    for (field, kind) in [("categories", Kind::Category), ("tags", Kind::Tag), ("brands", Kind::Brand)] {
        if params.get(field).is_none() {
            continue;
        }
        let sent = params.list(field);
        let ids = sent.iter().filter_map(|term| u64::try_from(php_int(term.get("id")?)).ok());
        let mut known: Vec<u64> = ids.filter(|id| state.get(kind, *id).is_some()).collect();
        known.dedup();
        if known.is_empty() && kind == Kind::Category {
            known.push(UNCATEGORIZED);
        }
        product.set(field, known.into_iter().map(|id| json!({"id": id})).collect::<Vec<_>>());
    }
}

/// A slug nobody knows means none.
pub(in crate::rest) fn shipping_class(state: &State, object: &mut Object, params: &Params) {
    let Some(slug) = params.get("shipping_class").map(php_text) else {
        return;
    };
    let id = state.table(Kind::ShippingClass).values().find(|class| class.text("slug") == slug).map(|class| class.id);
    object.set("shipping_class", id.map_or(String::new(), |_| slug));
    object.set("shipping_class_id", id.unwrap_or_default());
}

/// Prices and the days a sale lasts. Products that only lead to others have none of their own.
pub(in crate::rest) fn prices(object: &mut Object, params: &Params, utc_offset_minutes: i32) {
    if matches!(object.text("type"), "variable" | "grouped") {
        object.set("regular_price", "");
        object.set("sale_price", "");
        return;
    }
    for name in ["regular_price", "sale_price"] {
        if let Some(price) = params.get(name) {
            object.set(name, money::cleaned(price));
        }
    }
    for name in ["date_on_sale_from", "date_on_sale_to"] {
        let gmt = format!("{name}_gmt");
        let moment = |key: &str, offset| Some(crate::date::parse(params.sent(key)?.as_str()?, offset));
        let sent = moment(name, utc_offset_minutes).or_else(|| moment(&gmt, 0));
        let cleared = [name, gmt.as_str()].iter().any(|key| params.sent(key).is_some_and(Value::is_null));
        match sent {
            Some(at) => object.set(name, at.map_or(Value::Null, |at| json!(at))),
            None if cleared => object.set(name, Value::Null),
            None => {}
        }
    }
}

/// Quantity and status. An unmanaged product has no quantity, whatever was sent.
pub(in crate::rest) fn stock(object: &mut Object, params: &Params) {
    if let Some(backorders) = params.get("backorders") {
        object.set("backorders", php_text(backorders));
    }
    if let Some(amount) = params.sent("low_stock_amount") {
        object.set(
            "low_stock_amount",
            if amount.is_null() || amount == "" { Value::Null } else { json!(php_int(amount)) },
        );
    }
    if let Some(status) = params.get("stock_status") {
        object.set("stock_status", php_text(status));
    }
    if matches!(object.text("type"), "grouped" | "external") {
        object.set("manage_stock", false);
    }
    if !object.flag("manage_stock") {
        object.set("stock_quantity", Value::Null);
        return;
    }
    if let Some(quantity) = params.get("stock_quantity") {
        object.set("stock_quantity", php_int(quantity));
    } else if object.fields.get("stock_quantity").is_none_or(Value::is_null) {
        object.set("stock_quantity", 0);
    }
    let quantity = object.int("stock_quantity");
    let status = stock_status(object, quantity);
    object.set("stock_status", status);
}

fn extras(state: &mut State, product: &mut Object, params: &Params, utc_offset_minutes: i32) {
    if params.get("downloads").is_some() {
        product.set("downloads", params.list("downloads"));
    }
    if params.get("meta_data").is_some() {
        let list = meta::merged(state, product.fields.get("meta_data"), &params.list("meta_data"));
        product.set("meta_data", list);
    }
    let moment = |key: &str, offset| crate::date::parse(params.text(key)?, offset);
    if let Some(created) = moment("date_created", utc_offset_minutes).or_else(|| moment("date_created_gmt", 0)) {
        product.created = created;
    }
}

/// Gives a product its slug: the one asked for, or its name's once it is more than a draft.
pub(super) fn name_slug(state: &State, product: &mut Object, params: &Params) {
    let asked = params.text("slug").filter(|slug| !slug.is_empty()).map(slugged);
    let draft = matches!(product.text("status"), "draft" | "pending" | "auto-draft");
    let wanted = match asked {
        Some(slug) => slug,
        None if product.text("slug").is_empty() && !draft => slugged(product.text("name")),
        None => return,
    };
    let own = product.id;
    let taken = |slug: &str| state.slugs.get(slug).is_some_and(|owner| *owner != own);
    let slug = slug::free(&wanted, taken);
    product.set("slug", slug);
}

/// Into the trash: the slug makes room, two notes say what was.
pub(super) fn mark_trashed(ctx: &mut Ctx<'_>, product: &mut Object) {
    let (status, slug) = (product.text("status").to_owned(), product.text("slug").to_owned());
    let notes = [
        json!({"key": "_wp_trash_meta_status", "value": status}),
        json!({"key": "_wp_trash_meta_time", "value": ctx.now.to_string()}),
        json!({"key": "_wp_desired_post_slug", "value": slug}),
    ];
    let meta = meta::merged(ctx.state, product.fields.get("meta_data"), &notes);
    product.set("meta_data", meta);
    product.set("status", "trash");
    if !slug.is_empty() {
        product.set("slug", format!("{slug}__trashed"));
    }
    product.modified = ctx.now;
}

/// Out of the trash by an update of the status: the slug comes back, the other two notes stay.
pub(super) fn unmark_trashed(product: &mut Object) {
    let slug = product.text("slug").trim_end_matches("__trashed").to_owned();
    product.set("slug", slug);
    if let Some(Value::Array(notes)) = product.fields.get_mut("meta_data") {
        notes.retain(|note| note["key"] != "_wp_desired_post_slug");
    }
}

/// Makes a bare product from these fields, for seeds.
pub(crate) fn seeded(state: &mut State, now: i64, fields: Map<String, Value>) -> u64 {
    let mut product = blank(now);
    product.fields.extend(fields);
    let slug = slugged(product.text("name"));
    let slug = slug::free(&slug, |slug| state.slugs.contains_key(slug));
    product.set("slug", slug);
    product.id = state.next_id(Sequence::Post);
    let id = product.id;
    sku::keep(state, &product);
    state.put(Kind::Product, product);
    id
}
