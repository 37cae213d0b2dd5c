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
        let mut value = shape(field.shape);
        value["description"] = json!(field.doc);
        properties.insert(field.key.to_owned(), value);
        if field.status == Status::Required {
            required.push(field.key);
        }
    }
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn shape(shape: Shape) -> Json {
    match shape {
        Shape::Text => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Integer { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::OneOf(words) => json!({ "enum": words }),
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
        // `on` may be a list of maps, `retry` a number: the map is what editors complete.
        Shape::Map(fields) => json!({ "anyOf": [map(&[fields]), { "type": ["array", "integer"] }] }),
        Shape::TextOr(fields) => json!({ "anyOf": [{ "type": "string" }, map(&[fields])] }),
        Shape::Maps(fields) => json!({ "type": "array", "minItems": 1, "items": map(&[fields]) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_is_executed_and_nothing_else() {
        let schema = json_schema();
        let kinds = schema["$defs"]["steps"]["items"]["oneOf"].as_array().map(Vec::len);
        assert_eq!(kinds, Some(STEP_KINDS.iter().filter(|kind| kind.executed()).count()));
        assert_eq!(schema["required"], json!(["on", "steps"]));
        let text = schema.to_string();
        for key in ["concurrency", "commands"] {
            assert!(!text.contains(&format!("\"{key}\":")), "{key}");
        }
        assert_eq!(schema["properties"]["on_unknown"]["enum"], json!(["park", "retry", "fail"]));
        let documented =
            |fields: &[Field]| fields.iter().all(|field| field.status == Status::Later || !field.doc.is_empty());
        assert!(
            documented(WORKFLOW_FIELDS)
                && STEP_KINDS.iter().all(|kind| documented(kind.fields) && !kind.doc.is_empty())
        );
    }
}
