//! What a plugin says of itself: comes as JSON from its `describe`, which is foreign code, and goes to checks, lists and
//! pages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_name;
use crate::Json;

/// Largest manifest, in bytes.
const MAX_MANIFEST_BYTES: usize = 256 * 1024;
/// Most functions of one plugin.
const MAX_FUNCTIONS: usize = 100;
/// Longest version, and longest description, in characters.
const MAX_VERSION_CHARS: usize = 64;
const MAX_DESCRIPTION_CHARS: usize = 2_000;

/// A plugin's own description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What it calls itself; the file's name is what steps use.
    pub name: String,
    /// Its author's version, for people: versions are told apart by hash.
    #[serde(default)]
    pub version: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Its functions by name.
    pub functions: BTreeMap<String, Function>,
    /// What it cannot do without.
    #[serde(default)]
    pub needs: Needs,
}

/// One function of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// What it does.
    #[serde(default)]
    pub description: String,
    /// JSON Schema (draft 2020-12) of what it takes; `true` takes anything.
    #[serde(default = "anything")]
    pub input: Json,
    /// JSON Schema of what it gives.
    #[serde(default = "anything")]
    pub output: Json,
}

fn anything() -> Json {
    Json::Bool(true)
}

/// Grants that a plugin cannot do without, written as in a workflow's `grants`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Needs {
    /// Hosts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<String>,
    /// Names of secrets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Topics.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emit: Vec<String>,
    /// Stores.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stores: Vec<String>,
    /// `orders.read`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub woo: Vec<String>,
}

impl Needs {
    /// The lists by their key in `grants`.
    pub fn lists(&self) -> [(&'static str, &[String]); 5] {
        [
            ("http", &self.http),
            ("secrets", &self.secrets),
            ("emit", &self.emit),
            ("stores", &self.stores),
            ("woo", &self.woo),
        ]
    }
}

/// Why a manifest cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plugin's `describe` gives no valid manifest: {0}")]
pub struct InvalidManifest(String);

impl Manifest {
    /// Reads what `describe` gave.
    pub fn parse(text: &str) -> Result<Self, InvalidManifest> {
        if text.len() > MAX_MANIFEST_BYTES {
            return Err(InvalidManifest(format!("it has {} bytes; {MAX_MANIFEST_BYTES} are allowed", text.len())));
        }
        let manifest: Self = serde_json::from_str(text).map_err(|error| InvalidManifest(error.to_string()))?;
        manifest.check().map_err(InvalidManifest)?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        const NAMES: &str = "use up to 64 of a-z, 0-9 and `-`, beginning with a letter";
        if !is_name(&self.name) {
            return Err(format!("`{}` cannot be a plugin's name; {NAMES}", shown(&self.name)));
        }
        if self.version.chars().count() > MAX_VERSION_CHARS {
            return Err(format!("its version is longer than {MAX_VERSION_CHARS} characters"));
        }
        if self.functions.is_empty() || self.functions.len() > MAX_FUNCTIONS {
            return Err(format!("it has {} functions; a plugin has 1 to {MAX_FUNCTIONS}", self.functions.len()));
        }
        let texts = self.functions.values().map(|function| &function.description).chain([&self.description]);
        if texts.into_iter().any(|text| text.chars().count() > MAX_DESCRIPTION_CHARS) {
            return Err(format!("a description is longer than {MAX_DESCRIPTION_CHARS} characters"));
        }
        for (name, function) in &self.functions {
            if !is_name(name) {
                return Err(format!("`{}` cannot be a function's name; {NAMES}", shown(name)));
            }
            for (what, schema) in [("input", &function.input), ("output", &function.output)] {
                if !matches!(schema, Json::Object(_) | Json::Bool(_)) {
                    return Err(format!("the {what} schema of `{name}` is no JSON Schema"));
                }
            }
        }
        let mut needs = self.needs.lists().into_iter().flat_map(|(key, list)| list.iter().map(move |text| (key, text)));
        match needs.find(|(_, text)| text.is_empty() || text.len() > 300 || text.chars().any(char::is_control)) {
            Some((key, text)) => Err(format!("`needs.{key}` holds `{}`, which no grant can be", shown(text))),
            None => Ok(()),
        }
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"name":"fraud-score","version":"1.0.0","description":"d","functions":{"score":{"input":{"type":"object"},"output":true}},"needs":{"http":["api.example.com"]}}"#;

    #[test]
    fn a_manifest_is_read_and_written_again() {
        let manifest = Manifest::parse(GOOD).unwrap();
        assert_eq!(manifest.functions["score"].output, Json::Bool(true));
        assert_eq!(manifest.needs.http, ["api.example.com"]);
        let again = serde_json::to_string(&manifest).unwrap();
        assert_eq!(Manifest::parse(&again).unwrap(), manifest);
    }

    #[test]
    fn foreign_descriptions_are_refused_in_words() {
        let long = format!(r#"{{"name":"a","functions":{{"f":{{"description":"{}"}}}}}}"#, "x".repeat(2_001));
        let huge = " ".repeat(MAX_MANIFEST_BYTES + 1);
        let rows: &[(&str, &str)] = &[
            ("", "EOF"),
            ("[]", "expected struct Manifest"),
            (r#"{"name":"a"}"#, "missing field `functions`"),
            (r#"{"name":"a","functions":{}}"#, "0 functions"),
            (r#"{"name":"../a","functions":{"f":{}}}"#, "`../a` cannot be a plugin's name"),
            (r#"{"name":"a","functions":{"F x":{}}}"#, "`F x` cannot be a function's name"),
            (r#"{"name":"a","functions":{"f":{"input":7}}}"#, "the input schema of `f`"),
            (r#"{"name":"a","functions":{"f":{"inptu":{}}}}"#, "unknown field `inptu`"),
            (r#"{"name":"a","functions":{"f":{}},"needs":{"htpt":[]}}"#, "unknown field `htpt`"),
            (r#"{"name":"a","functions":{"f":{}},"needs":{"http":["a\nb"]}}"#, "`needs.http`"),
            (&long, "longer than 2000"),
            (&huge, "262144 are allowed"),
        ];
        for (text, expected) in rows {
            let error = Manifest::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} lacks {expected}");
        }
    }
}
