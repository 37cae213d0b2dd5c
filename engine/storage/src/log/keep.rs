//! Which segments must stay for backups under way, and where the log ends. The committer says how far it is, backups
//! hold on to what they will read, the checkpointer asks before it removes a segment.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

/// New log that a backup may keep, in bytes: one that nobody goes on reading must not fill the disk.
pub(crate) const KEPT_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// A place in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    /// Bytes of that segment before this place.
    pub(crate) length: u64,
}

/// Shared by committer, checkpointer and backups.
#[derive(Default)]
pub(crate) struct Keep {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Everything before it is durable.
    end: Place,
    /// Bytes written since the start.
    written: u64,
    next_pin: u64,
    /// By number: the first segment that a backup reads, and `written` when it began.
    pins: BTreeMap<u64, (u64, u64)>,
}

impl Keep {
    /// Everything before `end` is durable, `bytes` of it newly.
    pub(crate) fn advance(&self, end: Place, bytes: u64) {
        let mut inner = self.inner.lock();
        inner.end = end;
        inner.written += bytes;
        let written = inner.written;
        inner.pins.retain(|_, (_, begin)| written - *begin <= KEPT_BYTES_MAX);
    }

    /// Whether a segment must stay.
    pub(crate) fn holds(&self, segment: u64) -> bool {
        self.inner.lock().pins.values().any(|(first, _)| segment >= *first)
    }

    /// Where the log ends.
    pub(crate) fn end(&self) -> Place {
        self.inner.lock().end
    }
}

/// Holds on to the log from the segment that is written to now.
pub(crate) struct Pin {
    keep: Arc<Keep>,
    number: u64,
    /// The first segment held.
    pub(crate) first: u64,
}

impl Pin {
    /// The checkpointer only removes segments before the one written to, so this one is there.
    pub(crate) fn new(keep: &Arc<Keep>) -> Self {
        let mut inner = keep.inner.lock();
        let (number, first) = (inner.next_pin, inner.end.segment);
        let begin = inner.written;
        inner.next_pin += 1;
        inner.pins.insert(number, (first, begin));
        Self { keep: Arc::clone(keep), number, first }
    }

    /// `false`: it became too much, and was let go.
    pub(crate) fn holds(&self) -> bool {
        self.keep.inner.lock().pins.contains_key(&self.number)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.keep.inner.lock().pins.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_backups_need_stays_and_no_more() {
        let keep = Arc::new(Keep::default());
        keep.advance(Place { segment: 3, length: 28 }, 0);
        let old = Pin::new(&keep);
        keep.advance(Place { segment: 5, length: 100 }, 50);
        let young = Pin::new(&keep);
        assert_eq!([2, 3, 4, 9].map(|segment| keep.holds(segment)), [false, true, true, true]);
        drop(old);
        assert_eq!([4, 5].map(|segment| keep.holds(segment)), [false, true]);
        keep.advance(Place { segment: 6, length: 100 }, KEPT_BYTES_MAX);
        assert!(young.holds());
        keep.advance(Place { segment: 6, length: 101 }, 1);
        assert!(!young.holds() && !keep.holds(6), "it would have filled the disk");
    }
}
