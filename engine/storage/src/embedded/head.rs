//! The heads of runs and events: what commits must know about them without reading JSON, followed by a run's row.

use cartwright_core::{
    run::row::{RunRow, RunStatus},
    shard::ShardId,
};

use crate::{
    StorageError,
    embedded::{
        key::{Id, damaged},
        list::RunLists,
    },
};

/// The first byte of a head; another one is from a later engine.
const FORM: u8 = 1;

/// What is kept of a run beside its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunHead {
    /// Entries in the journal.
    pub(crate) entries: u64,
    /// Bytes of the journal.
    pub(crate) bytes: u64,
    pub(crate) status: RunStatus,
    pub(crate) shard: ShardId,
    /// Which lists it is in; they never change in a run's life.
    pub(crate) lists: RunLists,
    /// The event that started it.
    pub(crate) event: Id,
    /// Whether the event does not know the run (it was not kept when the run began), so that a list of its own does.
    pub(crate) listed_by_event: bool,
}

/// What is kept of an event beside its JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventHead {
    /// Bytes of the event, its matches and runs.
    pub(crate) bytes: u64,
    pub(crate) shard: ShardId,
    /// Whether it left the inbox.
    pub(crate) matched: bool,
    pub(crate) dedupe: Option<[u8; 32]>,
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn shard(&mut self) -> Option<ShardId> {
        ShardId::from_number(u16::from_le_bytes(self.take()?))
    }
}

impl RunHead {
    /// With the row's JSON after it.
    pub(crate) fn write(&self, row_json: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + row_json.len());
        out.extend_from_slice(&[FORM, self.status as u8, u8::from(self.listed_by_event)]);
        out.extend_from_slice(&self.entries.to_le_bytes());
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out.extend_from_slice(&self.shard.number().to_le_bytes());
        out.extend_from_slice(&self.lists.workflow.to_le_bytes());
        out.extend_from_slice(&self.lists.store.to_le_bytes());
        out.extend_from_slice(&self.event);
        out.extend_from_slice(row_json);
        out
    }

    /// The head and the row's JSON.
    pub(crate) fn read(head: &[u8]) -> Result<(Self, &[u8]), StorageError> {
        let mut reader = Reader(head);
        let mut read = || {
            let [form, status, listed] = reader.take()?;
            let head = Self {
                status: *RunStatus::ALL.get(usize::from(status)).filter(|_| form == FORM)?,
                listed_by_event: listed == 1,
                entries: reader.number()?,
                bytes: reader.number()?,
                shard: reader.shard()?,
                lists: RunLists { workflow: reader.number()?, store: reader.number()? },
                event: reader.take()?,
            };
            Some((head, reader.0))
        };
        read().ok_or_else(|| damaged("a run"))
    }

    /// The row in a head.
    pub(crate) fn row(head: &[u8]) -> Result<RunRow, StorageError> {
        let (_, json) = Self::read(head)?;
        serde_json::from_slice(json).map_err(|_| damaged("a run's row"))
    }
}

impl EventHead {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(48);
        out.extend_from_slice(&[FORM, u8::from(self.matched)]);
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out.extend_from_slice(&self.shard.number().to_le_bytes());
        out.extend_from_slice(self.dedupe.as_ref().map_or(&[][..], |hash| hash));
        out
    }

    pub(crate) fn read(head: &[u8]) -> Result<Self, StorageError> {
        let mut reader = Reader(head);
        let mut read = || {
            let [form, matched] = reader.take()?;
            let head =
                Self { matched: matched == 1, bytes: reader.number()?, shard: reader.shard()?, dedupe: reader.take() };
            (form == FORM).then_some(head)
        };
        read().ok_or_else(|| damaged("an event"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_read_back_and_short_ones_are_refused() {
        let lists = RunLists { workflow: u64::MAX - 1, store: 7 };
        let run = RunHead {
            entries: 3,
            bytes: 1 << 40,
            status: RunStatus::Parked,
            shard: ShardId::of("a"),
            lists,
            event: [9; 16],
            listed_by_event: true,
        };
        let bytes = run.write(b"{}");
        assert_eq!(RunHead::read(&bytes).expect("whole"), (run, &b"{}"[..]));
        assert!((0..bytes.len() - 2).all(|n| RunHead::read(&bytes[..n]).is_err()));
        for dedupe in [None, Some([3; 32])] {
            let event = EventHead { bytes: 12, shard: ShardId::of("b"), matched: true, dedupe };
            assert_eq!(EventHead::read(&event.write()).expect("whole"), event);
        }
        assert!(EventHead::read(&[2; 44]).is_err(), "another form");
    }
}
