//! The route table: which endpoint answers a method and a path.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::resource::{Endpoint, Route};
use super::{
    attributes, coupons, customers, gateways, index, notes, orders, products, refunds, reviews, settings, shipping,
    status, taxes, terms, variations, webhooks,
};

/// Every resource adds its routes here.
fn all() -> Vec<Route> {
    let mut routes = index::routes();
    routes.extend(products::routes());
    routes.extend(variations::routes());
    routes.extend(terms::routes());
    routes.extend(attributes::routes());
    routes.extend(reviews::routes());
    routes.extend(orders::routes());
    routes.extend(refunds::routes());
    routes.extend(notes::routes());
    routes.extend(customers::routes());
    routes.extend(coupons::routes());
    routes.extend(taxes::routes());
    routes.extend(webhooks::routes());
    routes.extend(settings::routes());
    routes.extend(shipping::routes());
    routes.extend(gateways::routes());
    routes.extend(status::routes());
    routes
}

/// The table, built once in a process.
pub(crate) fn table() -> &'static [Route] {
    static TABLE: OnceLock<Vec<Route>> = OnceLock::new();
    TABLE.get_or_init(all)
}

/// A route that matched, with its variables.
pub(crate) struct Found {
    pub(crate) route: &'static Route,
    pub(crate) endpoint: &'static Endpoint,
    variables: Vec<(&'static str, String)>,
}

impl Found {
    /// The variables as parameters.
    pub(crate) fn values(&self) -> Map<String, Value> {
        self.variables.iter().map(|(name, value)| ((*name).to_owned(), Value::String(value.clone()))).collect()
    }
}

/// Who answers this method on this path. HEAD is answered by GET.
pub(crate) fn find(method: &str, path: &str) -> Option<Found> {
    let method = if method == "HEAD" { "GET" } else { method };
    table().iter().find_map(|route| {
        let variables = matches(route.pattern, path)?;
        let endpoint = route.endpoints.iter().find(|endpoint| endpoint.methods.contains(&method))?;
        Some(Found { route, endpoint, variables })
    })
}

/// The variables of a path, if the pattern fits it.
fn matches(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut variables = Vec::new();
    let mut parts = path.split('/');
    for expected in pattern.split('/') {
        let part = parts.next()?;
        let Some(variable) = expected.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) else {
            if !expected.eq_ignore_ascii_case(part) {
                return None;
            }
            continue;
        };
        let (name, word) = variable.split_once(':').map_or((variable, false), |(name, _)| (name, true));
        let fits =
            |c: char| c.is_ascii_digit() || (word && (c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')));
        if part.is_empty() || !part.chars().all(fits) {
            return None;
        }
        variables.push((name, part.to_owned()));
    }
    parts.next().is_none().then_some(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_its_paths_only() {
        let check = |pattern, path: &str, expect: Option<&[&str]>| {
            let found = matches(pattern, path);
            let values: Option<Vec<&str>> =
                found.as_ref().map(|found| found.iter().map(|(_, value)| value.as_str()).collect());
            assert_eq!(values.as_deref(), expect, "{pattern} {path}");
        };
        check("/wc/v3/products/<id>", "/wc/v3/products/12", Some(&["12"]));
        check("/wc/v3/products/<id>", "/wc/v3/products/abc", None);
        check("/wc/v3/products/<id>", "/wc/v3/products/12/x", None);
        check("/wc/v3/settings/<group:word>", "/wc/v3/settings/general", Some(&["general"]));
        check("/wc/v3/products", "/wc/v3/products/", None);
    }

    #[test]
    fn no_two_routes_share_a_pattern() {
        let mut patterns: Vec<&str> = table().iter().map(|route| route.pattern).collect();
        patterns.sort_unstable();
        let count = patterns.len();
        patterns.dedup();
        assert_eq!(patterns.len(), count);
    }
}
