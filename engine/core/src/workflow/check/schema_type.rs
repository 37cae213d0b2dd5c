//! What a JSON Schema says of a value, as a type.

use std::{collections::BTreeMap, sync::Arc};

use super::kinds::Type;
use crate::{Json, plugin::resolve};

/// Levels that are looked into; schemas may refer to themselves.
const MAX_DEPTH: usize = 8;

/// The type of what fits a schema.
pub(super) fn of(schema: &Json) -> Type {
    inner(schema, schema, MAX_DEPTH)
}

fn inner(root: &Json, schema: &Json, depth: usize) -> Type {
    let Some(schema) = resolve(root, schema).filter(|_| depth > 0) else { return Type::Any };
    let kind = match schema.get("type") {
        Some(Json::String(kind)) => kind.as_str(),
        // Values may be nothing everywhere, as in the store's objects.
        Some(Json::Array(kinds)) => {
            let mut kinds = kinds.iter().filter_map(Json::as_str).filter(|kind| *kind != "null");
            match (kinds.next(), kinds.next()) {
                (Some(only), None) => only,
                _ => return Type::Any,
            }
        }
        _ => return Type::Any,
    };
    match kind {
        "boolean" => Type::Bool,
        "integer" | "number" => Type::Number,
        "string" => Type::Text,
        "array" => Type::list(schema.get("items").map_or(Type::Any, |items| inner(root, items, depth - 1))),
        "object" => match schema.get("properties") {
            // A schema that lists its keys means them, unless it says that there are others.
            Some(Json::Object(properties)) if schema.get("additionalProperties").is_none_or(|more| more == false) => {
                let fields: BTreeMap<String, Type> =
                    properties.iter().map(|(key, value)| (key.clone(), inner(root, value, depth - 1))).collect();
                Type::Fields("plugin's output", Arc::new(fields))
            }
            _ => Type::Map,
        },
        _ => Type::Any,
    }
}
