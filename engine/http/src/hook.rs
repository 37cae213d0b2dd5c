//! What anyone a workflow invites posts to `/hooks/{path}`: a request comes in, who sent it is checked as the workflow
//! asks, and the event's data and source go out to be accepted.

use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use cartwright_core::workflow::{HmacAlgorithm, HmacEncoding};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, value::RawValue};
use sha2::{Digest, Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};

use crate::json::{self, NotJson};

/// Of fields in a form, so that a body of `&&&…` stays cheap.
pub const MAX_FORM_FIELDS: usize = 1000;
/// Of a key that makes a call the same as an earlier one, in bytes.
pub const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;

/// Whether `Authorization: Bearer` carries `secret`. Compared as hashes, so neither content nor length shows in time.
pub fn bearer_is(headers: &HeaderMap, secret: &[u8]) -> bool {
    bearer(headers).is_some_and(|token| Sha256::digest(token).ct_eq(&Sha256::digest(secret)).into())
}

/// The token in `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// How a keyed hash over the body is written.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "as in cartwright_core::workflow::HttpAuth::Hmac")]
pub struct HmacForm<'a> {
    pub header: &'a str,
    pub algorithm: HmacAlgorithm,
    pub encoding: HmacEncoding,
    pub prefix: &'a str,
}

impl HmacForm<'_> {
    /// Whether the header carries the body's MAC under any of the secrets. All are tried, in constant time.
    pub fn verify<'a>(&self, headers: &HeaderMap, body: &[u8], secrets: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let Some(given) = self.given(headers) else { return false };
        let mut valid = Choice::from(0);
        for secret in secrets {
            valid |= match self.algorithm {
                HmacAlgorithm::Sha256 => mac::<Hmac<Sha256>>(secret, body).ct_eq(&given),
                HmacAlgorithm::Sha512 => mac::<Hmac<Sha512>>(secret, body).ct_eq(&given),
            };
        }
        valid.into()
    }

    fn given(&self, headers: &HeaderMap) -> Option<Vec<u8>> {
        let text = headers.get(self.header)?.to_str().ok()?.trim().strip_prefix(self.prefix)?;
        match self.encoding {
            HmacEncoding::Hex => hex::decode(text).ok(),
            HmacEncoding::Base64 => BASE64.decode(text).ok(),
        }
    }
}

fn mac<M: Mac + KeyInit>(secret: &[u8], body: &[u8]) -> Vec<u8> {
    let mac = <M as KeyInit>::new_from_slice(secret).expect("HMAC takes keys of every length");
    mac.chain_update(body).finalize().into_bytes().to_vec()
}

/// The event's data: JSON as it stands, a form as a map, any other text as text, nothing as `null`.
pub fn data(headers: &HeaderMap, body: &[u8]) -> Result<Box<RawValue>, NotJson> {
    if body.is_empty() {
        return Ok(to_raw(&Value::Null));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == "application/json" || kind.ends_with("+json") {
        return json::accept(body);
    }
    if kind == "application/x-www-form-urlencoded" {
        return Ok(to_raw(&form(body)?));
    }
    let text = std::str::from_utf8(body).map_err(|bad| NotJson::NotText { offset: bad.valid_up_to() })?;
    Ok(to_raw(&Value::from(text)))
}

/// `a=1&b=2&b=3` as `{"a": "1", "b": ["2", "3"]}`.
fn form(body: &[u8]) -> Result<Value, NotJson> {
    let mut map = Map::new();
    for (count, (name, value)) in url::form_urlencoded::parse(body).enumerate() {
        if count >= MAX_FORM_FIELDS {
            return Err(NotJson::Syntax { message: format!("a form has at most {MAX_FORM_FIELDS} fields") });
        }
        let value = Value::from(value.into_owned());
        match map.get_mut(name.as_ref()) {
            None => {
                map.insert(name.into_owned(), value);
            }
            Some(Value::Array(list)) => list.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
    Ok(Value::Object(map))
}

/// Query parameters in order of appearance.
pub fn query(query: Option<&str>) -> Vec<(String, String)> {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.take(MAX_FORM_FIELDS).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// The headers a workflow may see: none that carry credentials, signatures or cookies, none that concern only the
/// connection. `signature` names the header that the workflow's own check reads.
pub fn visible_headers(headers: &HeaderMap, signature: Option<&str>) -> Vec<(String, String)> {
    let mut visible = Vec::new();
    for (name, value) in headers {
        let name = name.as_str();
        if Some(name) == signature || CONNECTION.contains(&name) || PRIVATE.iter().any(|word| name.contains(word)) {
            continue;
        }
        if let Ok(value) = value.to_str() {
            visible.push((name.to_owned(), value.to_owned()));
        }
    }
    visible
}

/// Parts of header names that tell of credentials.
const PRIVATE: [&str; 9] =
    ["authorization", "cookie", "signature", "token", "secret", "password", "api-key", "apikey", "credential"];
/// What is between two hops only.
const CONNECTION: [&str; 7] =
    ["connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// A caller's key that makes this call the same as an earlier one.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<&[u8]>, &'static str> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let value = value.as_bytes();
    if (1..=MAX_IDEMPOTENCY_KEY_BYTES).contains(&value.len()) && value.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        return Ok(Some(value));
    }
    Err("Idempotency-Key has 1 to 255 printable ASCII characters")
}

/// What makes two calls with one key the same: workflow, method and path too, so callers of different endpoints never
/// meet.
pub fn dedupe_key(workflow: &str, method: &str, path: &str, key: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [b"hook", workflow.as_bytes(), method.as_bytes(), path.as_bytes(), key] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn to_raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("a JSON value always becomes JSON text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("name"), value.parse().expect("value"))).collect()
    }

    #[test]
    fn bearer_tokens_are_compared_whole() {
        for (value, fine) in [
            ("Bearer s3cr3t", true),
            ("bearer s3cr3t", true),
            ("BEARER   s3cr3t", true),
            ("Bearer s3cr3", false),
            ("Bearer s3cr3t!", false),
            ("Bearer ", false),
            ("Basic s3cr3t", false),
            ("s3cr3t", false),
            ("", false),
        ] {
            assert_eq!(bearer_is(&headers(&[("authorization", value)]), b"s3cr3t"), fine, "{value}");
        }
        assert!(!bearer_is(&HeaderMap::new(), b"s3cr3t"));
    }

    #[test]
    fn hmac_checks_follow_the_declared_form() {
        // RFC 4231, test case 2.
        let (secret, body) = (&b"Jefe"[..], &b"what do ya want for nothing?"[..]);
        let hex256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let hex512 = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
        let base64 = BASE64.encode(hex::decode(hex256).expect("hex"));
        use {HmacAlgorithm::*, HmacEncoding::*};
        for (algorithm, encoding, prefix, value, fine) in [
            (Sha256, Hex, "", hex256.to_owned(), true),
            (Sha256, Hex, "sha256=", format!("sha256={hex256}"), true),
            (Sha256, Hex, "sha256=", hex256.to_owned(), false),
            (Sha256, Hex, "", hex256.to_uppercase(), true),
            (Sha256, Base64, "", base64.clone(), true),
            (Sha256, Hex, "", base64, false),
            (Sha512, Hex, "", hex512.to_owned(), true),
            (Sha512, Hex, "", hex256.to_owned(), false),
            (Sha256, Hex, "", hex256[2..].to_owned(), false),
            (Sha256, Hex, "", String::new(), false),
        ] {
            let form = HmacForm { header: "x-mac", algorithm, encoding, prefix };
            let headers = headers(&[("x-mac", &value)]);
            assert_eq!(form.verify(&headers, body, [&b"other"[..], secret]), fine, "{value}");
            assert!(!form.verify(&headers, b"another body", [secret]));
            assert!(!form.verify(&headers, body, []), "no secret, no entry");
        }
    }

    #[test]
    fn bodies_become_data_by_their_content_type() {
        let check = |kind: &str, body: &[u8]| match data(&headers(&[("content-type", kind)]), body) {
            Ok(data) => data.get().to_owned(),
            Err(refused) => refused.code().to_owned(),
        };
        assert_eq!(check("application/json", br#"{"a": 1.0}"#), r#"{"a": 1.0}"#);
        assert_eq!(check("Application/LD+JSON; charset=utf-8", b"[1]"), "[1]");
        assert_eq!(check("application/json", b"{"), "body_not_json");
        assert_eq!(check("application/json", b""), "null");
        assert_eq!(
            check("application/x-www-form-urlencoded", b"a=1&b=2&b=%C3%BC+x&c"),
            r#"{"a":"1","b":["2","ü x"],"c":""}"#
        );
        assert_eq!(check("application/x-www-form-urlencoded", "&a".repeat(1001).as_bytes()), "body_not_json");
        assert_eq!(check("text/plain", "ü\"".as_bytes()), r#""ü\"""#);
        assert_eq!(check("", b"{}"), r#""{}""#);
        assert_eq!(check("text/plain", b"\xff"), "body_not_text");
    }

    #[test]
    fn workflows_see_no_credentials() {
        let all = headers(&[
            ("authorization", "Bearer x"),
            ("proxy-authorization", "x"),
            ("cookie", "x"),
            ("x-hub-signature-256", "x"),
            ("x-my-mac", "x"),
            ("x-gitlab-token", "x"),
            ("x-api-key", "x"),
            ("connection", "close"),
            ("content-type", "text/plain"),
            ("x-request-id", "7"),
        ]);
        let mut names: Vec<_> = visible_headers(&all, Some("x-my-mac")).into_iter().map(|(name, _)| name).collect();
        names.sort();
        assert_eq!(names, ["content-type", "x-request-id"]);
    }

    #[test]
    fn idempotency_keys_are_short_text_and_belong_to_one_endpoint() {
        assert_eq!(idempotency_key(&HeaderMap::new()), Ok(None));
        assert_eq!(idempotency_key(&headers(&[("idempotency-key", "order-7")])), Ok(Some(&b"order-7"[..])));
        for bad in ["", "ü", &"a".repeat(256)] {
            let value = axum::http::HeaderValue::from_bytes(bad.as_bytes()).expect("a header");
            let map = HeaderMap::from_iter([("idempotency-key".parse().expect("name"), value)]);
            assert!(idempotency_key(&map).is_err(), "{bad}");
        }
        let key = dedupe_key("w", "POST", "in", b"1");
        assert_eq!(key, dedupe_key("w", "POST", "in", b"1"));
        for other in [
            dedupe_key("v", "POST", "in", b"1"),
            dedupe_key("w", "PUT", "in", b"1"),
            dedupe_key("w", "POST", "i", b"n1"),
        ] {
            assert_ne!(key, other);
        }
    }
}
