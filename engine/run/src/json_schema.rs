//! JSON Schema (draft 2020-12) of foreign origin: a schema comes in from a workflow file or a plugin, a value from outside,
//! and goes out everything that is wrong, place by place. Nothing is ever fetched, and patterns take linear time.

use cartwright_core::Json;
use jsonschema::{PatternOptions, Retrieve, Uri};

/// A schema, ready to be held against values.
pub use jsonschema::Validator;

/// Most faults that are told of one value.
const MAX_FAULTS: usize = 100;
/// Longest description of a fault, in characters; it may quote the value.
const MAX_DETAIL_CHARS: usize = 200;

/// Something wrong at one place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFault {
    /// A JSON pointer into the value (RFC 6901); empty: the whole.
    pub pointer: String,
    /// In words for people.
    pub detail: String,
}

impl std::fmt::Display for SchemaFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.pointer.is_empty() {
            write!(f, "at {}: ", self.pointer)?;
        }
        f.write_str(&self.detail)
    }
}

/// Refuses every reference to a schema outside.
struct Nowhere;

impl Retrieve for Nowhere {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Json, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("`{uri}` is outside; schemas are not fetched").into())
    }
}

/// Makes a schema ready; the error is everything that is wrong with it.
pub fn compile(schema: &Json) -> Result<Validator, Vec<SchemaFault>> {
    let meta = jsonschema::draft202012::meta::validator();
    let wrong: Vec<SchemaFault> = meta.iter_errors(schema).take(MAX_FAULTS).map(fault).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    jsonschema::draft202012::options()
        .with_retriever(Nowhere)
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .map_err(|error| vec![fault(error)])
}

/// Everything that is wrong with a value.
pub fn faults(validator: &Validator, value: &Json) -> Vec<SchemaFault> {
    validator.iter_errors(value).take(MAX_FAULTS).map(fault).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "as iterators give it")]
fn fault(error: jsonschema::ValidationError<'_>) -> SchemaFault {
    SchemaFault {
        pointer: error.instance_path().to_string(),
        detail: error.to_string().chars().take(MAX_DETAIL_CHARS).collect(),
    }
}
