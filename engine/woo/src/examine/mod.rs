//! What is wrong with a store, and what to do: `cartwright store test`. Takes a store's address and keys, asks it a
//! dozen questions over the client's transport, and gives a [`Report`].
//!
//! Nothing is changed at the store. All questions are GET but one: whether the key may write is asked with an empty
//! batch, of which WooCommerce executes nothing (there is no other way to ask).
//!
//! Read in this order: [`report`], [`place`] (address, https, WordPress, WooCommerce, clock), [`key`] (who asks),
//! [`inside`] (what the key opens).

mod inside;
mod key;
mod place;
mod report;
#[cfg(test)]
mod tests;

use cartwright_core::id::StoreId;
use url::Url;

use crate::client::{Client, Connection};

pub use report::{Check, Outcome, Report};

/// Checks that need the key, in order.
const WITH_KEY: [&str; 4] = ["rights", "writing", "versions", "webhooks"];

/// What is examined.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Which store.
    pub id: &'a StoreId,
    /// Its address, if it has one.
    pub url: Option<&'a str>,
    /// Its keys, if they are known.
    pub connection: Option<&'a Connection>,
}

/// Looks at everything that can be looked at. Takes seconds, and up to some minutes when nobody answers.
pub async fn examine(client: &Client, target: Target<'_>) -> Report {
    let mut report = Report::new(target.id.clone(), target.url.map(str::to_owned));
    let address = target.url.map(Url::parse);
    let Some(Ok(url)) = address else {
        let id = target.id;
        let help = format!(
            "Add it again with its address: cartwright store rm {id}, then cartwright store add {id} --url https://…"
        );
        report.fail("address", "the store's address is not known", help);
        report.skip(&["https", "wordpress", "woocommerce", "clock", "key"], "there is no address to ask");
        report.skip(&WITH_KEY, "there is no address to ask");
        return report;
    };
    let Some(place) = place::look(client, target.id, &url, &mut report).await else {
        report.skip(&["key"], "the store's API was not reached");
        report.skip(&WITH_KEY, "the store's API was not reached");
        return report;
    };
    let Some(connection) = target.connection else {
        let id = target.id;
        report.fail(
            "key",
            "no REST key is known: workflows cannot call this store",
            format!(
                "Make one in WooCommerce under Settings, Advanced, REST API (Read/Write), then: cartwright store rm {id}, \
                 cartwright store add {id} --url {url} --key ck_… --secret cs_…"
            ),
        );
        report.skip(&WITH_KEY, "there is no key to ask with");
        return report;
    };
    // What was remembered may be what has been mended since.
    client.forget(target.id);
    if key::look(client, connection, &place, &mut report).await {
        inside::look(client, connection, &mut report).await;
    } else {
        report.skip(&WITH_KEY, "the key does not open the store");
    }
    report
}
