//! `/wc/v3/products/<product_id>/variations`. A change moves the parent's date as well.

use serde_json::{Map, Value, json};

use super::args::{Arg, Is};
use super::batch::{self, Verbs};
use super::paging::{self, Rules};
use super::params::{php_text, to_bool};
use super::products::{BASE, args as shared, attributes, show, sku, write};
use super::{Ctx, Params, Reply, Resource, RestError, Route, html, links, meta};
use crate::shop::Happened;
use crate::state::{Kind, Object, Sequence, State};

const RULES: Rules = Rules { search: &["description", "sku"], order: ("date", "desc") };
const VERBS: Verbs = Verbs { create, update, delete, parent: Some("product_id") };
const LIST: &[Arg] = &[
    Arg::new("orderby", Is::OneOf(&["date", "id", "include", "title", "slug", "modified", "menu_order"])),
    Arg::new("sku", Is::Text),
    Arg::new("status", Is::OneOf(&["any", "future", "trash", "draft", "pending", "private", "publish"])),
    Arg::new("stock_status", shared::STOCK_STATUS),
];
const ITEM: &[Arg] = &[
    Arg::new("description", Is::Text),
    Arg::new("sku", Is::Text),
    Arg::new("global_unique_id", Is::Text),
    Arg::new("regular_price", Is::Text),
    Arg::new("sale_price", Is::Text),
    Arg::new("status", Is::OneOf(&["draft", "pending", "private", "publish", "future"])),
    Arg::new("virtual", Is::Flag),
    Arg::new("downloadable", Is::Flag),
    Arg::new("tax_status", Is::OneOf(&["taxable", "shipping", "none"])),
    Arg::new("tax_class", Is::Text),
    Arg::new("manage_stock", Is::Flag),
    Arg::new("stock_quantity", Is::Int),
    Arg::new("stock_status", shared::STOCK_STATUS),
    Arg::new("backorders", Is::OneOf(&["no", "notify", "yes"])),
    Arg::new("low_stock_amount", Is::Any(&[Is::Int])),
    Arg::new("weight", Is::Text),
    Arg::new("dimensions", shared::DIMENSIONS),
    Arg::new("shipping_class", Is::Text),
    Arg::new("image", Is::Object(&[Arg::new("id", Is::Int), Arg::new("src", Is::Text)])),
    Arg::new("attributes", shared::OPTIONS),
    Arg::new("menu_order", Is::Int),
    meta::ARG,
];

/// The routes of variations.
pub(super) fn routes() -> Vec<Route> {
    let resource = Resource {
        base: "/wc/v3/products/<product_id>/variations",
        item: "/wc/v3/products/<product_id>/variations/<id>",
        batch: Some(("/wc/v3/products/<product_id>/variations/batch", |ctx, params| batch::run(ctx, params, &VERBS))),
        list_args: &[LIST],
        args: ITEM,
        exists: |state, params| find(state, params).is_ok(),
        list,
        create,
        get,
        update,
        delete,
    };
    resource.routes()
}

/// The variation of this product; another product's is as unknown as any.
fn find<'a>(state: &'a State, params: &Params) -> Result<&'a Object, RestError> {
    let variation = state.get(Kind::Variation, params.id("id"));
    variation.filter(|variation| variation.parent == params.id("product_id")).ok_or_else(|| {
        RestError::new("woocommerce_rest_product_variation_invalid_id", "Invalid ID.", 404).before_permission()
    })
}

fn list(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let parent = params.id("product_id");
    if ctx.state.get(Kind::Product, parent).is_none() {
        return Err(unknown_parent());
    }
    let is = |object: &Object, field: &str| params.text(field).is_none_or(|value| object.text(field) == value);
    let status = params.text("status").filter(|status| *status != "any");
    let ids = ctx.state.variation_ids(parent);
    let rows = ids.iter().filter_map(|id| ctx.state.get(Kind::Variation, *id)).filter(|object| {
        is(object, "sku")
            && is(object, "stock_status")
            && status.map_or(object.text("status") != "trash", |status| object.text("status") == status)
    });
    Ok(paging::list(ctx, params, rows, &RULES, viewed))
}

fn get(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let object = find(ctx.state, params)?;
    let edit = params.text("context") == Some("edit");
    Ok(Reply::ok(if edit { variation(ctx, object) } else { viewed(ctx, object) }))
}

fn create(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    if params.get("id").is_some_and(to_bool) {
        let code = "woocommerce_rest_product_variation_exists";
        return Err(RestError::new(code, "Cannot create existing product_variation.", 400));
    }
    let parent = params.id("product_id");
    if ctx.state.get(Kind::Product, parent).is_none() {
        return Err(unknown_parent());
    }
    let mut object = blank(ctx.now, parent);
    apply(ctx, &mut object, params)?;
    object.id = ctx.state.next_id(Sequence::Post);
    let id = object.id;
    let body = keep(ctx, object, "created");
    // The route's own pattern, unfilled: a mistake of the original that clients meet.
    let location = ctx.rest_url(&format!(r"{BASE}/(?P<product_id>[\d]+)/variations/{id}"));
    Ok(Reply::created(body, location))
}

fn update(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let mut object = find(ctx.state, params)?.clone();
    apply(ctx, &mut object, params)?;
    object.modified = ctx.now;
    Ok(Reply::ok(keep(ctx, object, "updated")))
}

fn delete(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let object = find(ctx.state, params)?;
    if !params.flag("force") {
        if object.text("status") == "trash" {
            let message = "The product_variation has already been deleted.";
            return Err(RestError::new("woocommerce_rest_already_trashed", message, 410));
        }
        let (body, id) = (variation(ctx, object), object.id);
        let mut object = object.clone();
        object.set("status", "trash");
        sku::forget(ctx.state, id);
        ctx.state.put(Kind::Variation, object);
        ctx.happened("product", "deleted", id);
        ctx.happened("coupon", "deleted", id);
        return Ok(Reply::ok(body));
    }
    let (mut body, id, parent) = (variation(ctx, object), object.id, object.parent);
    // It is gone when the links are made, so nothing can be said about what it allows.
    if let Some(link) = body["_links"]["self"][0].as_object_mut() {
        link.remove("targetHints");
    }
    sku::forget(ctx.state, id);
    ctx.state.remove_variation(id);
    touch(ctx, parent);
    Ok(Reply::ok(body))
}

/// Keeps a written variation, moves its parent, tells, and shows it.
fn keep(ctx: &mut Ctx<'_>, object: Object, event: &str) -> Value {
    let (id, parent) = (object.id, object.parent);
    let stock = |object: &Object| object.fields.get("stock_quantity").cloned();
    let stock_moved = ctx.state.get(Kind::Variation, id).is_none_or(|before| stock(before) != stock(&object));
    sku::forget(ctx.state, id);
    sku::keep(ctx.state, &object);
    ctx.state.put(Kind::Variation, object);
    touch(ctx, parent);
    ctx.happened("product", event, id);
    if stock_moved {
        ctx.state.happened(Happened::action("woocommerce_variation_set_stock", json!([])));
    }
    ctx.state.get(Kind::Variation, id).map_or(Value::Null, |object| variation(ctx, object))
}

fn touch(ctx: &mut Ctx<'_>, parent: u64) {
    let now = ctx.now;
    if let Some(parent) = ctx.state.get_mut(Kind::Product, parent) {
        parent.modified = now;
    }
}

fn blank(now: i64, parent: u64) -> Object {
    let fields = json!({
        "type": "variation", "status": "publish", "description": "", "sku": "", "global_unique_id": "",
        "regular_price": "", "sale_price": "", "date_on_sale_from": null, "date_on_sale_to": null, "virtual": false,
        "downloadable": false, "downloads": [], "download_limit": -1, "download_expiry": -1, "tax_status": "taxable",
        "tax_class": "parent", "manage_stock": false, "stock_quantity": null, "stock_status": "instock",
        "backorders": "no", "low_stock_amount": null, "weight": "",
        "dimensions": {"length": "", "width": "", "height": ""}, "shipping_class": "", "shipping_class_id": 0,
        "image": null, "gallery_image_ids": [], "attributes": [], "menu_order": 0, "meta_data": [], "name": "",
    });
    let fields = fields.as_object().cloned().unwrap_or_default();
    Object { parent, created: now, modified: now, fields, ..Object::default() }
}

fn apply(ctx: &mut Ctx<'_>, object: &mut Object, params: &Params) -> Result<(), RestError> {
    for name in ["status", "tax_status", "tax_class", "global_unique_id"] {
        if let Some(value) = params.get(name) {
            object.set(name, php_text(value));
        }
    }
    for name in ["virtual", "downloadable", "manage_stock"] {
        if let Some(value) = params.get(name) {
            object.set(name, to_bool(value));
        }
    }
    if let Some(text) = params.get("description") {
        object.set("description", html::kses(&php_text(text)));
    }
    if let Some(order) = params.int("menu_order") {
        object.set("menu_order", order);
    }
    if let Some(sku) = params.get("sku") {
        let sku = php_text(sku).trim().to_owned();
        sku::check(ctx.state, &sku, object.id)?;
        object.set("sku", sku);
    }
    if let Some(weight) = params.get("weight") {
        object.set("weight", super::money::cleaned(weight));
    }
    if params.get("attributes").is_some() {
        let list = attributes::of_variation(ctx.state, &params.list("attributes"));
        let options: Vec<&str> = list.iter().filter_map(|attribute| attribute["option"].as_str()).collect();
        object.set("name", options.join(", "));
        object.set("attributes", list);
    }
    if let Some(image) = params.get("image") {
        let image = super::products::images::resolved(ctx, std::slice::from_ref(image))?;
        object.set("image", image.get(0).cloned().unwrap_or_default());
    }
    write::dimensions(object, params);
    write::shipping_class(ctx.state, object, params);
    write::prices(object, params, ctx.shop.utc_offset_minutes);
    write::stock(object, params);
    if params.get("meta_data").is_some() {
        let list = meta::merged(ctx.state, object.fields.get("meta_data"), &params.list("meta_data"));
        object.set("meta_data", list);
    }
    Ok(())
}

/// A variation as reading shows it: with its parent's tax class, and text as the shop's pages show it.
fn viewed(ctx: &Ctx<'_>, object: &Object) -> Value {
    let mut shown = variation(ctx, object);
    shown["description"] = json!(html::autop(object.text("description")));
    if object.text("tax_class") == "parent" {
        let parent = ctx.state.get(Kind::Product, object.parent);
        shown["tax_class"] = json!(parent.map(|parent| parent.text("tax_class")).unwrap_or_default());
    }
    shown
}

/// A variation as writing shows it: as it is kept.
fn variation(ctx: &Ctx<'_>, object: &Object) -> Value {
    let mut shown = object.fields.clone();
    show::dates(ctx, object, &mut shown);
    let parent = ctx.state.get(Kind::Product, object.parent);
    let price = show::own_price(object, ctx.now);
    let mut set = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    set("id", json!(object.id));
    set("parent_id", json!(object.parent));
    set("permalink", json!(permalink(ctx, object, parent)));
    set("on_sale", json!(show::on_sale(object, ctx.now)));
    set("purchasable", json!(!price.is_empty() && object.text("status") == "publish"));
    set("price", json!(price));
    set("backorders_allowed", json!(matches!(object.text("backorders"), "yes" | "notify")));
    set("backordered", json!(object.int("stock_quantity") < 0 && object.text("stock_status") == "onbackorder"));
    if let Some(parent) = parent {
        from_parent(&mut shown, object, parent);
    }
    let up = format!("{BASE}/{}", object.parent);
    let links = links::item_and(ctx, &format!("{up}/variations"), object.id, &[("up", up)]);
    shown.insert("_links".to_owned(), links);
    Value::Object(shown)
}

/// What a variation leaves to its parent: the SKU, and stock when only the parent manages it.
fn from_parent(shown: &mut Map<String, Value>, object: &Object, parent: &Object) {
    if object.text("sku").is_empty() {
        shown.insert("sku".to_owned(), json!(parent.text("sku")));
    }
    if !object.flag("manage_stock") && parent.flag("manage_stock") {
        shown.insert("manage_stock".to_owned(), json!("parent"));
        for field in ["stock_quantity", "stock_status", "backorders"] {
            shown.insert(field.to_owned(), parent.fields.get(field).cloned().unwrap_or_default());
        }
    }
}

/// Where the shop shows a variation: at its parent, with its attributes chosen.
pub(super) fn permalink(ctx: &Ctx<'_>, object: &Object, parent: Option<&Object>) -> String {
    let base = parent.map_or_else(|| ctx.home(), |parent| show::permalink(ctx, parent));
    let attributes = object.fields.get("attributes").and_then(Value::as_array);
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for attribute in attributes.into_iter().flatten() {
        let (slug, option) = (php_text(&attribute["slug"]), php_text(&attribute["option"]));
        let option = if slug.starts_with("pa_") { super::slug::slugged(&option) } else { option };
        query.append_pair(&format!("attribute_{slug}"), &option);
    }
    let query = query.finish();
    if query.is_empty() { base } else { format!("{base}?{query}") }
}

fn unknown_parent() -> RestError {
    RestError::new("woocommerce_rest_product_variation_invalid_parent", "Invalid product ID.", 404)
}
