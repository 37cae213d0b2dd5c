//! `/wc/v3/products/attributes` and the terms below each.

use serde_json::{Map, Value, json};

use super::args::{Arg, Is};
use super::batch::{self, Verbs};
use super::paging::{self, Rules};
use super::params::{php_int, php_text, to_bool};
use super::slug::{self, slugged};
use super::{Ctx, Params, Reply, Resource, RestError, Route, links};
use crate::state::{Kind, Object, Sequence};

const BASE: &str = "/wc/v3/products/attributes";
const RULES: Rules = Rules { search: &["name"], order: ("name", "asc") };
const VERBS: Verbs = Verbs { create, update, delete, parent: None };
const TERM_VERBS: Verbs =
    Verbs { create: create_term, update: update_term, delete: delete_term, parent: Some("attribute_id") };
const ORDER_BY: Is = Is::OneOf(&["menu_order", "name", "name_num", "id"]);
const ITEM: &[Arg] = &[
    Arg::new("name", Is::Text).required(),
    Arg::new("slug", Is::Text),
    Arg::new("type", Is::OneOf(&["select"])),
    Arg::new("order_by", ORDER_BY),
    Arg::new("has_archives", Is::Flag),
];
const TERM: &[Arg] = &[
    Arg::new("name", Is::Text).required(),
    Arg::new("slug", Is::Text),
    Arg::new("description", Is::Text),
    Arg::new("menu_order", Is::Int),
];

/// The routes of attributes and their terms.
pub(super) fn routes() -> Vec<Route> {
    let attributes = Resource {
        base: BASE,
        item: "/wc/v3/products/attributes/<id>",
        batch: Some(("/wc/v3/products/attributes/batch", |ctx, params| batch::run(ctx, params, &VERBS))),
        list_args: &[],
        args: ITEM,
        exists: |state, params| state.get(Kind::Attribute, params.id("id")).is_some(),
        list,
        create,
        get,
        update,
        delete,
    };
    let terms = Resource {
        base: "/wc/v3/products/attributes/<attribute_id>/terms",
        item: "/wc/v3/products/attributes/<attribute_id>/terms/<id>",
        batch: Some(("/wc/v3/products/attributes/<attribute_id>/terms/batch", |ctx, params| {
            batch::run(ctx, params, &TERM_VERBS)
        })),
        list_args: &[],
        args: TERM,
        exists: |state, params| state.get(Kind::AttributeTerm, params.id("id")).is_some(),
        list: list_terms,
        create: create_term,
        get: get_term,
        update: update_term,
        delete: delete_term,
    };
    let mut routes = attributes.routes();
    routes.extend(terms.routes());
    routes
}

/// The original pages no attributes: all of them are on the one page there is.
fn list(ctx: &mut Ctx<'_>, _: &Params) -> Result<Reply, RestError> {
    let shown: Vec<Value> = ctx.state.table(Kind::Attribute).values().map(|object| show(ctx, object)).collect();
    let total = shown.len().to_string();
    let mut reply = Reply::ok(json!(shown));
    reply.headers = vec![("X-WP-Total", total), ("X-WP-TotalPages", "1".to_owned())];
    Ok(reply)
}

fn get(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let object = ctx.state.get(Kind::Attribute, params.id("id")).ok_or_else(unknown_taxonomy)?;
    Ok(Reply::ok(show(ctx, object)))
}

fn create(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let name = params.text("name").unwrap_or_default().to_owned();
    let asked = params.text("slug").filter(|slug| !slug.is_empty()).unwrap_or(&name);
    let slug = slugged(asked.trim_start_matches("pa_"));
    let full = format!("pa_{slug}");
    if ctx.state.table(Kind::Attribute).values().any(|known| known.text("slug") == full) {
        let message = format!("Slug \"{slug}\" is already in use. Change it, please.");
        return Err(RestError::new("woocommerce_rest_cannot_create", message, 400));
    }
    let fields = json!({"name": name, "slug": full, "type": "select", "order_by": "menu_order", "has_archives": false});
    let id = ctx.state.next_id(Sequence::Attribute);
    let fields = fields.as_object().cloned().unwrap_or_default();
    let mut object = Object { id, created: ctx.now, modified: ctx.now, fields, ..Object::default() };
    apply(&mut object, params);
    let body = show(ctx, &object);
    ctx.state.put(Kind::Attribute, object);
    Ok(Reply::created(body, ctx.rest_url(&format!("{BASE}/{id}"))))
}

fn update(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let mut object = ctx.state.get(Kind::Attribute, params.id("id")).ok_or_else(unknown_taxonomy)?.clone();
    apply(&mut object, params);
    let body = show(ctx, &object);
    ctx.state.put(Kind::Attribute, object);
    Ok(Reply::ok(body))
}

fn apply(object: &mut Object, params: &Params) {
    for field in ["name", "type", "order_by"] {
        if let Some(value) = params.get(field) {
            object.set(field, php_text(value));
        }
    }
    if let Some(archives) = params.get("has_archives") {
        object.set("has_archives", to_bool(archives));
    }
}

fn delete(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = params.id("id");
    let object = ctx.state.get(Kind::Attribute, id).ok_or_else(unknown_taxonomy)?;
    let body = show(ctx, object);
    must_force(params)?;
    ctx.state.table_mut(Kind::Attribute).remove(&id);
    ctx.state.table_mut(Kind::AttributeTerm).retain(|_, term| term.parent != id);
    Ok(Reply::ok(body))
}

fn show(ctx: &Ctx<'_>, object: &Object) -> Value {
    let mut shown = object.fields.clone();
    shown.insert("id".to_owned(), json!(object.id));
    shown.insert("_links".to_owned(), links::item(ctx, BASE, object.id));
    Value::Object(shown)
}

fn list_terms(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let attribute = known_attribute(ctx, params)?;
    let rows = ctx.state.table(Kind::AttributeTerm).values().filter(|term| term.parent == attribute);
    Ok(paging::list(ctx, params, rows, &RULES, show_term))
}

fn get_term(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let term = find_term(ctx, params)?;
    Ok(Reply::ok(show_term(ctx, term)))
}

fn create_term(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let attribute = known_attribute(ctx, params)?;
    let name = params.get("name").map(php_text).unwrap_or_default();
    if name.trim().is_empty() {
        return Err(RestError::new("empty_term_name", "A name is required for this term.", 400));
    }
    let siblings = || ctx.state.table(Kind::AttributeTerm).values().filter(|term| term.parent == attribute);
    if let Some(known) = siblings().find(|term| term.text("name").eq_ignore_ascii_case(&name)).map(|term| term.id) {
        let message = "A term with the name provided already exists in this taxonomy.";
        return Err(RestError::new("term_exists", message, 400).with("resource_id", known));
    }
    let asked = params.text("slug").filter(|slug| !slug.is_empty()).unwrap_or(&name);
    let slug = slug::free(&slugged(asked), |slug| siblings().any(|term| term.text("slug") == slug));
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(name));
    fields.insert("slug".to_owned(), json!(slug));
    fields.insert("description".to_owned(), json!(params.get("description").map(php_text).unwrap_or_default()));
    fields.insert("menu_order".to_owned(), json!(params.get("menu_order").map_or(0, php_int)));
    let id = ctx.state.next_id(Sequence::Term);
    let term = Object { id, parent: attribute, created: ctx.now, modified: ctx.now, fields, ..Object::default() };
    let body = show_term(ctx, &term);
    ctx.state.put(Kind::AttributeTerm, term);
    Ok(Reply::created(body, ctx.rest_url(&format!("{BASE}/{attribute}/terms/{id}"))))
}

fn update_term(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let mut term = find_term(ctx, params)?.clone();
    for field in ["name", "description"] {
        if let Some(value) = params.get(field) {
            term.set(field, php_text(value));
        }
    }
    if let Some(slug) = params.get("slug") {
        term.set("slug", slugged(&php_text(slug)));
    }
    if let Some(order) = params.get("menu_order") {
        term.set("menu_order", php_int(order));
    }
    let body = show_term(ctx, &term);
    ctx.state.put(Kind::AttributeTerm, term);
    Ok(Reply::ok(body))
}

fn delete_term(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let term = find_term(ctx, params)?;
    let (id, body) = (term.id, show_term(ctx, term));
    must_force(params)?;
    ctx.state.table_mut(Kind::AttributeTerm).remove(&id);
    Ok(Reply::ok(body))
}

fn show_term(ctx: &Ctx<'_>, term: &Object) -> Value {
    let attribute = ctx.state.get(Kind::Attribute, term.parent).map(|attribute| attribute.text("slug").to_owned());
    let mut shown = term.fields.clone();
    shown.insert("id".to_owned(), json!(term.id));
    shown.insert("count".to_owned(), json!(attribute.map_or(0, |slug| count(ctx, &slug, term.text("name")))));
    shown.insert("_links".to_owned(), links::item(ctx, &format!("{BASE}/{}/terms", term.parent), term.id));
    Value::Object(shown)
}

/// Products that have this option of the attribute.
fn count(ctx: &Ctx<'_>, slug: &str, name: &str) -> usize {
    let offers = |attribute: &Value| {
        attribute["slug"] == slug
            && attribute["options"].as_array().is_some_and(|options| options.contains(&json!(name)))
    };
    let has = |product: &&Object| {
        product
            .fields
            .get("attributes")
            .and_then(Value::as_array)
            .is_some_and(|attributes| attributes.iter().any(offers))
    };
    ctx.state.table(Kind::Product).values().filter(has).count()
}

fn known_attribute(ctx: &Ctx<'_>, params: &Params) -> Result<u64, RestError> {
    let id = params.id("attribute_id");
    ctx.state.get(Kind::Attribute, id).map(|attribute| attribute.id).ok_or_else(unknown_taxonomy)
}

fn find_term<'a>(ctx: &'a Ctx<'_>, params: &Params) -> Result<&'a Object, RestError> {
    let attribute = known_attribute(ctx, params)?;
    let term = ctx.state.get(Kind::AttributeTerm, params.id("id")).filter(|term| term.parent == attribute);
    term.ok_or_else(|| {
        RestError::new("woocommerce_rest_term_invalid", "Resource does not exist.", 404).before_permission()
    })
}

fn must_force(params: &Params) -> Result<(), RestError> {
    if params.flag("force") {
        return Ok(());
    }
    Err(RestError::new("woocommerce_rest_trash_not_supported", "Resource does not support trashing.", 501))
}

fn unknown_taxonomy() -> RestError {
    RestError::new("woocommerce_rest_taxonomy_invalid", "Resource does not exist.", 404).before_permission()
}
