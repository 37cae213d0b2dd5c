//! How one value is sealed: plaintext comes from the command line or the API, and leaves as a [`Sealed`] record that
//! is safe to keep anywhere.
//!
//! Envelope encryption: every store and every named secret has a data key of its own, and only that key is encrypted
//! under the master key. So a master key can be replaced by rewrapping short keys, and no two owners share one.
//! AES-256-GCM throughout, with a random 96-bit nonce a message: a data key seals a handful of values in its life, far
//! below the 2^32 messages after which random nonces become a risk (NIST SP 800-38D, 8.3).

use std::fmt;

use aes_gcm::{
    Aes256Gcm,
    aead::{Aead, KeyInit, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use cartwright_core::id::StoreId;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{master::MasterKey, vault::VaultError};

/// The only format there is so far: AES-256-GCM, nonce in front of the ciphertext.
const FORMAT: u32 = 1;
/// Of all keys here, in bytes.
pub(crate) const KEY_BYTES: usize = 32;
/// Of AES-GCM nonces, in bytes.
const NONCE_BYTES: usize = 12;

/// Plaintext that must not be seen: wiped when dropped, and `[secret]` wherever it is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes ownership of plaintext.
    pub fn new(plaintext: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(plaintext.into()))
    }

    /// The plaintext. Whoever calls this keeps it out of logs, errors and journals.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The plaintext as text, `None` when it is not UTF-8.
    pub fn expose_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Whose value is sealed; part of what the seal binds, so a record cannot be moved to another owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One store's connection secrets.
    Store(StoreId),
    /// One named secret of the engine.
    Secret(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(id) => write!(f, "store:{id}"),
            Self::Secret(name) => write!(f, "secret:{name}"),
        }
    }
}

/// A data key encrypted under a master key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrappedKey {
    /// Format of `data`, see the top of this file.
    pub(crate) format: u32,
    /// Which master key wraps it, see [`MasterKey::id`].
    pub(crate) master: String,
    /// Base64 of nonce and ciphertext.
    pub(crate) data: String,
}

impl WrappedKey {
    /// Which master key wraps it.
    pub fn master(&self) -> &str {
        &self.master
    }
}

/// A value encrypted under a data key. Bound to its owner, its field and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Format of `data`, see the top of this file.
    format: u32,
    /// The value's version: an older value put back in place of a newer one does not open.
    version: u64,
    /// Base64 of nonce and ciphertext.
    data: String,
}

impl Sealed {
    /// The value's version.
    pub fn version(&self) -> u64 {
        self.version
    }
}

/// An unwrapped data key: seals and opens values of one owner.
pub struct DataKey {
    pub(crate) scope: Scope,
    pub(crate) key: Zeroizing<[u8; KEY_BYTES]>,
}

impl DataKey {
    /// Seals one field of the owner.
    pub fn seal(&self, field: &str, version: u64, plaintext: &Secret) -> Result<Sealed, VaultError> {
        let data = encrypt(&self.key, plaintext.expose(), &associated_data(&self.scope, field, version))?;
        Ok(Sealed { format: FORMAT, version, data })
    }

    /// Opens what [`DataKey::seal`] made for the same owner and field.
    pub fn open(&self, field: &str, sealed: &Sealed) -> Result<Secret, VaultError> {
        check_format(sealed.format)?;
        let binding = associated_data(&self.scope, field, sealed.version);
        decrypt(&self.key, &sealed.data, &binding)
            .map(Secret)
            .ok_or_else(|| VaultError::Tampered { scope: self.scope.to_string(), field: field.to_owned() })
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.scope)
    }
}

/// A new data key, wrapped.
pub(crate) fn new_data_key(master: &MasterKey, scope: &Scope) -> Result<WrappedKey, VaultError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(key.as_mut()).map_err(VaultError::Random)?;
    wrap(master, &DataKey { scope: scope.clone(), key })
}

/// A data key under a master key.
pub(crate) fn wrap(master: &MasterKey, key: &DataKey) -> Result<WrappedKey, VaultError> {
    let data = encrypt(master.bytes(), key.key.as_ref(), &associated_data(&key.scope, "data key", 0))?;
    Ok(WrappedKey { format: FORMAT, master: master.id().to_owned(), data })
}

/// The data key in `wrapped`; the caller has checked that `master` is the key it names.
pub(crate) fn unwrap(master: &MasterKey, scope: &Scope, wrapped: &WrappedKey) -> Result<DataKey, VaultError> {
    check_format(wrapped.format)?;
    let tampered = || VaultError::Tampered { scope: scope.to_string(), field: "data key".to_owned() };
    let plain = decrypt(master.bytes(), &wrapped.data, &associated_data(scope, "data key", 0)).ok_or_else(tampered)?;
    let key = <[u8; KEY_BYTES]>::try_from(plain.as_slice()).map_err(|_| tampered())?;
    Ok(DataKey { scope: scope.clone(), key: Zeroizing::new(key) })
}

/// What a ciphertext is bound to. Lengths in front keep `("a", "bc")` and `("ab", "c")` apart.
fn associated_data(scope: &Scope, field: &str, version: u64) -> Vec<u8> {
    let scope = scope.to_string();
    format!("cartwright sealed {FORMAT}|{}:{scope}|{}:{field}|{version}", scope.len(), field.len()).into_bytes()
}

fn check_format(format: u32) -> Result<(), VaultError> {
    if format == FORMAT { Ok(()) } else { Err(VaultError::NewerFormat { format }) }
}

fn encrypt(key: &[u8; KEY_BYTES], plaintext: &[u8], binding: &[u8]) -> Result<String, VaultError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(VaultError::Random)?;
    let ciphertext = Aes256Gcm::new(key.into())
        .encrypt(&nonce.into(), Payload { msg: plaintext, aad: binding })
        .map_err(|_| VaultError::TooLong)?;
    Ok(BASE64.encode([nonce.as_slice(), &ciphertext].concat()))
}

/// `None`: another key, another binding, or changed bytes; the cipher cannot tell which.
fn decrypt(key: &[u8; KEY_BYTES], data: &str, binding: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = BASE64.decode(data).ok()?;
    let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE_BYTES>()?;
    let plain = Aes256Gcm::new(key.into()).decrypt(&(*nonce).into(), Payload { msg: ciphertext, aad: binding }).ok()?;
    Some(Zeroizing::new(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::Store(text.parse().expect("a store id"))
    }

    fn data_key(scope: &Scope) -> DataKey {
        let master = MasterKey::random().expect("randomness");
        let wrapped = new_data_key(&master, scope).expect("randomness");
        unwrap(&master, scope, &wrapped).expect("the same key")
    }

    #[test]
    fn what_was_sealed_opens_again_and_never_looks_the_same() {
        let key = data_key(&scope("a"));
        let secret = Secret::new("s3cr3t-ü");
        let first = key.seal("webhook", 1, &secret).expect("sealed");
        let second = key.seal("webhook", 1, &secret).expect("sealed");
        assert_ne!(first, second, "a nonce is used once");
        assert_eq!(key.open("webhook", &first).expect("opened"), secret);
        assert!(!serde_json::to_string(&first).expect("json").contains("s3cr3t"));
    }

    #[test]
    fn a_sealed_value_opens_nowhere_else() {
        let key = data_key(&scope("a"));
        let sealed = key.seal("webhook", 1, &Secret::new("x")).expect("sealed");
        assert!(key.open("rest key", &sealed).is_err(), "another field");
        assert!(key.open("webhook", &Sealed { version: 2, ..sealed.clone() }).is_err(), "another version");
        assert!(data_key(&scope("a")).open("webhook", &sealed).is_err(), "another data key");
        let moved = DataKey { scope: scope("b"), key: key.key };
        assert!(moved.open("webhook", &sealed).is_err(), "another owner");
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let key = data_key(&scope("a"));
        let sealed = key.seal("webhook", 1, &Secret::new("value")).expect("sealed");
        let bytes = BASE64.decode(&sealed.data).expect("base64");
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let changed = Sealed { data: BASE64.encode(&changed), ..sealed.clone() };
            assert!(matches!(key.open("webhook", &changed), Err(VaultError::Tampered { .. })), "byte {place}");
        }
        for data in ["", "AAAA", "%", &BASE64.encode([0; NONCE_BYTES])] {
            assert!(key.open("webhook", &Sealed { data: data.to_owned(), ..sealed.clone() }).is_err());
        }
        assert!(matches!(
            key.open("webhook", &Sealed { format: 2, ..sealed }),
            Err(VaultError::NewerFormat { format: 2 })
        ));
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[secret]");
        assert_eq!(format!("{:?}", data_key(&scope("a"))), "DataKey(store:a)");
    }
}
