//! `/payment_gateways`: the ways to pay that every shop has. Orders may name others; nobody checks.

use serde_json::{Map, Value, json};

use super::args::{Arg, Is};
use super::forms::{self, Field};
use super::paging;
use super::resource::{EDIT, READ, always};
use super::{Ctx, Endpoint, Guard, Params, Reply, RestError, Route, links};
use crate::state::{Kind, Object};

const BASE: &str = "/wc/v3/payment_gateways";
const ARGS: &[Arg] = &[
    Arg::new("title", Is::Text),
    Arg::new("description", Is::Text),
    Arg::new("order", Is::Int),
    Arg::new("enabled", Is::Flag),
    Arg::new("settings", Is::Object(&[])),
];

/// A way to pay: id, name, place in the list, what can be set.
struct Gateway {
    id: &'static str,
    name: &'static str,
    order: i64,
    fields: &'static [Field],
}

const INSTRUCTIONS: Field = Field::new("instructions", "textarea", "");
const KNOWN: &[Gateway] = &[
    Gateway {
        id: "bacs",
        name: "Direct bank transfer",
        order: 3,
        fields: &[Field::new("title", "safe_text", "Direct bank transfer"), INSTRUCTIONS],
    },
    Gateway {
        id: "cheque",
        name: "Check payments",
        order: 4,
        fields: &[Field::new("title", "safe_text", "Check payments"), INSTRUCTIONS],
    },
    Gateway {
        id: "cod",
        name: "Cash on delivery",
        order: 5,
        fields: &[
            Field::new("title", "safe_text", "Cash on delivery"),
            Field::new("instructions", "textarea", "Pay with cash upon delivery."),
            Field::new("enable_for_methods", "multiselect", ""),
            Field::new("enable_for_virtual", "checkbox", "yes"),
        ],
    },
];

/// The routes.
pub(super) fn routes() -> Vec<Route> {
    let end = |methods, guard, args, handler| Endpoint { methods, guard, args, handler };
    vec![
        Route { pattern: BASE, endpoints: vec![end(READ, Guard::List, &[], list)] },
        Route {
            pattern: "/wc/v3/payment_gateways/<id:word>",
            endpoints: vec![end(READ, Guard::View(always), &[], get), end(EDIT, Guard::Edit(always), ARGS, update)],
        },
    ]
}

fn list(ctx: &mut Ctx<'_>, _: &Params) -> Result<Reply, RestError> {
    Ok(paging::whole((0..KNOWN.len()).map(|place| show(ctx, place)).collect()))
}

fn get(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    Ok(Reply::ok(show(ctx, place(params)?)))
}

fn update(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let place = place(params)?;
    let mut kept = kept(ctx, place);
    if let Some(Value::Object(sent)) = params.get("settings") {
        forms::write(KNOWN[place].fields, &mut kept.hidden, sent)?;
    }
    for name in ["title", "description", "order", "enabled"] {
        if let Some(value) = params.get(name) {
            kept.set(name, value.clone());
        }
    }
    ctx.state.put(Kind::Gateway, kept);
    Ok(Reply::ok(show(ctx, place)))
}

fn place(params: &Params) -> Result<usize, RestError> {
    let wanted = params.text("id").unwrap_or_default();
    let invalid = || RestError::new("woocommerce_rest_payment_gateway_invalid", "Resource does not exist.", 404);
    KNOWN.iter().position(|gateway| gateway.id == wanted).ok_or_else(invalid)
}

/// What was changed of it: fields as such, its form in `hidden`.
fn kept(ctx: &Ctx<'_>, place: usize) -> Object {
    let id = place as u64 + 1;
    ctx.state.get(Kind::Gateway, id).cloned().unwrap_or_else(|| Object { id, ..Object::default() })
}

fn show(ctx: &Ctx<'_>, place: usize) -> Value {
    let Gateway { id, name, order, fields } = &KNOWN[place];
    let kept = kept(ctx, place);
    let form: &Map<String, Value> = &kept.hidden;
    let mut settings = forms::show(fields, form);
    if let Some(methods) = settings.get_mut("enable_for_methods") {
        methods["options"] = json!({ "Flat rate": { "flat_rate": "Any flat rate" } });
    }
    let own = |field: &str, otherwise: Value| kept.fields.get(field).cloned().unwrap_or(otherwise);
    let page = format!("{}/wp-admin/admin.php?page=wc-settings&tab=checkout&path=/offline/{id}", ctx.home());
    json!({
        "id": id,
        "title": own("title", form.get("title").cloned().unwrap_or_else(|| json!(name))),
        "description": own("description", json!(format!("{name}."))),
        "order": own("order", json!(order)),
        "enabled": own("enabled", json!(false)),
        "method_title": name,
        "method_description": format!("{name}."),
        "method_supports": ["products"],
        "settings": settings,
        "needs_setup": false,
        "post_install_scripts": [],
        "settings_url": page,
        "connection_url": null,
        "setup_help_text": null,
        "required_settings_keys": [],
        "_links": links::named(ctx, BASE, id, &["GET", "POST", "PUT", "PATCH"]),
    })
}
