//! `_links` of an object.

use serde_json::{Value, json};

use super::Ctx;

/// `self`, with what may be done to it, and `collection`.
pub fn item(ctx: &Ctx<'_>, base: &str, id: u64) -> Value {
    let hints = json!({"allow": ["GET", "POST", "PUT", "PATCH", "DELETE"]});
    json!({
        "self": [{"href": ctx.rest_url(&format!("{base}/{id}")), "targetHints": hints}],
        "collection": [{"href": ctx.rest_url(base)}],
    })
}

/// The same with one more relation: `up` of a variation, `customer` of an order.
pub fn item_and(ctx: &Ctx<'_>, base: &str, id: u64, more: &[(&str, String)]) -> Value {
    let mut links = item(ctx, base, id);
    for (relation, route) in more {
        links[*relation] = json!([{"href": ctx.rest_url(route)}]);
    }
    links
}

/// `self` and `collection` of what has a name for an id, with what may be done to it.
pub fn named(ctx: &Ctx<'_>, base: &str, id: &str, allow: &[&str]) -> Value {
    json!({
        "self": [{"href": ctx.rest_url(&format!("{base}/{id}")), "targetHints": {"allow": allow}}],
        "collection": [{"href": ctx.rest_url(base)}],
    })
}
