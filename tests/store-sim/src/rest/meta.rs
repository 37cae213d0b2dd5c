//! `meta_data` of products, orders, coupons and customers: merged by id, else by key; null deletes.

use serde_json::{Value, json};

use super::args::{Arg, Is};
use crate::state::{Sequence, State};

/// The argument.
pub const ARG: Arg = Arg::new(
    "meta_data",
    Is::List(&Is::Object(&[Arg::new("id", Is::Int), Arg::new("key", Is::Text), Arg::new("value", Is::Mixed)])),
);

/// The list after an update with what was sent.
pub fn merged(state: &mut State, known: Option<&Value>, sent: &[Value]) -> Value {
    let mut list: Vec<Value> = known.and_then(Value::as_array).cloned().unwrap_or_default();
    for entry in sent {
        let key = entry["key"].as_str().unwrap_or_default();
        let id = entry.get("id").and_then(super::params::to_int).filter(|id| *id != 0);
        let found = match id {
            Some(id) => list.iter().position(|known| known["id"].as_i64() == Some(id)),
            None => list.iter().position(|known| known["key"].as_str() == Some(key)),
        };
        let value = entry.get("value").cloned().unwrap_or_default();
        match found {
            Some(at) if value.is_null() => {
                list.remove(at);
            }
            Some(at) => {
                list[at]["value"] = value;
                if !key.is_empty() {
                    list[at]["key"] = json!(key);
                }
            }
            None if value.is_null() || key.is_empty() => {}
            None => list.push(json!({"id": state.next_id(Sequence::Meta), "key": key, "value": value})),
        }
    }
    Value::Array(list)
}

/// Whether a list of meta data has this key with this value.
pub fn has(list: Option<&Value>, key: &str, value: &str) -> bool {
    let entries = list.and_then(Value::as_array);
    entries.is_some_and(|entries| entries.iter().any(|entry| entry["key"] == key && entry["value"] == value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_added_changed_and_removed() {
        let mut state = State::new();
        let first =
            merged(&mut state, None, &[json!({"key": "a", "value": 1}), json!({"key": "b", "value": {"x": []}})]);
        assert_eq!(first, json!([{"id": 1, "key": "a", "value": 1}, {"id": 2, "key": "b", "value": {"x": []}}]));
        let sent = [json!({"key": "a", "value": "2"}), json!({"id": 2, "value": null}), json!({"key": "c"}), json!(7)];
        let second = merged(&mut state, Some(&first), &sent);
        assert_eq!(second, json!([{"id": 1, "key": "a", "value": "2"}]));
        assert!(has(Some(&second), "a", "2"));
    }
}
