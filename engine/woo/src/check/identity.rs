//! Which object a call is about: the path says it, and nothing else may.
//!
//! WooCommerce takes parameters from the body before those of the query and the URL: `PUT products/14` with
//! `{"id": 22}` changes product 22. So what repeats the path is taken out, and what contradicts it is refused.

use cartwright_core::{
    Json,
    call::CallError,
    woo::{WooMethod, WooRequest},
};
use serde_json::Map;

use super::{invalid, value};

/// Takes names of the path's own parameters out of body and query.
pub(super) fn agree(request: &mut WooRequest) -> Result<(), CallError> {
    let parts: Vec<&str> = request.path.split('/').collect();
    if parts.last() == Some(&"batch") {
        return in_map(&parents(&parts), &mut request.body, &mut request.query);
    }
    let mut parameters = parents(&parts);
    match own_id(&parts) {
        Some(id) => parameters.push(("id", id)),
        None if request.method == WooMethod::Post => no_id(&parts, request.body.as_ref())?,
        None => {}
    }
    in_map(&parameters, &mut request.body, &mut request.query)
}

/// Parameters that the routes take from the path in front of the object's own id.
fn parents<'a>(parts: &[&'a str]) -> Vec<(&'static str, &'a str)> {
    match parts {
        ["orders", id, "notes" | "refunds", ..] => vec![("order_id", id)],
        ["products", id, "variations", ..] => vec![("product_id", id)],
        ["products", "attributes", id, "terms", ..] => vec![("attribute_id", id)],
        ["shipping", "zones", id, "methods", ..] => vec![("zone_id", id)],
        _ => Vec::new(),
    }
}

/// The object's own id: a number, or the name of a setting or gateway.
fn own_id<'a>(parts: &[&'a str]) -> Option<&'a str> {
    match parts {
        ["settings", _, id] | ["payment_gateways", id] => Some(id),
        [_, .., id] if super::is_id(id) => Some(id),
        _ => None,
    }
}

fn in_map(
    parameters: &[(&str, &str)],
    body: &mut Option<Json>,
    query: &mut Map<String, Json>,
) -> Result<(), CallError> {
    let mut maps = vec![("query.", query)];
    if let Some(Json::Object(body)) = body {
        maps.push(("", body));
    }
    for (prefix, map) in maps {
        for (name, in_path) in parameters {
            let Some(given) = map.get(*name) else { continue };
            if !names(given, in_path) {
                return Err(invalid(format!(
                    "{prefix}{name} is {}, but the path says {in_path}, and WooCommerce would follow the former: \
                     leave `{name}` out, or change the path",
                    value::shape(given)
                )));
            }
            map.remove(*name);
        }
    }
    Ok(())
}

fn names(given: &Json, in_path: &str) -> bool {
    match given {
        Json::String(text) => text == in_path,
        other => value::integer(other).is_some_and(|n| n.to_string() == in_path),
    }
}

/// An `id` in what makes a new object means that something else was meant, or that a read object was sent back.
fn no_id(parts: &[&str], body: Option<&Json>) -> Result<(), CallError> {
    let Some(given) = body.and_then(|body| body.get("id")) else { return Ok(()) };
    if given.is_null() || value::integer(given) == Some(0) {
        return Ok(());
    }
    // Methods of a shipping zone and such are made under names that the caller gives.
    let Some(id) = value::integer(given) else { return Ok(()) };
    let path = parts.join("/");
    Err(invalid(format!(
        "id is {id}, but POST {path} makes a new object and WooCommerce gives it its id: leave `id` out, or use \
         PUT {path}/{id} to change that one"
    )))
}
