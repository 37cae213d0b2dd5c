//! What a failed exchange means: for the engine (try again, wait, park, give up) and for the merchant (what happened
//! and what to do). [`rules`](super::rules) holds one row for each kind of answer; the first that fits decides. What
//! has no answer is decided here by how the exchange ended.

use cartwright_core::{
    call::{CallError, ErrorClass},
    time::Timestamp,
    woo::WooMethod,
};
use url::Url;

use super::{
    Failure,
    exchange::Reply,
    page::{PageKind, recognise},
    parse::{Reading, RestError},
    routes,
    rules::{self, Rule},
    text,
};
use crate::transport::{TransportError, TransportFailure};

/// WooCommerce takes timestamps that are off by 15 minutes; answers travel seconds.
const SKEW_MILLIS: i64 = 14 * 60_000;
/// As above, where the store says that it is the timestamp.
const SKEW_SAID_MILLIS: i64 = 60_000;
/// Of a page, in characters.
const PAGE_CHARS_SHOWN: usize = 120;

/// What was asked, as far as it matters for what an answer means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) method: WooMethod,
    pub(super) path: &'a str,
    /// The store's address.
    pub(super) url: &'a Url,
}

/// What the engine does about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The store refused it; the same again is refused again.
    Final,
    /// A person has to mend something first; nothing was changed.
    Park,
    /// It was not done and will be later.
    Defer,
    /// It broke in the middle: a read is repeated, of a write nobody knows.
    Broke,
}

/// An answer as the rules see it.
pub(super) struct Case<'a> {
    pub(super) asked: Asked<'a>,
    pub(super) status: u16,
    pub(super) shape: Shape,
    pub(super) error: Option<RestError>,
    pub(super) reply: &'a Reply,
}

/// What the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// WooCommerce's error object.
    Error,
    /// Other JSON.
    Json,
    /// Nothing.
    Empty,
    /// A page for people, told by who wrote it.
    Page(Option<PageKind>),
}

impl<'a> Case<'a> {
    fn new(asked: &Asked<'a>, reply: &'a Reply) -> Self {
        let error = reply.reading.rest_error();
        let shape = match &reply.reading {
            Reading::Json { .. } if error.is_some() => Shape::Error,
            Reading::Json { .. } => Shape::Json,
            Reading::Empty => Shape::Empty,
            Reading::Page(_) if reply.headers.is_challenge => Shape::Page(Some(PageKind::Challenge("Cloudflare"))),
            Reading::Page(page) => Shape::Page(recognise(page)),
        };
        Self { asked: *asked, status: status(reply), shape, error, reply }
    }

    /// WooCommerce's own word.
    pub(super) fn code(&self) -> &str {
        self.error.as_ref().map_or("", |error| error.code.as_str())
    }

    /// Its message.
    pub(super) fn message(&self) -> &str {
        self.error.as_ref().map_or("", |error| error.message.as_str())
    }

    /// Whether the body is WooCommerce's error object.
    pub(super) fn is_rest_error(&self) -> bool {
        self.error.is_some()
    }

    /// Whether the body is a page of this kind.
    pub(super) fn is_page(&self, kind: PageKind) -> bool {
        self.shape == Shape::Page(Some(kind))
    }

    /// Whether somebody asks for a person.
    pub(super) fn is_challenge(&self) -> bool {
        matches!(self.shape, Shape::Page(Some(PageKind::Challenge(_))))
    }

    /// Whether WooCommerce refuses the key with these words, which are the only difference between its refusals.
    pub(super) fn is_auth(&self, words: &str) -> bool {
        self.status == 401 && self.code() == "woocommerce_rest_authentication_error" && self.message().contains(words)
    }

    /// Whether every shop with WooCommerce knows the route.
    pub(super) fn is_everywhere(&self) -> bool {
        routes::is_everywhere(self.asked.method, self.asked.path)
    }

    /// Whether it was refused because such an object exists.
    pub(super) fn is_duplicate(&self) -> bool {
        const CODES: [&str; 9] = [
            "product_invalid_sku",
            "product_invalid_global_unique_id",
            "term_exists",
            "woocommerce_rest_coupon_code_already_exists",
            "registration-error-email-exists",
            "registration-error-username-exists",
            "woocommerce_rest_customer_invalid_email",
            "woocommerce_rest_product_exists",
            "woocommerce_rest_tax_class_exists",
        ];
        CODES.contains(&self.code())
    }

    /// How a page begins, for people.
    pub(super) fn page_begin(&self) -> String {
        match &self.reply.reading {
            Reading::Page(page) => text::plain(page, PAGE_CHARS_SHOWN),
            Reading::Json { .. } | Reading::Empty => String::new(),
        }
    }
}

/// The answer's status; an error object in a 200 counts with its own (some proxies rewrite statuses).
fn status(reply: &Reply) -> u16 {
    match reply.reading.rest_error().and_then(|error| error.status) {
        Some(inner @ 400..=599) if (200..300).contains(&reply.status) => inner,
        _ => reply.status,
    }
}

/// Whether it is what was asked for.
pub(super) fn is_success(reply: &Reply) -> bool {
    let fits = match reply.reading {
        Reading::Json { .. } => true,
        Reading::Empty => reply.status == 204,
        Reading::Page(_) => false,
    };
    fits && (200..300).contains(&status(reply))
}

/// Whether WooCommerce saw no credentials: 401 is what it says to strangers, 403 to those it knows.
pub(super) fn is_ignored(reply: &Reply) -> bool {
    let by_stranger = |error: RestError| {
        error.code.starts_with("woocommerce_rest_cannot_")
            || matches!(error.code.as_str(), "rest_not_logged_in" | "rest_forbidden" | "invalid_username")
    };
    reply.status == 401
        && match &reply.reading {
            Reading::Json { .. } => reply.reading.rest_error().is_some_and(by_stranger),
            Reading::Empty => true,
            Reading::Page(_) => false,
        }
}

/// Whether WooCommerce surely looked at the key. Errors of WordPress itself (`rest_invalid_param`, `rest_no_route`) come
/// before it does.
pub(super) fn is_noticed(reply: &Reply) -> bool {
    match (&reply.reading, reply.status) {
        (Reading::Json { .. }, 200..=299) => true,
        (Reading::Json { .. }, 400 | 403 | 404) => {
            reply.reading.rest_error().is_some_and(|error| !error.code.starts_with("rest_"))
        }
        _ => false,
    }
}

/// Whether the store refused what we signed and its clock is so far off that this may be why: by how much it is ahead.
/// The words tell it in English only.
pub(super) fn clock_ahead(reply: &Reply, now: Timestamp) -> Option<i64> {
    let error = reply.reading.rest_error().filter(|_| reply.status == 401)?;
    if error.code != "woocommerce_rest_authentication_error" {
        return None;
    }
    let ahead = reply.headers.date?.as_millis().saturating_sub(now.as_millis());
    let enough = if error.message.contains("timestamp") { SKEW_SAID_MILLIS } else { SKEW_MILLIS };
    (ahead.abs() >= enough).then_some(ahead)
}

/// What an answer that is no success means.
pub(super) fn classify(asked: &Asked<'_>, reply: &Reply) -> Failure {
    let case = Case::new(asked, reply);
    let rule = rules::find(&case);
    tracing::debug!(rule = rule.name, status = reply.status, path = asked.path, "a store's answer is no success");
    let error = CallError {
        code: word(rule, &case),
        message: rules::message(rule, &case),
        status: Some(reply.status),
        class: ErrorClass::Final,
        retry_after_ms: reply.headers.retry_after_ms.or(rule.wait_ms),
    };
    failure(rule.verdict, asked.method, error)
}

/// The rule's own word, else WooCommerce's.
fn word(rule: &Rule, case: &Case<'_>) -> String {
    const WORD_BYTES_MAX: usize = 100;
    let ok = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let own = case.code();
    match rule.code {
        Some(code) => code.to_owned(),
        None if !own.is_empty() && own.len() <= WORD_BYTES_MAX && own.bytes().all(ok) => own.to_owned(),
        None => "status".to_owned(),
    }
}

fn failure(verdict: Verdict, method: WooMethod, error: CallError) -> Failure {
    let is_write = method != WooMethod::Get;
    let (class, may_have_happened) = match verdict {
        Verdict::Final => (ErrorClass::Final, false),
        Verdict::Park => (ErrorClass::Park, false),
        Verdict::Defer => (ErrorClass::Deferred, false),
        Verdict::Broke if is_write => (ErrorClass::Unknown, true),
        Verdict::Broke => (ErrorClass::Retryable, false),
    };
    // A wait that nobody will keep is noise.
    let retry_after_ms = error.retry_after_ms.filter(|_| !matches!(class, ErrorClass::Final | ErrorClass::Park));
    Failure { error: CallError { class, retry_after_ms, ..error }, may_have_happened }
}

/// What the end of an exchange without an answer means.
pub(super) fn unanswered(asked: &Asked<'_>, error: &TransportError) -> Failure {
    let host = asked.url.host_str().unwrap_or_default();
    let broke = if error.may_have_arrived { Verdict::Broke } else { Verdict::Defer };
    let why = &error.message;
    let (code, verdict, message) = match error.failure {
        TransportFailure::Dns => (
            "dns",
            Verdict::Defer,
            format!("the name {host} is not known ({why}). The call waits; check the store's address and its domain"),
        ),
        TransportFailure::Connect => (
            "connection",
            Verdict::Defer,
            format!("nobody answers at {host} ({why}). The call waits until the store is back"),
        ),
        TransportFailure::Denied => (
            "denied",
            Verdict::Park,
            format!("{host} has an address that this engine may not call ({why}). Allow it with --allow-outbound"),
        ),
        TransportFailure::Tls => (
            "tls",
            Verdict::Park,
            format!("no secure connection to {host} ({why}). Renew or mend the store's certificate, then retry"),
        ),
        TransportFailure::Timeout => ("timeout", broke, format!("{host} gave no whole answer in time ({why})")),
        TransportFailure::Lost => ("connection", broke, format!("the connection to {host} broke off ({why})")),
        TransportFailure::NotHttp => ("connection", broke, format!("what answers at {host} is no web server ({why})")),
        TransportFailure::TooLarge => (
            "too_large",
            // A read of the same is as long the next time; a write was done, or nobody knows.
            if asked.method == WooMethod::Get { Verdict::Final } else { Verdict::Broke },
            format!("the answer of {host} is too long ({why}). Ask for less: `per_page`, `_fields`, a filter"),
        ),
    };
    failure(verdict, asked.method, CallError::r#final(code, message))
}

/// A redirect that is not followed: of a write, or to another address. Credentials do not travel along.
pub(super) fn moved(asked: &Asked<'_>, target: &Url) -> Failure {
    let store = asked.url.as_str().trim_end_matches('/');
    let message = match base(target) {
        Some(base) if base != store => {
            format!("the store's address is {base}, not {store}: change it (`cartwright store add`)")
        }
        Some(_) => format!(
            "the store redirects {} requests to itself, where they lose what they carry. Remove the redirect for /wp-json/",
            asked.method.as_str()
        ),
        None => format!(
            "the store sends calls away to {}{}. Exempt /wp-json/wc/ from the plugin or host setting that does it, or correct the store's address",
            target.host_str().unwrap_or_default(),
            target.path(),
        ),
    };
    failure(Verdict::Park, asked.method, CallError::r#final("redirect", message))
}

/// Redirects without an end.
pub(super) fn circle(asked: &Asked<'_>) -> Failure {
    let message = "the store redirects in a circle. Look at its redirect rules for /wp-json/ and at its language or https plugins";
    failure(Verdict::Park, asked.method, CallError::r#final("redirect", message))
}

/// The store's address in a redirect's target: what stands before the API's path.
fn base(target: &Url) -> Option<String> {
    let shown = target.as_str();
    Some(shown[..shown.find("/wp-json")?].trim_end_matches('/').to_owned())
}

/// Which row decides about an answer.
#[cfg(test)]
pub(super) fn rule_name(method: WooMethod, path: &str, answer: &crate::transport::HttpAnswer) -> &'static str {
    let url = Url::parse("https://shop.example").expect("a URL");
    let reading = super::parse::read(&answer.body);
    let headers = super::headers::Headers::read(answer, Timestamp::default());
    let reply = Reply { status: answer.status, headers, reading };
    rules::find(&Case::new(&Asked { method, path, url: &url }, &reply)).name
}
