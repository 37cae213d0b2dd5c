//! What the key opens: lists that workflows read, writing, versions, and the webhooks that lead here.

use cartwright_core::{
    Json,
    woo::{WooMethod, WooRequest},
};
use serde_json::{Map, json};

use super::{place::sentence, report::Report};
use crate::client::{self, Answer, Client, Connection, Failure};

const LISTS: [&str; 4] = ["orders", "products", "customers", "coupons"];
/// Older ones are not tested against, as `(major, minor)`.
const WOOCOMMERCE_MIN: (u32, u32) = (8, 9);

/// Adds `rights` to `webhooks`.
pub(super) async fn look(client: &Client, store: &Connection, report: &mut Report) {
    rights(client, store, report).await;
    writing(client, store, report).await;
    versions(client, store, report).await;
    webhooks(client, store, report).await;
}

async fn get(client: &Client, store: &Connection, path: &str, query: &[(&str, &str)]) -> Result<Answer, Failure> {
    let query: Map<String, Json> = query.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    client.exchange(store, &client::read(path, query)).await
}

async fn rights(client: &Client, store: &Connection, report: &mut Report) {
    let mut refused = Vec::new();
    let mut why = String::new();
    for path in LISTS {
        if let Err(failure) = get(client, store, path, &[("per_page", "1"), ("_fields", "id")]).await {
            refused.push(path);
            why = sentence(&failure.error.message);
        }
    }
    if refused.is_empty() {
        return report.ok("rights", format!("the key reads {}", LISTS.join(", ")));
    }
    report.fail(
        "rights",
        format!("the key does not read {}: {why}", refused.join(", ")),
        "Give the key to a shop manager or an administrator.",
    );
}

/// A batch of nothing: WooCommerce checks who asks, and then has nothing to do.
async fn writing(client: &Client, store: &Connection, report: &mut Report) {
    let request = WooRequest {
        method: WooMethod::Post,
        path: "products/batch".to_owned(),
        store: None,
        query: Map::new(),
        body: Some(json!({})),
        all: false,
    };
    match client.exchange(store, &request).await {
        Ok(_) => report.ok("writing", "the key may write"),
        Err(failure) if failure.error.code == "key_read_only" => report.warn(
            "writing",
            "the key may only read: steps that change something in the store will be parked",
            "Give it Read/Write in WooCommerce under Settings, Advanced, REST API, if workflows are to write.",
        ),
        Err(failure) => report.fail_with("writing", sentence(&failure.error.message)),
    }
}

async fn versions(client: &Client, store: &Connection, report: &mut Report) {
    let status = match get(client, store, "system_status", &[("_fields", "environment,settings")]).await {
        Ok(answer) => answer.body,
        Err(failure) if failure.error.code == "no_rights" => {
            return report.skip(&["versions"], "only an administrator's or a shop manager's key reads them");
        }
        Err(failure) => return report.skip(&["versions"], &sentence(&failure.error.message)),
    };
    let text = |group: &str, key: &str| {
        let value = status.get(group).and_then(|group| group.get(key)).and_then(Json::as_str).unwrap_or("?");
        value.chars().take(40).collect::<String>()
    };
    let (woocommerce, wordpress, php) =
        (text("environment", "version"), text("environment", "wp_version"), text("environment", "php_version"));
    let hpos = match status.get("settings").and_then(|settings| settings.get("HPOS_enabled")).and_then(Json::as_bool) {
        Some(true) => ", orders in their own tables (HPOS)",
        Some(false) => ", orders among posts (no HPOS)",
        None => "",
    };
    let found = format!("WooCommerce {woocommerce}, WordPress {wordpress}, PHP {php}{hpos}");
    if number(&woocommerce).is_some_and(|version| version < WOOCOMMERCE_MIN) {
        let (major, minor) = WOOCOMMERCE_MIN;
        report.warn("versions", found, format!("Update WooCommerce: calls are tested with {major}.{minor} and newer."));
    } else {
        report.ok("versions", found);
    }
    if status.get("environment").and_then(|environment| environment.get("wp_cron")) == Some(&json!(false)) {
        report.warn(
            "cron",
            "WP-Cron is switched off in the store (DISABLE_WP_CRON), and webhooks are sent by it",
            "See that the host calls wp-cron.php every minute; otherwise no webhook ever leaves the store.",
        );
    }
}

/// Major and minor.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

async fn webhooks(client: &Client, store: &Connection, report: &mut Report) {
    let query = [("per_page", "100"), ("_fields", "id,name,status,topic,delivery_url")];
    let list = match get(client, store, "webhooks", &query).await {
        Ok(Answer { body: Json::Array(list), .. }) => list,
        Ok(_) => return report.skip(&["webhooks"], "the store's list of webhooks is not a list"),
        Err(failure) => return report.skip(&["webhooks"], &sentence(&failure.error.message)),
    };
    let text = |webhook: &Json, key: &str| webhook.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let end = format!("/webhooks/{}", store.id);
    let ours: Vec<&Json> =
        list.iter().filter(|webhook| text(webhook, "delivery_url").trim_end_matches('/').ends_with(&end)).collect();
    let stopped: Vec<&Json> = ours.iter().copied().filter(|webhook| text(webhook, "status") != "active").collect();
    if ours.is_empty() {
        return report.warn(
            "webhooks",
            format!("no webhook of the store leads to …{end}: its events do not arrive"),
            "Add webhooks in WooCommerce under Settings, Advanced, Webhooks, with this engine's public address and that path.",
        );
    }
    let shown = |webhooks: &[&Json]| {
        let one = |webhook: &&Json| format!("{} ({})", text(webhook, "topic"), text(webhook, "status"));
        webhooks.iter().take(10).map(one).collect::<Vec<_>>().join(", ")
    };
    if stopped.is_empty() {
        return report.ok(
            "webhooks",
            format!("active: {}", ours.iter().take(10).map(|one| text(one, "topic")).collect::<Vec<_>>().join(", ")),
        );
    }
    report.fail(
        "webhooks",
        format!("switched off: {}", shown(&stopped)),
        "WooCommerce switches a webhook off after some failed deliveries in a row. See that this engine is reachable from the store, then set it to Active again.",
    );
}
