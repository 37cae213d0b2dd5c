//! `plugin check`: what a built plugin offers, asks for and may use, seen as an engine sees it that installs it. It is
//! compiled and describes itself in a folder of its own; nothing is installed.

use std::{collections::BTreeSet, path::Path};

use cartwright_core::{
    Json,
    plugin::{Function, Manifest, PluginRecord},
};
use cartwright_sandbox::plugin::PluginLimits;
use serde_json::json;

use super::{
    super::Context,
    add::{built, read},
    ls,
};
use crate::{
    config::Config,
    data::DataFolder,
    failure::{OrFail as _, Result, not_fine},
    plugins::Installed,
    terminal::{Terminal, Tone},
};

pub(super) fn run(path: &Path, context: &Context) -> Result<()> {
    let file = built(path)?;
    let bytes = read(&file)?;
    let scratch = tempfile::tempdir().or_environment("cannot make a temporary folder")?;
    DataFolder::create(scratch.path())?;
    let installed = Installed::of(&Config { data: scratch.path().to_owned(), ..context.config.clone() });
    let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().replace('_', "-");
    let examined = installed.examine(&name, &bytes);
    let record = examined.map_err(|why| not_fine(format!("{} cannot be installed: {why}", file.display())))?;
    let remarks = remarks(&record);
    match context.terminal.json {
        true => context.terminal.data(&data(&record, &remarks)),
        false => {
            show(&record, &remarks, &context.terminal);
            Ok(())
        }
    }
}

/// What an author should look at; the plugin can be installed all the same.
fn remarks(record: &PluginRecord) -> Vec<String> {
    let Manifest { name, needs, .. } = &*record.manifest;
    let mut remarks = Vec::new();
    if *name != record.name {
        remarks.push(format!("it calls itself {name}; steps name it by its file, {}", record.name));
    }
    for (interface, grants) in [("http", &needs.http), ("secrets", &needs.secrets), ("woo", &needs.woo)] {
        match (record.imports.contains(interface), grants.is_empty()) {
            (true, true) => remarks.push(format!("it imports {interface} and its needs name no grant for it")),
            (false, false) => remarks.push(format!("its needs name grants of {interface}, which it does not import")),
            _ => {}
        }
    }
    remarks
}

fn show(record: &PluginRecord, remarks: &[String], terminal: &Terminal) {
    let manifest = &record.manifest;
    terminal.line(format_args!("{} {}", terminal.paint(Tone::Strong, &record.name), manifest.description));
    terminal.fact("version", &ls::version(record));
    terminal.fact("size", &super::build::size(usize::try_from(record.bytes).unwrap_or(usize::MAX)));
    terminal.fact("wit", &format!("cartwright:plugin {}", record.wit));
    terminal.fact("imports", &listed(&record.imports));
    let grants = ls::grants(record);
    terminal.fact("grants", if grants.is_empty() { "needs none" } else { &grants });
    for (name, Function { description, input, output }) in &manifest.functions {
        terminal.fact("function", format!("{}/{name}  {description}", record.name).trim_end());
        terminal.fact("  with", &fields(input));
        terminal.fact("  gives", &fields(output));
    }
    let limits = PluginLimits::default();
    let may = format!(
        "{} MiB of memory, {} million instructions, {} host calls, {} MiB of output",
        limits.memory_bytes >> 20,
        limits.fuel / 1_000_000,
        limits.host_calls,
        limits.output_bytes >> 20
    );
    terminal.fact("limits", &may);
    for remark in remarks {
        terminal.line(format_args!("  {}  {remark}", terminal.paint(Tone::Wait, "look at")));
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if names.is_empty() { "no host functions".to_owned() } else { names.join(", ") }
}

/// A schema in short: `customer: string, total?: string`.
fn fields(schema: &Json) -> String {
    let Some(properties) = schema.get("properties").and_then(Json::as_object) else { return kind(schema) };
    let required: Vec<&str> =
        schema["required"].as_array().map(|list| list.iter().filter_map(Json::as_str).collect()).unwrap_or_default();
    let field = |(name, about): (&String, &Json)| {
        let mark = if required.contains(&name.as_str()) { "" } else { "?" };
        format!("{name}{mark}: {}", kind(about))
    };
    properties.iter().map(field).collect::<Vec<_>>().join(", ")
}

fn kind(schema: &Json) -> String {
    match (&schema["type"], &schema["enum"]) {
        (Json::String(kind), _) => kind.clone(),
        (Json::Array(kinds), _) => kinds.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" or "),
        (_, Json::Array(values)) => values.iter().map(Json::to_string).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    }
}

fn data(record: &PluginRecord, remarks: &[String]) -> Json {
    let limits = PluginLimits::default();
    json!({
        "name": record.name,
        "hash": record.hash,
        "bytes": record.bytes,
        "wit": record.wit,
        "imports": record.imports,
        "manifest": &*record.manifest,
        "limits": {
            "memory_bytes": limits.memory_bytes,
            "fuel": limits.fuel,
            "host_calls": limits.host_calls,
            "output_bytes": limits.output_bytes,
        },
        "remarks": remarks,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn schemas_are_told_in_short() {
        let schema = json!({ "type": "object", "required": ["a"], "properties": {
            "a": { "type": "string" }, "b": { "type": ["integer", "null"] }, "c": { "enum": ["x", 1] }, "d": true } });
        assert_eq!(fields(&schema), "a: string, b?: integer or null, c?: \"x\" or 1, d?: anything");
        assert_eq!(
            (fields(&json!(true)).as_str(), fields(&json!({ "type": "array" })).as_str()),
            ("anything", "array")
        );
    }

    #[test]
    fn what_does_not_fit_together_is_remarked() {
        let manifest = r#"{"name":"other","functions":{"a":{}},"needs":{"woo":["orders.read"]}}"#;
        let record = PluginRecord {
            name: "tidy".into(),
            hash: String::new(),
            bytes: 1,
            wit: "1.0.0".into(),
            imports: BTreeSet::from(["http".to_owned()]),
            manifest: Arc::new(Manifest::parse(manifest).expect("it is one")),
        };
        let expected = [
            "it calls itself other; steps name it by its file, tidy",
            "it imports http and its needs name no grant for it",
            "its needs name grants of woo, which it does not import",
        ];
        assert_eq!(remarks(&record), expected);
    }
}
