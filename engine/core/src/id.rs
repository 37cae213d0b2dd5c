//! Names of things. A value of one of these types is valid: parsing is the only way in.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::time::Timestamp;

/// Why a text is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind}: {rule}")]
pub struct InvalidId {
    kind: &'static str,
    text: String,
    rule: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $valid:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text form, as shown to people and kept in storage.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if $valid(text) {
                    return Ok(Self(text.into()));
                }
                let shown = text.chars().take(80).collect();
                Err(InvalidId { kind: $kind, text: shown, rule: $rule })
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

text_id!(
    /// A connected store, named by its owner: `my-shop`.
    StoreId, "store id", "use 1 to 63 of a-z, 0-9, `-` and `_`, starting with a letter or digit", slug
);
text_id!(
    /// A workflow: its file's path below the workflows folder, without `.yaml` (`stock/sync`).
    WorkflowId, "workflow id", "use segments of a-z, A-Z, 0-9, `-`, `_` and `.`, joined by `/`", path
);
text_id!(
    /// An accepted event: `evt_` and 26 characters that sort by acceptance time.
    EventId, "event id", "it is `evt_` and 26 characters of 0-9 and A-Z", event
);
text_id!(
    /// One run: `run_` and 26 characters that sort by start time.
    RunId, "run id", "it is `run_` and 26 characters of 0-9 and A-Z", run
);
text_id!(
    /// The content hash of one workflow with everything it pins: 32 lower-case hex digits.
    Version, "version", "it is 32 lower-case hex digits", version
);

fn slug(text: &str) -> bool {
    let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=63).contains(&text.len()) && text.bytes().all(ok) && text.as_bytes()[0].is_ascii_alphanumeric()
}

fn path(text: &str) -> bool {
    let ok = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let segment = |s: &str| !s.is_empty() && !s.starts_with('.') && s.bytes().all(ok);
    text.len() <= 200 && text.split('/').all(segment)
}

fn event(text: &str) -> bool {
    sortable(text, "evt_")
}

fn run(text: &str) -> bool {
    sortable(text, "run_")
}

fn sortable(text: &str, prefix: &str) -> bool {
    let Some(rest) = text.strip_prefix(prefix) else { return false };
    rest.len() == 26 && rest.bytes().all(|b| ALPHABET.contains(&b))
}

fn version(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Crockford's base 32, as in the ULID specification: sorts like the number it writes.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// 48 bits of milliseconds and 80 other bits, in 26 characters (the ULID layout).
fn sortable_text(prefix: &str, at: Timestamp, low: [u8; 10]) -> Arc<str> {
    let mut bytes = [0u8; 16];
    bytes[..6].copy_from_slice(&at.as_millis().max(0).to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&low);
    let number = u128::from_be_bytes(bytes);
    let mut text = String::with_capacity(prefix.len() + 26);
    text.push_str(prefix);
    for place in (0..26).rev() {
        let digit = (number >> (5 * place)) & 31;
        text.push(char::from(ALPHABET[digit as usize]));
    }
    text.into()
}

impl EventId {
    /// A new id: `at` is the acceptance time, `entropy` comes from the engine's random source.
    pub fn new(at: Timestamp, entropy: [u8; 10]) -> Self {
        Self(sortable_text("evt_", at, entropy))
    }

    /// An id that is the same each time it is made for the same cause (a schedule's occurrence, an emitting call).
    pub fn derived(at: Timestamp, cause: &[&str]) -> Self {
        Self(sortable_text("evt_", at, digest10(cause)))
    }
}

impl RunId {
    /// The id of the run that `event` starts of `workflow`: the same each time, so matching twice starts one run.
    pub fn derived(at: Timestamp, event: &EventId, workflow: &WorkflowId) -> Self {
        Self(sortable_text("run_", at, digest10(&[event.as_str(), workflow.as_str()])))
    }
}

impl Version {
    /// The version of a definition: SHA-256 over its parts, each preceded by its length, cut to 128 bits.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hex::encode(&hash.finalize()[..16]).into())
    }
}

/// A text that sorts by a time, with something of `of` so that no two are the same.
pub(crate) fn sortable_for(prefix: &str, at: Timestamp, of: &str) -> Arc<str> {
    sortable_text(prefix, at, digest10(&[of]))
}

fn digest10(parts: &[&str]) -> [u8; 10] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut low = [0; 10];
    low.copy_from_slice(&hash.finalize()[..10]);
    low
}

/// Where a step stands in its run: step ids joined by `/`, `[n]` for a loop's iteration, `.n` for a choose's branch
/// (`each[3]/pick.0/note`); a step of `on_failure` or `on_cancel` starts with `on_failure/` or `on_cancel/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepPath(Arc<str>);

impl StepPath {
    /// A path from its text; paths come from the engine itself, so every text is one.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StepPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StepPath({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_parse_back() {
        let early = EventId::new(Timestamp::from_millis(1), [255; 10]);
        let late = EventId::new(Timestamp::from_millis(2), [0; 10]);
        assert!(early < late);
        assert_eq!(early.as_str().parse::<EventId>().as_ref(), Ok(&early));
    }

    #[test]
    fn hostile_ids_are_refused() {
        for text in ["", "A", "-a", "a/b", "a b", "é", &"a".repeat(64)] {
            assert!(text.parse::<StoreId>().is_err(), "{text}");
        }
        for text in ["", "/a", "a//b", "../a", ".a", "a/.", "a b"] {
            assert!(text.parse::<WorkflowId>().is_err(), "{text}");
        }
        assert!("evt_0000000000000000000000000U".parse::<EventId>().is_err());
    }
}
