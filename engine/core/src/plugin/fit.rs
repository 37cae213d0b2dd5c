//! Whether what a step gives can fit a function's input schema: asked before any run, of the parts that are written
//! literally. What an expression gives is checked when it is known, against the whole schema.

use std::collections::BTreeSet;

use crate::{
    Json,
    workflow::{Template, nearest},
};

/// `$ref`s followed inside of one schema before it is taken as anything.
const MAX_REFERENCES: usize = 16;

/// A part of a step's `with` that cannot fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Where in `with`: keys, and indices of lists as text.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// The right word, where one is near.
    pub did_you_mean: Option<String>,
    /// It may be meant: the schema does not forbid it.
    pub maybe: bool,
}

/// Everything in `with` that cannot fit the schema.
pub fn misfits(schema: &Json, with: &Template) -> Vec<Misfit> {
    let mut found = Vec::new();
    Fit { root: schema, found: &mut found }.template(schema, with, &[]);
    // Maps of JSON have no order of their own.
    found.sort_by(|a, b| (&a.path, &a.message).cmp(&(&b.path, &b.message)));
    found
}

struct Fit<'f> {
    root: &'f Json,
    found: &'f mut Vec<Misfit>,
}

impl<'f> Fit<'f> {
    fn template(&mut self, schema: &'f Json, with: &Template, path: &[String]) {
        let Some(schema) = resolve(self.root, schema) else { return };
        match with {
            Template::Literal(value) => self.literal(schema, value, path),
            Template::Expression(_) => {}
            Template::Text(_) => self.kind(schema, "string", "a text", path),
            Template::List(items) => {
                self.kind(schema, "array", "a list", path);
                if let Some(of) = schema.get("items") {
                    for (at, item) in items.iter().enumerate() {
                        self.template(of, item, &below(path, &at.to_string()));
                    }
                }
            }
            Template::Map(entries) => {
                self.kind(schema, "object", "a map", path);
                self.keys(schema, entries.keys().map(String::as_str).collect(), path);
                for (key, value) in entries {
                    if let Some(of) = property(schema, key) {
                        self.template(of, value, &below(path, key));
                    }
                }
            }
        }
    }

    fn literal(&mut self, schema: &'f Json, value: &Json, path: &[String]) {
        let Some(schema) = resolve(self.root, schema) else { return };
        let (kind, shown) = match value {
            Json::Null => ("null", "nothing"),
            Json::Bool(_) => ("boolean", "true or false"),
            Json::Number(number) if number.is_i64() || number.is_u64() => ("integer", "a whole number"),
            Json::Number(_) => ("number", "a number"),
            Json::String(_) => ("string", "a text"),
            Json::Array(_) => ("array", "a list"),
            Json::Object(_) => ("object", "a map"),
        };
        self.kind(schema, kind, shown, path);
        if let Some(Json::Array(allowed)) = schema.get("enum")
            && !allowed.contains(value)
        {
            let words: Vec<String> = allowed.iter().take(20).map(Json::to_string).collect();
            let did_you_mean = value.as_str().and_then(|text| nearest(text, allowed.iter().filter_map(Json::as_str)));
            let message = format!("{} must be one of {}", named(path), words.join(", "));
            self.found.push(Misfit {
                path: path.to_owned(),
                message,
                did_you_mean: did_you_mean.map(str::to_owned),
                maybe: false,
            });
        }
        match value {
            Json::Object(map) => {
                self.keys(schema, map.keys().map(String::as_str).collect(), path);
                for (key, value) in map {
                    if let Some(of) = property(schema, key) {
                        self.literal(of, value, &below(path, key));
                    }
                }
            }
            Json::Array(items) => {
                if let Some(of) = schema.get("items") {
                    for (at, item) in items.iter().enumerate() {
                        self.literal(of, item, &below(path, &at.to_string()));
                    }
                }
            }
            _ => {}
        }
    }

    fn kind(&mut self, schema: &Json, kind: &str, shown: &str, path: &[String]) {
        let fits = |wanted: &str| wanted == kind || wanted == "number" && kind == "integer";
        let wanted: Vec<&str> = match schema.get("type") {
            Some(Json::String(one)) => vec![one],
            Some(Json::Array(many)) => many.iter().filter_map(Json::as_str).collect(),
            _ => return,
        };
        if wanted.iter().any(|wanted| fits(wanted)) {
            return;
        }
        let words: Vec<&str> = wanted.iter().map(|kind| word(kind)).collect();
        let message = format!("{} must be {}, but this is {shown}", named(path), words.join(" or "));
        self.found.push(Misfit { path: path.to_owned(), message, did_you_mean: None, maybe: false });
    }

    fn keys(&mut self, schema: &Json, given: BTreeSet<&str>, path: &[String]) {
        let required = schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
        let mut missing = Vec::new();
        for key in required.filter(|key| !given.contains(key)) {
            missing.push(key);
            let message = format!("{} is missing", named(&below(path, key)));
            self.found.push(Misfit { path: path.to_owned(), message, did_you_mean: None, maybe: false });
        }
        let Some(Json::Object(properties)) = schema.get("properties") else { return };
        let closed = schema.get("additionalProperties") == Some(&Json::Bool(false));
        let open = schema.get("additionalProperties").is_some() && !closed || schema.get("patternProperties").is_some();
        for key in given.into_iter().filter(|key| !properties.contains_key(*key)) {
            let near = nearest(key, properties.keys().map(String::as_str));
            // A schema that says nothing of other keys lets them pass; a slip is told all the same.
            if closed || !open && near.is_some() {
                let message = format!("the plugin knows no {}", named(&below(path, key)));
                let did_you_mean = near.map(str::to_owned);
                self.found.push(Misfit { path: below(path, key), message, did_you_mean, maybe: !closed });
            }
        }
    }
}

/// `lines[0].sku`, for people.
fn named(path: &[String]) -> String {
    let mut text = String::new();
    for part in path {
        match part.parse::<usize>() {
            Ok(at) => text.push_str(&format!("[{at}]")),
            Err(_) if text.is_empty() => text.push_str(part),
            Err(_) => text.push_str(&format!(".{part}")),
        }
    }
    if text.is_empty() { "`with`".to_owned() } else { format!("`{text}`") }
}

fn below(path: &[String], key: &str) -> Vec<String> {
    path.iter().cloned().chain([key.to_owned()]).collect()
}

fn word(kind: &str) -> &str {
    match kind {
        "null" => "nothing",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "array" => "a list",
        "object" => "a map",
        other => other,
    }
}

/// The schema of a key, where it is named.
pub(crate) fn property<'s>(schema: &'s Json, key: &str) -> Option<&'s Json> {
    schema.get("properties")?.get(key)
}

/// A schema with its reference followed; `None`: it says nothing that is looked at here.
pub(crate) fn resolve<'s>(root: &'s Json, schema: &'s Json) -> Option<&'s Json> {
    let mut schema = schema;
    for _ in 0..MAX_REFERENCES {
        match schema.get("$ref").and_then(Json::as_str) {
            None => return schema.is_object().then_some(schema),
            Some("#") => schema = root,
            Some(reference) => schema = root.pointer(reference.strip_prefix('#')?)?,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(schema: &Json, value: Json) -> Vec<String> {
        misfits(schema, &Template::Literal(value)).into_iter().map(|one| one.message).collect()
    }

    #[test]
    fn literal_values_are_held_against_the_schema() {
        let schema = json!({
            "type": "object", "required": ["total"], "additionalProperties": false,
            "properties": { "total": { "type": "string" }, "lines": { "type": "array", "items": { "$ref": "#/$defs/line" } },
                            "mode": { "enum": ["fast", "exact"] }, "limit": { "type": ["number", "null"] } },
            "$defs": { "line": { "type": "object", "required": ["sku"], "properties": { "sku": { "type": "string" } } } },
        });
        assert!(
            told(&schema, json!({ "total": "5", "lines": [{ "sku": "a" }], "mode": "fast", "limit": 3 })).is_empty()
        );
        assert!(told(&schema, json!({ "total": "5", "limit": null })).is_empty());
        let wrong = told(&schema, json!({ "totl": 5, "lines": [{ "sku": 7 }, {}], "mode": "fats", "limit": "x" }));
        assert_eq!(
            wrong,
            [
                "`total` is missing",
                "`limit` must be a number or nothing, but this is a text",
                "`lines[0].sku` must be a text, but this is a whole number",
                "`lines[1].sku` is missing",
                "`mode` must be one of \"fast\", \"exact\"",
                "the plugin knows no `totl`",
            ]
        );
        assert_eq!(told(&schema, json!("x")), ["`with` must be a map, but this is a text"]);
    }

    #[test]
    fn what_an_expression_gives_is_not_judged() {
        let schema = json!({ "type": "object", "properties": { "total": { "type": "number" } } });
        let expression = crate::workflow::Expression::new("event.data.total", 0..1);
        let with = Template::Map([("total".to_owned(), Template::Expression(expression))].into());
        assert_eq!(misfits(&schema, &with), []);
        let with = Template::Map([("total".to_owned(), Template::Text(Vec::new()))].into());
        assert_eq!(misfits(&schema, &with).len(), 1);
    }

    #[test]
    fn schemas_that_refer_in_circles_say_nothing() {
        let circle =
            json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } } });
        assert!(told(&circle, json!(5)).is_empty());
        assert!(told(&json!({ "$ref": "https://example.com/x" }), json!(5)).is_empty());
        assert!(told(&json!(true), json!(5)).is_empty());
    }
}
