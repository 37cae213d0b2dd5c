//! Stripe: `Stripe-Signature: t=SECONDS,v1=HEX,v1=HEX,v0=…`. What is signed is `t.body`, with HMAC-SHA256 under the secret as
//! it stands (`whsec_…`). The event's `id` in the body is what Stripe repeats it under.

use axum::http::HeaderName;
use serde::Deserialize;

use super::{MAX_SIGNATURES, Message, NotSigned, Signed, any_is, id, seconds};

const HEADER: HeaderName = HeaderName::from_static("stripe-signature");

/// The time and the signatures of a header.
#[derive(Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// As written: it is part of what is signed.
    pub time: &'a str,
    /// `v1`
    pub signatures: Vec<[u8; 32]>,
}

/// Reads the header. `None`: it names no time, or two.
pub fn parse(text: &str) -> Option<Header<'_>> {
    let mut time = None;
    let mut signatures = Vec::new();
    for part in text.split(',').take(MAX_SIGNATURES) {
        match part.trim().split_once('=') {
            Some(("t", value)) if time.is_none() => time = Some(value),
            Some(("t", _)) => return None,
            Some(("v1", value)) => {
                let mut mac = [0; 32];
                if hex::decode_to_slice(value, &mut mac).is_ok() {
                    signatures.push(mac);
                }
            }
            // `v0` is for Stripe's own tests.
            _ => {}
        }
    }
    seconds(time?)?;
    Some(Header { time: time?, signatures })
}

pub(super) fn verify(secrets: &[&[u8]], message: &Message<'_>) -> Result<Signed, NotSigned> {
    let header = message.header(&HEADER).and_then(parse).ok_or(NotSigned::Wrong)?;
    let parts = [header.time.as_bytes(), b".", message.body];
    if !any_is(&header.signatures, secrets.iter().copied(), &parts) {
        return Err(NotSigned::Wrong);
    }
    message.in_time(seconds(header.time).ok_or(NotSigned::Wrong)?)?;
    Ok(Signed { id: event_id(message.body) })
}

fn event_id(body: &[u8]) -> Option<Vec<u8>> {
    #[derive(Deserialize)]
    struct Event {
        id: String,
    }
    let event: Event = serde_json::from_slice(body).ok()?;
    id(&event.id)
}
