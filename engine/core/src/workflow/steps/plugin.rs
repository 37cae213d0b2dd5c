//! `plugin: name/function`: which version of which plugin, asked of the reader's files, and what it is given.

use std::sync::Arc;

use super::super::{
    PluginStep, Span, StepKind, Template, codes,
    diagnostic::{Diagnostic, Severity},
    node::{Node, Value, shorten},
    reader::{Fields, Reader},
};
use crate::{
    Json,
    plugin::{self, Misfit, PluginRecord, misfits},
};

/// More are not worth a list.
const MAX_MISFITS: usize = 20;

pub(crate) fn plugin(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let node = fields.value("plugin")?;
    let with = fields.value("with");
    let template =
        with.map_or_else(|| Template::Literal(Json::Object(Default::default())), |node| reader.template(node));
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
    let step = PluginStep { plugin: Arc::new(record), function, with: template, compiled: Arc::default() };
    for misfit in misfits(step.schemas().0, &step.with).into_iter().take(MAX_MISFITS) {
        reader.diagnostics.push(unfit(&step, with.unwrap_or(node), misfit));
    }
    Some(StepKind::Plugin(Box::new(step)))
}

fn unfit(step: &PluginStep, with: &Node, misfit: Misfit) -> Diagnostic {
    let help = format!("`cartwright plugin check {}` shows what `{}` takes", step.plugin.name, step.function);
    let mut found = Diagnostic::error(codes::PLUGIN_INPUT, place(with, &misfit.path), misfit.message).help(help);
    found.did_you_mean = misfit.did_you_mean;
    if misfit.maybe {
        found.severity = Severity::Warning;
    }
    found
}

/// Where a value of `with` stands: its key, where it has one.
fn place(node: &Node, path: &[String]) -> Span {
    let mut node = node;
    let mut span = node.span.clone();
    for part in path {
        let (next, at) = match &node.value {
            Value::Map(entries) => match entries.iter().find(|entry| entry.key == *part) {
                Some(entry) => (&entry.value, entry.key_span.clone()),
                None => return span,
            },
            Value::List(items) => match part.parse().ok().and_then(|at: usize| items.get(at)) {
                Some(item) => (item, item.span.clone()),
                None => return span,
            },
            Value::Scalar(_) => return span,
        };
        (node, span) = (next, at);
    }
    span
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
