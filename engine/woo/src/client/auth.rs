//! How a request says who is asking, and what is remembered about it for each store.
//!
//! Over https WooCommerce takes HTTP Basic, or the same pair as query parameters where a web server strips the
//! `Authorization` header. Over plain http it takes only OAuth 1.0a signatures, so the secret never travels there.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cartwright_core::time::Timestamp;
use url::Url;
use zeroize::Zeroizing;

use super::{
    Ambience, Connection, oauth,
    request::{Pairs, encode},
};

/// A correction by less cannot be what the store wants: it takes 15 minutes.
const CLOCK_CHANGE_MILLIS_MIN: u64 = 60_000;
/// After the pair worked in neither way, for how long only the first way is tried.
const NEITHER_MILLIS: i64 = 10 * 60_000;

/// What is remembered about one store.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Which way works over https.
    pub(super) way: Way,
    /// How far the store's clock is ahead of ours; learned when it refuses our timestamp.
    pub(super) clock_ahead_millis: i64,
    /// Whether dirty JSON of this store was reported.
    pub(super) reported_repair: bool,
}

/// Which way works over https, or is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Way {
    /// HTTP Basic: the one to begin with.
    #[default]
    Basic,
    /// Query parameters.
    Query,
    /// Neither did, last at this time.
    Neither(Timestamp),
}

/// One way of saying who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `Authorization: Basic …`
    Basic,
    /// `?consumer_key=…&consumer_secret=…`
    Query,
    /// OAuth 1.0a, one-legged, in the query.
    OAuth,
}

impl Known {
    /// What to try, in this order; the second only when the store did not notice the first.
    pub(super) fn schemes(&self, url: &Url, now: Timestamp) -> (Scheme, Option<Scheme>) {
        if url.scheme() != "https" {
            return (Scheme::OAuth, None);
        }
        match self.way {
            Way::Neither(last) if now.as_millis().saturating_sub(last.as_millis()) < NEITHER_MILLIS => {
                (Scheme::Basic, None)
            }
            Way::Basic | Way::Neither(_) => (Scheme::Basic, Some(Scheme::Query)),
            Way::Query => (Scheme::Query, Some(Scheme::Basic)),
        }
    }

    /// The store knew who asked.
    pub(super) fn noticed(&mut self, scheme: Scheme) {
        match scheme {
            Scheme::Basic => self.way = Way::Basic,
            Scheme::Query => self.way = Way::Query,
            Scheme::OAuth => {}
        }
    }

    /// The store noticed neither way.
    pub(super) fn ignored(&mut self, now: Timestamp) {
        self.way = Way::Neither(now);
    }

    /// Takes over the store's clock. Whether that changes what is signed: else it was not the reason.
    pub(super) fn learn_clock(&mut self, ahead_millis: i64) -> bool {
        let changed = ahead_millis.abs_diff(self.clock_ahead_millis) >= CLOCK_CHANGE_MILLIS_MIN;
        if changed {
            self.clock_ahead_millis = ahead_millis;
        }
        changed
    }
}

/// Every form in which credentials could come back to us, to be taken out of what people see: a debug page can repeat
/// the request.
pub(super) fn forms(store: &Connection) -> Vec<Zeroizing<String>> {
    let mut forms = Vec::new();
    for secret in [&store.secret, &store.key] {
        if let Some(text) = secret.expose_text().filter(|text| !text.is_empty()) {
            forms.push(Zeroizing::new(text.to_owned()));
            forms.push(Zeroizing::new(encode(text)));
        }
    }
    forms.push(basic(store));
    forms
}

/// The pair as HTTP Basic sends it.
fn basic(store: &Connection) -> Zeroizing<String> {
    let mut pair = Zeroizing::new(store.key.expose().to_vec());
    pair.push(b':');
    pair.extend_from_slice(store.secret.expose());
    Zeroizing::new(STANDARD.encode(&*pair))
}

/// What is added to a request. The pairs go behind the query's own, the header is `Authorization`.
#[derive(Default)]
pub(super) struct Credentials {
    pub(super) pairs: Pairs,
    pub(super) header: Option<String>,
}

/// Makes what is added. `query` is what the request asks for by itself, `ahead` the store's clock minus ours.
pub(super) fn credentials(
    scheme: Scheme,
    store: &Connection,
    (method, url, query): (&str, &Url, &[(String, String)]),
    ahead: i64,
    ambience: &Ambience,
) -> Credentials {
    let text = |secret: &crate::seal::Secret| String::from_utf8_lossy(secret.expose()).into_owned();
    match scheme {
        Scheme::Basic => Credentials { header: Some(format!("Basic {}", *basic(store))), pairs: Pairs::new() },
        Scheme::Query => Credentials {
            header: None,
            pairs: vec![
                ("consumer_key".to_owned(), text(&store.key)),
                ("consumer_secret".to_owned(), text(&store.secret)),
            ],
        },
        Scheme::OAuth => {
            let mut nonce = [0; oauth::NONCE_BYTES];
            (ambience.random)(&mut nonce);
            let millis = (ambience.now)().as_millis().saturating_add(ahead);
            let stamp = oauth::Stamp { nonce: hex::encode(nonce), seconds: millis.div_euclid(1000) };
            let pairs = oauth::sign((method, url, query), &text(&store.key), store.secret.expose(), &stamp);
            Credentials { header: None, pairs }
        }
    }
}
