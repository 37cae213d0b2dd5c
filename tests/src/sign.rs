//! Signatures as senders make them, written apart from the engine so that both cannot be wrong in the same way.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

fn mac(body: &[u8], secret: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

/// What WooCommerce puts into `X-WC-Webhook-Signature`.
pub fn woo(body: &[u8], secret: &str) -> String {
    STANDARD.encode(mac(body, secret))
}

/// HMAC-SHA256 in hex, as GitHub and others write it (there after `sha256=`).
pub fn hex(body: &[u8], secret: &str) -> String {
    hex::encode(mac(body, secret))
}

/// SHA-256 of a text in hex, to compare long things shortly.
pub fn digest(body: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(Sha256::digest(body))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_published_example_is_met() {
        // RFC 4231, test case 2.
        let expect = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(super::hex(b"what do ya want for nothing?", "Jefe"), expect);
    }
}
