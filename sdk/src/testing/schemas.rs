//! Holds what goes in and comes out against the schemas that the plugin gives of itself, as the engine does: a schema
//! that lies is found by the plugin's own tests.

use serde_json::Value;

use crate::{Failure, Plugin};

/// As the engine: an input that does not fit never reaches the plugin.
pub(super) fn check_input<P: Plugin>(function: &str, input: &str) -> Result<(), Failure> {
    let Some(schema) = schema_of::<P>(function, "input") else { return Ok(()) };
    match misfits(&schema, &serde_json::from_str(input)?) {
        misfits if misfits.is_empty() => Ok(()),
        misfits => Err(Failure::Invalid(format!("the input does not fit: {misfits}"))),
    }
}

#[track_caller]
pub(super) fn check_output<P: Plugin>(function: &str, output: &Value) {
    let Some(schema) = schema_of::<P>(function, "output") else { return };
    let misfits = misfits(&schema, output);
    assert!(misfits.is_empty(), "the output does not fit the schema of `{function}`: {misfits}\n  output: {output}");
}

fn schema_of<P: Plugin>(function: &str, side: &str) -> Option<Value> {
    let mut manifest: Value = serde_json::from_str(&crate::describe::<P>()).expect("the SDK writes JSON");
    manifest["functions"].get_mut(function)?.get_mut(side).map(Value::take)
}

fn misfits(schema: &Value, value: &Value) -> String {
    let validator = jsonschema::validator_for(schema).unwrap_or_else(|error| panic!("{schema} is no schema: {error}"));
    let all = validator.iter_errors(value).map(|error| {
        let path = error.instance_path().to_string();
        if path.is_empty() { error.to_string() } else { format!("{error} at {path}") }
    });
    all.collect::<Vec<_>>().join("; ")
}
