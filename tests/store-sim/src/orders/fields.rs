//! Reading and writing the JSON objects an order consists of: lines, taxes, meta data.

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::decimal;

/// A JSON object.
pub type Fields = Map<String, Value>;

/// The object in `value`, empty when it is something else.
pub fn object(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}

/// A text; empty when absent or no text.
pub fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number, also one written as text; 0 when absent or neither.
pub fn int(fields: &Fields, name: &str) -> i64 {
    fields.get(name).map_or(0, as_int)
}

/// An id; 0 when absent, negative or no number.
pub fn id(fields: &Fields, name: &str) -> u64 {
    u64::try_from(int(fields, name)).unwrap_or_default()
}

/// What PHP's `absint`-like reading makes of a value.
pub fn as_int(value: &Value) -> i64 {
    match value {
        Value::Number(number) => number.as_i64().unwrap_or_else(|| {
            number.to_string().split('.').next().and_then(|whole| whole.parse().ok()).unwrap_or_default()
        }),
        Value::String(text) => text.trim().parse().unwrap_or_default(),
        Value::Bool(true) => 1,
        _ => 0,
    }
}

/// An amount; 0 when absent or unreadable.
pub fn amount(fields: &Fields, name: &str) -> Decimal {
    fields.get(name).and_then(decimal::read).unwrap_or_default()
}

/// The objects of a list; none when absent or no list.
pub fn list<'a>(fields: &'a Fields, name: &str) -> impl Iterator<Item = &'a Fields> {
    fields.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// The objects of a list, to change them.
pub fn list_mut<'a>(fields: &'a mut Fields, name: &str) -> impl Iterator<Item = &'a mut Fields> {
    fields.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// Appends to a list, which comes into being where there was none.
pub fn push(fields: &mut Fields, name: &str, item: Fields) {
    if let Value::Array(list) = fields.entry(name).or_insert_with(|| json!([])) {
        list.push(Value::Object(item));
    }
}

/// Keeps an amount exactly.
pub fn set_amount(fields: &mut Fields, name: &str, amount: Decimal) {
    fields.insert(name.to_owned(), Value::String(amount.normalize().to_string()));
}

/// Whether a value of the list with this id exists.
pub fn by_id<'a>(fields: &'a mut Fields, name: &str, wanted: u64) -> Option<&'a mut Fields> {
    list_mut(fields, name).find(|item| id(item, "id") == wanted)
}

/// The value of a meta entry.
pub fn meta<'a>(fields: &'a Fields, key: &str) -> Option<&'a Value> {
    list(fields, "meta_data").find(|entry| text(entry, "key") == key).and_then(|entry| entry.get("value"))
}

/// Sets a meta entry, or removes it (`None`).
pub fn set_meta(fields: &mut Fields, key: &str, value: Option<Value>, new_id: impl FnOnce() -> u64) {
    let entries = fields.entry("meta_data").or_insert_with(|| json!([]));
    let Value::Array(entries) = entries else { return };
    let position = entries.iter().position(|entry| entry["key"] == key);
    match (position, value) {
        (Some(at), Some(value)) => entries[at]["value"] = value,
        (Some(at), None) => drop(entries.remove(at)),
        (None, Some(value)) => entries.push(json!({"id": new_id(), "key": key, "value": value})),
        (None, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_numbers_and_texts_and_are_zero_otherwise() {
        let fields = object(json!({"a": 7, "b": "8", "c": "x", "d": -1, "e": 2.9}));
        assert_eq!(["a", "b", "c", "e", "f"].map(|name| int(&fields, name)), [7, 8, 0, 2, 0]);
        assert_eq!(id(&fields, "d"), 0);
    }

    #[test]
    fn meta_entries_are_set_changed_and_removed_by_key() {
        let mut fields = Fields::new();
        set_meta(&mut fields, "k", Some(json!(1)), || 5);
        set_meta(&mut fields, "k", Some(json!(2)), || 6);
        assert_eq!(fields["meta_data"], json!([{"id": 5, "key": "k", "value": 2}]));
        set_meta(&mut fields, "k", None, || 7);
        assert_eq!(meta(&fields, "k"), None);
    }
}
