//! GitHub: `X-Hub-Signature-256: sha256=HEX`, HMAC-SHA256 over the body. `X-GitHub-Delivery` is what it repeats a delivery
//! under. GitHub signs no time.

use axum::http::HeaderName;

use super::{Message, NotSigned, Signed, any_is, id};

const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");
const DELIVERY: HeaderName = HeaderName::from_static("x-github-delivery");

/// Reads `sha256=HEX`.
pub fn parse(text: &str) -> Option<[u8; 32]> {
    let mut mac = [0; 32];
    hex::decode_to_slice(text.strip_prefix("sha256=")?, &mut mac).ok().map(|()| mac)
}

pub(super) fn verify(secrets: &[&[u8]], message: &Message<'_>) -> Result<Signed, NotSigned> {
    let given = message.header(&SIGNATURE).and_then(parse).ok_or(NotSigned::Wrong)?;
    if !any_is(&[given], secrets.iter().copied(), &[message.body]) {
        return Err(NotSigned::Wrong);
    }
    Ok(Signed { id: message.header(&DELIVERY).and_then(id) })
}
