//! `plugin` steps: whether the workflow grants what the plugin says it needs.

use super::super::{Grants, PluginStep, Span, codes, diagnostic::Diagnostic, grants::http_grant};
pub(super) fn check(span: &Span, step: &PluginStep, grants: &Grants, diagnostics: &mut Vec<Diagnostic>) {
    let needs = step.plugin.manifest.needs.lists().into_iter();
    for (key, text) in needs.flat_map(|(key, list)| list.iter().map(move |text| (key, text))) {
        if !granted(grants, key, text) {
            let message = format!("the plugin `{}` needs a grant that this workflow does not give", step.plugin.name);
            let found = Diagnostic::error(codes::PLUGIN_NEEDS, span.clone(), message);
            diagnostics.push(found.help(format!("add to `grants`: `{key}: [\"{text}\"]`")));
        }
    }
}

/// Whether a need, written as a grant, is covered by the workflow's grants.
fn granted(grants: &Grants, key: &str, need: &str) -> bool {
    match key {
        "http" => match http_grant(need) {
            Ok(need) if grants.http.contains(&need) => true,
            Ok(need) => {
                let method = need.method.as_deref().unwrap_or("POST");
                !need.host.starts_with('*') && grants.http(method, &need.host, need.port.or(Some(443))).is_ok()
            }
            // Not a grant that could be given; the call itself says what is missing.
            Err(_) => true,
        },
        "secrets" => grants.secret(need).is_ok(),
        "emit" => grants.emit.iter().any(|granted| granted == need) || grants.emit(need).is_ok(),
        "woo" => grants.woo.iter().any(|granted| granted == need),
        // Which stores a workflow means is its own affair; that it grants some is what counts.
        _ => !grants.stores.is_empty(),
    }
}
