//! Standard Webhooks 1.0.0: `webhook-id`, `webhook-timestamp` and `webhook-signature`, or the same with `svix-` as Svix sends
//! them. What is signed is `id.timestamp.body`: `v1` is HMAC-SHA256 under the bytes that `whsec_…` writes in base64, `v1a`
//! is ed25519 under the public key that `whpk_…` writes.

use axum::http::HeaderName;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use ring::signature::{ED25519, UnparsedPublicKey};

use super::{MAX_SIGNATURES, Message, NotSigned, Signed, any_is, id, seconds};

/// Names of the headers: id, timestamp, signatures.
const FAMILIES: [[HeaderName; 3]; 2] = [
    [
        HeaderName::from_static("webhook-id"),
        HeaderName::from_static("webhook-timestamp"),
        HeaderName::from_static("webhook-signature"),
    ],
    [
        HeaderName::from_static("svix-id"),
        HeaderName::from_static("svix-timestamp"),
        HeaderName::from_static("svix-signature"),
    ],
];

/// The signatures of a header, by scheme.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Signatures {
    /// MACs of 32 bytes.
    pub v1: Vec<[u8; 32]>,
    /// ed25519 signatures of 64 bytes.
    pub v1a: Vec<[u8; 64]>,
}

/// Reads `v1,BASE64 v1a,BASE64 …`; entries of other schemes, and those that are malformed, count for nothing.
pub fn parse(text: &str) -> Signatures {
    let mut found = Signatures::default();
    for entry in text.split(' ').take(MAX_SIGNATURES) {
        let Some((scheme, value)) = entry.split_once(',') else { continue };
        let Ok(bytes) = BASE64.decode(value) else { continue };
        match scheme {
            "v1" => found.v1.extend(<[u8; 32]>::try_from(bytes).ok()),
            "v1a" => found.v1a.extend(<[u8; 64]>::try_from(bytes).ok()),
            _ => {}
        }
    }
    found
}

pub(super) fn verify(secrets: &[&[u8]], message: &Message<'_>) -> Result<Signed, NotSigned> {
    // One family has all three, so that no header of the other is taken for what was signed.
    let headers = FAMILIES.iter().find_map(|names| {
        let [id, time, signatures] = names;
        Some((message.header(id)?, message.header(time)?, message.header(signatures)?))
    });
    let (text, time, signatures) = headers.ok_or(NotSigned::Wrong)?;
    let name = id(text).filter(|name| !name.contains(&b'.')).ok_or(NotSigned::Wrong)?;
    let sent = seconds(time).ok_or(NotSigned::Wrong)?;
    let given = parse(signatures);
    let parts: [&[u8]; 5] = [&name, b".", time.as_bytes(), b".", message.body];
    let keys: Vec<Key> = secrets.iter().filter_map(|secret| Key::read(secret)).collect();
    let macs = keys.iter().filter_map(|key| match key {
        Key::Mac(bytes) => Some(bytes.as_slice()),
        Key::Public(_) => None,
    });
    let mut valid = any_is(&given.v1, macs, &parts);
    if !given.v1a.is_empty() {
        let signed = parts.concat();
        for key in &keys {
            let Key::Public(public) = key else { continue };
            let public = UnparsedPublicKey::new(&ED25519, public);
            valid |= given.v1a.iter().any(|signature| public.verify(&signed, signature).is_ok());
        }
    }
    if !valid {
        return Err(NotSigned::Wrong);
    }
    message.in_time(sent)?;
    Ok(Signed { id: Some(name) })
}

/// What a secret holds.
enum Key {
    Mac(Vec<u8>),
    Public(Vec<u8>),
}

impl Key {
    /// `whsec_BASE64`, `whpk_BASE64`, or the base64 alone of a key for MACs, as the libraries of the standard take it.
    fn read(secret: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(secret).ok()?.trim();
        if let Some(public) = text.strip_prefix("whpk_") {
            return BASE64.decode(public).ok().filter(|key| key.len() == 32).map(Self::Public);
        }
        let key = BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok()?;
        (!key.is_empty()).then_some(Self::Mac(key))
    }
}
