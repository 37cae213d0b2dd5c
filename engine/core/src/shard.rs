//! Shards: the unit of ownership. A run, its timers and its store's calls belong to one shard.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How many shards a storage has, fixed when it is created.
pub const SHARD_COUNT: u16 = 256;

/// One of the [`SHARD_COUNT`] shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(u16);

impl ShardId {
    /// The shard of a home key (a store's id; for runs without a store their workflow's id): the first byte of its SHA-256.
    pub fn of(home: &str) -> Self {
        Self(u16::from(Sha256::digest(home.as_bytes())[0]))
    }

    /// All shards in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARD_COUNT).map(Self)
    }

    /// The shard with this number, if there is one.
    pub fn from_number(number: u16) -> Option<Self> {
        (number < SHARD_COUNT).then_some(Self(number))
    }

    /// Its number, `0..SHARD_COUNT`.
    pub fn number(self) -> u16 {
        self.0
    }
}

/// The token of one period of ownership of a shard. A commit that carries an older one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Fence(pub u64);
