//! Batches: `{create: […], update: […], delete: […]}`. WooCommerce validates none of their items against its schema and
//! answers 200 whatever becomes of them, so what a single call would hear as a 400 is refused here.

use cartwright_core::{Json, call::CallError};
use serde_json::Map;

use super::{ITEMS_MAX, Place, Resource, field, invalid, refused, value};

const LISTS: [&str; 3] = ["create", "update", "delete"];

/// Checks every item of a batch on `collection`.
pub(super) fn check(resource: Resource, collection: &[&str], body: Option<&mut Json>) -> Result<(), CallError> {
    let body = match body {
        Some(Json::Object(body)) => body,
        Some(other) => return Err(refused("the body", other, LISTS_WANTED)),
        None => return Err(invalid(format!("the body is missing: {LISTS_WANTED}"))),
    };
    if let Some(unknown) = body.keys().find(|key| !LISTS.contains(&key.as_str())) {
        return Err(invalid(format!("{unknown} is no list of a batch, WooCommerce would ignore it: {LISTS_WANTED}")));
    }
    let mut items = 0;
    for name in LISTS {
        match body.get(name) {
            None => {}
            Some(Json::Array(list)) => items += list.len() as u64,
            Some(other) => return Err(refused(name, other, "write a list; WooCommerce would ignore anything else")),
        }
    }
    if items > ITEMS_MAX {
        return Err(invalid(format!(
            "the batch has {items} items over all of its lists, and WooCommerce takes at most {ITEMS_MAX}: send it in parts"
        )));
    }
    // Settings and gateways are named by words.
    let ids_are_numbers = collection.first() != Some(&"settings");
    for name in ["create", "update"] {
        for (index, item) in list(body, name).iter_mut().enumerate() {
            changed(resource, name, index, item, ids_are_numbers)?;
        }
    }
    for (index, item) in list(body, "delete").iter().enumerate() {
        deleted(index, item, ids_are_numbers)?;
    }
    Ok(())
}

const LISTS_WANTED: &str = "a batch is a map with the lists `create`, `update` and `delete`";

fn list<'a>(body: &'a mut Map<String, Json>, name: &str) -> &'a mut [Json] {
    body.get_mut(name).and_then(Json::as_array_mut).map_or(&mut [], Vec::as_mut_slice)
}

fn changed(
    resource: Resource,
    name: &str,
    index: usize,
    item: &mut Json,
    ids_are_numbers: bool,
) -> Result<(), CallError> {
    let path = format!("{name}[{index}]");
    let Json::Object(map) = item else { return Err(refused(&path, item, "write a map of fields")) };
    let creates = name == "create";
    let id = map.get("id").filter(|id| !id.is_null());
    match id {
        None if creates => {}
        None => return Err(invalid(format!("{path}.id is missing: it says which object to change"))),
        Some(id) if creates => {
            if value::integer(id) != Some(0) {
                return Err(refused(
                    &format!("{path}.id"),
                    id,
                    "new objects have none yet; existing ones go into `update`",
                ));
            }
        }
        Some(id) => check_id(&format!("{path}.id"), id, ids_are_numbers)?,
    }
    field::check(Place { resource, creates, in_batch: true, prefix: &format!("{path}.") }, map)
}

fn deleted(index: usize, item: &Json, ids_are_numbers: bool) -> Result<(), CallError> {
    let path = format!("delete[{index}]");
    match item {
        Json::Object(map) => match map.get("id") {
            Some(id) => check_id(&format!("{path}.id"), id, ids_are_numbers),
            None => Err(invalid(format!("{path} has no id: write the id of the object to delete"))),
        },
        id => check_id(&path, id, ids_are_numbers),
    }
}

fn check_id(path: &str, id: &Json, ids_are_numbers: bool) -> Result<(), CallError> {
    let good = match id {
        Json::String(text) if !ids_are_numbers => !text.is_empty(),
        id => value::integer(id).is_some_and(|id| id > 0),
    };
    if good { Ok(()) } else { Err(refused(path, id, "write the object's id, a whole number above 0")) }
}
