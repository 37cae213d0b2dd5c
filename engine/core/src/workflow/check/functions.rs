//! What functions give, as far as it does not depend on what they are given.

use super::{super::shapes, kinds::Type};

/// What `name(first, second)` or `first.name(second)` gives.
pub(super) fn result(name: &str, first: &Type, second: Option<&Type>) -> Type {
    match name {
        "number" if second.is_none() => Type::Number,
        "round" | "floor" | "ceiling" | "int" | "len" | "index_of" | "abs" => Type::Number,
        "money" => Type::Amount,
        "lower" | "upper" | "trim" | "slug" | "json" | "join" | "to_string" | "sub_string" | "pad_start"
        | "pad_end" | "to_upper" | "to_lower" | "type_of" => Type::Text,
        "contains" | "starts_with" | "ends_with" | "matches" | "some" | "all" | "is_empty" => Type::Bool,
        "keys" | "split" if matches!(first, Type::Text | Type::Object(_) | Type::Map | Type::Fields(..)) => {
            Type::list(Type::Text)
        }
        "date" => Type::Moment,
        "duration" => Type::Span,
        "filter" | "sort_by" | "unique" if matches!(first, Type::List(_)) => first.clone(),
        "chunk" if matches!(first, Type::List(_)) => Type::list(first.clone()),
        "map" if matches!(first, Type::List(_)) => Type::list(second.cloned().unwrap_or(Type::Any)),
        "group_by" => Type::Map,
        "clock::now" => Type::Any,
        "events::emit" => Type::Text,
        "http::get" | "http::post" | "http::put" | "http::patch" | "http::delete" | "http::request" => answer(),
        _ => Type::Any,
    }
}

/// What an outbound call gives.
pub(super) fn answer() -> Type {
    let fields = [("status", Type::Number), ("headers", Type::Map), ("body", Type::Any)];
    Type::fields("answer", fields)
}

/// What answers at a path of the store's API; `all` walks the pages of a list.
pub(super) fn at_path(path: &str) -> Type {
    match shapes::of_path(path) {
        Some((tables, true)) => Type::list(Type::Object(tables)),
        Some((tables, false)) => Type::Object(tables),
        None => Type::Any,
    }
}
