//! Which exchanges are compared, and under which heading: a rule over names and paths, so that an exchange recorded
//! later falls into place or shows up as unknown.

use super::exchange::Exchange;

/// Where an exchange belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Compared, under this heading of the report.
    In(&'static str),
    /// Not the look-alike's business, with the reason.
    Out(&'static str),
}

/// Names that are out of scope, by how they begin.
const OUT: &[(&str, &str)] = &[
    ("store_", "the Store API: carts and the block checkout"),
    ("analytics_", "wc-analytics"),
    ("reports_", "reports"),
    ("data_", "countries and currencies as data"),
    ("wp_posts", "WordPress's own API"),
];

/// Headings by how a name begins: these say more than the path.
const BY_NAME: &[(&str, &str)] = &[
    ("outage_", "outages"),
    ("auth_", "authentication"),
    ("oauth_", "authentication"),
    ("rest_route", "authentication"),
    ("index_php", "authentication"),
    ("batch_", "batch"),
    ("put_unknown_batch", "batch"),
    ("variations_batch", "batch"),
];

/// Headings by path, the most specific first. `*` stands for one segment.
const BY_PATH: &[(&str, &str)] = &[
    ("products/categories", "categories"),
    ("products/attributes", "attributes and terms"),
    ("products/reviews", "reviews"),
    ("products/shipping_classes", "shipping classes"),
    ("products/*/variations", "variations"),
    ("products", "products"),
    ("orders/*/refunds", "refunds"),
    ("orders/*/notes", "notes"),
    ("orders", "orders"),
    ("refunds", "refunds"),
    ("customers", "customers"),
    ("coupons", "coupons"),
    ("webhooks", "webhooks"),
    ("settings", "settings"),
    ("shipping_methods", "shipping"),
    ("shipping", "shipping"),
    ("taxes", "taxes"),
    ("payment_gateways", "payment gateways"),
    ("system_status", "system status"),
    ("nosuch", "routing"),
];

/// Names of exchanges that the look-alike cannot answer yet, or headings as `heading:*`. Empty when the wave is over.
pub(crate) const NOT_YET: &[&str] = &[];

/// Where it belongs.
///
/// # Panics
/// On a path that no rule knows: a new recording needs a decision.
pub(crate) fn scope(exchange: &Exchange) -> Scope {
    let name = exchange.name.as_str();
    if let Some((_, why)) = OUT.iter().find(|(prefix, _)| name.starts_with(prefix)) {
        return Scope::Out(why);
    }
    if let Some((_, heading)) = BY_NAME.iter().find(|(prefix, _)| name.starts_with(prefix)) {
        return Scope::In(heading);
    }
    Scope::In(by_path(exchange.path()).unwrap_or_else(|| panic!("{name}: no rule for `{}`", exchange.path())))
}

/// The heading of a path below `/wp-json/wc/v3/`.
pub(crate) fn by_path(path: &str) -> Option<&'static str> {
    BY_PATH.iter().find(|(pattern, _)| begins(path, pattern)).map(|(_, heading)| *heading)
}

/// Whether it is one of those that cannot be answered yet.
pub(crate) fn not_yet(heading: &str, name: &str) -> bool {
    NOT_YET.iter().any(|entry| match entry.strip_suffix(":*") {
        Some(whole) => whole == heading,
        None => *entry == name,
    })
}

fn begins(path: &str, pattern: &str) -> bool {
    let mut segments = path.split('/');
    pattern.split('/').all(|wanted| segments.next().is_some_and(|segment| wanted == "*" || wanted == segment))
}
