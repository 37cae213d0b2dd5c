//! OAuth 1.0a, one-legged (RFC 5849 without a token), in the form WooCommerce checks: HMAC-SHA256, parameters in the
//! query, and a base string over method, address and sorted parameters. A JSON body is not signed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use url::Url;
use zeroize::Zeroizing;

use super::request::{Pairs, encode};

/// Of a nonce: WooCommerce refuses one that the same key used within 15 minutes, so 64 random bits are plenty.
pub(super) const NONCE_BYTES: usize = 8;

/// What makes a signature unlike any other.
pub(super) struct Stamp {
    /// Never used before.
    pub(super) nonce: String,
    /// Since the Unix epoch, on the store's clock.
    pub(super) seconds: i64,
}

/// The parameters to add to the query, the signature last.
pub(super) fn sign(
    (method, url, query): (&str, &Url, &[(String, String)]),
    key: &str,
    secret: &[u8],
    stamp: &Stamp,
) -> Pairs {
    let mut added: Pairs = vec![
        ("oauth_consumer_key".to_owned(), key.to_owned()),
        ("oauth_nonce".to_owned(), stamp.nonce.clone()),
        ("oauth_signature_method".to_owned(), "HMAC-SHA256".to_owned()),
        ("oauth_timestamp".to_owned(), stamp.seconds.to_string()),
    ];
    let base = base_string(method, url, query.iter().chain(&added));
    let mut signing_key = Zeroizing::new(secret.to_vec());
    signing_key.push(b'&');
    let mut mac = Hmac::<Sha256>::new_from_slice(&signing_key).expect("HMAC takes keys of any length");
    mac.update(base.as_bytes());
    added.push(("oauth_signature".to_owned(), STANDARD.encode(mac.finalize().into_bytes())));
    added
}

/// `METHOD & address & parameters`, sorted as WooCommerce sorts: by the name before any `[`, else in the order sent.
fn base_string<'a>(method: &str, url: &Url, pairs: impl Iterator<Item = &'a (String, String)>) -> String {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_by(|a, b| name(&a.0).cmp(name(&b.0)));
    let pair = |(name, value): &&(String, String)| encode(&format!("{}={}", encode(name), encode(value)));
    let parameters = pairs.iter().map(pair).collect::<Vec<_>>().join("%26");
    format!("{method}&{}&{parameters}", encode(&address(url)))
}

fn name(full: &str) -> &str {
    full.split('[').next().unwrap_or(full)
}

/// Scheme, host, port where it is not the usual one, and path.
fn address(url: &Url) -> String {
    let mut address = url.clone();
    address.set_query(None);
    address.set_fragment(None);
    address.into()
}
