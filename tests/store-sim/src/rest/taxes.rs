//! `/taxes` and `/taxes/classes`: the table that orders are taxed by. Nobody is told of changes.

use serde_json::{Map, Value, json};

use super::args::{Arg, Default, Is};
use super::batch::{self, DELETE_ARGS, Verbs};
use super::paging;
use super::resource::{CREATE, DELETE, READ, always};
use super::{Ctx, Endpoint, Guard, Params, Reply, Resource, RestError, Route, links};
use crate::orders::decimal;
use crate::state::{Kind, Object, Sequence};

const BASE: &str = "/wc/v3/taxes";
const CLASSES: &str = "/wc/v3/taxes/classes";
const VERBS: Verbs = Verbs { create, update, delete, parent: None };

/// Places rates are printed with.
const RATE_PLACES: u32 = 4;

const ARGS: &[Arg] = &[
    Arg::new("country", Is::Text),
    Arg::new("state", Is::Text),
    Arg::new("postcode", Is::Text),
    Arg::new("city", Is::Text),
    Arg::new("postcodes", Is::List(&Is::Text)),
    Arg::new("cities", Is::List(&Is::Text)),
    Arg::new("rate", Is::Text),
    Arg::new("name", Is::Text),
    Arg::new("priority", Is::Int).or(Default::Int(1)),
    Arg::new("compound", Is::Flag).or(Default::Flag(false)),
    Arg::new("shipping", Is::Flag).or(Default::Flag(true)),
    Arg::new("order", Is::Int),
    Arg::new("class", Is::Text),
];
const LIST: &[Arg] = &[
    Arg::new("class", Is::Text),
    Arg::new("orderby", Is::OneOf(&["id", "order", "priority"])).or(Default::Text("order")),
];
const CLASS_ARGS: &[Arg] = &[Arg::new("name", Is::Text).required()];

/// The routes of tax rates and classes. The classes come first: their route would fit no rate's, but stands closer.
pub(super) fn routes() -> Vec<Route> {
    let rates = Resource {
        base: BASE,
        item: "/wc/v3/taxes/<id>",
        batch: Some(("/wc/v3/taxes/batch", |ctx, params| batch::run(ctx, params, &VERBS))),
        list_args: &[LIST],
        args: ARGS,
        exists: always,
        list,
        create,
        get,
        update,
        delete,
    };
    let end = |methods, guard, args, handler| Endpoint { methods, guard, args, handler };
    let mut routes = vec![
        Route {
            pattern: CLASSES,
            endpoints: vec![
                end(READ, Guard::List, &[], list_classes),
                end(CREATE, Guard::Create, CLASS_ARGS, create_class),
            ],
        },
        Route {
            pattern: "/wc/v3/taxes/classes/<slug:word>",
            endpoints: vec![
                end(READ, Guard::View(always), &[], get_class),
                end(DELETE, Guard::Delete(always), DELETE_ARGS, delete_class),
            ],
        },
    ];
    routes.extend(rates.routes());
    routes
}

fn list(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let class = params.text("class").filter(|class| !class.is_empty()).map(str::to_owned);
    let mut rows: Vec<&Object> = ctx.state.table(Kind::Tax).values().collect();
    rows.retain(|rate| class.as_ref().is_none_or(|class| rate.text("class") == class));
    match params.text("orderby") {
        Some("id") => {}
        Some("priority") => rows.sort_by_key(|rate| (rate.int("priority"), rate.id)),
        _ => rows.sort_by_key(|rate| (rate.int("order"), rate.id)),
    }
    if params.text("order") == Some("desc") {
        rows.reverse();
    }
    Ok(paging::page(ctx, params, &rows, |rate| show(ctx, rate)))
}

fn get(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let rate = ctx.state.get(Kind::Tax, params.id("id")).ok_or_else(invalid)?;
    Ok(Reply::ok(show(ctx, rate)))
}

fn create(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let fields = crate::orders::fields::object(json!({
        "country": "", "state": "", "postcode": "", "city": "", "rate": "0.0000", "name": "Tax", "priority": 1,
        "compound": false, "shipping": true, "order": 0, "class": "standard", "postcodes": [], "cities": [],
    }));
    let id = ctx.state.next_id(Sequence::Tax);
    let mut rate = Object { id, created: ctx.now, modified: ctx.now, fields, ..Object::default() };
    apply(&mut rate, params);
    let body = show(ctx, &rate);
    ctx.state.put(Kind::Tax, rate);
    Ok(Reply::created(body, ctx.rest_url(&format!("{BASE}/{id}"))))
}

fn update(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let mut rate = ctx.state.get(Kind::Tax, params.id("id")).ok_or_else(invalid)?.clone();
    apply(&mut rate, params);
    rate.modified = ctx.now;
    let body = show(ctx, &rate);
    ctx.state.put(Kind::Tax, rate);
    Ok(Reply::ok(body))
}

fn delete(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let rate = ctx.state.get(Kind::Tax, params.id("id")).ok_or_else(invalid)?;
    if !params.flag("force") {
        let message = "Taxes do not support trashing.";
        return Err(RestError::new("woocommerce_rest_trash_not_supported", message, 501));
    }
    let (id, body) = (rate.id, show(ctx, rate));
    ctx.state.table_mut(Kind::Tax).remove(&id);
    Ok(Reply::ok(body))
}

fn apply(rate: &mut Object, params: &Params) {
    for name in ["state", "postcode", "city", "name", "class"] {
        if let Some(value) = params.text(name) {
            rate.set(name, value);
        }
    }
    if let Some(country) = params.text("country") {
        rate.set("country", country.to_uppercase());
    }
    if let Some(percent) = params.get("rate") {
        rate.set("rate", decimal::print(decimal::read(percent).unwrap_or_default(), RATE_PLACES));
    }
    for name in ["priority", "order"] {
        if let Some(number) = params.int(name) {
            rate.set(name, number);
        }
    }
    for name in ["compound", "shipping"].into_iter().filter(|name| params.get(name).is_some()) {
        rate.set(name, params.flag(name));
    }
    for (list, single) in [("postcodes", "postcode"), ("cities", "city")] {
        let one = || params.text(single).filter(|text| !text.is_empty()).map(|text| vec![text.to_uppercase()]);
        let items = if params.get(list).is_some() { Some(params.texts(list)) } else { one() };
        if let Some(items) = items {
            rate.set(list, json!(items));
        }
    }
}

fn show(ctx: &Ctx<'_>, rate: &Object) -> Value {
    let mut shown = rate.fields.clone();
    shown.insert("id".to_owned(), json!(rate.id));
    shown.insert("_links".to_owned(), links::item(ctx, BASE, rate.id));
    Value::Object(shown)
}

fn invalid() -> RestError {
    RestError::new("woocommerce_rest_invalid_id", "Invalid resource ID.", 404)
}

/// The standard class, which cannot be deleted, and the others.
fn list_classes(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let standard = class("standard", "Standard rate");
    let rows: Vec<&Object> = std::iter::once(&standard).chain(ctx.state.table(Kind::TaxClass).values()).collect();
    let mut all = params.clone();
    all.set("per_page", json!(100));
    Ok(paging::page(ctx, &all, &rows, |class| show_class(ctx, class)))
}

fn get_class(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let slug = params.text("slug").unwrap_or_default();
    if slug == "standard" {
        return Ok(Reply::ok(json!([show_class(ctx, &class("standard", "Standard rate"))])));
    }
    let found =
        ctx.state.table(Kind::TaxClass).values().find(|class| class.text("slug") == slug).ok_or_else(no_class)?;
    Ok(Reply::ok(json!([show_class(ctx, found)])))
}

fn create_class(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let name = params.text("name").unwrap_or_default();
    let slug = super::slug::slugged(name);
    if slug.is_empty() || ctx.state.table(Kind::TaxClass).values().any(|class| class.text("slug") == slug) {
        let message = "Cannot create tax class.";
        return Err(RestError::new("woocommerce_rest_tax_class_exists", message, 400));
    }
    let made = Object { id: last_class(ctx) + 1, ..class(&slug, name) };
    let body = show_class(ctx, &made);
    ctx.state.put(Kind::TaxClass, made);
    Ok(Reply::created(body, ctx.rest_url(&format!("{CLASSES}/{slug}"))))
}

fn delete_class(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    if !params.flag("force") {
        let message = "Taxes do not support trashing.";
        return Err(RestError::new("woocommerce_rest_trash_not_supported", message, 501));
    }
    let slug = params.text("slug").unwrap_or_default();
    let found =
        ctx.state.table(Kind::TaxClass).values().find(|class| class.text("slug") == slug).ok_or_else(no_class)?;
    let (id, body) = (found.id, show_class(ctx, found));
    ctx.state.table_mut(Kind::TaxClass).remove(&id);
    Ok(Reply::ok(body))
}

/// Classes have a slug and no id; the number only keeps their order.
fn last_class(ctx: &Ctx<'_>) -> u64 {
    ctx.state.table(Kind::TaxClass).keys().next_back().copied().unwrap_or_default()
}

pub(crate) fn class(slug: &str, name: &str) -> Object {
    let fields: Map<String, Value> =
        [("slug", slug), ("name", name)].into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
    Object { fields, ..Object::default() }
}

fn show_class(ctx: &Ctx<'_>, class: &Object) -> Value {
    let links = json!({"collection": [{"href": ctx.rest_url(CLASSES)}]});
    json!({"slug": class.text("slug"), "name": class.text("name"), "_links": links})
}

fn no_class() -> RestError {
    RestError::new("woocommerce_rest_tax_class_invalid_slug", "Invalid slug.", 404)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Trial;

    #[test]
    fn rates_and_classes_come_and_go_and_deleting_needs_force() {
        let trial = Trial::new();
        let rate = trial.made("/taxes", json!({"country": "it", "rate": "22", "class": "reduced-rate"}));
        assert_eq!((&rate["country"], &rate["rate"]), (&json!("IT"), &json!("22.0000")));
        let route = format!("/taxes/{}", rate["id"]);
        assert_eq!(trial.get("/taxes?class=reduced-rate"), json!([rate]));
        assert_eq!(trial.ask("DELETE", &route, Value::Null).0, 501);
        assert_eq!(trial.ask("DELETE", &format!("{route}?force=true"), Value::Null).0, 200);
        assert_eq!(trial.ask("GET", &route, Value::Null).0, 404);
        trial.made("/taxes/classes", json!({"name": "Books"}));
        let slugs = trial
            .get("/taxes/classes")
            .as_array()
            .map(|all| all.iter().map(|class| class["slug"].clone()).collect::<Vec<_>>());
        assert_eq!(json!(slugs), json!(["standard", "reduced-rate", "zero-rate", "books"]));
    }
}
