//! Whether a value is as a test says. The test's value is compared whole, except for members such as `{ $any: true }`.

use rust_decimal::Decimal;
use serde_json::{Map, Number};

use super::{
    judge::{Difference, How},
    pattern::Glob,
};
use crate::{Json, workflow::Span};

/// Keys that make a map with one member a matcher.
pub(super) const MATCHERS: [&str; 3] = ["$any", "$like", "$contains"];
/// Differences of one value that are told.
const MAX_DIFFERENCES: usize = 20;

/// Whether a value is as expected.
pub fn fits(expected: &Json, actual: &Json) -> bool {
    let mut found = Vec::new();
    compare(expected, Some(actual), &mut Place::new("", &(0..0)), &mut found);
    found.is_empty()
}

/// Every place in which a value is not as expected.
pub(super) fn differences(expected: &Json, actual: &Json, at: &str, span: &Span, found: &mut Vec<Difference>) {
    compare(expected, Some(actual), &mut Place::new(at, span), found);
}

/// Where the comparison is.
struct Place<'s> {
    path: String,
    span: &'s Span,
    before: Option<usize>,
}

impl<'s> Place<'s> {
    fn new(path: &str, span: &'s Span) -> Self {
        Self { path: path.to_owned(), span, before: None }
    }

    fn with(&self, part: &str) -> Self {
        Self { path: format!("{}{part}", self.path), span: self.span, before: self.before }
    }

    fn member(&self, key: &str) -> Self {
        let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let dot = if self.path.is_empty() { "" } else { "." };
        if plain { self.with(&format!("{dot}{key}")) } else { self.with(&format!("[{key:?}]")) }
    }
}

fn compare(expected: &Json, actual: Option<&Json>, at: &mut Place<'_>, found: &mut Vec<Difference>) {
    let begun = *at.before.get_or_insert(found.len());
    if found.len() - begun >= MAX_DIFFERENCES {
        return;
    }
    if let Some((matcher, wanted)) = matcher(expected) {
        return matches(matcher, wanted, actual, at, found);
    }
    let Some(actual) = actual else { return differs(show(expected), "nothing".into(), at, found) };
    match (expected, actual) {
        (Json::Object(wanted), Json::Object(there)) => {
            for (key, value) in wanted {
                compare(value, there.get(key), &mut at.member(key), found);
            }
            for (key, value) in there.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
                differs("nothing".into(), show(value), &at.member(key), found);
            }
        }
        (Json::Array(wanted), Json::Array(there)) => {
            for (index, value) in wanted.iter().enumerate() {
                compare(value, there.get(index), &mut at.with(&format!("[{index}]")), found);
            }
            for (index, value) in there.iter().enumerate().skip(wanted.len()) {
                differs("nothing".into(), show(value), &at.with(&format!("[{index}]")), found);
            }
        }
        (Json::Number(wanted), Json::Number(there)) if same_number(wanted, there) => {}
        (wanted, there) if wanted == there => {}
        (wanted, there) => differs(show(wanted), show(there), at, found),
    }
}

/// The matcher that a value is, if it is one.
fn matcher(value: &Json) -> Option<(&str, &Json)> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    let (key, wanted) = map.iter().next()?;
    MATCHERS.contains(&key.as_str()).then_some((key.as_str(), wanted))
}

fn matches(matcher: &str, wanted: &Json, actual: Option<&Json>, at: &Place<'_>, found: &mut Vec<Difference>) {
    let Some(actual) = actual else {
        return differs(format!("something that fits {matcher}"), "nothing".into(), at, found);
    };
    match (matcher, wanted, actual) {
        ("$like", Json::String(glob), Json::String(text)) if Glob::new(glob.as_str()).fits(text) => {}
        ("$like", ..) => differs(format!("a text like {wanted}"), show(actual), at, found),
        ("$contains", Json::Object(members), Json::Object(there)) => {
            for (key, value) in members {
                compare(value, there.get(key), &mut at.member(key), found);
            }
        }
        ("$contains", Json::Array(items), Json::Array(there)) => {
            for item in items.iter().filter(|item| !there.iter().any(|one| fits(item, one))) {
                differs(format!("an item {}", show(item)), show(actual), at, found);
            }
        }
        ("$contains", ..) => differs(format!("something that contains {}", show(wanted)), show(actual), at, found),
        _ => {}
    }
}

fn differs(expected: String, actual: String, at: &Place<'_>, found: &mut Vec<Difference>) {
    let how = How::Value { expected, actual };
    found.push(Difference { at: at.path.clone(), span: at.span.clone(), how });
}

fn show(value: &Json) -> String {
    value.to_string()
}

/// `1`, `1.0` and `1e0` are one number.
fn same_number(a: &Number, b: &Number) -> bool {
    a == b || number_text(a) == number_text(b)
}

fn number_text(number: &Number) -> String {
    let text = number.to_string();
    let decimal = Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text));
    decimal.map_or(text, |decimal| decimal.normalize().to_string())
}

/// The same value with numbers in one form, for texts that are compared.
pub fn canonical(value: &Json) -> Json {
    match value {
        Json::Number(number) => number_text(number).parse().map_or_else(|_| value.clone(), Json::Number),
        Json::Array(items) => items.iter().map(canonical).collect(),
        Json::Object(map) => Json::Object(map.iter().map(|(key, value)| (key.clone(), canonical(value))).collect()),
        other => other.clone(),
    }
}

/// Headers by their names in lower case.
pub(super) fn lower(headers: &Map<String, Json>) -> Map<String, Json> {
    headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(expected: &Json, actual: &Json) -> Vec<String> {
        let mut found = Vec::new();
        differences(expected, actual, "body", &(0..0), &mut found);
        found.iter().map(ToString::to_string).collect()
    }

    fn number(text: &str) -> Json {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn numbers_are_compared_by_value_and_texts_are_no_numbers() {
        for (a, b) in [("1", "1.0"), ("0.10", "0.1"), ("1e2", "100"), ("-0", "0")] {
            assert!(fits(&number(a), &number(b)), "{a} and {b}");
        }
        for (a, b) in
            [(json!(1), json!("1")), (json!(1), json!(2)), (json!(null), json!(false)), (json!({}), json!([]))]
        {
            assert!(!fits(&a, &b), "{a} and {b}");
        }
        assert_eq!(canonical(&number("[1.0, {\"a\": 2.50}]")), number("[1, {\"a\": 2.5}]"));
    }

    #[test]
    fn every_difference_is_told_with_its_place() {
        let expected = json!({ "a": 1, "b": [1, 2], "c d": true, "gone": null });
        let actual = json!({ "a": 2, "b": [1, 3, 4], "c d": false, "more": 1 });
        assert_eq!(
            told(&expected, &actual),
            [
                "body.a: expected 1, got 2",
                "body.b[1]: expected 2, got 3",
                "body.b[2]: expected nothing, got 4",
                "body[\"c d\"]: expected true, got false",
                "body.gone: expected null, got nothing",
                "body.more: expected nothing, got 1",
            ]
        );
        let many: Json = (0..100).collect();
        let others: Json = (100..200).collect();
        assert_eq!(told(&many, &others).len(), MAX_DIFFERENCES);
    }

    #[test]
    fn matchers_stand_for_what_is_not_known() {
        assert!(fits(&json!({ "id": { "$any": true } }), &json!({ "id": 7 })));
        assert!(!fits(&json!({ "id": { "$any": true } }), &json!({})));
        assert!(fits(&json!({ "$like": "Order * paid" }), &json!("Order 7 is paid")));
        assert!(!fits(&json!({ "$like": "Order *" }), &json!(7)));
        assert!(fits(&json!({ "$contains": { "a": { "$any": true } } }), &json!({ "a": 1, "b": 2 })));
        assert!(fits(&json!({ "$contains": [{ "id": 2 }] }), &json!([{ "id": 1 }, { "id": 2 }])));
        assert!(!fits(&json!({ "$contains": [3] }), &json!([1, 2])));
        assert!(!fits(&json!({ "$contains": [3] }), &json!("3")));
        // A map with more members is a map.
        assert!(fits(&json!({ "$any": 1, "x": 2 }), &json!({ "$any": 1, "x": 2 })));
    }
}
