//! What can be known about calls to stores before a run: whether `grants` covers them, and whether there is a store.

use super::super::{
    GrantedStores, Grants, Span, StoreSelector, Template, TextPart, TriggerKind, WooStep, Workflow, codes,
    diagnostic::Diagnostic, node::shorten,
};
use crate::{
    Json,
    woo::{WooMethod, bare_path},
};

/// Checks a `woo` step.
pub(super) fn step(span: &Span, woo: &WooStep, workflow: &Workflow, diagnostics: &mut Vec<Diagnostic>) {
    let (start, whole) = literal_start(&woo.path);
    diagnostics.extend(resource(span, woo.method, start, whole, &workflow.grants));
    diagnostics.extend(store(span, woo.store.as_ref(), &workflow.grants));
    let absent = matches!(&woo.store, None | Some(Template::Literal(Json::Null)));
    if absent && !may_have_store(workflow) {
        let message = "there is no store to call: what starts this workflow comes from none";
        diagnostics.push(
            Diagnostic::error(codes::NO_STORE, span.clone(), message)
                .help("say which with `store: ID`; events of stores bring one along, and a schedule with `stores`"),
        );
    }
}

/// Checks the grants of a call that a script makes; `whole` says that the path goes on no further.
pub(super) fn script_call(
    span: &Span,
    function: &str,
    path: &str,
    whole: bool,
    grants: &Grants,
) -> impl Iterator<Item = Diagnostic> {
    let method = method_of(function);
    let resource = method.and_then(|method| resource(span, method, path, whole, grants));
    resource.into_iter().chain(method.and_then(|_| no_store_at_all(span, grants)))
}

/// What a path literally begins with, and whether that is all of it.
pub(super) fn literal_start(path: &Template) -> (&str, bool) {
    match path {
        Template::Literal(Json::String(text)) => (text, true),
        Template::Text(parts) => match parts.first() {
            Some(TextPart::Literal(start)) => (start, false),
            _ => ("", false),
        },
        _ => ("", false),
    }
}

/// The method of a script's `woo::` function.
pub(super) fn method_of(function: &str) -> Option<WooMethod> {
    match function {
        "get" | "all" => Some(WooMethod::Get),
        other => WooMethod::parse(other),
    }
}

/// The first segment of a path, where its beginning holds all of that.
pub(super) fn resource_of(start: &str, whole: bool) -> Option<&str> {
    let path = bare_path(start);
    let end = path.find(['/', '?']).or(whole.then_some(path.len()))?;
    Some(&path[..end]).filter(|resource| !resource.is_empty())
}

/// The first segment of a path must be granted in the call's direction, where it is literal.
fn resource(span: &Span, method: WooMethod, start: &str, whole: bool, grants: &Grants) -> Option<Diagnostic> {
    let resource = resource_of(start, whole)?;
    let missing = grants.woo(method.as_str(), resource).err()?;
    let verb = if method == WooMethod::Get { "reading" } else { "writing" };
    let message = format!("{verb} `{}` is not granted", shorten(resource));
    let help = format!("add to `grants`: `{missing}`");
    Some(Diagnostic::error(codes::WOO_NOT_GRANTED, span.clone(), message).help(help))
}

/// Which stores a tag names is known only at run time, and so is which one `self` is.
fn store(span: &Span, store: Option<&Template>, grants: &Grants) -> Option<Diagnostic> {
    let Some(Template::Literal(Json::String(wanted))) = store else { return no_store_at_all(span, grants) };
    let may_cover = grants.stores.iter().any(|grant| match grant {
        GrantedStores::Own | GrantedStores::Selected(StoreSelector::All | StoreSelector::Tag(_)) => true,
        GrantedStores::Selected(StoreSelector::Store(id)) => id.as_str() == wanted,
    });
    (!may_cover).then(|| denied(span, format!("the store `{}` is not granted", shorten(wanted)), wanted))
}

fn no_store_at_all(span: &Span, grants: &Grants) -> Option<Diagnostic> {
    grants.stores.is_empty().then(|| denied(span, "no store is granted".to_owned(), "self"))
}

fn denied(span: &Span, message: String, missing: &str) -> Diagnostic {
    let help = format!("add to `grants`: `stores: [{missing}]`");
    Diagnostic::error(codes::STORE_NOT_GRANTED, span.clone(), message).help(help)
}

/// Whether what starts the workflow can bring a store along. What runs emit carries their store.
fn may_have_store(workflow: &Workflow) -> bool {
    let brings = |kind: &TriggerKind| match kind {
        TriggerKind::Woo { .. } | TriggerKind::Event { .. } => true,
        TriggerKind::Schedule(all) => all.iter().any(|one| !one.stores.is_empty()),
        TriggerKind::Http(_) | TriggerKind::Manual => false,
    };
    workflow.triggers.is_empty() || workflow.triggers.iter().any(|trigger| brings(&trigger.kind))
}
