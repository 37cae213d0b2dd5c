//! Steps that call a store: `woo`.

use super::super::{
    StepKind, Template, TextPart, WooStep, codes,
    node::{Node, shorten},
    reader::{Fields, Reader},
};
use crate::{
    Json,
    id::StoreId,
    woo::{WooMethod, parse_path},
};

/// Values of `method`.
pub(crate) const WOO_METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];

pub(crate) fn woo(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<StepKind> {
    let path = fields.value("woo").and_then(|node| path(reader, node));
    let method = match fields.value("method") {
        None => Some(WooMethod::Get),
        Some(node) => method(reader, node),
    };
    let query = fields.value("query").map(|node| map(reader, "query", node));
    let body = fields.value("with").map(|node| map(reader, "with", node));
    let store = fields.value("store").and_then(|node| store(reader, node));
    let all = fields.value("all").and_then(|node| reader.boolean("`all`", node)).unwrap_or(false);
    let method = method?;
    if let (Some(node), true) = (fields.value("all"), all && method != WooMethod::Get) {
        let message = format!("`all` walks the pages of a list; {} has none", method.as_str());
        reader.error(codes::WOO_CALL, &node.span, message, "remove `all`, or the `method`: it goes with GET");
    }
    if let (Some(node), WooMethod::Get) = (fields.value("with"), method) {
        let help = "say `method: POST` or `method: PUT` to write, or put what filters the list into `query`";
        reader.error(codes::WOO_CALL, &node.span, "`with` is sent, but GET only reads", help);
    }
    Some(StepKind::Woo(Box::new(WooStep { method, path: path?, store, query, body, all })))
}

fn method(reader: &mut Reader<'_>, node: &Node) -> Option<WooMethod> {
    let text = reader.text("`method`", node)?;
    let method = WooMethod::parse(&text);
    if method.is_none() {
        let message = format!("`{}` is not a method of the store's API", shorten(&text));
        let help = format!("use one of: {}", WOO_METHODS.join(", "));
        let diagnostic = super::Diagnostic::error(codes::BAD_VALUE, node.span.clone(), message);
        let upper = text.to_ascii_uppercase();
        reader.diagnostics.push(diagnostic.suggest(&upper, WOO_METHODS.iter().copied()).help(help));
    }
    method
}

/// The path; what follows from its literal parts is checked here, the rest when the call is made.
fn path(reader: &mut Reader<'_>, node: &Node) -> Option<Template> {
    const HELP: &str = "write it as in WooCommerce's documentation, without `/wp-json/wc/v3/`: `orders/61/notes`";
    let path = reader.text_template("`woo`", node)?;
    let literals: Vec<&str> = match &path {
        Template::Literal(Json::String(text)) => vec![text],
        Template::Literal(_) => return None, // reported
        Template::Text(parts) => parts.iter().filter_map(literal).collect(),
        Template::Expression(_) | Template::List(_) | Template::Map(_) => Vec::new(),
    };
    if literals.iter().any(|text| text.contains('?')) {
        let message = "a path has no `?`";
        reader.error(codes::WOO_PATH, &node.span, message, "put what follows it into `query`, a map");
        return None;
    }
    let problem = match &path {
        Template::Literal(Json::String(text)) => parse_path(text).err(),
        _ => literals.iter().find(|text| !text.bytes().all(is_path_byte)).map(|text| {
            let text = shorten(text);
            format!("`{text}` cannot be part of a path")
        }),
    };
    if let Some(problem) = problem {
        reader.error(codes::WOO_PATH, &node.span, problem, HELP);
        return None;
    }
    Some(path)
}

fn literal(part: &TextPart) -> Option<&str> {
    match part {
        TextPart::Literal(text) => Some(text),
        TextPart::Expression(_) => None,
    }
}

/// Paths are letters, digits and a few signs; a block text may end with a line break that nobody means.
fn is_path_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/')
}

fn store(reader: &mut Reader<'_>, node: &Node) -> Option<Template> {
    let store = reader.text_template("`store`", node)?;
    if let Template::Literal(Json::String(text)) = &store
        && let Err(problem) = text.parse::<StoreId>()
    {
        reader.error(
            codes::STORE,
            &node.span,
            problem.to_string(),
            "write the id of one store, as `cartwright store ls` shows it",
        );
        return None;
    }
    Some(store)
}

/// A template that must be a map as far as it is literal.
fn map(reader: &mut Reader<'_>, key: &str, node: &Node) -> Template {
    let template = reader.template(node);
    if matches!(&template, Template::Literal(json) if !json.is_object())
        || matches!(&template, Template::List(_) | Template::Text(_))
    {
        let message = format!("`{key}` must be a map");
        reader.error(codes::WRONG_TYPE, &node.span, message, "write `name: value` lines, indented below it");
    }
    template
}
