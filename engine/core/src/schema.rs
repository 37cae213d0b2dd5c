//! How names, times and scopes look on the wire, for the API's OpenAPI document. The rules are those of each type's parser;
//! a test holds the two together.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, Object, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};

use crate::{
    access::{Area, Scope},
    id::{EventId, RunId, StepPath, StoreId, Version, WorkflowId},
    shard::{SHARD_COUNT, ShardId},
    time::Timestamp,
    workflow::StoreSelector,
};

/// Gives a type the schema that an expression makes.
macro_rules! schema {
    ($($type:ident: $schema:expr;)*) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                stringify!($type).into()
            }
        }
    )*};
}

schema! {
    StoreId: text("A connected store, named by its owner.", "^[a-z0-9][a-z0-9_-]{0,62}$", "my-shop");
    WorkflowId: ObjectBuilder::from(text(
        "A workflow: its file's path below the workflows folder, without `.yaml`. At most 200 bytes.",
        "^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$",
        "stock/sync",
    )).max_length(Some(200)).build();
    EventId: text(
        "An accepted event; sorts by acceptance time.",
        "^evt_[0-9A-HJKMNP-TV-Z]{26}$",
        "evt_01KAJ3Q4T0Z6W8XK2M9R5C7DBF",
    );
    RunId: text("One run; sorts by start time.", "^run_[0-9A-HJKMNP-TV-Z]{26}$", "run_01KAJ3Q4T0Z6W8XK2M9R5C7DBF");
    Version: text(
        "The content hash of one workflow with everything it pins.",
        "^[0-9a-f]{32}$",
        "9f86d081884c7d659a2feaa0c55ad015",
    );
    StepPath: ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(
            "Where a step stands in its run: step ids joined by `/`, `[n]` for a loop's iteration, `.n` for a choose's branch.",
        ))
        .examples(["each[3]/pick.0/note"])
        .build();
    ShardId: ObjectBuilder::new()
        .schema_type(Type::Integer)
        .description(Some("The shard that owns it, from the hash of its store."))
        .minimum(Some(0))
        .maximum(Some(SHARD_COUNT - 1))
        .build();
    Timestamp: ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some("A time, RFC 3339. Answers carry UTC with milliseconds."))
        .examples(["2026-11-21T07:00:00.000Z"])
        .build();
    Scope: ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("What a token may do: `admin`, or an area and a right; `write` includes `read`."))
        .enum_values(Some(scopes()))
        .build();
    StoreSelector: text(
        "Stores: `*` for all, a store's id, or `tag:NAME`.",
        r"^(\*|[a-z0-9][a-z0-9_-]{0,62}|tag:[A-Za-z0-9_-]{1,63})$",
        "tag:eu",
    );
}

fn text(description: &str, pattern: &str, example: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .pattern(Some(pattern))
        .examples([example])
        .build()
}

fn scopes() -> Vec<String> {
    let rights =
        Area::ALL.into_iter().flat_map(|area| ["read", "write"].map(|right| format!("{}:{right}", area.as_str())));
    std::iter::once("admin".to_owned()).chain(rights).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_of_the_document_is_one() {
        for scope in scopes() {
            assert_eq!(scope.parse::<Scope>().expect("a scope").to_string(), scope);
        }
    }
}
