//! Named secrets that workflows use (`${{ secrets.slack_path }}`, `secrets::get("slack_path")`): set on the command
//! line or over the API, kept sealed as records, opened at the moment of sending.

use cartwright_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    seal::{Scope, Sealed, Secret, WrappedKey},
    vault::{Vault, VaultError},
};

/// Of a named secret's value, in bytes: a private key in PEM form fits, a file does not.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;
/// Of a named secret's name, in bytes.
const MAX_NAME_BYTES: usize = 63;
/// What the value's field is called in the seal.
const FIELD: &str = "value";

/// Why a name or value cannot become a named secret.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSecret {
    /// Workflows could not write it.
    #[error("`{0}` is not a secret's name: use 1 to 63 of a-z, A-Z, 0-9 and `_`, starting with a letter or `_`")]
    Name(String),
    /// Nothing, or too much.
    #[error("a secret's value has 1 to {MAX_VALUE_BYTES} bytes, this one has {0}")]
    Length(usize),
    /// The stored record is not what this engine writes.
    #[error("the stored secret is damaged ({0}). Set it again with `cartwright secret set`")]
    Damaged(#[from] serde_json::Error),
    /// Sealing or opening failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// A named secret as kept in storage. Holds no plaintext.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedSecret {
    /// How workflows call it.
    pub name: String,
    /// When this value was set.
    pub set: Timestamp,
    key: WrappedKey,
    value: Sealed,
}

impl NamedSecret {
    /// Seals a value under a name. `version` is 1 for the first value of a name and one more for each later one: runs
    /// journal which version they used.
    pub fn new(vault: &Vault, name: &str, value: &Secret, version: u64, now: Timestamp) -> Result<Self, InvalidSecret> {
        check_name(name)?;
        let length = value.expose().len();
        if !(1..=MAX_VALUE_BYTES).contains(&length) {
            return Err(InvalidSecret::Length(length));
        }
        let scope = Scope::Secret(name.to_owned());
        let key = vault.new_key(&scope)?;
        let value = vault.unwrap_key(&scope, &key)?.seal(FIELD, version, value)?;
        Ok(Self { name: name.to_owned(), set: now, key, value })
    }

    /// Which value of the name this is, from 1.
    pub fn version(&self) -> u64 {
        self.value.version()
    }

    /// The plaintext.
    pub fn open(&self, vault: &Vault) -> Result<Secret, VaultError> {
        vault.unwrap_key(&Scope::Secret(self.name.clone()), &self.key)?.open(FIELD, &self.value)
    }

    /// Which master key wraps its data key.
    pub fn master(&self) -> &str {
        self.key.master()
    }

    /// Wraps its data key by the current master key; `false`: it is already.
    pub fn rewrap(&mut self, vault: &Vault) -> Result<bool, VaultError> {
        let rewrapped = vault.rewrap(&Scope::Secret(self.name.clone()), &self.key)?;
        Ok(rewrapped.map(|key| self.key = key).is_some())
    }

    /// Seals the value anew under a new data key. The version stays.
    pub fn reseal(&mut self, vault: &Vault) -> Result<(), VaultError> {
        let scope = Scope::Secret(self.name.clone());
        let (value, wrapped) = (self.open(vault)?, vault.new_key(&scope)?);
        self.value = vault.unwrap_key(&scope, &wrapped)?.seal(FIELD, self.version(), &value)?;
        self.key = wrapped;
        Ok(())
    }

    /// For storage; holds no plaintext.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers always become JSON")
    }

    /// From storage.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSecret> {
        let secret: Self = serde_json::from_slice(bytes)?;
        check_name(&secret.name)?;
        Ok(secret)
    }
}

/// Whether `name` can be a secret's name.
pub fn check_name(name: &str) -> Result<(), InvalidSecret> {
    let ok = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let starts_well = name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if starts_well && name.len() <= MAX_NAME_BYTES && name.bytes().all(ok) {
        return Ok(());
    }
    Err(InvalidSecret::Name(name.chars().take(80).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    #[test]
    fn a_secret_survives_storage_and_shows_nothing_there() {
        let vault = Vault::in_memory().expect("made");
        let secret = NamedSecret::new(&vault, "slack_path", &Secret::new("T0/B0/xyz"), 3, NOW).expect("valid");
        let bytes = secret.to_bytes();
        assert!(!String::from_utf8_lossy(&bytes).contains("xyz"));
        let read = NamedSecret::from_bytes(&bytes).expect("read");
        assert_eq!((read.version(), read.set), (3, NOW));
        assert_eq!(read.open(&vault).expect("opened"), Secret::new("T0/B0/xyz"));
        assert!(read.open(&Vault::in_memory().expect("made")).is_err());
    }

    #[tokio::test]
    async fn a_rotation_leaves_value_and_version_as_they_are() {
        let vault = Vault::in_memory().expect("made");
        let mut secret = NamedSecret::new(&vault, "a", &Secret::new("x"), 7, NOW).expect("valid");
        let before = secret.clone();
        vault.begin_rotation().await.expect("begun");
        assert!(secret.rewrap(&vault).expect("opened") && !secret.rewrap(&vault).expect("opened"));
        assert_eq!((secret.master(), &secret.value), (vault.key_id().as_str(), &before.value));
        secret.reseal(&vault).expect("opened");
        assert_ne!(secret.value, before.value);
        assert_eq!((secret.version(), secret.open(&vault).expect("opened")), (7, Secret::new("x")));
    }

    #[test]
    fn a_record_under_another_name_does_not_open() {
        let vault = Vault::in_memory().expect("made");
        let mut secret = NamedSecret::new(&vault, "a", &Secret::new("x"), 1, NOW).expect("valid");
        secret.name = "b".to_owned();
        assert!(matches!(secret.open(&vault), Err(VaultError::Tampered { .. })));
    }

    #[test]
    fn bad_names_values_and_records_are_refused() {
        let vault = Vault::in_memory().expect("made");
        for name in ["", "1a", "a-b", "a.b", "a b", "ä", "a\0", &"a".repeat(64)] {
            let refused = NamedSecret::new(&vault, name, &Secret::new("x"), 1, NOW);
            assert!(matches!(refused, Err(InvalidSecret::Name(_))), "{name}");
        }
        for value in [0, MAX_VALUE_BYTES + 1] {
            let refused = NamedSecret::new(&vault, "a", &Secret::new(vec![1; value]), 1, NOW);
            assert!(matches!(refused, Err(InvalidSecret::Length(_))), "{value}");
        }
        for bytes in [&b""[..], b"{}", b"[]", b"\xff", br#"{"name":"a"}"#] {
            assert!(NamedSecret::from_bytes(bytes).is_err());
        }
    }
}
