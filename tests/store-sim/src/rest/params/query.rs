//! Queries and form bodies as PHP reads them: `a[]=1`, `a[0]=1` and `a[b]=c` make arrays.

use serde_json::{Map, Value};

/// Nesting PHP itself allows by default.
const MAX_NESTING: usize = 64;

/// `$_GET` of a query, `$_POST` of a form body.
pub fn read_pairs(query: &[u8]) -> Map<String, Value> {
    let mut values = Map::new();
    for (name, value) in url::form_urlencoded::parse(query) {
        let (head, keys) = split_name(&name);
        if !head.is_empty() {
            insert(&mut values, head, &keys, value.into_owned());
        }
    }
    values.into_iter().map(|(name, value)| (name, listed(value))).collect()
}

/// `a[b][]` is `a`, `["b", ""]`. What follows an unclosed bracket is lost.
fn split_name(name: &str) -> (&str, Vec<&str>) {
    let Some(open) = name.find('[') else {
        return (name, Vec::new());
    };
    let (head, mut rest) = name.split_at(open);
    let mut keys = Vec::new();
    while let Some(inner) = rest.strip_prefix('[')
        && let Some(close) = inner.find(']')
        && keys.len() < MAX_NESTING
    {
        keys.push(&inner[..close]);
        rest = &inner[close + 1..];
    }
    (head, keys)
}

fn insert(into: &mut Map<String, Value>, name: &str, keys: &[&str], value: String) {
    let name = if name.is_empty() { next_index(into) } else { name.to_owned() };
    let Some((key, deeper)) = keys.split_first() else {
        into.insert(name, Value::String(value));
        return;
    };
    let slot = into.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    if let Value::Object(inner) = slot {
        insert(inner, key, deeper, value);
    }
}

fn next_index(into: &Map<String, Value>) -> String {
    into.keys().filter_map(|key| key.parse::<u64>().ok()).max().map_or(0, |last| last + 1).to_string()
}

/// An object whose keys are 0, 1, 2 … is a list.
fn listed(value: Value) -> Value {
    let Value::Object(inner) = value else {
        return value;
    };
    let mut items: Vec<(String, Value)> = inner.into_iter().map(|(key, value)| (key, listed(value))).collect();
    items.sort_by_key(|(key, _)| key.parse::<u64>().unwrap_or(u64::MAX));
    if items.iter().enumerate().all(|(at, (key, _))| *key == at.to_string()) {
        Value::Array(items.into_iter().map(|(_, value)| value).collect())
    } else {
        Value::Object(items.into_iter().collect())
    }
}

/// `wp_parse_list`: what commas and spaces separate.
pub fn wp_list(value: &Value) -> Vec<Value> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let parts = text.split([',', ' ', '\t', '\n', '\r']).filter(|part| !part.is_empty());
    parts.map(|part| Value::String(part.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_queries_as_php_does() {
        let check =
            |query: &str, expect: Value| assert_eq!(Value::Object(read_pairs(query.as_bytes())), expect, "{query}");
        check("a=1&b=x%20y&a=2", json!({"a": "2", "b": "x y"}));
        check("s[]=p&s[]=q", json!({"s": ["p", "q"]}));
        check("s[1]=q&s[0]=p", json!({"s": ["p", "q"]}));
        check("o[k][x]=1&o[k][y]=2", json!({"o": {"k": {"x": "1", "y": "2"}}}));
        check("", json!({}));
        check("a[=1&=2&a", json!({"a": ""}));
    }

    #[test]
    fn lists_come_from_commas_and_spaces() {
        assert_eq!(wp_list(&json!("1, 2 3,,")), [json!("1"), json!("2"), json!("3")]);
        assert_eq!(wp_list(&json!(7)), [json!("7")]);
    }
}
