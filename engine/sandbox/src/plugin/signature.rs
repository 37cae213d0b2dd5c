//! Who made a plugin: an Ed25519 signature over its hash in a file beside it, and the keys that an operator trusts.
//!
//! A signature file is one line, `ed25519 PUBLIC-KEY SIGNATURE`, both base64. What is signed is
//! `cartwright-plugin-v1`, a zero byte, and the 32 bytes of the component's SHA-256.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};

const CONTEXT: &[u8] = b"cartwright-plugin-v1\0";
const SCHEME: &str = "ed25519";
/// Bytes of a signature or key file; anything longer is something else.
const FILE_MAX_BYTES: usize = 4_096;
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The signature file is not one line of ours.
    #[error(
        "the signature file is not `ed25519 PUBLIC-KEY SIGNATURE` on one line; sign the plugin again with `cartwright plugin sign`"
    )]
    Format,
    /// A public key cannot be read.
    #[error("`{shown}` is not a public key: give the 44 characters of base64 that `cartwright plugin sign` shows")]
    PublicKey {
        /// Its beginning.
        shown: String,
    },
    /// A private key cannot be read.
    #[error(
        "the key file holds no Ed25519 private key: give PKCS#8 as PEM or base64, as `openssl genpkey -algorithm ed25519` makes it"
    )]
    PrivateKey,
    /// No key could be made.
    #[error("the operating system gives no randomness for a new key")]
    NoRandomness,
    /// The hash is none.
    #[error("`{hash}` is not a SHA-256 hash")]
    Hash {
        /// What was given.
        hash: String,
    },
    /// It is signed by somebody whom the operator does not trust.
    #[error(
        "the plugin is signed with the key {key}, which is not trusted; if you trust its maker, add that key to the trusted keys"
    )]
    Untrusted {
        /// Whose signature it is.
        key: PublicKey,
    },
    /// The file was changed after it was signed, or the signature is of another file.
    #[error(
        "the signature does not fit the plugin's file: one of them was changed or belongs to another version; get both again from the maker"
    )]
    Wrong,
}

/// A key that says who made something.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads base64.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let wrong = || SignatureError::PublicKey { shown: text.trim().chars().take(60).collect() };
        let bytes = STANDARD.decode(text.trim()).map_err(|_| wrong())?;
        Ok(Self(bytes.try_into().map_err(|_| wrong())?))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// What a signature file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Whose it is, by its own word.
    pub key: PublicKey,
    signature: [u8; 64],
}

impl Signature {
    /// Reads a signature file.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        if text.len() > FILE_MAX_BYTES {
            return Err(SignatureError::Format);
        }
        let mut words = text.split_ascii_whitespace();
        let (Some(SCHEME), Some(key), Some(signature), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(SignatureError::Format);
        };
        let signature = STANDARD.decode(signature).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(Self {
            key: PublicKey::parse(key).map_err(|_| SignatureError::Format)?,
            signature: signature.ok_or(SignatureError::Format)?,
        })
    }

    /// Checks it for the component with this hash (hex), against the keys that the operator trusts.
    pub fn verify(&self, hash: &str, trusted: &[PublicKey]) -> Result<(), SignatureError> {
        if !trusted.contains(&self.key) {
            return Err(SignatureError::Untrusted { key: self.key });
        }
        let key = UnparsedPublicKey::new(&ED25519, self.key.0);
        key.verify(&signed(hash)?, &self.signature).map_err(|_| SignatureError::Wrong)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME} {} {}", self.key, STANDARD.encode(self.signature))
    }
}

/// A key pair that signs plugins.
pub struct Keypair(Ed25519KeyPair);

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keypair({})", self.public())
    }
}

impl Keypair {
    /// A new one, with the text of its file: PKCS#8 as PEM, to be kept secret.
    pub fn generate() -> Result<(Self, String), SignatureError> {
        let document =
            Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| SignatureError::NoRandomness)?;
        let encoded = STANDARD.encode(document.as_ref());
        let lines: Vec<_> = encoded.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        let pem = format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", lines.join("\n"));
        Ok((Self::parse(&pem)?, pem))
    }

    /// Reads a key file: PKCS#8 as PEM or base64.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        if text.len() > FILE_MAX_BYTES {
            return Err(SignatureError::PrivateKey);
        }
        let inside = match text.split_once(PEM_BEGIN) {
            Some((_, rest)) => rest.split_once(PEM_END).ok_or(SignatureError::PrivateKey)?.0,
            None => text,
        };
        let encoded: String = inside.split_ascii_whitespace().collect();
        let document = STANDARD.decode(encoded).map_err(|_| SignatureError::PrivateKey)?;
        // Files of the older format hold no public key to compare with.
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&document).map_err(|_| SignatureError::PrivateKey)?;
        Ok(Self(key))
    }

    /// What others check signatures with.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    /// Signs the component with this hash (hex).
    pub fn sign(&self, hash: &str) -> Result<Signature, SignatureError> {
        let made = self.0.sign(&signed(hash)?);
        let mut signature = [0; 64];
        signature.copy_from_slice(made.as_ref());
        Ok(Signature { key: self.public(), signature })
    }
}

/// What is signed.
fn signed(hash: &str) -> Result<Vec<u8>, SignatureError> {
    let bytes = hex::decode(hash).ok().filter(|bytes| bytes.len() == 32);
    let bytes = bytes.ok_or_else(|| SignatureError::Hash { hash: hash.chars().take(80).collect() })?;
    Ok([CONTEXT, bytes.as_slice()].concat())
}
