//! Our marker: the call's key as metadata of what the call makes. A key that begins with `_` is hidden from merchants and
//! customers; over the REST API it can be read.

use cartwright_core::{
    Json,
    call::CallError,
    woo::{Recipe, WooRequest},
};
use serde_json::{Map, json};

/// The metadata's key on what a call made.
pub(super) const KEY: &str = "_cartwright_call";
/// Hex digits of the call's key that tell the markers of several calls on one order apart.
const TELLING_DIGITS: usize = 12;

/// The metadata's key on an order to which a call added lines. Each call has its own, or a later one would overwrite it.
pub(super) fn lines_key(call: &str) -> String {
    format!("{KEY}_{}", call.get(..TELLING_DIGITS).unwrap_or(call))
}

/// Whether objects of this kind keep our marker.
pub(super) fn is_kept(recipe: Recipe) -> bool {
    match recipe {
        Recipe::Product | Recipe::Order | Recipe::Customer | Recipe::Coupon | Recipe::Refund | Recipe::OrderLines => {
            true
        }
        Recipe::Note | Recipe::Term | Recipe::Webhook | Recipe::TaxRate | Recipe::Batch => false,
    }
}

/// The request with the marker in it, where its kind keeps one.
pub(super) fn marked(request: &WooRequest, recipe: Recipe, call: &str) -> Result<WooRequest, CallError> {
    let mut request = request.clone();
    if is_kept(recipe) {
        let key = if recipe == Recipe::OrderLines { lines_key(call) } else { KEY.to_owned() };
        let body = request.body.get_or_insert_with(|| Json::Object(Map::new()));
        add(body, &key, call)?;
    }
    Ok(request)
}

/// Adds the marker to one object's fields. A marker of another call, which comes along when a read object is sent back as
/// a new one, gives way.
pub(super) fn add(object: &mut Json, key: &str, value: &str) -> Result<(), CallError> {
    let invalid =
        |what: &str| CallError::r#final("invalid", format!("{what} of a write to the store, or leave it out"));
    let Json::Object(fields) = object else { return Err(invalid("write a map as the body")) };
    let metadata = fields.entry("meta_data").or_insert_with(|| json!([]));
    if metadata.is_null() {
        *metadata = json!([]);
    }
    let Json::Array(metadata) = metadata else { return Err(invalid("write a list as `meta_data`")) };
    metadata.retain(|entry| entry.get("key").and_then(Json::as_str) != Some(key));
    metadata.push(json!({"key": key, "value": value}));
    Ok(())
}

/// Whether an object carries this marker.
pub(super) fn is_in(object: &Json, key: &str, value: &str) -> bool {
    entries(object, key).any(|entry| entry.as_str() == Some(value))
}

/// The values under a metadata key.
pub(super) fn entries<'a>(object: &'a Json, key: &'a str) -> impl Iterator<Item = &'a Json> {
    let metadata = object.get("meta_data").and_then(Json::as_array);
    metadata
        .into_iter()
        .flatten()
        .filter(move |entry| entry.get("key").and_then(Json::as_str) == Some(key))
        .filter_map(|entry| entry.get("value"))
}
