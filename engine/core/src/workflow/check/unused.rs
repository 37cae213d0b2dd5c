//! Grants that are not needed, or not as wide as they are. Said only where everything that could need them is written
//! literally: a computed address, path or topic may be anything.

use super::{
    super::{GrantedStores, HttpGrant, StoreSelector, Workflow, codes, diagnostic::Diagnostic, node::shorten, topic},
    uses::{HttpUse, StoreUse, Uses},
};

/// More are not worth a list.
const MAX_NARROWER: usize = 5;

/// Warns of grants that could go, or could say less.
pub(in super::super) fn check(workflow: &Workflow, diagnostics: &mut Vec<Diagnostic>) {
    if workflow.grant_places.is_empty() {
        return;
    }
    let uses = Uses::of(workflow);
    for place in &workflow.grant_places {
        let text = shorten(&place.text);
        let (unused, narrower) = match place.list {
            "http" => {
                let Some(grant) = workflow.grants.http.get(place.at) else { continue };
                (http_unused(&uses, grant), http_narrower(&uses, grant))
            }
            "secrets" => (none(&uses.secrets, |name| *name == place.text), None),
            "emit" => {
                let narrower = if place.text == "*" { all_known(&uses.topics) } else { None };
                (none(&uses.topics, |known| topic::matches(&place.text, known)), narrower)
            }
            "stores" => {
                let Some(grant) = workflow.grants.stores.get(place.at) else { continue };
                (store_unused(&uses, grant, &workflow.grants.stores), stores_narrower(&uses, grant))
            }
            "woo" => (woo_unused(&uses, &place.text), None),
            _ => continue,
        };
        let why = match place.list {
            "http" => "nothing calls it",
            "secrets" => "nothing uses it",
            "emit" => "nothing emits it",
            "stores" if uses.stores.is_empty() => "nothing calls a store",
            _ => "no call needs it",
        };
        if unused {
            let message = format!("`{text}` is granted, but {why}");
            let found = Diagnostic::warning(codes::UNUSED_GRANT, place.span.clone(), message);
            diagnostics.push(found.help("remove it: a workflow is safest with no more than it needs"));
        } else if let Some(narrower) = narrower {
            let message = format!("`{text}` grants more than this workflow needs");
            let found = Diagnostic::warning(codes::WIDE_GRANT, place.span.clone(), message);
            diagnostics.push(found.help(format!("write `{}: [{}]`", place.list, narrower.join(", "))));
        }
    }
}

/// Whether no use is, or can be, what is asked for.
fn none<'u>(uses: impl IntoIterator<Item = &'u Option<String>>, is_it: impl Fn(&String) -> bool) -> bool {
    !uses.into_iter().any(|one| one.as_ref().is_none_or(&is_it))
}

/// Redirects of these methods are followed to whatever host is granted.
fn wanders(method: Option<&str>) -> bool {
    method.is_none_or(|method| matches!(method, "GET" | "HEAD"))
}

/// A redirect is a GET or a HEAD by then, and a grant with that method may be there for the end of one.
fn by_redirect(uses: &Uses, grant: &HttpGrant) -> bool {
    let from = |(method, _): &HttpUse| grant.method.is_some() || wanders(method.as_deref());
    wanders(grant.method.as_deref()) && uses.http.iter().any(from)
}

fn http_unused(uses: &Uses, grant: &HttpGrant) -> bool {
    let alone = super::super::Grants { http: vec![grant.clone()], ..Default::default() };
    let needs = |(method, host): &HttpUse| {
        let method = method.as_deref().or(grant.method.as_deref()).unwrap_or("GET");
        let right_method = grant.method.as_deref().is_none_or(|granted| granted.eq_ignore_ascii_case(method));
        match host {
            None => right_method,
            Some((host, port)) => alone.http(method, host, Some(*port)).is_ok(),
        }
    };
    !uses.http.iter().any(needs) && !by_redirect(uses, grant)
}

/// The one host below `*.example.com` that is called.
fn http_narrower(uses: &Uses, grant: &HttpGrant) -> Option<Vec<String>> {
    if !grant.host.starts_with("*.") || by_redirect(uses, grant) {
        return None;
    }
    let alone = super::super::Grants { http: vec![grant.clone()], ..Default::default() };
    let mut hosts = Vec::new();
    for (method, host) in &uses.http {
        let (host, port) = host.as_ref()?;
        let method = method.as_deref()?;
        if alone.http(method, host, Some(*port)).is_ok() && !hosts.contains(host) {
            hosts.push(host.clone());
        }
    }
    let [host] = &hosts[..] else { return None };
    let method = grant.method.as_ref().map(|method| format!("{method} ")).unwrap_or_default();
    let port = grant.port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(vec![format!("\"{method}{host}{port}\"")])
}

/// All of them, where each is known.
fn all_known<'u>(uses: impl IntoIterator<Item = &'u Option<String>>) -> Option<Vec<String>> {
    let known: Vec<String> = uses.into_iter().cloned().collect::<Option<_>>()?;
    (1..=MAX_NARROWER).contains(&known.len()).then_some(known)
}

fn woo_unused(uses: &Uses, grant: &str) -> bool {
    let Some((resource, direction)) = grant.rsplit_once('.') else { return false };
    let needs = |(method, used): &(String, Option<String>)| {
        (method == "GET") == (direction == "read") && used.as_deref().is_none_or(|used| used == resource)
    };
    !uses.woo.iter().any(needs)
}

/// A grant by id or tag may be there to hold calls of the event's own store to some stores; not so beside `self`.
fn store_unused(uses: &Uses, grant: &GrantedStores, all: &[GrantedStores]) -> bool {
    let own_granted = all.contains(&GrantedStores::Own);
    let needs = |one: &StoreUse| match (one, grant) {
        (StoreUse::Any, _) | (StoreUse::Own, GrantedStores::Own) => true,
        (StoreUse::Own, GrantedStores::Selected(_)) => !own_granted,
        (StoreUse::Named(id), GrantedStores::Selected(StoreSelector::Store(granted))) => granted.as_str() == id,
        // Whether the named store is the event's own, or has a tag, is known only at run time.
        (StoreUse::Named(_), _) => true,
    };
    !uses.stores.iter().any(needs)
}

fn stores_narrower(uses: &Uses, grant: &GrantedStores) -> Option<Vec<String>> {
    if *grant != GrantedStores::Selected(StoreSelector::All) {
        return None;
    }
    let name = |one: &StoreUse| match one {
        StoreUse::Own => Some("self".to_owned()),
        StoreUse::Named(id) => Some(id.clone()),
        StoreUse::Any => None,
    };
    let names: Vec<String> = uses.stores.iter().map(name).collect::<Option<_>>()?;
    (1..=MAX_NARROWER).contains(&names.len()).then_some(names)
}
