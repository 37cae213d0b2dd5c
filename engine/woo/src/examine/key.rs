//! Whether the key opens the store, and if not, why: WooCommerce says the same to an unknown key as to no key at all, so
//! the other ways of saying who asks are tried.

use url::Url;

use super::{
    place::{Place, sentence},
    report::Report,
};
use crate::client::{
    self, Client, Connection,
    probe::{Probe, Seen, Way},
};

const NEW_KEY: &str =
    "Make a new key in WooCommerce under Settings, Advanced, REST API, and connect the store with it.";

/// Adds `key`; whether it opens the store.
pub(super) async fn look(client: &Client, store: &Connection, place: &Place, report: &mut Report) -> bool {
    let url = client::address(&store.url, "products");
    let secure = url.scheme() == "https";
    let first = if secure { Way::Basic(store) } else { Way::OAuth(store) };
    let Some(seen) = ask(client, &url, first, report).await else { return false };
    if !(seen.ignored && secure) {
        return judge(&seen, report);
    }
    let Some(other) = ask(client, &url, Way::Query(store), report).await else { return false };
    if !other.ignored {
        if judge(&other, report) {
            stripped(report);
            return true;
        }
        return false;
    }
    let Some(signed) = ask(client, &url, Way::OAuth(store), report).await else { return false };
    unnoticed(&signed, place, report);
    false
}

async fn ask(client: &Client, url: &Url, way: Way<'_>, report: &mut Report) -> Option<Seen> {
    let query = [("per_page", "1"), ("_fields", "id")];
    match client.probe(&Probe { url, query: &query, way }).await {
        Ok(seen) => Some(seen),
        Err(error) => {
            report.fail("key", error.message, "The store stopped answering in the middle. Try again.");
            None
        }
    }
}

/// The store noticed the key and said something about it.
fn judge(seen: &Seen, report: &mut Report) -> bool {
    match &seen.error {
        None => {
            report.ok("key", "the key opens the store");
            true
        }
        Some(error) => {
            report.fail_with("key", sentence(&error.message));
            false
        }
    }
}

/// Replaces the good news by better: it works, but only one way.
fn stripped(report: &mut Report) {
    report.checks.pop();
    report.warn(
        "key",
        "the key opens the store, but only as part of the address: the web server removes the Authorization header",
        "It works as it is, but keys in addresses end up in the web server's log. On Apache: `CGIPassAuth On`, or `SetEnvIf Authorization \"(.*)\" HTTP_AUTHORIZATION=$1` in .htaccess.",
    );
}

/// Neither way was noticed; a signature gets another answer out of WooCommerce than "you may not".
fn unnoticed(signed: &Seen, place: &Place, report: &mut Report) {
    let code = signed.error.as_ref().map_or("", |error| error.code.as_str());
    if code == "key_unknown" {
        report.fail("key", "the store does not know this key: it was revoked, or belongs to another store", NEW_KEY);
    } else if signed.error.is_none() || code == "secret_wrong" || place.home.starts_with("http://") {
        report.fail(
            "key",
            "WordPress does not know that it is reached over https (something in front of it ends TLS), and takes no keys then",
            "Set both addresses under Settings, General, to https://, and in wp-config.php before the last line: if (($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https') { $_SERVER['HTTPS'] = 'on'; }",
        );
    } else {
        report.fail(
            "key",
            "the store does not notice the key in any way: it does not know it, or something removes it on the way",
            format!("{NEW_KEY} If that does not help, look for a security plugin that restricts the REST API."),
        );
    }
}
