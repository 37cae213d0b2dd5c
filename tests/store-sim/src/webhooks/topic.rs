//! Which topics there are, and which events of a shop reach which topic.

use crate::Happened;

/// Resources, and what may happen to them: "ghost" pairs such as `customer.restored` are refused.
const EVENTS: &[(&str, &[&str])] = &[
    ("coupon", &["created", "updated", "deleted", "restored"]),
    ("customer", &["created", "updated", "deleted"]),
    ("order", &["created", "updated", "deleted", "restored"]),
    ("product", &["created", "updated", "deleted", "restored", "published"]),
];

/// WordPress hooks behind a topic, as the REST answer lists them.
const HOOKS: &[(&str, &[&str])] = &[
    ("coupon.created", &["woocommerce_process_shop_coupon_meta", "woocommerce_new_coupon"]),
    ("coupon.updated", &["woocommerce_process_shop_coupon_meta", "woocommerce_update_coupon"]),
    ("coupon.deleted", &["wp_trash_post"]),
    ("coupon.restored", &["untrashed_post"]),
    ("customer.created", &["user_register", "woocommerce_created_customer", "woocommerce_new_customer"]),
    ("customer.updated", &["profile_update", "woocommerce_update_customer"]),
    ("customer.deleted", &["delete_user"]),
    ("order.created", &["woocommerce_new_order"]),
    ("order.updated", &["woocommerce_update_order", "woocommerce_order_refunded"]),
    ("order.deleted", &["wp_trash_post", "woocommerce_trash_order"]),
    ("order.restored", &["untrashed_post", "woocommerce_untrash_order"]),
    (
        "product.created",
        &["woocommerce_process_product_meta", "woocommerce_new_product", "woocommerce_new_product_variation"],
    ),
    (
        "product.updated",
        &["woocommerce_process_product_meta", "woocommerce_update_product", "woocommerce_update_product_variation"],
    ),
    ("product.deleted", &["wp_trash_post"]),
    ("product.restored", &["untrashed_post"]),
    ("product.published", &["woocommerce_product_published"]),
];

/// Resource and event of a topic, if WooCommerce takes it.
pub fn parse(topic: &str) -> Option<(&str, &str)> {
    let (resource, event) = topic.split_once('.')?;
    let known = match resource {
        "action" => ["woocommerce_", "wc_"].iter().any(|prefix| event.starts_with(prefix)),
        _ => EVENTS.iter().any(|(name, events)| *name == resource && events.contains(&event)),
    };
    known.then_some((resource, event))
}

/// The hooks it hangs on.
pub fn hooks(topic: &str) -> Vec<String> {
    match topic.strip_prefix("action.") {
        Some(hook) => vec![hook.to_owned()],
        None => HOOKS
            .iter()
            .find(|(known, _)| *known == topic)
            .map(|(_, hooks)| hooks.iter().map(|hook| (*hook).to_owned()).collect())
            .unwrap_or_default(),
    }
}

/// The topics that hear of an event. Trashing and untrashing are told by WordPress without saying what was trashed,
/// so products and coupons hear of each other's.
pub fn hearing(happened: &Happened) -> Vec<String> {
    match (happened.resource, happened.event.as_str()) {
        ("product" | "coupon", event @ ("deleted" | "restored")) => {
            vec![format!("product.{event}"), format!("coupon.{event}")]
        }
        _ => vec![happened.topic.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ghost_topics_are_refused() {
        for (topic, known) in [
            ("order.created", true),
            ("product.published", true),
            ("action.woocommerce_low_stock", true),
            ("action.wc_custom", true),
            ("action.init", false),
            ("customer.restored", false),
            ("order.published", false),
            ("order.exploded", false),
            ("order", false),
            ("", false),
        ] {
            assert_eq!(parse(topic).is_some(), known, "{topic}");
        }
    }

    #[test]
    fn every_topic_hangs_on_something() {
        for (resource, events) in EVENTS {
            for event in *events {
                assert!(!hooks(&format!("{resource}.{event}")).is_empty(), "{resource}.{event}");
            }
        }
    }

    #[test]
    fn a_trashed_product_is_told_as_a_coupon_too() {
        let topics = hearing(&Happened::new("product", "deleted", 65));
        assert_eq!(topics, ["product.deleted", "coupon.deleted"]);
        assert_eq!(hearing(&Happened::new("order", "deleted", 65)), ["order.deleted"]);
    }
}
