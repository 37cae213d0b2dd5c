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

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::workflow::{
        node::{Node, Value},
        yaml,
    };

    /// As editors read the file.
    fn value(node: &Node) -> Json {
        match &node.value {
            Value::Scalar(scalar) => scalar.json().unwrap_or(Json::Null),
            Value::List(items) => items.iter().map(value).collect(),
            Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), value(&entry.value))).collect(),
        }
    }

    fn read(text: &str) -> Json {
        value(&yaml::read(text, &mut Vec::new()).expect("YAML"))
    }

    #[test]
    fn what_the_parser_takes_fits_the_schema_and_what_it_refuses_does_not() {
        let validator = jsonschema::draft202012::new(&json_schema()).expect("a schema");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows");
        let mut seen = 0;
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if !path.display().to_string().ends_with(".test.yaml") {
                continue;
            }
            seen += 1;
            let wrong: Vec<String> = validator
                .iter_errors(&read(&fs::read_to_string(&path).expect("text")))
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
        }
        assert!(seen >= 15);
        let case = |rest: &str| format!("cases: [{{ name: x, event: {{ topic: a.b }}, {rest} }}]");
        for (rest, fits) in [
            ("expect: { calls: [], emitted: [], ran: [], events: [merged] }", true),
            ("expect: { response: null, slept: 1h, steps: { a: skipped, b: { attempts: 2 } } }", true),
            ("expect: { response: { status: 201, body: null }, slept: { min: 1h } }", true),
            ("events: [{ topic: a.b, after: 3m }], expect: { runs: [{ status: failed }] }", true),
            ("expekt: {}", false),
            ("expect: { status: begun }", false),
            ("expect: { response: { code: 201 } }", false),
            ("expect: { steps: { a: { tries: 2 } } }", false),
            ("then: [{ cancel: true }]", false),
            ("stubs: [{ http: '*', answer: { error: rain } }]", false),
        ] {
            let told = crate::testing::parse(&case(rest), &|_| Err("no file".into())).diagnostics;
            let is_two_starts = rest.starts_with("events");
            assert_eq!(told.is_empty(), fits && !is_two_starts, "{rest}: {told:?}");
            assert_eq!(validator.is_valid(&read(&case(rest))), fits, "{rest}");
        }
    }
}
