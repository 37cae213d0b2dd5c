//! The page of all keys, `engine/docs/keys.md`, out of the registry: what is there is what is parsed.

use std::fmt::Write;

use super::registry::{COMMON_STEP_FIELDS, Field, STEP_KINDS, Shape, Status, WORKFLOW_FIELDS};

const HEAD: &str = "# Keys of workflow files

Made from the table that the parser reads (`UPDATE_GOLDEN=1 cargo nextest run -p cartwright-core -E 'test(reference)'`). What the
parts do, with examples, is in `workflows.md`; an editor shows the same with the JSON Schema (`editing.md`). **Bold**: must be there.
An expression may stand bare or in `${{ }}`; a template is any value with `${{ }}` inside.
";

/// The page as Markdown.
fn page() -> String {
    let mut page = HEAD.to_owned();
    section(&mut page, "## A workflow", WORKFLOW_FIELDS);
    for (name, fields) in inner(WORKFLOW_FIELDS) {
        section(&mut page, &format!("### `{name}`"), fields);
    }
    page.push_str("\n## Steps\n\nOne of these says what a step does; the keys below it belong to it.\n\n| key | value | |\n|---|---|---|\n");
    for kind in STEP_KINDS.iter().filter(|kind| kind.executed()) {
        row(&mut page, &format!("**`{}`**", kind.key), &words(&kind.shape), kind.doc);
        for field in kind.fields.iter().filter(|field| field.status != Status::Later) {
            row(&mut page, &format!("{}{}", "&emsp;", name(field)), &words(&field.shape), field.doc);
        }
    }
    section(&mut page, "### Keys of every step", COMMON_STEP_FIELDS);
    page
}

fn section(page: &mut String, title: &str, fields: &[Field]) {
    let _ = write!(page, "\n{title}\n\n| key | value | |\n|---|---|---|\n");
    for field in fields.iter().filter(|field| field.status != Status::Later) {
        row(page, &name(field), &words(&field.shape), field.doc);
    }
}

fn row(page: &mut String, name: &str, value: &str, doc: &str) {
    let _ = writeln!(page, "| {name} | {value} | {} |", doc.replace('|', "\\|"));
}

fn name(field: &Field) -> String {
    if field.status == Status::Required { format!("**`{}`**", field.key) } else { format!("`{}`", field.key) }
}

/// The maps inside these fields, by dotted name: `on.woo`, `on.woo.dedupe`.
fn inner(fields: &'static [Field]) -> Vec<(String, &'static [Field])> {
    let mut found = Vec::new();
    for field in fields.iter().filter(|field| field.status != Status::Later) {
        maps(&field.shape, field.key, &mut found);
    }
    found
}

fn maps(shape: &'static Shape, name: &str, found: &mut Vec<(String, &'static [Field])>) {
    match shape {
        Shape::Map(fields) | Shape::TextOr(fields) | Shape::Maps(fields) => push(fields, name, found),
        Shape::Named(fields) => push(fields, &format!("{name}.NAME"), found),
        Shape::List(of) => maps(of, name, found),
        Shape::Either(of) => of.iter().for_each(|shape| maps(shape, name, found)),
        _ => {}
    }
}

fn push(fields: &'static [Field], name: &str, found: &mut Vec<(String, &'static [Field])>) {
    // A map and a list of such maps are told once, and so is what several triggers share.
    if found.iter().any(|(_, known)| std::ptr::eq(*known, fields)) {
        return;
    }
    found.push((name.to_owned(), fields));
    for field in fields.iter().filter(|field| field.status != Status::Later) {
        maps(&field.shape, &format!("{name}.{}", field.key), found);
    }
}

fn words(shape: &Shape) -> String {
    match shape {
        Shape::Text => "text".into(),
        Shape::Null => "nothing".into(),
        Shape::Boolean => "`true` or `false`".into(),
        Shape::Integer { min, max } => format!("{min} to {max}"),
        Shape::Number { min, max } => format!("{min} to {max}, with a fraction"),
        Shape::OneOf(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Shape::Duration => "duration (`10s`, `1h30m`)".into(),
        Shape::Expression => "expression".into(),
        Shape::Template => "template".into(),
        Shape::Any => "any value".into(),
        Shape::Steps => "steps".into(),
        Shape::Branches => "names, each with steps".into(),
        Shape::Undo => "a step without `id`".into(),
        Shape::Texts => "text, or a list".into(),
        Shape::Map(_) => "map".into(),
        Shape::Named(_) => "names, each with a map".into(),
        Shape::TextOr(_) => "text, or a map".into(),
        Shape::Maps(_) | Shape::AnyMaps(_) => "list of maps".into(),
        Shape::List(of) => format!("list of: {}", words(of)),
        Shape::Either(of) => {
            let mut parts: Vec<String> = of.iter().map(words).collect();
            parts.dedup();
            parts.join(", or ")
        }
        Shape::Special => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use super::*;

    #[test]
    fn the_reference_page_is_what_is_parsed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/keys.md");
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(path, page()).expect("written");
        }
        let there = fs::read_to_string(path).unwrap_or_default();
        assert!(there == page(), "engine/docs/keys.md is out of date: UPDATE_GOLDEN=1 writes it");
        assert!(there.contains("| **`topics`** |") && !there.contains("`mirror`"), "{there}");
    }
}
