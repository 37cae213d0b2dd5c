//! Proofs that a text is the engine's own: HMAC-SHA256 under keys that are made of the master keys, one for each purpose.
//! No key leaves the vault.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{master::MasterKey, vault::Vault};

/// Of a proof, in bytes.
pub const PROOF_BYTES: usize = 32;

impl Vault {
    /// The proof of `text` for a purpose, under the current master key.
    pub fn prove(&self, purpose: &str, text: &[u8]) -> [u8; PROOF_BYTES] {
        let mut proof = [0; PROOF_BYTES];
        if let Some(key) = self.ring().every().next() {
            proof = mac(key, purpose, text).finalize().into_bytes().into();
        }
        proof
    }

    /// Whether a proof is one that [`Vault::prove`] made of the same text for the same purpose, under any of the keys
    /// that are not retired. In constant time.
    pub fn proves(&self, purpose: &str, text: &[u8], proof: &[u8]) -> bool {
        self.ring().every().fold(false, |found, key| found | mac(key, purpose, text).verify_slice(proof).is_ok())
    }
}

fn mac(master: &MasterKey, purpose: &str, text: &[u8]) -> Hmac<Sha256> {
    let derived = keyed(master.bytes()).chain_update(b"cartwright proof: ").chain_update(purpose).finalize();
    let derived: Zeroizing<[u8; PROOF_BYTES]> = Zeroizing::new(derived.into_bytes().into());
    keyed(&derived).chain_update(text)
}

fn keyed(key: &[u8; PROOF_BYTES]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_good_for_its_text_its_purpose_and_its_vault() {
        let (vault, other) = (Vault::in_memory().expect("a vault"), Vault::in_memory().expect("a vault"));
        let proof = vault.prove("links", b"text");
        assert!(vault.proves("links", b"text", &proof));
        assert!(!vault.proves("links", b"texts", &proof) && !vault.proves("link", b"text", &proof));
        assert!(!other.proves("links", b"text", &proof));
        for bad in [&[][..], &[0; 32], &proof[..31], &[proof.as_slice(), &[0]].concat()] {
            assert!(!vault.proves("links", b"text", bad));
        }
    }
}
