//! OAuth 1.0a, one-legged: WooCommerce's way in over plain HTTP.

use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha1::Sha1;
use sha2::Sha256;

use super::auth::refused;
use super::params::{Target, read_pairs};
use super::{Ctx, RestError};
use crate::state::Permissions;
use crate::wire::Request;

/// How far a timestamp may be off, and how long a nonce is remembered.
const WINDOW_SECONDS: i64 = 15 * 60;
/// What must be there.
const REQUIRED: [&str; 5] =
    ["oauth_consumer_key", "oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method"];

/// User and permissions of the key that signed; none when nothing is signed.
pub(super) fn verify(
    ctx: &mut Ctx<'_>,
    request: &Request,
    target: &Target<'_>,
) -> Result<Option<(u64, Permissions)>, RestError> {
    let params = parameters(request, target);
    let text = |name: &str| params.get(name).and_then(Value::as_str).unwrap_or_default();
    let missing: Vec<&str> = REQUIRED.into_iter().filter(|name| text(name).is_empty()).collect();
    if missing.len() == REQUIRED.len() {
        return Ok(None);
    }
    if !missing.is_empty() {
        let plural = if missing.len() == 1 { "" } else { "s" };
        let message = format!("Missing OAuth parameter{plural} {}", missing.join(", "));
        return Err(RestError::new("woocommerce_rest_authentication_missing_parameter", message, 401));
    }
    let Some(key) = ctx.state.access.keys.get(text("oauth_consumer_key")) else {
        return Err(refused("Consumer key is invalid."));
    };
    let base = base_string(ctx, request, target, &params);
    let expected = sign(text("oauth_signature_method"), &key.secret, &base)
        .ok_or_else(|| refused("Invalid signature - signature method is invalid."))?;
    if text("oauth_signature").replace(' ', "+") != expected {
        return Err(refused("Invalid signature - provided signature does not match."));
    }
    let found = (key.user, key.permissions);
    remember_nonce(ctx, text("oauth_consumer_key"), text("oauth_timestamp"), text("oauth_nonce"))?;
    Ok(Some(found))
}

fn remember_nonce(ctx: &mut Ctx<'_>, key: &str, timestamp: &str, nonce: &str) -> Result<(), RestError> {
    let now = ctx.now;
    let timestamp: i64 = timestamp.parse().unwrap_or_default();
    if (timestamp - now).abs() > WINDOW_SECONDS {
        return Err(refused("Invalid timestamp."));
    }
    let Some(row) = ctx.state.access.keys.get_mut(key) else {
        return Ok(());
    };
    if row.nonces.values().any(|used| used == nonce) {
        return Err(refused("Invalid nonce - nonce has already been used."));
    }
    row.nonces.insert(timestamp, nonce.to_owned());
    row.nonces.retain(|at, _| *at >= now - WINDOW_SECONDS);
    Ok(())
}

/// Query, form body and `Authorization: OAuth` header together.
fn parameters(request: &Request, target: &Target<'_>) -> Map<String, Value> {
    let mut params = target.get.clone();
    if request.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        params.extend(read_pairs(&request.body));
    }
    let header = request.header("authorization").and_then(|header| header.strip_prefix("OAuth "));
    for part in header.into_iter().flat_map(|header| header.split(',')) {
        if let Some((name, value)) = part.trim().split_once('=') {
            params.insert(name.to_owned(), Value::String(decode(value.trim_matches('"'))));
        }
    }
    params
}

/// `METHOD&address&parameters`, each encoded once more.
fn base_string(ctx: &Ctx<'_>, request: &Request, target: &Target<'_>, params: &Map<String, Value>) -> String {
    let mut pairs = Vec::new();
    for (name, value) in params.iter().filter(|(name, _)| *name != "oauth_signature") {
        flatten(&encode(name), value, &mut pairs);
    }
    let address = format!("{}{}", origin(&ctx.home()), target.path);
    format!("{}&{}&{}", request.method.to_ascii_uppercase(), encode(&address), pairs.join("%26"))
}

/// Scheme and host of an address.
fn origin(home: &str) -> &str {
    let host = home.find("://").map_or(0, |at| at + 3);
    home[host..].find('/').map_or(home, |slash| &home[..host + slash])
}

fn flatten(name: &str, value: &Value, pairs: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                flatten(&format!("{name}%5B{at}%5D"), item, pairs);
            }
        }
        Value::Object(items) => {
            for (key, item) in items {
                flatten(&format!("{name}%5B{key}%5D"), item, pairs);
            }
        }
        Value::String(text) => pairs.push(encode(&format!("{name}={}", encode(text)))),
        other => pairs.push(encode(&format!("{name}={other}"))),
    }
}

fn sign(method: &str, secret: &str, base: &str) -> Option<String> {
    let key = format!("{secret}&");
    let digest = match method {
        "HMAC-SHA1" => {
            let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).ok()?;
            mac.update(base.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
        "HMAC-SHA256" => {
            let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
            mac.update(base.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
        _ => return None,
    };
    Some(base64::engine::general_purpose::STANDARD.encode(digest))
}

/// RFC 3986: everything but letters, digits, `-`, `.`, `_` and `~` becomes `%XX`.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Undoes `encode`; what is not encoded stays.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::testing::Bench;
    use crate::state::Permissions;

    /// A GET of this target signed as a client would.
    fn signed(bench: &Bench, key: &str, secret: &str, nonce: &str, at: i64) -> String {
        let query = format!(
            "include%5B0%5D=12&oauth_consumer_key={key}&oauth_nonce={nonce}&oauth_signature_method=HMAC-SHA256&oauth_timestamp={at}"
        );
        let address = format!("{}/wp-json/wc/v3/products", bench.shop.config().url);
        let pairs = query.replace('%', "%25").replace('=', "%3D").replace('&', "%26");
        let base = format!("GET&{}&{}", encode(&address), pairs);
        let signature = sign("HMAC-SHA256", secret, &base).unwrap();
        format!("/wp-json/wc/v3/products?{query}&oauth_signature={}", encode(&signature))
    }

    #[test]
    fn a_signed_request_over_plain_http_is_let_in_once() {
        let bench = Bench::new();
        let (key, secret) = bench.shop.add_key(Permissions::ReadWrite, 1);
        let target = signed(&bench, &key, &secret, "n1", bench.now());
        assert_eq!(bench.send(false, "GET", &target, &[], "").0, 200);
        let refused = |target: &str, message: &str| {
            let (status, body) = bench.send(false, "GET", target, &[], "");
            assert_eq!((status, body["message"].as_str()), (401, Some(message)), "{target}");
        };
        refused(&target, "Invalid nonce - nonce has already been used.");
        refused(&signed(&bench, &key, &secret, "n2", bench.now() - 901), "Invalid timestamp.");
        refused(
            &signed(&bench, &key, "cs_other", "n3", bench.now()),
            "Invalid signature - provided signature does not match.",
        );
        refused(&signed(&bench, "ck_other", &secret, "n4", bench.now()), "Consumer key is invalid.");
        let lacking = target.replace("oauth_nonce=n1&", "");
        refused(&lacking, "Missing OAuth parameter oauth_nonce");
    }

    #[test]
    fn signatures_are_the_ones_others_compute() {
        // HMAC of "base" under "k&", computed with Python's hmac module.
        assert_eq!(sign("HMAC-SHA1", "k", "base").as_deref(), Some("y6MtaBwPVwIUfS7CGD+9aOA7Ovo="));
        assert_eq!(sign("HMAC-SHA256", "k", "base").as_deref(), Some("+2Rqefv60bk6CJrA4IoJ2NXduU2Rln8Xenw910AVUtM="));
        assert_eq!(sign("PLAINTEXT", "k", "base"), None);
    }

    #[test]
    fn encodes_and_decodes_like_rawurlencode() {
        assert_eq!(encode("a b&c~/\u{fc}"), "a%20b%26c~%2F%C3%BC");
        assert_eq!(decode("a%20b%26c~%2F%C3%BC"), "a b&c~/\u{fc}");
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%4"), "%zz%4");
    }
}
