//! Whether the address leads to a WooCommerce that answers, before any key is shown to it.

use cartwright_core::{Json, id::StoreId};
use url::{Host, Url};

use super::report::Report;
use crate::{
    client::{
        Client,
        probe::{Probe, Seen, Way},
    },
    transport::{TransportError, TransportFailure},
};

/// WooCommerce refuses signatures made with a clock that is off by more.
const CLOCK_OFF_MILLIS_MAX: u64 = 15 * 60 * 1000;
/// Redirects within the store's own address.
const REDIRECTS_MAX: usize = 3;
const CHECKS: [&str; 4] = ["https", "wordpress", "woocommerce", "clock"];

/// A place that answers as WordPress.
pub(super) struct Place {
    /// What WordPress takes its own address for; empty where it does not say.
    pub(super) home: String,
}

/// Adds `address` to `clock`; `None`: there is no use in going on.
pub(super) async fn look(client: &Client, id: &StoreId, url: &Url, report: &mut Report) -> Option<Place> {
    let index = below(url, "wp-json/");
    let seen = match ask(client, &index).await {
        Ok(seen) => seen,
        Err(error) => {
            report.fail("address", error.message.clone(), unreachable_help(&error, url));
            report.skip(&CHECKS, "the address was not reached");
            return None;
        }
    };
    if let Some(target) = seen.location.as_ref().filter(|target| target.origin() != index.origin()) {
        moved(id, url, target, report);
        return None;
    }
    report.ok("address", format!("{} answers", url.host_str().unwrap_or_default()));
    https(client, url, report).await;
    let place = wordpress(client, url, &seen, report).await;
    match &place {
        Some(_) => woocommerce(&seen, report),
        None => report.skip(&["woocommerce"], "WordPress was not found"),
    }
    clock(client, url, &seen, report);
    place
}

async fn ask(client: &Client, url: &Url) -> Result<Seen, TransportError> {
    let mut url = url.clone();
    let mut redirects = 0;
    loop {
        let seen = client.probe(&Probe { url: &url, query: &[], way: Way::Stranger }).await?;
        match &seen.location {
            Some(target) if redirects < REDIRECTS_MAX && target.origin() == url.origin() => url = target.clone(),
            _ => return Ok(seen),
        }
        redirects += 1;
    }
}

fn below(url: &Url, path: &str) -> Url {
    let mut below = url.clone();
    below.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
    below
}

fn unreachable_help(error: &TransportError, url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match error.failure {
        TransportFailure::Dns => {
            format!("Look for a typing mistake in {host}, and whether the domain is registered and its DNS is set.")
        }
        TransportFailure::Denied => {
            "Start the engine with that address opened, if the store really is in your own network.".to_owned()
        }
        TransportFailure::Connect => {
            "Is the web server up, is the port right, does a firewall let this machine through?".to_owned()
        }
        TransportFailure::Tls => tls_help(&error.message),
        TransportFailure::Timeout => {
            "The store is overloaded, or a firewall drops what we send. Try again, then ask its host.".to_owned()
        }
        TransportFailure::Lost => {
            "The web server gave up in the middle. Try again, then look at its error log.".to_owned()
        }
        TransportFailure::TooLarge => "Something else than WordPress answers there. Check the address.".to_owned(),
        TransportFailure::NotHttp if url.scheme() == "http" => {
            "Something else than a plain web server answers there. Write https:// if this port is for https, else check the port.".to_owned()
        }
        TransportFailure::NotHttp => "Something else than a web server answers there. Check the port.".to_owned(),
    }
}

/// By the words of `run/outbound/tls`, which are the only place that sees certificates.
fn tls_help(message: &str) -> String {
    let help = if message.contains("expired") {
        "Renew the store's certificate; Let's Encrypt does it by itself where its job runs."
    } else if message.contains("another name") {
        "Use the address that the certificate is for, or have the certificate cover this one (with and without www)."
    } else if message.contains("self-signed") || message.contains("issuer") {
        "Get a certificate that browsers accept. An authority of your own is named with --extra-ca-certificates FILE; a missing intermediate certificate belongs on the store's web server."
    } else if message.contains("not valid yet") {
        "Set this machine's clock (NTP)."
    } else if message.contains("does not speak TLS") {
        "Use http:// for this port, or the port that https answers on."
    } else {
        "Have the store's host look at its TLS set-up."
    };
    help.to_owned()
}

fn moved(id: &StoreId, url: &Url, target: &Url, report: &mut Report) {
    let mut to = target.clone();
    to.set_query(None);
    to.set_fragment(None);
    let path = to.path().trim_end_matches('/').trim_end_matches("wp-json").trim_end_matches('/').to_owned();
    to.set_path(&path);
    let to = to.as_str().trim_end_matches('/');
    report.fail(
        "address",
        format!(
            "{} redirects to {to}; keys and orders are not sent after a redirect",
            url.as_str().trim_end_matches('/')
        ),
        format!("Add the store under that address: cartwright store rm {id}, cartwright store add {id} --url {to} …"),
    );
    report.skip(&CHECKS, "the store lives at another address");
}

async fn https(client: &Client, url: &Url, report: &mut Report) {
    if url.scheme() == "https" {
        return report.ok("https", "the certificate is good");
    }
    let local = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if local {
        return report.ok("https", "plain http, which stays on this machine");
    }
    let mut secure = below(url, "wp-json/");
    let answers = secure.port().is_none() && secure.set_scheme("https").is_ok() && ask(client, &secure).await.is_ok();
    let help = if answers {
        "https answers there as well: add the store again with https://."
    } else {
        "Have the host set up https; Let's Encrypt is free."
    };
    report.warn(
        "https",
        "the store is asked over plain http: the key's secret is not sent, but anyone on the way can read orders",
        help,
    );
}

async fn wordpress(client: &Client, url: &Url, seen: &Seen, report: &mut Report) -> Option<Place> {
    if let Some(index) = seen.json.as_ref().filter(|index| index.get("namespaces").is_some_and(Json::is_array)) {
        let text = |key: &str| index.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let name: String = text("name").chars().take(80).collect();
        report.ok("wordpress", format!("WordPress answers as \"{name}\""));
        return Some(Place { home: text("home") });
    }
    // A plugin that closes the index to strangers may still let keys through.
    if seen.by_wordpress && matches!(seen.status, 401 | 403) {
        report.warn(
            "wordpress",
            "WordPress answers, but a plugin closes its REST API to strangers",
            "If the key does not work either, exempt /wp-json/wc/ in that security plugin.",
        );
        return Some(Place { home: String::new() });
    }
    let plain = client.probe(&Probe { url: &below(url, ""), query: &[("rest_route", "/")], way: Way::Stranger }).await;
    if plain.is_ok_and(|seen| seen.json.is_some_and(|index| index.get("namespaces").is_some())) {
        report.fail(
            "wordpress",
            "WordPress answers, but without readable permalinks, and WooCommerce takes no keys then",
            "In WordPress, Settings, Permalinks: choose \"Post name\" and save. If it is chosen already, the web server lacks WordPress's rewrite rules (.htaccess).",
        );
        return None;
    }
    match &seen.error {
        // Somebody stands in front of WordPress, or it is broken or in maintenance: the client's own words.
        Some(error) if !matches!(error.code.as_str(), "no_api" | "not_json" | "redirect") => {
            report.fail_with("wordpress", sentence(&error.message));
        }
        _ => report.fail(
            "wordpress",
            format!("there is no WordPress at this address (/wp-json/ answered {} and no API)", seen.status),
            "Check the address: where WordPress lives in a folder, the folder belongs to it (https://shop.example/shop).",
        ),
    }
    None
}

/// The client's words without what they say about waiting calls.
pub(super) fn sentence(message: &str) -> String {
    const WAITS: &str = "The call waits; ";
    let mut message = message.to_owned();
    if let Some(at) = message.find(WAITS) {
        let advice = message.split_off(at).split_off(WAITS.len());
        let mut letters = advice.chars();
        message.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        message.push_str(letters.as_str());
    }
    message
        .replace("The call waits until it is over", "Try again when it is over")
        .replace(". `cartwright store test` says which", "")
        .replace(", then retry", "")
}

fn woocommerce(seen: &Seen, report: &mut Report) {
    let namespaces = seen.json.as_ref().and_then(|index| index.get("namespaces")).and_then(Json::as_array);
    match namespaces {
        None => report.skip(&["woocommerce"], "the API's index is closed"),
        Some(list) if list.iter().any(|one| one.as_str() == Some("wc/v3")) => {
            report.ok("woocommerce", "WooCommerce's API (wc/v3) is there");
        }
        Some(_) => report.fail(
            "woocommerce",
            "WordPress runs, but WooCommerce's API (wc/v3) is not there",
            "Switch WooCommerce on under Plugins; during its own update this passes by itself.",
        ),
    }
}

fn clock(client: &Client, url: &Url, seen: &Seen, report: &mut Report) {
    let Some(theirs) = seen.date else { return report.skip(&["clock"], "the store does not say what time it is") };
    let ours = client.now();
    let off = theirs.as_millis().abs_diff(ours.as_millis());
    if off <= CLOCK_OFF_MILLIS_MAX {
        return report.ok("clock", "the store's clock and ours agree");
    }
    let direction = if theirs > ours { "ahead of" } else { "behind" };
    let signed = if url.scheme() == "http" { "; over plain http WooCommerce refuses our signatures then" } else { "" };
    report.warn(
        "clock",
        format!("the store's clock is {} minutes {direction} ours{signed}", off / 60_000),
        "Find out which one is wrong and set it (NTP).",
    );
}
