//! `/shipping/zones` with their locations and methods, and `/shipping_methods`. Orders are not priced by them: whoever
//! orders says what shipping costs, as over REST in the original.

use serde_json::{Map, Value, json};

use super::args::{Arg, Is};
use super::batch::DELETE_ARGS;
use super::forms::{self, Field};
use super::paging;
use super::resource::{CREATE, DELETE, EDIT, READ, always};
use super::{Ctx, Endpoint, Guard, Params, Reply, RestError, Route, links};
use crate::state::{Kind, Object, Sequence};

const ZONES: &str = "/wc/v3/shipping/zones";
const METHODS: &str = "/wc/v3/shipping_methods";
/// What is everywhere else.
const REST_OF_THE_WORLD: &str = "Locations not covered by your other zones";

const ZONE: &[Arg] = &[Arg::new("name", Is::Text), Arg::new("order", Is::Int)];
const NEW_ZONE: &[Arg] = &[Arg::new("name", Is::Text).required(), Arg::new("order", Is::Int)];
const METHOD: &[Arg] =
    &[Arg::new("order", Is::Int), Arg::new("enabled", Is::Flag), Arg::new("settings", Is::Object(&[]))];
const NEW_METHOD: &[Arg] = &[
    Arg::new("method_id", Is::Text).required(),
    Arg::new("order", Is::Int),
    Arg::new("enabled", Is::Flag),
    Arg::new("settings", Is::Object(&[])),
];

const TAX_STATUS: Field =
    Field { options: &[("taxable", "Taxable"), ("none", "None")], ..Field::new("tax_status", "select", "taxable") };
/// Ways to ship: id, name, what can be set.
const KNOWN: &[(&str, &str, &[Field])] = &[
    ("flat_rate", "Flat rate", &[Field::new("title", "text", "Flat rate"), TAX_STATUS, Field::new("cost", "text", "")]),
    (
        "free_shipping",
        "Free shipping",
        &[
            Field::new("title", "text", "Free shipping"),
            Field {
                options: &[("", "None"), ("coupon", "A coupon"), ("min_amount", "An amount")],
                ..Field::new("requires", "select", "")
            },
            Field::new("min_amount", "price", "0"),
        ],
    ),
    (
        "local_pickup",
        "Local pickup",
        &[Field::new("title", "text", "Local pickup"), TAX_STATUS, Field::new("cost", "text", "")],
    ),
    ("pickup_location", "Local pickup", &[]),
];

/// The routes.
pub(super) fn routes() -> Vec<Route> {
    let end = |methods, guard, args, handler| Endpoint { methods, guard, args, handler };
    let (view, edit, gone) = (Guard::View(always), Guard::Edit(always), Guard::Delete(always));
    vec![
        Route {
            pattern: ZONES,
            endpoints: vec![end(READ, Guard::List, &[], list), end(CREATE, Guard::Create, NEW_ZONE, create)],
        },
        Route {
            pattern: "/wc/v3/shipping/zones/<id>",
            endpoints: vec![
                end(READ, view, &[], get),
                end(EDIT, edit, ZONE, update),
                end(DELETE, gone, DELETE_ARGS, delete),
            ],
        },
        Route {
            pattern: "/wc/v3/shipping/zones/<zone_id>/locations",
            endpoints: vec![end(READ, view, &[], locations), end(EDIT, edit, &[], set_locations)],
        },
        Route {
            pattern: "/wc/v3/shipping/zones/<zone_id>/methods",
            endpoints: vec![end(READ, view, &[], methods), end(CREATE, Guard::Create, NEW_METHOD, create_method)],
        },
        Route {
            pattern: "/wc/v3/shipping/zones/<zone_id>/methods/<instance_id>",
            endpoints: vec![
                end(READ, view, &[], get_method),
                end(EDIT, edit, METHOD, update_method),
                end(DELETE, gone, DELETE_ARGS, delete_method),
            ],
        },
        Route { pattern: METHODS, endpoints: vec![end(READ, Guard::List, &[], known)] },
        Route { pattern: "/wc/v3/shipping_methods/<id:word>", endpoints: vec![end(READ, view, &[], known_one)] },
    ]
}

fn list(ctx: &mut Ctx<'_>, _: &Params) -> Result<Reply, RestError> {
    let mut zones: Vec<Object> = ctx.state.table(Kind::Zone).values().cloned().collect();
    zones.sort_by_key(|zone| (zone.int("order"), zone.id));
    zones.insert(0, everywhere_else());
    Ok(paging::whole(zones.iter().map(|zone| show(ctx, zone)).collect()))
}

fn get(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let zone = zone(ctx, params.id("id"))?;
    Ok(Reply::ok(show(ctx, &zone)))
}

fn create(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = ctx.state.next_id(Sequence::Zone);
    let mut zone = Object { id, created: ctx.now, modified: ctx.now, ..Object::default() };
    zone.set("name", params.text("name").unwrap_or_default());
    zone.set("order", params.int("order").unwrap_or_default());
    let body = show(ctx, &zone);
    ctx.state.put(Kind::Zone, zone);
    Ok(Reply::created(body, ctx.rest_url(&format!("{ZONES}/{id}"))))
}

fn update(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let mut zone = zone(ctx, params.id("id"))?;
    if zone.id == 0 {
        let message = "The zone for all other locations cannot be updated.";
        return Err(RestError::new("woocommerce_rest_shipping_zone_invalid_zone", message, 403));
    }
    for name in ["name", "order"] {
        if let Some(value) = params.get(name) {
            zone.set(name, value.clone());
        }
    }
    let body = show(ctx, &zone);
    ctx.state.put(Kind::Zone, zone);
    Ok(Reply::ok(body))
}

fn delete(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let zone = zone(ctx, params.id("id"))?;
    forced(params, "Shipping zones do not support trashing.")?;
    let body = show(ctx, &zone);
    ctx.state.table_mut(Kind::Zone).remove(&zone.id);
    ctx.state.table_mut(Kind::ZoneMethod).retain(|_, method| method.parent != zone.id);
    Ok(Reply::ok(body))
}

fn locations(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let zone = zone(ctx, params.id("zone_id"))?;
    Ok(show_locations(ctx, &zone))
}

/// Replaces them all. The body is a list; what is no location in it is passed over.
fn set_locations(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    const TYPES: [&str; 4] = ["postcode", "state", "country", "continent"];
    let mut zone = zone(ctx, params.id("zone_id"))?;
    if zone.id == 0 {
        let message = "The locations of the zone for all other locations cannot be updated.";
        return Err(RestError::new("woocommerce_rest_shipping_zone_locations_invalid_zone", message, 403));
    }
    let sent: Vec<Value> = (0..).map_while(|place: u32| params.get(&place.to_string()).cloned()).collect();
    let read = |location: &Value| {
        let code = location["code"].as_str().filter(|code| !code.is_empty())?;
        let kind = location["type"].as_str().unwrap_or("country");
        TYPES.contains(&kind).then(|| json!({ "code": code, "type": kind }))
    };
    zone.hidden.insert("locations".to_owned(), sent.iter().filter_map(read).collect());
    let reply = show_locations(ctx, &zone);
    ctx.state.put(Kind::Zone, zone);
    Ok(reply)
}

fn methods(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let zone = zone(ctx, params.id("zone_id"))?;
    let rows = ctx.state.table(Kind::ZoneMethod).values().filter(|method| method.parent == zone.id);
    Ok(paging::whole(rows.map(|method| show_method(ctx, method)).collect()))
}

fn get_method(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let method = method(ctx, params)?;
    Ok(Reply::ok(show_method(ctx, &method)))
}

/// Answers 200, not 201, and without `Location`: the original's doing.
fn create_method(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let zone = zone(ctx, params.id("zone_id"))?;
    let kind = params.text("method_id").unwrap_or_default();
    let Some((kind, ..)) = KNOWN.iter().find(|(id, ..)| *id == kind) else {
        let message = "The shipping method cannot be created.";
        return Err(RestError::new("woocommerce_rest_shipping_zone_not_created", message, 500));
    };
    let place = ctx.state.table(Kind::ZoneMethod).values().filter(|method| method.parent == zone.id).count() + 1;
    let id = ctx.state.next_id(Sequence::ZoneMethod);
    let mut method = Object { id, parent: zone.id, created: ctx.now, modified: ctx.now, ..Object::default() };
    method.set("method_id", *kind);
    method.set("order", place);
    method.set("enabled", true);
    method.hidden.insert("settings".to_owned(), json!({}));
    write_method(ctx, params, method)
}

fn update_method(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let method = method(ctx, params)?;
    write_method(ctx, params, method)
}

fn write_method(ctx: &mut Ctx<'_>, params: &Params, mut method: Object) -> Result<Reply, RestError> {
    if let Some(Value::Object(sent)) = params.get("settings") {
        let fields = fields_of(&method);
        let mut values = settings_of(&method);
        forms::write(fields, &mut values, sent)?;
        method.hidden.insert("settings".to_owned(), Value::Object(values));
    }
    for name in ["order", "enabled"] {
        if let Some(value) = params.get(name) {
            method.set(name, value.clone());
        }
    }
    let body = show_method(ctx, &method);
    ctx.state.put(Kind::ZoneMethod, method);
    Ok(Reply::ok(body))
}

fn delete_method(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let method = method(ctx, params)?;
    forced(params, "Shipping methods do not support trashing.")?;
    let body = show_method(ctx, &method);
    ctx.state.table_mut(Kind::ZoneMethod).remove(&method.id);
    Ok(Reply::ok(body))
}

fn known(ctx: &mut Ctx<'_>, _: &Params) -> Result<Reply, RestError> {
    Ok(paging::whole(KNOWN.iter().map(|(id, name, _)| show_known(ctx, id, name)).collect()))
}

fn known_one(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let wanted = params.text("id").unwrap_or_default();
    let found = KNOWN.iter().find(|(id, ..)| *id == wanted);
    let invalid = || RestError::new("woocommerce_rest_shipping_method_invalid", "Resource does not exist.", 404);
    found.map(|(id, name, _)| Reply::ok(show_known(ctx, id, name))).ok_or_else(invalid)
}

fn zone(ctx: &Ctx<'_>, id: u64) -> Result<Object, RestError> {
    if id == 0 {
        return Ok(everywhere_else());
    }
    let invalid = || RestError::new("woocommerce_rest_shipping_zone_invalid", "Resource does not exist.", 404);
    ctx.state.get(Kind::Zone, id).cloned().ok_or_else(invalid)
}

fn everywhere_else() -> Object {
    let mut zone = Object::default();
    zone.set("name", REST_OF_THE_WORLD);
    zone.set("order", 0);
    zone
}

fn method(ctx: &Ctx<'_>, params: &Params) -> Result<Object, RestError> {
    let zone = zone(ctx, params.id("zone_id"))?;
    let found = ctx.state.get(Kind::ZoneMethod, params.id("instance_id")).filter(|method| method.parent == zone.id);
    let invalid = || RestError::new("woocommerce_rest_shipping_zone_method_invalid", "Resource does not exist.", 404);
    found.cloned().ok_or_else(invalid)
}

fn forced(params: &Params, message: &'static str) -> Result<(), RestError> {
    let refused = || RestError::new("woocommerce_rest_trash_not_supported", message, 501);
    params.flag("force").then_some(()).ok_or_else(refused)
}

fn fields_of(method: &Object) -> &'static [Field] {
    KNOWN.iter().find(|(id, ..)| *id == method.text("method_id")).map_or(&[], |(.., fields)| fields)
}

fn settings_of(method: &Object) -> Map<String, Value> {
    method.hidden.get("settings").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn show(ctx: &Ctx<'_>, zone: &Object) -> Value {
    let below = format!("{ZONES}/{}/locations", zone.id);
    json!({
        "id": zone.id,
        "name": zone.text("name"),
        "order": zone.int("order"),
        "_links": links::item_and(ctx, ZONES, zone.id, &[("describedby", below)]),
    })
}

fn show_locations(ctx: &Ctx<'_>, zone: &Object) -> Reply {
    let above = ctx.rest_url(&format!("{ZONES}/{}", zone.id));
    let links = json!({ "collection": [{ "href": format!("{above}/locations") }], "describes": [{ "href": above }] });
    let locations = zone.hidden.get("locations").and_then(Value::as_array).cloned().unwrap_or_default();
    let with_links = |mut location: Value| {
        location["_links"] = links.clone();
        location
    };
    paging::whole(locations.into_iter().map(with_links).collect())
}

fn show_method(ctx: &Ctx<'_>, method: &Object) -> Value {
    let zone = format!("{ZONES}/{}", method.parent);
    let kind = method.text("method_id");
    let name = KNOWN.iter().find(|(id, ..)| *id == kind).map_or(kind, |(_, name, _)| name);
    let values = settings_of(method);
    json!({
        "id": method.id,
        "instance_id": method.id,
        "title": values.get("title").and_then(Value::as_str).unwrap_or(name),
        "order": method.int("order"),
        "enabled": method.flag("enabled"),
        "method_id": kind,
        "method_title": name,
        "method_description": format!("<p>{name}.</p>\n"),
        "settings": forms::show(fields_of(method), &values),
        "_links": links::item_and(ctx, &format!("{zone}/methods"), method.id, &[("describes", zone)]),
    })
}

fn show_known(ctx: &Ctx<'_>, id: &str, name: &str) -> Value {
    json!({ "id": id, "title": name, "description": format!("{name}."), "_links": links::named(ctx, METHODS, id, &["GET"]) })
}
