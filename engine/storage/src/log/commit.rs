//! The committer: one thread that takes all requests that wait, checks them in order of arrival, writes what they
//! change as one record, waits for the disk once, and answers them all.

use std::{path::PathBuf, sync::Arc};

use crate::{
    CommitError, StorageError,
    embedded::{
        change::encode,
        group::{Group, Standing},
        key,
        stage::{Answer, Failure, stage},
        view::View,
    },
    log::{
        Hooks,
        checkpoint::Handoff,
        keep::Keep,
        queue::{Queue, Waiting},
        segment::{Failed, MAX_RECORD_BYTES, RECORD_HEADER_BYTES, Writer},
    },
};

/// A group takes no more requests once it holds this much, so that the first of them need not wait for many megabytes.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// What the thread works with.
pub(crate) struct Committer {
    pub(crate) queue: Arc<Queue>,
    pub(crate) handoff: Arc<Handoff>,
    pub(crate) view: Arc<View>,
    pub(crate) standing: Standing,
    pub(crate) writer: Writer,
    pub(crate) folder: PathBuf,
    pub(crate) hooks: Hooks,
    pub(crate) keep: Arc<Keep>,
    /// The active table is set aside at this size.
    pub(crate) memtable_bytes: usize,
}

type Reply = Result<Answer, CommitError>;

impl Committer {
    /// The thread's life: until closed (then everything is moved to sled) or stopped.
    pub(crate) fn run(mut self) {
        while let Some(mut waiting) = self.queue.take() {
            while !waiting.is_empty() {
                if let Err(problem) = self.group(&mut waiting) {
                    tracing::error!(problem, "storage stops; it must be opened again");
                    self.queue.stop(&problem);
                    drop(waiting); // their callers learn it from the closed channel, and the reason from the queue
                    self.handoff.stop();
                    return;
                }
            }
        }
        if self.queue.check().is_ok() {
            self.handoff.wait_until_done();
            self.rotate();
            self.handoff.wait_until_done();
        }
        self.handoff.stop();
    }

    /// Commits as many of `waiting` as one group takes. An error: nobody knows what is on the disk.
    fn group(&mut self, waiting: &mut Vec<Waiting>) -> Result<(), String> {
        self.make_room()?;
        let view = Arc::clone(&self.view);
        let (mut group, replies) = stage_all(&view, &self.standing, waiting);
        if group.changes.is_empty() {
            self.standing = group.standing;
        } else {
            let counts = serde_json::to_vec(&group.standing.counts).map_err(|error| error.to_string())?;
            group.put(key::counts(), counts);
            if let Err(error) = self.write(group)? {
                let taken = waiting.drain(..replies.len());
                for one in taken {
                    one.reply.send(Err(error.again().into())).ok();
                }
                return Ok(());
            }
        }
        *self.queue.counts.lock() = self.standing.counts.clone();
        for (one, reply) in waiting.drain(..replies.len()).zip(replies) {
            one.reply.send(reply).ok(); // the caller may have gone
        }
        Ok(())
    }

    /// Makes a group durable, then visible. `Ok(Err)`: nothing of it was written.
    fn write(&mut self, group: Group<'_>) -> Result<Result<(), Reason>, String> {
        let Group { changes, standing, bytes, .. } = group;
        let mut record = Vec::with_capacity(RECORD_HEADER_BYTES + bytes + bytes / 4);
        record.resize(RECORD_HEADER_BYTES, 0);
        encode(&changes, &mut record);
        if record.len() > MAX_RECORD_BYTES {
            return Ok(Err(Reason::Invalid("this commit is too large; write less at once".to_owned())));
        }
        match self.writer.append(&mut record) {
            Ok(()) => {}
            Err(Failed::Nothing(error)) => {
                let reason = format!("the log cannot be written ({error}); free some space and try again");
                return Ok(Err(Reason::Unavailable(reason)));
            }
            Err(Failed::Unknown(error)) => {
                return Err(format!("the disk did not confirm a write ({error}); check the disk, then restart"));
            }
        }
        // Before anyone sees it: what a backup has read must lie before the end that it asks for afterwards.
        self.keep.advance(self.writer.place(), record.len() as u64);
        self.view.apply(changes).map_err(|error| error.to_string())?;
        self.standing = standing;
        Ok(Ok(()))
    }

    /// Sets the active table aside when it is full; when the last one is still being written, commits may fill as much
    /// again and then wait.
    fn make_room(&mut self) -> Result<(), String> {
        let bytes = self.view.active_bytes();
        if bytes < self.memtable_bytes {
            return Ok(());
        }
        if bytes >= 2 * self.memtable_bytes {
            self.handoff.wait_until_done();
            if self.queue.check().is_err() {
                return Err(self.queue.refusal().to_string());
            }
        }
        self.rotate();
        Ok(())
    }

    /// Begins a new segment and hands the active table to the checkpointer, unless it has one.
    fn rotate(&mut self) {
        if self.view.has_frozen() {
            return;
        }
        let number = self.writer.number;
        match Writer::create(&*self.hooks.files, &self.folder, number + 1, self.writer.next_sequence()) {
            Ok(writer) => {
                self.writer = writer;
                self.keep.advance(self.writer.place(), 0);
            }
            Err(error) => {
                // The old segment goes on; the next group tries again.
                tracing::warn!(%error, "a new log segment cannot be created");
                return;
            }
        }
        if let Some(table) = self.view.freeze() {
            self.handoff.give(table, number);
        }
    }
}

/// Checks requests in order until the group is full. One that cannot be read for is answered with its error, and
/// the group begun again without it.
fn stage_all<'a>(view: &'a View, standing: &Standing, waiting: &[Waiting]) -> (Group<'a>, Vec<Reply>) {
    let mut broken: Vec<Option<StorageError>> = Vec::new();
    broken.resize_with(waiting.len(), || None);
    'again: loop {
        let mut group = Group::new(view, standing);
        let mut replies = Vec::with_capacity(waiting.len());
        for (n, one) in waiting.iter().enumerate() {
            if group.bytes >= GROUP_BYTES {
                break;
            }
            if let Some(error) = &broken[n] {
                replies.push(Err(Reason::of(error).again().into()));
                continue;
            }
            match stage(&mut group, &one.request) {
                Ok(answer) => replies.push(Ok(answer)),
                Err(Failure::Refused(error)) => replies.push(Err(error)),
                Err(Failure::Broken(error)) => {
                    broken[n] = Some(error);
                    continue 'again;
                }
            }
        }
        return (group, replies);
    }
}

/// An error that several callers get.
enum Reason {
    Unavailable(String),
    Corrupt(String),
    Invalid(String),
}

impl Reason {
    fn of(error: &StorageError) -> Self {
        match error {
            StorageError::Unavailable { reason, .. } => Self::Unavailable(reason.clone()),
            StorageError::Corrupt { reason } => Self::Corrupt(reason.clone()),
            StorageError::Invalid { reason } => Self::Invalid(reason.clone()),
        }
    }

    fn again(&self) -> StorageError {
        match self {
            Self::Unavailable(reason) => StorageError::Unavailable { reason: reason.clone(), source: None },
            Self::Corrupt(reason) => StorageError::Corrupt { reason: reason.clone() },
            Self::Invalid(reason) => StorageError::Invalid { reason: reason.clone() },
        }
    }
}
