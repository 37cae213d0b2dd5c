//! Master keys as text: 64 hex digits each, from a file, the environment or a command, the first of them current.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{seal::KEY_BYTES, vault::VaultError};

/// Keys a vault knows at once: the current one and those that are being replaced.
pub const MAX_MASTER_KEYS: usize = 8;
/// More than the text of a key ring ever has, in bytes.
pub const MAX_KEY_TEXT_BYTES: usize = 4096;

/// Wraps data keys. Never printed; its id names it.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    id: String,
}

/// Why a text holds no master keys. Never quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotKeys {
    /// Nothing in it.
    #[error("there is no key in it")]
    None,
    /// Something else in it.
    #[error("key {place} of it is not 64 hex digits")]
    Malformed {
        /// Which one, from 1.
        place: usize,
    },
    /// One of them twice.
    #[error("key {place} of it is there twice")]
    Twice {
        /// The second of the two, from 1.
        place: usize,
    },
    /// Too many.
    #[error("it has more than {MAX_MASTER_KEYS} keys")]
    TooMany,
}

impl MasterKey {
    /// 32 random bytes.
    pub fn random() -> Result<Self, VaultError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut()).map_err(VaultError::Random)?;
        Ok(Self::new(bytes))
    }

    fn new(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let hash = Sha256::new().chain_update(b"cartwright master key id").chain_update(*bytes).finalize();
        Self { bytes, id: hex::encode(&hash[..8]) }
    }

    /// Names the key without telling it: the first 64 bits of a hash over it.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    /// As [`parse`] reads it.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(*self.bytes))
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// Keys separated by commas, spaces or line breaks, the current one first.
pub fn parse(text: &[u8]) -> Result<Vec<MasterKey>, NotKeys> {
    let mut keys: Vec<MasterKey> = Vec::new();
    let separates = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
    for word in text.split(separates).filter(|word| !word.is_empty()) {
        let place = keys.len() + 1;
        if place > MAX_MASTER_KEYS {
            return Err(NotKeys::TooMany);
        }
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        hex::decode_to_slice(word, bytes.as_mut()).map_err(|_| NotKeys::Malformed { place })?;
        let key = MasterKey::new(bytes);
        if keys.contains(&key) {
            return Err(NotKeys::Twice { place });
        }
        keys.push(key);
    }
    if keys.is_empty() { Err(NotKeys::None) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_order_from_every_separator() {
        let (a, b) = (MasterKey::random().expect("made"), MasterKey::random().expect("made"));
        for separator in [",", "\n", " , ", "\r\n"] {
            let text = [a.to_text().as_str(), separator, &b.to_text().to_uppercase(), "\n"].concat();
            assert_eq!(parse(text.as_bytes()), Ok(vec![a.clone(), b.clone()]), "{separator:?}");
        }
        assert!(!format!("{a:?}").contains(a.to_text().as_str()));
    }

    #[test]
    fn other_texts_are_refused_without_quoting_them() {
        let key = "ab".repeat(32);
        let many: String = (0..9).map(|n| format!("{n:064x},")).collect();
        for (text, expect) in [
            (b"" as &[u8], NotKeys::None),
            (b" ,\n", NotKeys::None),
            (b"hunter2", NotKeys::Malformed { place: 1 }),
            (&[0xff; 64], NotKeys::Malformed { place: 1 }),
            (&[b'f'; 63], NotKeys::Malformed { place: 1 }),
            (&[b'f'; 65], NotKeys::Malformed { place: 1 }),
            (format!("{key},x").as_bytes(), NotKeys::Malformed { place: 2 }),
            (format!("{key} {key}").as_bytes(), NotKeys::Twice { place: 2 }),
            (many.as_bytes(), NotKeys::TooMany),
        ] {
            let error = parse(text).expect_err("refused");
            assert_eq!(error, expect);
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
