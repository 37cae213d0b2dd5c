//! Whether an answer of the look-alike is what the recorded shop answered. The rules, in the order in which they bite:
//!
//! 1. Status and the headers of `HEADERS` are equal; a header that is absent in one is absent in the other. `Link` is
//!    compared by relation, path and query, whatever the order of parameters.
//! 2. An error (an object with `code`, `message`, `data`) has the same code and the same `data`: keys, types, and
//!    values but for texts.
//! 3. Other JSON has the same shape: the same keys in every object, as many elements in every list (but for
//!    `RANDOM_LISTS`), the same JSON type everywhere. `null` is a type of its own: where the recorded shop says `null`
//!    the look-alike does too, and nowhere else. Whole and broken numbers are different types.
//! 4. Values are equal, but for `FREE`: what a shop makes up (keys, ids of rows), what depends on the second
//!    (dates: the format is compared), and messages; and but for the words of settings forms (`WORDS`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use url::Url;

/// Headers that a client may rest on.
const HEADERS: &[&str] =
    &["content-type", "x-wp-total", "x-wp-totalpages", "link", "location", "allow", "retry-after", "cache-control"];

/// Their values are the shop's own: only the type is compared. By the last name in a path.
const FREE: &[(&str, &str)] = &[
    ("message", "text"),
    ("price_html", "HTML"),
    ("order_key", "random"),
    ("payment_url", "holds the order's key"),
    ("avatar_url", "a hash at a foreign service"),
    ("related_ids", "random"),
];

/// What WooCommerce's forms say to people: compared by type where `Values::OwnWords` says so.
const WORDS: &[&str] = &["description", "method_description", "method_title", "title", "label", "tip", "placeholder"];

/// Paths under which rows are numbered by the shop's own tables.
const ROW_IDS: &[&str] = &[
    "meta_data[].id",
    "line_items[].id",
    "tax_lines[].id",
    "shipping_lines[].id",
    "fee_lines[].id",
    "coupon_lines[].id",
];

/// Under these an answer lists what the shop chose or counted otherwise: only elements' shapes are compared.
const RANDOM_LISTS: &[&str] = &["related_ids"];

/// Below this stand choices offered to a person, by their value: the look-alike has some of the recorded ones, and
/// its own words for them.
const CHOICES: &str = "options";

/// Ids of rows as recorded, and as the look-alike numbered them.
pub(crate) type Rows = BTreeMap<u64, u64>;

/// What differs, one line each: path, what was recorded, what came.
#[derive(Debug, Default)]
pub(crate) struct Differences(pub(crate) Vec<String>);

/// One answer, recorded or the look-alike's.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    /// Its status.
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// As sent.
    pub(crate) body: Vec<u8>,
}

/// What a comparison does with the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// They have to be equal.
    Equal,
    /// They have to be equal, but for the words of forms and the choices these offer, which are the look-alike's own.
    OwnWords,
    /// Only types are compared, and lists as far as both go: what is behind it was not made by recorded requests.
    TypesOnly,
}

/// Compares two answers; learns which row ids stand for which.
pub(crate) fn compare(recorded: &Side, ours: &Side, values: Values, rows: &mut Rows) -> Differences {
    let mut found = Differences::default();
    if recorded.status != ours.status {
        let body: String = String::from_utf8_lossy(&ours.body).chars().take(300).collect();
        found.note("status", recorded.status, format!("{} {body}", ours.status));
        return found;
    }
    for name in HEADERS {
        headers(name, recorded.headers.get(*name), ours.headers.get(*name), &mut found);
    }
    match (json(&recorded.body), json(&ours.body)) {
        (Some(recorded), Some(ours)) => Walk { values, rows, found: &mut found }.value("", &recorded, &ours),
        (None, None) if recorded.body.is_empty() == ours.body.is_empty() => {}
        (recorded, ours) => found.note("body", describe(recorded.as_ref()), describe(ours.as_ref())),
    }
    found
}

impl Differences {
    fn note(&mut self, path: &str, recorded: impl std::fmt::Display, ours: impl std::fmt::Display) {
        let ours: String = ours.to_string().chars().take(400).collect();
        self.0.push(format!("{path}: recorded {recorded}, here {ours}"));
    }
}

fn json(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

fn describe(value: Option<&Value>) -> &'static str {
    if value.is_some() { "JSON" } else { "no JSON" }
}

fn headers(name: &str, recorded: Option<&String>, ours: Option<&String>, found: &mut Differences) {
    let equal = match (recorded, ours) {
        (Some(recorded), Some(ours)) if name == "link" => links(recorded) == links(ours),
        (recorded, ours) => recorded == ours,
    };
    if !equal {
        let show = |side: Option<&String>| side.cloned().unwrap_or_else(|| "nothing".to_owned());
        found.note(name, show(recorded), show(ours));
    }
}

/// Relation, address without query, and the query as a set.
type Link = (String, String, BTreeSet<(String, String)>);

fn links(header: &str) -> BTreeSet<Link> {
    let parse = |part: &str| {
        let (address, relation) = part.split_once('>')?;
        let mut address = Url::parse(address.trim().trim_start_matches('<')).ok()?;
        let query = address.query_pairs().into_owned().collect();
        address.set_query(None);
        Some((relation.trim_start_matches(';').trim().to_owned(), address.to_string(), query))
    };
    header.split(", <").filter_map(parse).collect()
}

struct Walk<'a> {
    values: Values,
    rows: &'a mut Rows,
    found: &'a mut Differences,
}

impl Walk<'_> {
    fn value(&mut self, path: &str, recorded: &Value, ours: &Value) {
        match (recorded, ours) {
            (Value::Object(recorded), Value::Object(ours)) => {
                let names: BTreeSet<&String> = recorded.keys().chain(ours.keys()).collect();
                let choices = self.values == Values::OwnWords && in_choices(path) && !ours.is_empty();
                for name in names {
                    if choices && !ours.contains_key(name) {
                        continue;
                    }
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    match (recorded.get(name), ours.get(name)) {
                        (Some(recorded), Some(ours)) => self.value(&path, recorded, ours),
                        (Some(recorded), None) => self.found.note(&path, kind(recorded), "absent"),
                        (None, Some(ours)) => self.found.note(&path, "absent", kind(ours)),
                        (None, None) => {}
                    }
                }
            }
            (Value::Array(recorded), Value::Array(ours)) => self.list(path, recorded, ours),
            (recorded, ours) if kind(recorded) != kind(ours) => {
                self.found.note(path, format!("{} {recorded}", kind(recorded)), format!("{} {ours}", kind(ours)));
            }
            (recorded, ours) => self.scalar(path, recorded, ours),
        }
    }

    fn list(&mut self, path: &str, recorded: &[Value], ours: &[Value]) {
        let inner = format!("{path}[]");
        let random = RANDOM_LISTS.contains(&last(path)) || self.values == Values::TypesOnly;
        if recorded.len() != ours.len() && !random {
            let ids =
                |list: &[Value]| list.iter().take(40).map(|one| one["id"].to_string()).collect::<Vec<_>>().join(" ");
            let (recorded, ours) = ((recorded.len(), ids(recorded)), (ours.len(), ids(ours)));
            self.found.note(&inner, format!("{recorded:?}"), format!("{ours:?}"));
        }
        for (recorded, ours) in recorded.iter().zip(ours) {
            self.value(&inner, recorded, ours);
        }
    }

    /// Texts in `data.params` are made for people too.
    fn free(&self, path: &str) -> bool {
        let words = self.values == Values::OwnWords && (WORDS.contains(&last(path)) || in_choices(path));
        words || path.contains("data.params.") || FREE.iter().any(|(name, _)| *name == last(path))
    }

    fn scalar(&mut self, path: &str, recorded: &Value, ours: &Value) {
        if ROW_IDS.iter().any(|rows| path.ends_with(rows)) {
            if let (Some(recorded), Some(ours)) = (recorded.as_u64(), ours.as_u64()) {
                self.rows.insert(recorded, ours);
            }
        } else if let (Some(recorded), Some(ours)) = (date(recorded), date(ours)) {
            if recorded != ours {
                self.found.note(path, recorded, ours);
            }
        } else if self.values != Values::TypesOnly && !self.free(path) && recorded != ours {
            self.found.note(path, recorded, ours);
        }
    }
}

fn in_choices(path: &str) -> bool {
    path.split('.').any(|name| name == CHOICES)
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or_default().trim_end_matches("[]")
}

/// The format of a date, when it is one.
fn date(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let digits = |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    let format = digits(text);
    ["0000-00-00T00:00:00", "0000-00-00 00:00:00", "0000-00-00"]
        .iter()
        .any(|known| format.starts_with(known))
        .then_some(format)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() || number.is_i64() => "whole number",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differ(recorded: &Value, ours: &Value) -> usize {
        let side = |body: &Value| Side { status: 200, headers: BTreeMap::new(), body: body.to_string().into_bytes() };
        compare(&side(recorded), &side(ours), Values::Equal, &mut Rows::new()).0.len()
    }

    #[test]
    fn a_conforming_body_may_differ_only_where_a_shop_is_free() {
        let recorded =
            json!({"id": 1, "order_key": "a", "date_created": "2026-11-21T01:15:54", "meta_data": [{"id": 7}]});
        let ours = json!({"id": 1, "order_key": "b", "date_created": "2027-01-02T03:04:05", "meta_data": [{"id": 9}]});
        assert_eq!(differ(&recorded, &ours), 0);
        for wrong in [
            json!({"id": 2, "order_key": "a", "date_created": "2026-11-21T01:15:54", "meta_data": [{"id": 7}]}),
            json!({"id": "1", "order_key": "a", "date_created": "2026-11-21T01:15:54", "meta_data": [{"id": 7}]}),
            json!({"id": 1, "order_key": null, "date_created": "2026-11-21T01:15:54", "meta_data": [{"id": 7}]}),
            json!({"id": 1, "order_key": "a", "date_created": "2026-11-21", "meta_data": [{"id": 7}]}),
            json!({"id": 1, "order_key": "a", "date_created": "2026-11-21T01:15:54", "meta_data": []}),
            json!({"id": 1, "order_key": "a", "meta_data": [{"id": 7}]}),
            json!({"id": 1, "order_key": "a", "date_created": "2026-11-21T01:15:54", "meta_data": [{"id": 7, "x": 1}]}),
        ] {
            assert_eq!(differ(&recorded, &wrong), 1, "{wrong}");
        }
    }

    #[test]
    fn whole_and_broken_numbers_are_different_types() {
        assert_eq!(differ(&json!({"price": 10}), &json!({"price": 10.5})), 1);
    }

    #[test]
    fn links_are_equal_whatever_the_order_of_their_parameters() {
        let one = "<https://a/x?p=1&page=2>; rel=\"prev\", <https://a/x?p=1&page=4>; rel=\"next\"";
        let same = "<https://a/x?page=2&p=1>; rel=\"prev\", <https://a/x?page=4&p=1>; rel=\"next\"";
        assert_eq!(links(one).len(), 2);
        assert_eq!(links(one), links(same));
        assert_ne!(links(one), links("<https://a/x?page=2&p=1>; rel=\"prev\""));
    }
}
