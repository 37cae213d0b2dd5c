//! A change and its audit entry are one write: on a storage that refuses either of two, both are there or neither is.

use std::sync::atomic::AtomicUsize;

use cartwright_run::storage::memory::{Fault, Faults, Write};
use serde_json::json;

use super::*;

/// Refuses only this one of the records' writes from now on, counted from 1.
fn refusing(place: usize) -> Faults {
    let written = AtomicUsize::new(0);
    Arc::new(move |write| {
        let counts = write == Write::Records && written.fetch_add(1, Relaxed) + 1 == place;
        if counts { Fault::Refuse } else { Fault::None }
    })
}

/// What can be seen of stores and secrets, and what the audit log says was done to them.
async fn seen(house: &House) -> (Json, Json, Vec<String>) {
    let of =
        |entry: &Json| format!("{} {}", entry["what"].as_str().unwrap_or("-"), entry["target"].as_str().unwrap_or("-"));
    let entries = house.get("/audit").await["items"].as_array().expect("items").iter().map(of).collect();
    (house.get("/stores").await["items"].clone(), house.get("/secrets").await["items"].clone(), entries)
}

#[tokio::test]
async fn a_change_of_stores_and_secrets_is_written_with_its_audit_entry_or_not_at_all() {
    let new_store = json!({ "id": "other", "url": "https://other.example", "webhook_secrets": [SECRET] }).to_string();
    let two_more = json!({ "id": "shop", "webhook_secrets": ["one more", "and another"] }).to_string();
    for (method, target, body, entry) in [
        ("POST", "/stores", new_store.as_str(), "store.add other"),
        ("POST", "/stores", two_more.as_str(), "store.webhook_secret shop"),
        ("DELETE", "/stores/shop", "", "store.remove shop"),
        ("PUT", "/secrets/slack", r#"{"value":"new"}"#, "secret.set slack"),
        ("DELETE", "/secrets/slack", "", "secret.remove slack"),
    ] {
        let house = House::new(&[]).await;
        let value = Secret::new("old");
        house.engine.secrets().set("slack", &value, house.engine.now(), |_| None).await.expect("set");
        let before = seen(&house).await;
        assert_eq!(before.2, Vec::<String>::new());

        house.storage.set_faults(Some(refusing(1)));
        let refused = house.api(method, target, body).await;
        assert_eq!(refused.refusal().0, 503, "{method} {target}");
        assert_eq!(seen(&house).await, before, "{method} {target}: nothing of it is there");

        house.storage.set_faults(Some(refusing(2)));
        let done = house.api(method, target, body).await;
        assert!(done.status.is_success(), "{method} {target} needs no second write: {done:?}");
        let after = seen(&house).await;
        assert_eq!(after.2, [entry]);
        assert_ne!((&after.0, &after.1), (&before.0, &before.1), "{method} {target} changed something");
    }
}
