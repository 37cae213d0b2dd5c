//! Which stores: `"*"`, a store's id, or `tag:NAME`. Triggers, grants, tokens and batches write it the same way.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::StoreSelector;

/// Of a tag, in bytes.
const TAG_BYTES_MAX: usize = 63;

/// A text that names no stores.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not name stores: write a store's id, `tag:NAME`, or `*` for all")]
pub struct InvalidSelector(String);

impl FromStr for StoreSelector {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Self, InvalidSelector> {
        let fine = |tag: &str| {
            (1..=TAG_BYTES_MAX).contains(&tag.len())
                && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let selector = match text.strip_prefix("tag:") {
            _ if text == "*" => Some(Self::All),
            Some(tag) => fine(tag).then(|| Self::Tag(tag.to_owned())),
            None => text.parse().ok().map(Self::Store),
        };
        selector.ok_or_else(|| InvalidSelector(text.chars().take(80).collect()))
    }
}

impl fmt::Display for StoreSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Store(id) => write!(f, "{id}"),
            Self::Tag(tag) => write!(f, "tag:{tag}"),
        }
    }
}

impl Serialize for StoreSelector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StoreSelector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
