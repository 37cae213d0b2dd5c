//! The ring: the newest items, shared by everybody who listens. A subscriber is a place in it and a wake-up, so one that
//! reads slowly costs nothing, and is told what it missed once the ring went past it.
//!
//! Publishers wait for nobody: they hold a lock for as long as it takes to append, readers for as long as it takes to
//! copy a few references. While nobody listened for a while nothing is kept at all, and publishing is one look at a number.

use std::{
    collections::VecDeque,
    fmt,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    time::Duration,
};

use cartwright_core::time::Timestamp;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use super::item::LiveItem;

/// Items are kept so long after the last subscriber left, for one who comes back.
const KEEP_QUIET: Duration = Duration::from_secs(120);
/// Of a last id as somebody sends it.
const LAST_ID_BYTES_MAX: usize = 64;

/// Nobody listens, and nothing happened since.
const ASLEEP: u8 = 0;
/// Nobody listens, and something happened that was not kept.
const MISSED: u8 = 1;
/// Items are kept.
const AWAKE: u8 = 2;

/// The ring.
pub(super) struct Ring(Arc<Shared>);

struct Shared {
    start: Arc<str>,
    items_max: usize,
    bytes_max: usize,
    /// Changed only under the lock; read without it.
    mood: AtomicU8,
    state: Mutex<State>,
    /// The sequence number that the next item will have.
    next: watch::Sender<u64>,
}

struct State {
    items: VecDeque<Arc<LiveItem>>,
    /// Of the first item; of the next one while there is none. Numbers have no holes within the ring.
    first: u64,
    bytes: usize,
    subscribers: usize,
    /// When a publisher first noticed that nobody listens.
    quiet_since: Option<Timestamp>,
}

impl State {
    fn next(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    fn drop_oldest(&mut self) {
        if let Some(item) = self.items.pop_front() {
            self.first += 1;
            self.bytes -= item.weight();
        }
    }
}

/// The id of the last item that somebody has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastId {
    start: String,
    seq: u64,
}

/// A text that is no id of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an item's id is two words such as 5f0c9a2b7d1e-1042")]
pub struct InvalidLastId;

impl FromStr for LastId {
    type Err = InvalidLastId;

    fn from_str(text: &str) -> Result<Self, InvalidLastId> {
        let (start, seq) = text.split_once('-').filter(|_| text.len() <= LAST_ID_BYTES_MAX).ok_or(InvalidLastId)?;
        let fine = !start.is_empty() && start.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let digits = !seq.is_empty() && seq.bytes().all(|byte| byte.is_ascii_digit());
        match seq.parse() {
            Ok(seq) if fine && digits => Ok(Self { start: start.to_owned(), seq }),
            _ => Err(InvalidLastId),
        }
    }
}

impl fmt::Display for LastId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.start, self.seq)
    }
}

/// Items that a subscriber will not get: after `from`, up to and with `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The last id before it.
    pub from: String,
    /// The last id in it.
    pub to: String,
}

/// What a subscriber took.
#[derive(Debug, Default)]
pub struct Taken {
    /// Comes before the items.
    pub gap: Option<Gap>,
    /// In order.
    pub items: Vec<Arc<LiveItem>>,
}

impl Taken {
    /// Whether there was nothing.
    pub fn is_empty(&self) -> bool {
        self.gap.is_none() && self.items.is_empty()
    }
}

impl Ring {
    /// An empty ring; `start` tells this start of the engine from others.
    pub(super) fn new(start: &str, items_max: usize, bytes_max: usize) -> Self {
        let state = State { items: VecDeque::new(), first: 1, bytes: 0, subscribers: 0, quiet_since: None };
        Self(Arc::new(Shared {
            start: Arc::from(start),
            items_max,
            bytes_max,
            mood: AtomicU8::new(ASLEEP),
            state: Mutex::new(state),
            next: watch::Sender::new(1),
        }))
    }

    /// Appends what `make` gives; it is asked only while items are kept.
    pub(super) fn publish(&self, now: Timestamp, make: impl FnOnce() -> Vec<LiveItem>) {
        let shared = &self.0;
        // Whoever begins to listen after this look finds that something was missed.
        if shared.mood.load(SeqCst) == MISSED || !shared.is_awake(now) {
            return;
        }
        let made = make();
        if made.is_empty() {
            return;
        }
        let mut state = shared.state.lock();
        if shared.mood.load(SeqCst) != AWAKE {
            shared.mood.store(MISSED, SeqCst);
            return;
        }
        for mut item in made {
            item.start = Arc::clone(&shared.start);
            item.seq = state.next();
            state.bytes += item.weight();
            state.items.push_back(Arc::new(item));
        }
        while state.items.len() > shared.items_max || (state.bytes > shared.bytes_max && state.items.len() > 1) {
            state.drop_oldest();
        }
        let next = state.next();
        drop(state);
        // Another publisher may have been quicker here than under the lock.
        shared.next.send_if_modified(|known| {
            let newer = next > *known;
            *known = next.max(*known);
            newer
        });
    }

    /// Begins to listen. `fresh` is called when nobody listened before.
    pub(super) fn subscribe(&self, last: Option<&LastId>, fresh: impl FnOnce()) -> Subscription {
        let shared = &self.0;
        let mut state = shared.state.lock();
        if shared.mood.swap(AWAKE, SeqCst) == MISSED {
            // The number stands for everything that was not kept.
            state.first += 1;
        }
        if state.subscribers == 0 {
            fresh();
        }
        state.subscribers += 1;
        state.quiet_since = None;
        let (next, mut foreign) = (state.next(), None);
        let at = match last {
            None => next,
            Some(last) if *last.start == *shared.start && last.seq < next => last.seq + 1,
            Some(last) => {
                foreign = Some(Gap { from: last.to_string(), to: shared.id(state.first - 1) });
                state.first
            }
        };
        drop(state);
        Subscription { shared: Arc::clone(shared), wake: shared.next.subscribe(), next: at, gap: foreign }
    }
}

impl Shared {
    fn id(&self, seq: u64) -> String {
        format!("{}-{seq}", self.start)
    }

    /// Whether items are kept; falls asleep when nobody listened for [`KEEP_QUIET`].
    fn is_awake(&self, now: Timestamp) -> bool {
        let mut state = self.state.lock();
        if self.mood.load(SeqCst) != AWAKE {
            self.mood.store(MISSED, SeqCst);
            return false;
        }
        if state.subscribers > 0 {
            return true;
        }
        let since = *state.quiet_since.get_or_insert(now);
        if now.since(since) < KEEP_QUIET {
            return true;
        }
        state.first = state.next();
        state.items = VecDeque::new();
        state.bytes = 0;
        self.mood.store(MISSED, SeqCst);
        false
    }
}

/// A place in the ring. Whoever holds it reads when they like; publishers never wait for it.
pub struct Subscription {
    shared: Arc<Shared>,
    wake: watch::Receiver<u64>,
    /// Of the next item to take.
    next: u64,
    /// Told before anything else.
    gap: Option<Gap>,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Subscription {
    /// Takes what is there: at most so many items and about so many bytes, but one item always. Where the ring went past
    /// this place, one gap says so.
    pub fn take(&mut self, items_max: usize, bytes_max: usize) -> Taken {
        let state = self.shared.state.lock();
        let mut taken = Taken { gap: self.gap.take(), items: Vec::new() };
        if self.next < state.first {
            let from = self.shared.id(self.next.saturating_sub(1));
            let from = taken.gap.take().map_or(from, |gap| gap.from);
            taken.gap = Some(Gap { from, to: self.shared.id(state.first - 1) });
            self.next = state.first;
        }
        let mut bytes = 0;
        let skip = usize::try_from(self.next - state.first).unwrap_or(usize::MAX);
        for item in state.items.iter().skip(skip).take(items_max) {
            bytes += item.weight();
            if bytes > bytes_max && !taken.items.is_empty() {
                break;
            }
            taken.items.push(Arc::clone(item));
        }
        self.next += taken.items.len() as u64;
        taken
    }

    /// Resolves when there is something to take. Nothing is lost when it is dropped before.
    pub async fn wait(&mut self) {
        let next = self.next;
        if self.gap.is_none() {
            // The ring lives as long as this place in it.
            let _ = self.wake.wait_for(|known| *known > next).await;
        }
    }

    /// The id up to which everything was taken.
    pub fn position(&self) -> String {
        self.shared.id(self.next - 1)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.state.lock().subscribers -= 1;
    }
}
