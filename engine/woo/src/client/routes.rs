//! Routes that every shop with WooCommerce has: where one of these is missing, WooCommerce is.

use cartwright_core::woo::WooMethod;

/// Routes with `#` for ids, and what they take: `G`ET, `P`OST, p`U`t (and POST on an object), `D`ELETE. Newer ones
/// (`products/brands`, `refunds`) are left out: a shop without them may be fine.
const ROUTES: &[(&str, &str)] = &[
    ("orders", "GP"),
    ("orders/#", "GPUD"),
    ("orders/#/notes", "GP"),
    ("orders/#/notes/#", "GD"),
    ("orders/#/refunds", "GP"),
    ("orders/#/refunds/#", "GD"),
    ("products", "GP"),
    ("products/#", "GPUD"),
    ("products/#/variations", "GP"),
    ("products/#/variations/#", "GPUD"),
    ("products/#/variations/batch", "P"),
    ("products/categories", "GP"),
    ("products/categories/#", "GPUD"),
    ("products/tags", "GP"),
    ("products/tags/#", "GPUD"),
    ("products/shipping_classes", "GP"),
    ("products/shipping_classes/#", "GPUD"),
    ("products/attributes", "GP"),
    ("products/attributes/#", "GPUD"),
    ("products/attributes/#/terms", "GP"),
    ("products/attributes/#/terms/#", "GPUD"),
    ("products/reviews", "GP"),
    ("products/reviews/#", "GPUD"),
    ("coupons", "GP"),
    ("coupons/#", "GPUD"),
    ("customers", "GP"),
    ("customers/#", "GPUD"),
    ("customers/#/downloads", "G"),
    ("webhooks", "GP"),
    ("webhooks/#", "GPUD"),
    ("taxes", "GP"),
    ("taxes/#", "GPUD"),
    ("taxes/classes", "GP"),
    ("orders/batch", "P"),
    ("products/batch", "P"),
    ("coupons/batch", "P"),
    ("customers/batch", "P"),
    ("webhooks/batch", "P"),
    ("taxes/batch", "P"),
    ("products/categories/batch", "P"),
    ("products/tags/batch", "P"),
    ("reports", "G"),
    ("settings", "G"),
    ("payment_gateways", "G"),
    ("shipping_methods", "G"),
    ("shipping/zones", "GP"),
    ("shipping/zones/#", "GPUD"),
    ("shipping/zones/#/locations", "GU"),
    ("shipping/zones/#/methods", "GP"),
    ("system_status", "G"),
    ("system_status/tools", "G"),
    ("data", "G"),
];

/// Lists that take `orderby=id&order=asc`.
const BY_ID: [&str; 11] = [
    "orders",
    "orders/#/refunds",
    "products",
    "products/#/variations",
    "products/categories",
    "products/tags",
    "products/shipping_classes",
    "products/attributes/#/terms",
    "coupons",
    "customers",
    "webhooks",
];

/// Whether every shop with WooCommerce knows it.
pub(super) fn is_everywhere(method: WooMethod, path: &str) -> bool {
    let letter = match method {
        WooMethod::Get => 'G',
        WooMethod::Post => 'P',
        WooMethod::Put => 'U',
        WooMethod::Delete => 'D',
    };
    let route = route(path);
    ROUTES.iter().any(|(known, methods)| *known == route && methods.contains(letter))
}

/// Whether the list can be had by ascending ids.
pub(super) fn sorts_by_id(path: &str) -> bool {
    BY_ID.contains(&route(path).as_str())
}

fn route(path: &str) -> String {
    let is_id = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    path.split('/').map(|part| if is_id(part) { "#" } else { part }).collect::<Vec<_>>().join("/")
}
