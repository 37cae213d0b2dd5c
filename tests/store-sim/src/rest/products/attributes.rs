//! Attributes of a product: of the shop (by id, with terms) or its own (by name).

use serde_json::{Value, json};

use super::super::params::{php_int, php_text, to_bool};
use super::super::slug::slugged;
use crate::state::{Kind, Object, Sequence, State};

/// The attributes of a product after an update that sent these. Unknown ids vanish; unknown terms come to be.
pub(in crate::rest) fn resolved(state: &mut State, sent: &[Value]) -> Vec<Value> {
    sent.iter().filter_map(|attribute| one(state, attribute)).collect()
}

fn one(state: &mut State, sent: &Value) -> Option<Value> {
    let id = sent.get("id").map_or(0, php_int);
    let mut options = options(sent);
    let (name, slug) = if id > 0 {
        let attribute = state.get(Kind::Attribute, id.unsigned_abs())?;
        (attribute.text("name").to_owned(), attribute.text("slug").to_owned())
    } else {
        let name = sent.get("name").map(php_text).filter(|name| !name.is_empty())?;
        (name.clone(), name)
    };
    if id > 0 {
        options.iter().for_each(|option| ensure_term(state, id.unsigned_abs(), option));
        options.sort();
    }
    if options.is_empty() {
        return None;
    }
    let flag = |field: &str| sent.get(field).is_some_and(to_bool);
    Some(json!({
        "id": id, "name": name, "slug": slug, "position": sent.get("position").map_or(0, php_int),
        "visible": flag("visible"), "variation": flag("variation"), "options": options,
    }))
}

/// `["S", "M"]` or `"S|M"`.
fn options(sent: &Value) -> Vec<String> {
    match &sent["options"] {
        Value::Array(options) => options.iter().map(php_text).collect(),
        Value::String(text) => text.split('|').map(|option| option.trim().to_owned()).collect(),
        _ => Vec::new(),
    }
}

fn ensure_term(state: &mut State, attribute: u64, name: &str) {
    if term(state, attribute, name).is_some() {
        return;
    }
    let id = state.next_id(Sequence::Term);
    let fields = json!({"name": name, "slug": slugged(name), "description": "", "menu_order": 0});
    let fields = fields.as_object().cloned().unwrap_or_default();
    state.put(Kind::AttributeTerm, Object { id, parent: attribute, fields, ..Object::default() });
}

/// A term of an attribute by name or slug.
pub(in crate::rest) fn term<'a>(state: &'a State, attribute: u64, name: &str) -> Option<&'a Object> {
    let slug = slugged(name);
    let fits = |term: &&Object| term.parent == attribute && (term.text("name") == name || term.text("slug") == slug);
    state.table(Kind::AttributeTerm).values().find(fits)
}

/// What a variable product shows chosen at first: a term's slug, or an own attribute's option.
pub(super) fn defaults(state: &State, sent: &[Value]) -> Vec<Value> {
    let chosen = sent.iter().filter_map(|attribute| {
        let id = attribute.get("id").map_or(0, php_int);
        let option = attribute.get("option").map(php_text).filter(|option| !option.is_empty())?;
        if id > 0 {
            let name = state.get(Kind::Attribute, id.unsigned_abs())?.text("name").to_owned();
            return Some(json!({"id": id, "name": name, "option": slugged(&option)}));
        }
        Some(json!({"id": 0, "name": attribute.get("name").map(php_text)?, "option": option}))
    });
    chosen.collect()
}

/// What a variation stands for: `[{"id": 1, "name": "Size", "slug": "pa_size", "option": "S"}]`.
pub(in crate::rest) fn of_variation(state: &State, sent: &[Value]) -> Vec<Value> {
    let chosen = sent.iter().filter_map(|attribute| {
        let id = attribute.get("id").map_or(0, php_int);
        let option = attribute.get("option").map(php_text).unwrap_or_default();
        if id > 0 {
            let known = state.get(Kind::Attribute, id.unsigned_abs())?;
            let option = term(state, known.id, &option).map_or(option.clone(), |term| term.text("name").to_owned());
            return Some(json!({"id": id, "name": known.text("name"), "slug": known.text("slug"), "option": option}));
        }
        let name = attribute.get("name").map(php_text).filter(|name| !name.is_empty())?;
        Some(json!({"id": 0, "name": name, "slug": slugged(&name), "option": option}))
    });
    chosen.collect()
}
