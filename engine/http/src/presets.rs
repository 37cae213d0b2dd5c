//! Signatures of senders that share a scheme: a request and the names' secrets come in, and goes out whether one of them
//! signed it, with the message's id where the scheme has one: a sender repeats a message under its id, so it makes two
//! requests the same.
//!
//! Every secret is tried and every comparison takes the same time, whatever it finds. What is read before the signature is
//! known to be right is short and bounded.

pub mod github;
pub mod standard;
pub mod stripe;
pub mod woocommerce;

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use cartwright_core::{time::Timestamp, workflow::AuthPreset};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

/// Longest header that is read, in bytes.
const MAX_HEADER_BYTES: usize = 4096;
/// Most signatures in one header.
const MAX_SIGNATURES: usize = 32;
/// Longest id of a message, in bytes.
const MAX_ID_BYTES: usize = 255;

/// A request as it came, and when.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// All of them.
    pub headers: &'a HeaderMap,
    /// Byte for byte.
    pub body: &'a [u8],
    /// The engine's time.
    pub now: Timestamp,
    /// How far the message's time may be from it.
    pub tolerance: Duration,
}

/// A request that one of the secrets signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What the sender repeats it under.
    pub id: Option<Vec<u8>>,
}

/// Why a request is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// No signature, a malformed one, or none of our secrets gives it.
    #[error("the signature is missing or wrong")]
    Wrong,
    /// Signed, but too long ago or ahead of our clock.
    #[error("the message was signed {0} s away from this machine's clock")]
    Stale(u64),
}

/// Whether one of the secrets signed the message, by the preset's scheme.
pub fn verify<'a>(
    preset: AuthPreset,
    secrets: impl IntoIterator<Item = &'a [u8]>,
    message: &Message<'_>,
) -> Result<Signed, NotSigned> {
    let secrets: Vec<&[u8]> = secrets.into_iter().collect();
    match preset {
        AuthPreset::StandardWebhooks => standard::verify(&secrets, message),
        AuthPreset::Woocommerce => woocommerce::verify(&secrets, message),
        AuthPreset::Github => github::verify(&secrets, message),
        AuthPreset::Stripe => stripe::verify(&secrets, message),
    }
}

impl<'a> Message<'a> {
    /// A header that is there once, is text and is not long.
    fn header(&self, name: &HeaderName) -> Option<&'a str> {
        let mut all = self.headers.get_all(name).iter();
        let value = all.next().filter(|value| value.len() <= MAX_HEADER_BYTES)?;
        if all.next().is_some() { None } else { value.to_str().ok().map(str::trim) }
    }

    /// Whether a time in Unix seconds is near enough.
    fn in_time(&self, seconds: u64) -> Result<(), NotSigned> {
        let now = u64::try_from(self.now.as_millis() / 1000).unwrap_or(0);
        let away = now.abs_diff(seconds);
        if away <= self.tolerance.as_secs() { Ok(()) } else { Err(NotSigned::Stale(away)) }
    }
}

/// Unix seconds as senders write them.
fn seconds(text: &str) -> Option<u64> {
    ((1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// A message's id: short visible ASCII.
fn id(text: &str) -> Option<Vec<u8>> {
    let fine = (1..=MAX_ID_BYTES).contains(&text.len()) && text.bytes().all(|byte| (0x21..0x7f).contains(&byte));
    fine.then(|| text.as_bytes().to_vec())
}

/// HMAC-SHA256 over parts.
fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(key).expect("HMAC takes keys of every length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Whether any of the given MACs is one that any of the keys makes. All pairs are compared.
fn any_is<'k>(given: &[[u8; 32]], keys: impl IntoIterator<Item = &'k [u8]>, parts: &[&[u8]]) -> bool {
    let mut valid = Choice::from(0);
    for key in keys {
        let mac = mac(key, parts);
        for given in given {
            valid |= mac.ct_eq(given);
        }
    }
    valid.into()
}

#[cfg(test)]
mod tests;
