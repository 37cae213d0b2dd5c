//! `plugin: name/function`: which version of which plugin, asked of the reader's files, and what it is given.

use std::sync::Arc;

use super::super::{
    PluginStep, StepKind, Template, codes,
    diagnostic::Diagnostic,
    node::{Node, shorten},
    reader::{Fields, Reader},
};
use crate::{
    Json,
    plugin::{self, PluginRecord},
};

pub(crate) fn plugin(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let node = fields.value("plugin")?;
    let with = fields.value("with");
    let template = with.map_or_else(|| Template::Literal(Json::Object(Default::default())), |node| reader.template(node));
    let text = reader.text("`plugin`", node)?;
    let Some((name, function)) = plugin::reference(text.trim()) else {
        let message = format!("`{}` cannot name a plugin", shorten(&text));
        let help = "write the plugin's name, and the function's where it has several: `plugin: fraud-score/score`";
        reader.error(codes::BAD_VALUE, &node.span, message, help);
        return None;
    };
    let record = installed(reader, node, name)?;
    let Some((function, _)) = record.function(function) else {
        reader.diagnostics.push(no_function(node, &record, function));
        return None;
    };
    let function = function.to_owned();
    let with_span = with.map_or_else(|| node.span.clone(), |node| node.span.clone());
    let plugin = Arc::new(record);
    Some(StepKind::Plugin(Box::new(PluginStep { plugin, function, with: template, with_span, compiled: Arc::default() })))
}

/// The record of the plugin with this name, which the workflow is pinned to from here on.
fn installed(reader: &mut Reader<'_>, node: &Node, name: &str) -> Option<PluginRecord> {
    let file = format!("{}{name}", plugin::FILE_PREFIX);
    match (reader.files)(&file).and_then(|text| PluginRecord::parse(&text)) {
        Ok(record) => {
            // The hash says it all; a record that is written otherwise is no other version.
            reader.scripts.insert(file, record.hash.clone());
            Some(record)
        }
        Err(why) => {
            let message = format!("the plugin `{name}` cannot be used: {why}");
            let help = "`cartwright plugin ls` shows what is installed; `cartwright plugin add FILE` installs one";
            reader.error(codes::UNKNOWN_PLUGIN, &node.span, message, help);
            None
        }
    }
}

fn no_function(node: &Node, record: &PluginRecord, function: Option<&str>) -> Diagnostic {
    let known: Vec<&str> = record.manifest.functions.keys().map(String::as_str).collect();
    let message = match function {
        Some(function) => format!("the plugin `{}` has no function `{function}`", record.name),
        None => format!("the plugin `{}` has several functions: say which", record.name),
    };
    let whole: Vec<String> = known.iter().map(|known| format!("{}/{known}", record.name)).collect();
    let found = Diagnostic::error(codes::PLUGIN_FUNCTION, node.span.clone(), message);
    let written = function.map(|function| format!("{}/{function}", record.name)).unwrap_or_default();
    found.suggest(&written, whole.iter().map(String::as_str)).help(format!("its functions are: {}", known.join(", ")))
}
