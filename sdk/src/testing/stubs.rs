//! The answers of a harness while its plugin runs, and what is noted of the calls. One set per thread.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    fmt,
    time::Duration,
};

use serde_json::Value;

use super::{Emitted, HostCall, Line};
use crate::{
    Failure,
    clock::Moment,
    http::{Request, Response},
    log::Level,
    woo::Method,
};

/// 2026-01-01T00:00:00Z.
const START_MS: u64 = 1_767_225_600_000;
/// As the interface says: longest key and value in bytes, longest line in characters.
const KEY_MAX_BYTES: usize = 200;
const VALUE_MAX_BYTES: usize = 65_536;
const LINE_MAX_CHARS: usize = 4_000;

thread_local! {
    static CURRENT: RefCell<Option<Stubs>> = const { RefCell::new(None) };
}

/// A call to a store, as stubs see it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WooRequest {
    /// What is done.
    pub method: Method,
    /// The store, when the plugin named one.
    pub store: Option<String>,
    /// `orders/61`.
    pub path: String,
    /// Parameters, `null` when there are none.
    pub query: Value,
    /// The body, `null` when there is none.
    pub body: Value,
}

type HttpStub = dyn FnMut(&Request) -> Result<Response, Failure>;
type WooStub = dyn FnMut(&WooRequest) -> Result<Value, Failure>;

pub(crate) struct Stubs {
    pub(crate) http: Option<Box<HttpStub>>,
    pub(crate) woo: Option<Box<WooStub>>,
    pub(crate) state: BTreeMap<String, Value>,
    pub(crate) secrets: BTreeMap<String, String>,
    /// `None` is a wait that ends in vain.
    pub(crate) events: VecDeque<Option<(String, Value)>>,
    pub(crate) now: u64,
    pub(crate) seed: u64,
    pub(super) logs: Vec<Line>,
    pub(super) calls: Vec<HostCall>,
    pub(super) emitted: Vec<Emitted>,
    pub(super) slept: Duration,
    /// Events raised in all runs, for their ids.
    raised: u64,
}

impl Default for Stubs {
    fn default() -> Self {
        Self {
            http: None,
            woo: None,
            state: BTreeMap::new(),
            secrets: BTreeMap::new(),
            events: VecDeque::new(),
            now: START_MS,
            seed: 0,
            logs: Vec::new(),
            calls: Vec::new(),
            emitted: Vec::new(),
            slept: Duration::ZERO,
            raised: 0,
        }
    }
}

impl fmt::Debug for Stubs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secrets are left out: test output ends up in logs.
        f.debug_struct("Stubs").field("now", &self.now).field("state", &self.state).finish_non_exhaustive()
    }
}

impl Stubs {
    pub(crate) fn log(&mut self, level: Level, message: &str) {
        self.logs.push(Line { level, message: message.chars().take(LINE_MAX_CHARS).collect() });
    }

    /// Sleeps.
    pub(crate) fn advance(&mut self, millis: u64) {
        self.pass(millis);
        self.slept = self.slept.saturating_add(Duration::from_millis(millis));
    }

    /// Moves the clock.
    pub(super) fn pass(&mut self, millis: u64) {
        self.now = Moment::from_millis(self.now.saturating_add(millis)).millis();
    }

    pub(crate) fn emit(&mut self, topic: &str, data: Value) -> String {
        self.raised += 1;
        self.emitted.push(Emitted { topic: topic.to_owned(), data });
        format!("event-{}", self.raised)
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014): small, and every seed gives another sequence.
    pub(crate) fn random(&mut self, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(length + 8);
        while out.len() < length {
            self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.seed;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            out.extend((word ^ (word >> 31)).to_be_bytes());
        }
        out.truncate(length);
        out
    }

    /// Checks a key as the host does.
    pub(crate) fn key(key: &str) -> Result<(), Failure> {
        match key.len() {
            1..=KEY_MAX_BYTES => Ok(()),
            _ => Err(Failure::Invalid(format!("a key has 1 to {KEY_MAX_BYTES} bytes"))),
        }
    }

    /// Reads a value as the host does.
    pub(crate) fn value(text: &str) -> Result<Value, Failure> {
        if text.len() > VALUE_MAX_BYTES {
            return Err(Failure::Invalid(format!(
                "a value has at most {VALUE_MAX_BYTES} bytes, this has {}",
                text.len()
            )));
        }
        serde_json::from_str(text).map_err(|error| Failure::Invalid(format!("a value must be JSON: {error}")))
    }
}

/// Runs with these stubs on this thread; gives them back.
pub(super) fn run<T>(stubs: Stubs, work: impl FnOnce() -> T) -> (T, Stubs) {
    /// Leaves nothing behind when the plugin panics.
    struct Clear;
    impl Drop for Clear {
        fn drop(&mut self) {
            CURRENT.with_borrow_mut(Option::take);
        }
    }
    CURRENT.with_borrow_mut(|current| {
        assert!(current.is_none(), "a plugin under test cannot run another one");
        *current = Some(stubs);
    });
    let clear = Clear;
    let result = work();
    let stubs = CURRENT.with_borrow_mut(Option::take).expect("nobody else takes it");
    drop(clear);
    (result, stubs)
}

/// The stubs of this thread, after the call is noted.
pub(crate) fn with_stubs<T>(function: &'static str, args: Value, then: impl FnOnce(&mut Stubs) -> T) -> T {
    CURRENT.with_borrow_mut(|current| {
        let Some(stubs) = current else {
            panic!("{function} was called outside of a plugin; call the function through testing::Harness")
        };
        if function != "log.emit" {
            stubs.calls.push(HostCall { function, args });
        }
        then(stubs)
    })
}

/// The stubs of this thread, in the middle of a call.
pub(crate) fn with_current<T>(then: impl FnOnce(&mut Stubs) -> T) -> T {
    CURRENT.with_borrow_mut(|current| then(current.as_mut().expect("a call is under way")))
}
