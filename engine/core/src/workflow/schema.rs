//! The JSON Schema of workflow files, made from the [`super::registry`]: editors complete and check with it.

use serde_json::{Map, json};

use super::{
    registry::{COMMON_STEP_FIELDS, Field, STEP_KINDS, Shape, Status, StepKindSpec, WORKFLOW_FIELDS},
    steps::{UNDO_FIELDS, undo_kinds},
};
use crate::Json;

/// The whole schema (draft 2020-12). Keys and kinds that are not executed yet are left out, so that editors warn.
pub fn json_schema() -> Json {
    let kinds: Vec<Json> =
        STEP_KINDS.iter().filter(|kind| kind.executed()).map(|kind| of_kind(kind, COMMON_STEP_FIELDS)).collect();
    let mut schema = map(&[WORKFLOW_FIELDS]);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Cartwright workflow");
    schema["$defs"] = json!({
        "steps": { "type": "array", "minItems": 1, "items": { "oneOf": kinds } },
        "undo": { "oneOf": undo_kinds().map(|kind| of_kind(kind, UNDO_FIELDS)).collect::<Vec<_>>() },
    });
    schema
}

fn of_kind(kind: &StepKindSpec, common: &[Field]) -> Json {
    let own = Field { key: kind.key, shape: kind.shape, doc: kind.doc, status: Status::Required };
    let mut schema = map(&[&[own], kind.fields, common]);
    schema["description"] = json!(kind.doc);
    schema
}

/// A map with exactly these keys.
pub(crate) fn map(fields: &[&[Field]]) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields.iter().flat_map(|fields| fields.iter()).filter(|field| field.status != Status::Later) {
        let mut value = shape_of(field.shape);
        value["description"] = json!(field.doc);
        properties.insert(field.key.to_owned(), value);
        if field.status == Status::Required {
            required.push(field.key);
        }
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn shape_of(shape: Shape) -> Json {
    match shape {
        Shape::Text => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Null => json!({ "type": "null" }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::OneOf(words) => {
            // `method: post` is read as well.
            let small = words.iter().filter(|word| word.bytes().all(|byte| byte.is_ascii_uppercase()));
            let all = words.iter().map(|word| (*word).to_owned()).chain(small.map(|word| word.to_ascii_lowercase()));
            json!({ "enum": all.collect::<Vec<_>>() })
        }
        Shape::Duration => json!({ "type": "string", "pattern": "^([0-9]+(w|d|h|ms|m|s))+$" }),
        Shape::Expression => json!({ "type": ["string", "boolean", "number"] }),
        Shape::Template | Shape::Any | Shape::Special => json!({}),
        Shape::Named(fields) => {
            json!({ "type": "object", "additionalProperties": { "anyOf": [map(&[fields]), { "type": "string" }] } })
        }
        Shape::Steps => json!({ "$ref": "#/$defs/steps" }),
        Shape::Branches => json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,63}$" },
            "additionalProperties": { "$ref": "#/$defs/steps" },
        }),
        Shape::Undo => json!({ "$ref": "#/$defs/undo" }),
        Shape::Texts => json!({ "anyOf": [
            { "type": ["string", "number"] },
            { "type": "array", "items": { "type": ["string", "number"] } },
        ] }),
        Shape::TextOr(fields) => json!({ "anyOf": [{ "type": "string" }, map(&[fields])] }),
        Shape::Map(fields) => map(&[fields]),
        Shape::Number { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        Shape::List(inner) => json!({ "type": "array", "minItems": 1, "items": shape_of(*inner) }),
        Shape::Either(shapes) => json!({ "anyOf": shapes.iter().map(|one| shape_of(*one)).collect::<Vec<_>>() }),
        Shape::AnyMaps(fields) => json!({ "type": "array", "items": map(&[fields]) }),
        Shape::Maps(fields) => json!({ "type": "array", "minItems": 1, "items": map(&[fields]) }),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::workflow::{
        Severity, codes,
        node::{Node, Value},
        parse, yaml,
    };

    /// As editors read the file.
    fn value(node: &Node) -> Json {
        match &node.value {
            Value::Scalar(scalar) => scalar.json().unwrap_or(Json::Null),
            Value::List(items) => items.iter().map(value).collect(),
            Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), value(&entry.value))).collect(),
        }
    }

    fn samples() -> Vec<(String, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut found = Vec::new();
        for folder in ["workflows", "engine/src/demo/workflows", "tests/golden/workflow", "tests/golden/format"] {
            for entry in fs::read_dir(root.join(folder)).expect("a folder") {
                let path = entry.expect("an entry").path();
                let name = path.display().to_string();
                if name.ends_with(".yaml") && !name.ends_with(".test.yaml") {
                    found.extend(fs::read_to_string(&path).ok().map(|text| (name, text)));
                }
            }
        }
        found
    }

    #[test]
    fn accepts_what_the_parser_accepts_and_refuses_what_it_says_about_structure() {
        let validator = jsonschema::validator_for(&json_schema()).expect("a schema");
        let (mut fine, mut refused) = (0, 0);
        for (name, source) in samples() {
            let parsed = parse("sample".parse().expect("an id"), &source, &|_| Ok("1".to_owned()));
            let Some(root) = yaml::read(&source, &mut Vec::new()) else { continue };
            let instance = value(&root);
            let errors: Vec<&str> =
                parsed.diagnostics.iter().filter(|one| one.severity == Severity::Error).map(|one| one.code).collect();
            if errors.is_empty() {
                let problems: Vec<String> = validator
                    .iter_errors(&instance)
                    .map(|error| format!("{} {error}", error.instance_path()))
                    .collect();
                assert!(problems.is_empty(), "{name}: {problems:#?}");
                fine += 1;
            } else if errors
                .iter()
                .any(|code| [codes::UNKNOWN_KEY, codes::MISSING_KEY, codes::LATER_KEY].contains(code))
            {
                assert!(!validator.is_valid(&instance), "{name} passes, but has {errors:?}");
                refused += 1;
            }
        }
        assert!(fine >= 10 && refused >= 5, "{fine} accepted, {refused} refused");
    }

    #[test]
    fn holds_what_is_executed_and_nothing_else() {
        let schema = json_schema();
        let kinds = schema["$defs"]["steps"]["items"]["oneOf"].as_array().map(Vec::len);
        assert_eq!(kinds, Some(STEP_KINDS.iter().filter(|kind| kind.executed()).count()));
        assert_eq!(schema["required"], json!(["on", "steps"]));
        let text = schema.to_string();
        assert!(!text.contains("\"commands\":"), "the command line does not run any yet");
        assert_eq!(schema["properties"]["on_unknown"]["enum"], json!(["park", "retry", "fail"]));
        let documented =
            |fields: &[Field]| fields.iter().all(|field| field.status == Status::Later || !field.doc.is_empty());
        assert!(
            documented(WORKFLOW_FIELDS)
                && STEP_KINDS.iter().all(|kind| documented(kind.fields) && !kind.doc.is_empty())
        );
    }
}
