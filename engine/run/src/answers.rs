//! Answers to requests that carried an idempotency key: what makes a request that is sent again give the same answer
//! instead of being done again.
//!
//! Two records for each, in one commit: `a/HASH` has the answer, `t/MILLIS-HASH` finds it when its time is over. `HASH` is
//! of who asked and their key. Before a request is handled its record says `begun`; after a crash in between nobody knows
//! whether it was done, and the record says so.
//!
//! What is over is removed by the requests that come after it, a few for each, so that nothing has to wake up for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use cartwright_core::time::Timestamp;
use cartwright_storage::{CommitError, Expect, RecordWrite, Storage, StorageError, Table};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OnceCell};

/// How long an answer is kept.
pub const ANSWER_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Answers kept at once; the oldest go first.
const ANSWERS_MAX: usize = 100_000;
/// Answers removed in one commit: more than requests come at once beside the one that removes, so that a backlog shrinks.
const REMOVED_AT_ONCE: usize = 64;
/// Of an answer's body that is kept, in bytes.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptAnswer {
    /// HTTP status.
    pub status: u16,
    /// Its media type, where it has a body.
    pub kind: Option<String>,
    /// The body; `None`: it was too large, or held a secret that is shown only once.
    pub body: Option<String>,
}

/// What is known about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing was known; it is on stable storage now that it began.
    New,
    /// It began before, and nobody knows how it ended.
    Begun,
    /// It was answered.
    Answered(KeptAnswer),
    /// The key came with another request.
    Other,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Of method, path and body, in hexadecimal digits.
    request: String,
    /// When it goes.
    until: Timestamp,
    answer: Option<KeptAnswer>,
}

/// The answers of a storage.
pub struct Answers {
    storage: Arc<dyn Storage>,
    /// How many there are, once somebody asked.
    count: OnceCell<AtomicUsize>,
    /// Held by a request that also removes old answers, from its look to its commit. Others do not wait for it, so that
    /// requests with keys share flushes as all commits do.
    sweeping: Mutex<()>,
}

impl Answers {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, count: OnceCell::new(), sweeping: Mutex::default() }
    }

    /// What is known about the request that `hash` names; if it is nothing, it is on stable storage when this resolves that
    /// the request began. The caller sees to it that no two requests of one hash are here at once.
    pub async fn begin(&self, hash: &[u8; 32], request: &[u8; 32], now: Timestamp) -> Result<Known, CommitError> {
        let (name, request) = (hex::encode(hash), hex::encode(request));
        let old = match self.read(&name).await? {
            Some(kept) if now < kept.until => {
                return Ok(match (kept.request == request, kept.answer) {
                    (false, _) => Known::Other,
                    (true, None) => Known::Begun,
                    (true, Some(answer)) => Known::Answered(answer),
                });
            }
            old => old,
        };
        // One whose time is over has the same name: nobody else may be about to remove it while it is replaced.
        let sweep = match old {
            Some(_) => Some(self.sweeping.lock().await),
            None => self.sweeping.try_lock().ok(),
        };
        let count = self.count.get_or_try_init(|| self.count()).await?;
        let mut writes = match sweep {
            Some(_) => self.over(count.load(Relaxed), now).await?,
            None => Vec::new(),
        };
        let mut removed = writes.len() / 2;
        if let Some(old) = old {
            let old_time = time_key(old.until, &name);
            writes.retain(|write| write.key != answer_key(&name) && write.key != old_time);
            removed = writes.len() / 2 + 1;
            writes.push(gone(old_time));
        }
        let until = now.plus(ANSWER_LIFE);
        writes.push(put(answer_key(&name), &Kept { request, until, answer: None }));
        writes.push(RecordWrite { value: Some(Vec::new()), ..gone(time_key(until, &name)) });
        self.storage.write_records(writes).await?;
        count.fetch_add(1, Relaxed);
        count.fetch_sub(removed, Relaxed);
        Ok(Known::New)
    }

    /// Keeps the answer. On stable storage when it resolves.
    pub async fn keep(&self, hash: &[u8; 32], answer: KeptAnswer) -> Result<(), CommitError> {
        let name = hex::encode(hash);
        let Some(kept) = self.read(&name).await? else { return Ok(()) };
        let body = answer.body.filter(|body| body.len() <= ANSWER_BYTES_MAX);
        let kept = Kept { answer: Some(KeptAnswer { body, ..answer }), ..kept };
        self.storage.write_records(vec![put(answer_key(&name), &kept)]).await
    }

    /// Forgets that a request began: nothing was done, and it may be sent again.
    pub async fn forget(&self, hash: &[u8; 32]) -> Result<(), CommitError> {
        let name = hex::encode(hash);
        let Some(kept) = self.read(&name).await? else { return Ok(()) };
        self.storage.write_records(vec![gone(answer_key(&name)), gone(time_key(kept.until, &name))]).await?;
        if let Some(count) = self.count.get() {
            count.fetch_sub(1, Relaxed);
        }
        Ok(())
    }

    async fn read(&self, name: &str) -> Result<Option<Kept>, StorageError> {
        let Some(record) = self.storage.record(Table::Answers, &answer_key(name)).await? else { return Ok(None) };
        let damaged = |error| StorageError::Corrupt { reason: format!("a kept answer is damaged: {error}") };
        serde_json::from_slice(&record.value).map(Some).map_err(damaged)
    }

    /// Asked once, when the first request with a key comes.
    async fn count(&self) -> Result<AtomicUsize, StorageError> {
        const PAGE: usize = 1_000;
        let (mut count, mut after) = (0, None::<String>);
        loop {
            let page = self.storage.records(Table::Answers, TIMES, after.as_deref(), PAGE).await?;
            count += page.len();
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.key.clone()),
                _ => return Ok(AtomicUsize::new(count)),
            }
        }
    }

    /// The writes that remove a few answers whose time is over, or that are too many; two for each.
    async fn over(&self, there: usize, now: Timestamp) -> Result<Vec<RecordWrite>, StorageError> {
        let oldest = self.storage.records(Table::Answers, TIMES, None, REMOVED_AT_ONCE).await?;
        let too_many = (there + 1).saturating_sub(ANSWERS_MAX);
        let mut writes = Vec::new();
        for (place, record) in oldest.into_iter().enumerate() {
            let Some((millis, name)) = record.key.strip_prefix(TIMES).and_then(|rest| rest.split_once('-')) else {
                continue;
            };
            let is_over = millis.parse().is_ok_and(|millis| now >= Timestamp::from_millis(millis));
            if is_over || place < too_many {
                writes.extend([gone(answer_key(name)), gone(record.key.clone())]);
            }
        }
        Ok(writes)
    }
}

/// What the keys begin with that sort by time.
const TIMES: &str = "t/";

fn answer_key(name: &str) -> String {
    format!("a/{name}")
}

fn time_key(until: Timestamp, name: &str) -> String {
    format!("{TIMES}{:016}-{name}", until.as_millis())
}

fn put(key: String, kept: &Kept) -> RecordWrite {
    let value = serde_json::to_vec(kept).expect("texts and numbers always become JSON");
    RecordWrite { value: Some(value), ..gone(key) }
}

fn gone(key: String) -> RecordWrite {
    RecordWrite { table: Table::Answers, key, expect: Expect::Any, value: None }
}

#[cfg(test)]
mod tests {
    use cartwright_storage::MemoryStorage;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn answer(text: &str) -> KeptAnswer {
        KeptAnswer { status: 202, kind: Some("application/json".into()), body: Some(text.into()) }
    }

    #[tokio::test]
    async fn a_request_is_known_by_its_key_until_its_time_is_over() {
        let storage = MemoryStorage::new();
        let answers = Answers::new(storage.clone());
        let (key, request) = ([1; 32], [2; 32]);
        assert_eq!(answers.begin(&key, &request, NOW).await.expect("begun"), Known::New);
        // As after a crash in the middle.
        let answers = Answers::new(storage.clone());
        assert_eq!(answers.begin(&key, &request, NOW).await.expect("asked"), Known::Begun);
        answers.keep(&key, answer("{}")).await.expect("kept");
        assert_eq!(answers.begin(&key, &request, NOW).await.expect("asked"), Known::Answered(answer("{}")));
        assert_eq!(answers.begin(&key, &[3; 32], NOW).await.expect("asked"), Known::Other);
        let later = NOW.plus(ANSWER_LIFE);
        assert_eq!(answers.begin(&key, &[3; 32], later).await.expect("begun"), Known::New);
        assert_eq!(answers.begin(&key, &[3; 32], later).await.expect("asked"), Known::Begun);
        let left = storage.records(Table::Answers, "", None, 10).await.expect("records");
        assert_eq!(left.len(), 2, "{left:?}");
    }

    #[tokio::test]
    async fn what_was_forgotten_may_be_sent_again_and_large_answers_are_not_kept() {
        let storage = MemoryStorage::new();
        let answers = Answers::new(storage.clone());
        assert_eq!(answers.begin(&[1; 32], &[2; 32], NOW).await.expect("begun"), Known::New);
        answers.forget(&[1; 32]).await.expect("forgotten");
        assert!(storage.records(Table::Answers, "", None, 10).await.expect("records").is_empty());
        assert_eq!(answers.begin(&[1; 32], &[9; 32], NOW).await.expect("begun"), Known::New);
        answers.keep(&[1; 32], answer(&"x".repeat(ANSWER_BYTES_MAX + 1))).await.expect("kept");
        let without = KeptAnswer { body: None, ..answer("") };
        assert_eq!(answers.begin(&[1; 32], &[9; 32], NOW).await.expect("asked"), Known::Answered(without));
    }

    #[tokio::test]
    async fn old_answers_go_as_new_ones_come() {
        let storage = MemoryStorage::new();
        let answers = Answers::new(storage.clone());
        for n in 0..20 {
            assert_eq!(answers.begin(&[n; 32], &[0; 32], NOW).await.expect("begun"), Known::New);
        }
        let later = NOW.plus(ANSWER_LIFE);
        for n in 100..107 {
            assert_eq!(answers.begin(&[n; 32], &[0; 32], later).await.expect("begun"), Known::New);
        }
        let left = storage.records(Table::Answers, TIMES, None, 100).await.expect("records");
        assert_eq!(left.len(), 7, "{left:?}");
        assert_eq!(answers.count.get().map(|count| count.load(Relaxed)), Some(7));
    }

    #[tokio::test]
    async fn a_key_that_is_used_again_after_its_time_is_not_removed_with_the_old_one() {
        let answers = Answers::new(MemoryStorage::new());
        // The last by name, so that it is not among the first that are removed.
        let (key, request) = ([250; 32], [9; 32]);
        for n in 0..=250 {
            assert_eq!(answers.begin(&[n; 32], &[0; 32], NOW).await.expect("begun"), Known::New);
        }
        let later = NOW.plus(ANSWER_LIFE);
        assert_eq!(answers.begin(&key, &request, later).await.expect("begun"), Known::New);
        for n in 100..180 {
            assert_eq!(answers.begin(&[n; 32], &[0; 32], later).await.expect("begun"), Known::New);
        }
        assert_eq!(answers.begin(&key, &request, later).await.expect("asked"), Known::Begun);
        assert_eq!(answers.count.get().map(|count| count.load(Relaxed)), Some(81));
    }
}
