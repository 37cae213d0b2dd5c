//! The JSON Schema of test files, made from their table of keys: editors complete and check with it.

use serde_json::json;

use super::fields::FILE;
use crate::{Json, workflow::schema::map};

/// The whole schema (draft 2020-12).
pub fn json_schema() -> Json {
    let mut schema = map(&[FILE]);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Tests of a Cartwright workflow");
    schema
}
