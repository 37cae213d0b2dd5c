//! One row for each kind of answer that is no success. Where a row comes from stands with it; "seen" means seen at a
//! real WooCommerce 11.

use super::{
    page::PageKind,
    taxonomy::{Case, Shape, Verdict},
};

/// Asked again after this when the store does not say when, in milliseconds.
const PATIENCE_MILLIS: u64 = 60_000;
/// As above, for what takes people or firewalls some time.
const LONG_PATIENCE_MILLIS: u64 = 5 * 60_000;

/// One row.
pub(super) struct Rule {
    /// Its name, for tests and debug logs.
    pub(super) name: &'static str,
    /// Which answers it is about.
    pub(super) fits: fn(&Case<'_>) -> bool,
    /// What to do.
    pub(super) verdict: Verdict,
    /// The stable word; WooCommerce's own where there is none.
    pub(super) code: Option<&'static str>,
    /// How long to wait where the store does not say.
    pub(super) wait_ms: Option<u64>,
    /// What it means and what to do. `{said}` is the store's message, `{who}` who wrote the page, `{object}` what is in
    /// the way.
    pub(super) text: &'static str,
}

macro_rules! rules {
    (@option) => { None };
    (@option $value:expr) => { Some($value) };
    ($($name:literal: $case:ident if $fits:expr => $verdict:ident $(as $code:literal)? $(after $wait:ident)?, $text:literal;)*) => {
        /// All rows; the first that fits decides.
        pub(super) const RULES: &[Rule] = &[$(Rule {
            name: $name,
            fits: |$case: &Case<'_>| $fits,
            verdict: Verdict::$verdict,
            code: rules!(@option $($code)?),
            wait_ms: rules!(@option $($wait)?),
            text: $text,
        },)*];
    };
}

rules! {
    // ---- Not now ----
    // Seen as JSON (`wp_die`) and as a page; every update of WordPress or a plugin takes some seconds of it.
    "maintenance": case if case.status == 503 && (case.code() == "wp_die" || case.is_page(PageKind::Maintenance))
        => Defer as "maintenance" after PATIENCE_MILLIS,
        "the store is in maintenance (an update). The call waits until it is over";
    // nginx, LiteSpeed and hosts: nobody got the request.
    "unavailable until": case if case.status == 503 && case.reply.headers.retry_after_ms.is_some() && !case.is_challenge()
        => Defer as "unavailable",
        "the store asks for patience (503). The call waits until then";
    "maintenance page with another status": case if case.is_page(PageKind::Maintenance)
        => Defer as "maintenance" after LONG_PATIENCE_MILLIS,
        "the store shows a maintenance page. The call waits; end the maintenance mode to go on";
    // WooCommerce itself has no limit; hosts and firewalls do. RFC 6585.
    "too many requests": case if case.status == 429
        => Defer as "rate_limited" after PATIENCE_MILLIS,
        "the store's host asked for fewer requests. The call waits; this store is asked more slowly for a while";
    // Apache's limit of processes on shared hosting (CloudLinux), before PHP.
    "host out of resources": case if case.status == 508
        => Defer as "rate_limited" after PATIENCE_MILLIS,
        "the store's host has reached its limit of processes (508). The call waits; ask the host for more if it happens often";

    // ---- Somebody stands in front of the shop ----
    "challenge that refuses": case if case.is_challenge() && matches!(case.status, 401 | 403 | 405 | 406)
        => Park as "blocked",
        "{who} asks for proof that a person is asking ({status}). Allow this engine's address, or /wp-json/wc/, in its settings, then retry";
    "challenge for a while": case if case.is_challenge()
        => Defer as "blocked" after LONG_PATIENCE_MILLIS,
        "{who} asks for proof that a person is asking ({status}). The call waits; if it goes on, allow this engine's address, or /wp-json/wc/, in its settings";
    "firewall": case if matches!(case.shape, Shape::Page(Some(PageKind::Firewall(_))))
        => Park as "blocked",
        "the firewall {who} refused the call ({status}). Allow this engine's address, or /wp-json/wc/, in its settings, then retry";
    "login page": case if case.is_page(PageKind::Login)
        => Park as "blocked",
        "the store answers with a login page instead of data ({status}). Exempt /wp-json/wc/ from the plugin or host setting that asks visitors to log in";
    "coming soon page": case if case.is_page(PageKind::ComingSoon)
        => Park as "blocked",
        "the store answers with a \"coming soon\" page instead of data ({status}). Exempt /wp-json/ from that plugin, or publish the store";
    "parked domain": case if case.is_page(PageKind::Parked)
        => Park as "not_a_store",
        "the address shows a parked domain, not a store. Check the address and whether the domain was renewed";
    "suspended account": case if case.is_page(PageKind::Suspended)
        => Park as "blocked",
        "the host has suspended the store's account. Settle it with the host, then retry";
    "password in front of the site": case if case.status == 401 && !case.is_rest_error() && case.reply.headers.asks_for_password
        => Park as "password_protected",
        "the web server asks for a password of its own, as staging sites do. Exempt /wp-json/wc/ from it";
    "proxy asks for a password": case if case.status == 407
        => Park as "blocked",
        "a proxy in between asks for a password (407)";

    // ---- WordPress or PHP broke ----
    // Seen: `wp_die` with "Error establishing a database connection", nothing else got done.
    "database down": case if case.status >= 500 && (case.is_page(PageKind::Database) || (case.code() == "wp_die" && case.message().contains("database")))
        => Broke as "server_error" after PATIENCE_MILLIS,
        "the store cannot reach its database. If it goes on, tell the host";
    // Seen: refunds answer 500 for what should be a 400, `data` a bare number.
    "refund refused": case if case.status == 500 && case.code().starts_with("woocommerce_rest_") && case.code().ends_with("_order_refund")
        => Final,
        "the store refused the refund: {said}";
    // Seen: a fatal error in PHP, most often of a plugin or for want of memory.
    "critical error": case if case.status >= 500 && (matches!(case.code(), "internal_server_error" | "wp_die") || case.is_page(PageKind::Critical))
        => Broke as "server_error",
        "PHP broke off in the store with a critical error ({status}). Look at its error log; most often a plugin is the cause";
    "empty server error": case if case.status == 500 && matches!(case.shape, Shape::Empty)
        => Broke as "server_error",
        "PHP broke off in the store before WordPress was up (500, empty). Look at its error log";
    "not built here": case if case.status == 501
        => Final,
        "the store cannot do that: {said}";
    "gateway": case if matches!(case.status, 502 | 504)
        => Broke as "gateway",
        "the web server in front of the store got no answer from PHP ({status}): it is overloaded, restarting, or took too long";
    "cloudflare cannot reach the store": case if matches!(case.status, 521 | 523 | 525 | 526 | 530)
        => Broke as "gateway" after PATIENCE_MILLIS,
        "Cloudflare does not reach the store's own server ({status}). Look at the server, its firewall and its certificate";
    "cloudflare lost the store": case if matches!(case.status, 520 | 522 | 524 | 527)
        => Broke as "gateway",
        "Cloudflare got no whole answer from the store's own server ({status})";
    "unavailable": case if case.status == 503
        => Broke as "unavailable" after PATIENCE_MILLIS,
        "the store is not available for the moment (503) {said}";
    "loop of hosts": case if case.status == 506 || case.status == 510 || case.status == 511
        => Park as "blocked",
        "something in the network between here and the store answers instead of it ({status})";
    // A plugin's or WooCommerce's own error with a 5xx: it may have got half way.
    "server error": case if case.status >= 500
        => Broke as "server_error",
        "the store failed inside ({status}) {said}";

    // ---- Who asks ----
    // Seen: 401 with the same code for a reading and a writing key; the message tells.
    "key may only read": case if case.is_auth("write permissions")
        => Park as "key_read_only",
        "the store's REST key may only read. Give it Read/Write under WooCommerce, Settings, Advanced, REST API, then retry";
    "key may only write": case if case.is_auth("read permissions")
        => Park as "key_write_only",
        "the store's REST key may only write. Give it Read/Write under WooCommerce, Settings, Advanced, REST API, then retry";
    "secret wrong": case if case.is_auth("secret is invalid") || case.is_auth("nvalid signature")
        => Park as "secret_wrong",
        "the store knows the key but not the secret (or has another address than we use). Make a new REST key there and connect the store again";
    "key unknown": case if case.is_auth("key is invalid")
        => Park as "key_unknown",
        "the store does not know the key: it was revoked or belongs to another store. Make a new REST key there and connect the store again";
    "clock": case if case.is_auth("timestamp")
        => Park as "clock",
        "the clocks of the store and of this machine differ by more than 15 minutes. Set them (NTP), then retry";
    // A nonce is random: seen twice means that something in between sent our request twice.
    "nonce seen": case if case.is_auth("nonce")
        => Broke as "repeated",
        "the store saw this very request before: something in between repeats requests";
    // WooCommerce 11.1 refuses routes outside its own namespaces this way.
    "other refusal of the key": case if case.status == 401 && case.code().starts_with("woocommerce_rest_authentication_")
        => Park as "unauthorized",
        "the store refused the key: {said}";
    "taken for a user name": case if case.status == 401 && matches!(case.code(), "invalid_username" | "incorrect_password" | "invalid_email" | "application_passwords_disabled")
        => Park as "key_unnoticed",
        "WordPress took the key for a user's name: WooCommerce did not see the call as its own. Set pretty permalinks under Settings, Permalinks";
    "nobody noticed": case if case.status == 401
        => Park as "key_unnoticed",
        "the store did not notice the key or does not know it (401). It was revoked, or the web server removes the Authorization header, or WordPress does not know that it runs over https. `cartwright store test` says which";
    "no rights": case if case.status == 403 && case.code().starts_with("woocommerce_rest_")
        => Park as "no_rights",
        "the user whom the REST key belongs to may not do this: {said} Give the key to a shop manager or administrator";
    "forbidden by wordpress": case if case.status == 403 && case.is_rest_error()
        => Park as "forbidden",
        "the store forbids it: {said} Look for a security plugin that restricts the REST API";
    "forbidden by a page": case if matches!(case.status, 403 | 406)
        => Park as "blocked",
        "the web server or a firewall refused the call before WooCommerce saw it ({status}). Allow this engine's address, or /wp-json/wc/, there";

    // ---- Not there ----
    // Seen when WooCommerce is off, also shortly during its own update: not "resource deleted".
    "no such route here": case if case.status == 404 && case.code() == "rest_no_route" && case.is_everywhere()
        => Defer as "rest_no_route" after PATIENCE_MILLIS,
        "WooCommerce is switched off, or its REST API is not where it was. The call waits; look at the store's plugins";
    "no such route": case if case.status == 404 && case.code() == "rest_no_route"
        => Final,
        "WooCommerce has no such call (path or method). Check the path; newer routes need a newer WooCommerce";
    "no such object": case if case.status == 404 && case.is_rest_error()
        => Final,
        "not found at the store: {said}";
    // A page: the permalinks are plain, WordPress lives in another folder, or something else runs there.
    "no api": case if case.status == 404
        => Defer as "no_api" after LONG_PATIENCE_MILLIS,
        "there is no REST API at the store's address (404 without WooCommerce's words). The call waits; set pretty permalinks under Settings, Permalinks, or correct the address";

    // ---- The store refused it ----
    "too much at once": case if case.status == 413
        => Final,
        "too much for one call: {said} A batch takes at most 100 items";
    "duplicate": case if case.status == 400 && case.is_duplicate()
        => Final,
        "it exists already at the store: {said}{object}";
    "bad coupon in an order": case if case.status == 400 && case.error.as_ref().is_some_and(|error| error.draft_order_id.is_some())
        => Final,
        "the store refused it: {said}{object}";
    "gone": case if case.status == 410
        => Final,
        "it is gone at the store: {said}";
    "conflict or lock": case if matches!(case.status, 409 | 423)
        => Final,
        "the store refused it: {said}";
    // RFC 9110 §15.5.9: the server did not wait for the whole request; 425: it does not want to take it yet.
    "not taken": case if matches!(case.status, 408 | 425)
        => Broke as "timeout",
        "the store's web server did not take the whole request in time ({status})";
    "method refused": case if case.status == 405
        => Park as "blocked",
        "the web server does not let this method through (405). Allow PUT and DELETE on /wp-json/wc/";
    "refused": case if (400..500).contains(&case.status) && case.is_rest_error()
        => Final,
        "the store refused it: {said}";
    "refused by the web server": case if (400..500).contains(&case.status)
        => Final as "status",
        "the store's web server refused the call ({status}) {said}";

    // ---- Not what it should be ----
    "redirect": case if (300..400).contains(&case.status)
        => Park as "redirect",
        "the store answers with a redirect that leads nowhere ({status}). Check its address";
    "page instead of data": case if matches!(case.shape, Shape::Page(_))
        => Broke as "not_json",
        "the store answered with something else than data ({status}): {said} Look for a plugin or host setting that changes /wp-json/";
    "nothing instead of data": case if matches!(case.shape, Shape::Empty)
        => Broke as "not_json",
        "the store answered with nothing ({status}). Look at its PHP error log";
    "anything else": _case if true
        => Broke as "status",
        "the store gave an answer that makes no sense ({status}) {said}";
}

/// The row that decides.
pub(super) fn find(case: &Case<'_>) -> &'static Rule {
    RULES.iter().find(|rule| (rule.fits)(case)).expect("the last row fits everything")
}

/// A row's text about this answer.
pub(super) fn message(rule: &Rule, case: &Case<'_>) -> String {
    let who = match case.shape {
        Shape::Page(Some(PageKind::Challenge(who) | PageKind::Firewall(who))) => who,
        _ => "",
    };
    let text = rule.text.replace("{status}", &case.status.to_string()).replace("{who}", who);
    let text = text.replace("{object}", &object(case));
    // Last, because the store's words may hold anything.
    text.replace("{said}", &said(case)).trim_end_matches([' ', ':']).to_owned()
}

/// The store's words, as a sentence; nothing where it said nothing.
fn said(case: &Case<'_>) -> String {
    let Some(error) = &case.error else { return sentence(case.page_begin()) };
    let said = if error.message.is_empty() { &error.code } else { &error.message };
    let details: Vec<&str> = error.params.iter().map(String::as_str).filter(|detail| !said.contains(detail)).collect();
    if details.is_empty() {
        return sentence(said.clone());
    }
    sentence(format!("{} ({})", said.trim_end_matches('.'), details.join("; ")))
}

fn sentence(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    text
}

/// What is in the way, or was left behind.
fn object(case: &Case<'_>) -> String {
    let Some(error) = &case.error else { return String::new() };
    let other = error.resource_id.map(|id| format!(" The other one has the id {id}."));
    let draft = error.draft_order_id.map(|id| format!(" It left the draft order {id} behind."));
    [other, draft].into_iter().flatten().collect()
}
