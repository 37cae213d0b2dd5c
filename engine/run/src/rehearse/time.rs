//! Virtual time, and randomness that is the same each time.

use std::sync::atomic::{AtomicU64, Ordering};

use cartwright_core::time::Timestamp;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::clock::{Clock, Entropy};

/// Moves with tokio's time, which stands still while anything can be done.
pub(super) struct VirtualClock {
    begins: Timestamp,
    start: Instant,
}

impl VirtualClock {
    /// It is `begins` now.
    pub(super) fn new(begins: Timestamp) -> Self {
        Self { begins, start: Instant::now() }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.begins.plus(self.start.elapsed())
    }
}

/// Counts, and hashes what it counted.
#[derive(Default)]
pub(super) struct Repeatable(AtomicU64);

impl Entropy for Repeatable {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            let digest = Sha256::digest(number.to_be_bytes());
            chunk.copy_from_slice(&digest[..chunk.len()]);
        }
    }
}
