//! Terms of a taxonomy: categories, tags, brands, shipping classes. One set of handlers; the route says which.

use serde_json::{Map, Value, json};

use super::args::{Arg, Is};
use super::batch::{self, Verbs};
use super::paging::{self, Rules};
use super::slug::{self, slugged};
use super::{Ctx, Params, Reply, Resource, RestError, Route};
use crate::state::{Kind, Object, Sequence, State};

const LIST: &[Arg] = &[
    Arg::new("orderby", Is::OneOf(&["id", "include", "name", "slug", "term_group", "description", "count"])),
    Arg::new("hide_empty", Is::Flag),
    Arg::new("parent", Is::Int),
    Arg::new("product", Is::Int),
    Arg::new("slug", Is::Text),
];
const NAME: Arg = Arg::new("name", Is::Text).required();
const SLUG: Arg = Arg::new("slug", Is::Text);
const DESCRIPTION: Arg = Arg::new("description", Is::Text);
const MENU_ORDER: Arg = Arg::new("menu_order", Is::Int);
const FLAT: &[Arg] = &[NAME, SLUG, DESCRIPTION];
const TREE: &[Arg] = &[
    NAME,
    SLUG,
    Arg::new("parent", Is::Int),
    DESCRIPTION,
    Arg::new("display", Is::OneOf(&["default", "products", "subcategories", "both"])),
    Arg::new("image", Is::Object(&[Arg::new("id", Is::Int), Arg::new("src", Is::Text)])),
    MENU_ORDER,
];
const RULES: Rules = Rules { search: &["name", "slug"], order: ("name", "asc") };

/// The routes of all flat and tree taxonomies.
pub(super) fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    macro_rules! taxonomy {
        ($base:literal, $kind:expr, $args:expr) => {
            let resource = Resource {
                base: concat!("/wc/v3/products/", $base),
                item: concat!("/wc/v3/products/", $base, "/<id>"),
                batch: Some((concat!("/wc/v3/products/", $base, "/batch"), |ctx, params| {
                    batch::run(
                        ctx,
                        params,
                        &Verbs {
                            create: |ctx, params| create(ctx, params, $kind),
                            update: |ctx, params| update(ctx, params, $kind),
                            delete: |ctx, params| delete(ctx, params, $kind),
                            parent: None,
                        },
                    )
                })),
                list_args: &[LIST],
                args: $args,
                exists: |state, params| state.get($kind, params.id("id")).is_some(),
                list: |ctx, params| list(ctx, params, $kind),
                create: |ctx, params| create(ctx, params, $kind),
                get: |ctx, params| get(ctx, params, $kind),
                update: |ctx, params| update(ctx, params, $kind),
                delete: |ctx, params| delete(ctx, params, $kind),
            };
            routes.extend(resource.routes());
        };
    }
    taxonomy!("categories", Kind::Category, TREE);
    taxonomy!("tags", Kind::Tag, FLAT);
    taxonomy!("brands", Kind::Brand, TREE);
    taxonomy!("shipping_classes", Kind::ShippingClass, FLAT);
    routes
}

fn list(ctx: &mut Ctx<'_>, params: &Params, kind: Kind) -> Result<Reply, RestError> {
    let parent = params.int("parent");
    let slug = params.text("slug");
    let product = params.int("product").map(|_| params.id("product"));
    let hide_empty = params.flag("hide_empty");
    let rows = ctx.state.table(kind).values().filter(|term| {
        parent.is_none_or(|parent| term.int("parent") == parent)
            && slug.is_none_or(|slug| term.text("slug") == slug)
            && product.is_none_or(|product| has_term(ctx.state, product, kind, term.id))
            && (!hide_empty || count(ctx.state, kind, term.id) > 0)
    });
    Ok(paging::list(ctx, params, rows, &RULES, |ctx, term| show(ctx, kind, term)))
}

fn get(ctx: &mut Ctx<'_>, params: &Params, kind: Kind) -> Result<Reply, RestError> {
    let term = ctx.state.get(kind, params.id("id")).ok_or_else(invalid)?;
    Ok(Reply::ok(show(ctx, kind, term)))
}

fn create(ctx: &mut Ctx<'_>, params: &Params, kind: Kind) -> Result<Reply, RestError> {
    let name = params.text("name").unwrap_or_default().trim().to_owned();
    if name.is_empty() {
        return Err(RestError::new("empty_term_name", "A name is required for this term.", 400));
    }
    let parent = params.int("parent").unwrap_or_default();
    let slug = params.text("slug").filter(|slug| !slug.is_empty()).map_or_else(|| slugged(&name), slugged);
    if let Some(known) = same(ctx.state, kind, &name, params.text("slug"), parent) {
        let message = "A term with the name provided already exists with this parent.";
        return Err(RestError::new("term_exists", message, 400).with("resource_id", known));
    }
    let slug = free_slug(ctx.state, kind, &slug, 0);
    let id = ctx.state.next_id(Sequence::Term);
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(name));
    fields.insert("slug".to_owned(), json!(slug));
    fields.insert("description".to_owned(), json!(""));
    if matches!(kind, Kind::Category | Kind::Brand) {
        fields.insert("parent".to_owned(), json!(0));
        fields.insert("display".to_owned(), json!("default"));
        fields.insert("image".to_owned(), Value::Null);
        fields.insert("menu_order".to_owned(), json!(0));
    }
    let mut term = Object { id, created: ctx.now, modified: ctx.now, fields, ..Object::default() };
    apply(&mut term, params, &["description", "parent", "display", "menu_order"]);
    let body = show(ctx, kind, &term);
    let location = ctx.rest_url(&format!("{}/{id}", base(kind)));
    ctx.state.put(kind, term);
    Ok(Reply::created(body, location))
}

fn update(ctx: &mut Ctx<'_>, params: &Params, kind: Kind) -> Result<Reply, RestError> {
    let id = params.id("id");
    let mut term = ctx.state.get(kind, id).ok_or_else(invalid)?.clone();
    apply(&mut term, params, &["name", "description", "parent", "display", "menu_order"]);
    if let Some(slug) = params.text("slug").filter(|slug| !slug.is_empty()) {
        let slug = free_slug(ctx.state, kind, &slugged(slug), id);
        term.set("slug", slug);
    }
    term.modified = ctx.now;
    ctx.state.put(kind, term.clone());
    Ok(Reply::ok(show(ctx, kind, &term)))
}

fn delete(ctx: &mut Ctx<'_>, params: &Params, kind: Kind) -> Result<Reply, RestError> {
    let id = params.id("id");
    let term = ctx.state.get(kind, id).ok_or_else(invalid)?;
    if !params.flag("force") {
        return Err(RestError::new("woocommerce_rest_trash_not_supported", "Resource does not support trashing.", 501));
    }
    let body = show(ctx, kind, term);
    ctx.state.table_mut(kind).remove(&id);
    Ok(Reply::ok(body))
}

/// Copies the fields that were sent.
fn apply(term: &mut Object, params: &Params, fields: &[&str]) {
    for field in fields {
        if let Some(value) = params.get(field).filter(|_| term.fields.contains_key(*field)) {
            term.set(field, value.clone());
        }
    }
}

/// A term that the new one would repeat: the same slug was asked for, or the same name under the same parent.
fn same(state: &State, kind: Kind, name: &str, slug: Option<&str>, parent: i64) -> Option<u64> {
    let repeats = |term: &&Object| {
        slug.is_some_and(|slug| !slug.is_empty() && term.text("slug") == slugged(slug))
            || (slug.is_none() && term.text("name").eq_ignore_ascii_case(name) && term.int("parent") == parent)
    };
    state.table(kind).values().find(repeats).map(|term| term.id)
}

fn free_slug(state: &State, kind: Kind, slug: &str, own: u64) -> String {
    slug::free(slug, |slug| state.table(kind).values().any(|term| term.id != own && term.text("slug") == slug))
}

/// Products that carry this term.
fn count(state: &State, kind: Kind, id: u64) -> usize {
    state
        .table(Kind::Product)
        .values()
        .filter(|product| product.text("status") == "publish" && carries(product, kind, id))
        .count()
}

fn has_term(state: &State, product: u64, kind: Kind, id: u64) -> bool {
    state.get(Kind::Product, product).is_some_and(|product| carries(product, kind, id))
}

fn carries(product: &Object, kind: Kind, id: u64) -> bool {
    let field = match kind {
        Kind::Category => "categories",
        Kind::Tag => "tags",
        Kind::Brand => "brands",
        _ => return product.fields.get("shipping_class_id").and_then(Value::as_u64) == Some(id),
    };
    let ids = product.fields.get(field).and_then(Value::as_array);
    ids.is_some_and(|ids| ids.iter().any(|term| term["id"].as_u64() == Some(id)))
}

fn show(ctx: &Ctx<'_>, kind: Kind, term: &Object) -> Value {
    let mut shown = term.fields.clone();
    shown.insert("id".to_owned(), json!(term.id));
    shown.insert("count".to_owned(), json!(count(ctx.state, kind, term.id)));
    shown.insert("_links".to_owned(), super::links::item(ctx, base(kind), term.id));
    Value::Object(shown)
}

fn base(kind: Kind) -> &'static str {
    match kind {
        Kind::Category => "/wc/v3/products/categories",
        Kind::Tag => "/wc/v3/products/tags",
        Kind::Brand => "/wc/v3/products/brands",
        _ => "/wc/v3/products/shipping_classes",
    }
}

fn invalid() -> RestError {
    RestError::new("woocommerce_rest_term_invalid", "Resource does not exist.", 404).before_permission()
}
