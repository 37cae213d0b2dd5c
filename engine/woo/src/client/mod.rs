//! Calls to a store's REST API. Data comes from the engine as a [`WooRequest`], goes out through a [`Transport`], and
//! comes back as the body WooCommerce gave or as a [`CallError`] that says what the engine must do.
//!
//! Read in this order: [`exchange`](self::exchange) (one exchange), `request` (its URL, query and headers), `auth` and
//! `oauth` (how it says who is asking), `lane` (when it may go), `parse` (what the body is), `taxonomy` (what a failure
//! means), `paging` (all pages of a list).

mod exchange;
mod request;
mod auth;
mod oauth;
mod lane;
mod parse;
mod text;
mod page;
mod taxonomy;
mod rules;
mod routes;
mod headers;
mod paging;
mod look;
mod rehearse;
#[cfg(test)]
mod tests;
pub(crate) mod probe;

use std::{collections::HashMap, fmt, num::NonZeroU32, sync::Arc, time::Duration};

use cartwright_core::{
    Json,
    call::{Again, CallError, ErrorClass},
    id::StoreId,
    time::Timestamp,
    woo::{Repetition, WooMethod, WooRequest},
};
use parking_lot::Mutex;
use serde_json::Map;
use url::Url;

use crate::{seal::Secret, transport::Transport};

use self::{auth::Known, lane::Lane, look::Tally};

pub(crate) use self::request::url as address;

pub use self::{
    exchange::understand,
    look::LaneView,
    rehearse::{checked, rehearse},
};

/// Of one whole reading exchange.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Of one whole writing exchange: WooCommerce sends mails and webhook pings inside it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Of one batch: WooCommerce works its items off one after another.
const BATCH_TIMEOUT: Duration = Duration::from_secs(120);
/// Of one answer, in bytes: a page of 100 products with long texts has some megabytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Requests a second to one store, and how many may go at once after a quiet time.
const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
/// Requests that one store works on at the same time.
const REQUESTS_AT_ONCE: usize = 8;
/// PHP's and web servers' limits are 30 to 300 seconds.
pub(crate) const REQUEST_CAN_RUN: Duration = Duration::from_secs(300);

/// Where a store is and what opens it.
#[derive(Clone)]
pub struct Connection {
    /// Which store.
    pub id: StoreId,
    /// `https://shop.example`, with a path where WordPress lives in a folder.
    pub url: Url,
    /// The REST key, `ck_…`.
    pub key: Secret,
    /// Its secret, `cs_…`.
    pub secret: Secret,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Fills a buffer with random bytes.
pub type FillRandom = Box<dyn Fn(&mut [u8]) + Send + Sync>;

/// What the client takes from the world around it.
pub struct Ambience {
    /// The time.
    pub now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// For OAuth nonces.
    pub random: FillRandom,
}

impl fmt::Debug for Ambience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ambience")
    }
}

/// Limits of calls to one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// The rate at which requests go out in the long run.
    pub requests_per_second: NonZeroU32,
    /// How many may go at once after a quiet time.
    pub burst: NonZeroU32,
    /// Requests on their way at the same time.
    pub requests_at_once: usize,
    /// Of one whole reading exchange.
    pub read_timeout: Duration,
    /// Of one whole writing exchange.
    pub write_timeout: Duration,
    /// Of one batch.
    pub batch_timeout: Duration,
    /// Of one answer.
    pub max_answer_bytes: usize,
    /// How long a request that reached a store can go on running there after its last byte was sent. What is not there
    /// after that will not appear, and is written again.
    pub request_can_run: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            requests_per_second: REQUESTS_PER_SECOND,
            burst: REQUESTS_PER_SECOND,
            requests_at_once: REQUESTS_AT_ONCE,
            read_timeout: READ_TIMEOUT,
            write_timeout: WRITE_TIMEOUT,
            batch_timeout: BATCH_TIMEOUT,
            max_answer_bytes: MAX_ANSWER_BYTES,
            request_can_run: REQUEST_CAN_RUN,
        }
    }
}

/// Calls stores. One for the whole process; it remembers for each store how fast it may be asked and how it wants to
/// be told who asks.
pub struct Client {
    transport: Arc<dyn Transport>,
    ambience: Ambience,
    options: ClientOptions,
    stores: Mutex<HashMap<StoreId, Arc<StoreMemory>>>,
}

/// What is remembered of one store while the process lives.
pub(crate) struct StoreMemory {
    lane: Lane,
    known: Mutex<Known>,
    tally: Tally,
}

/// What a store answered to one request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// `null` when it was empty.
    pub body: Json,
    /// `X-WP-TotalPages`.
    pub pages: Option<u32>,
    /// What stood around the JSON and was left out: the beginning, for people.
    pub repaired: Option<String>,
}

/// Why there is no answer to one request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    /// What the engine must do. Its class already is [`ErrorClass::Unknown`] for a write that may have happened.
    pub error: CallError,
    /// Whether a write may have taken effect.
    pub may_have_happened: bool,
}

impl Failure {
    /// One that surely changed nothing.
    pub(crate) fn harmless(error: CallError) -> Self {
        Self { error, may_have_happened: false }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("stores", &self.stores.lock().len()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client that has called nobody yet.
    pub fn new(transport: Arc<dyn Transport>, ambience: Ambience, options: ClientOptions) -> Self {
        Self { transport, ambience, options, stores: Mutex::default() }
    }

    /// The one entrance for the engine: checks values, waits for the store's lane (or is put off, when many wait there),
    /// makes the call once-only. Gives the body (a list for `all`). `key` is the call's idempotency key; `again`: an earlier try under this key may have
    /// arrived.
    pub async fn call(
        &self,
        store: &Connection,
        request: &WooRequest,
        key: &str,
        again: Option<Again>,
    ) -> Result<Json, CallError> {
        let request = &crate::check::check(request.clone())?;
        let memory = self.memory(&store.id);
        let made = match memory.lane.place() {
            Ok(_place) => self.make(store, request, key, again).await,
            Err(back_in) => Err(busy(back_in)),
        };
        memory.tally.count(&made, self.now());
        made
    }

    async fn make(
        &self,
        store: &Connection,
        request: &WooRequest,
        key: &str,
        again: Option<Again>,
    ) -> Result<Json, CallError> {
        match request.repetition() {
            _ if request.all => paging::all(self, store, request).await,
            Repetition::Harmless => self.harmless(store, request, again.is_some()).await,
            Repetition::Settled(recipe) => crate::once::write(self, store, request, recipe, key, again).await,
            Repetition::Never => {
                self.exchange(store, request).await.map(|answer| answer.body).map_err(|failure| failure.error)
            }
        }
    }

    /// A read, or a write that may be repeated.
    async fn harmless(&self, store: &Connection, request: &WooRequest, again: bool) -> Result<Json, CallError> {
        let made = self.exchange(store, request).await.map(|answer| answer.body);
        settle_harmless(request, made, again)
    }

    /// One exchange with auth, lane, parsing, taxonomy; used by [`Client::call`], `once` and `examine`.
    pub(crate) async fn exchange(&self, store: &Connection, request: &WooRequest) -> Result<Answer, Failure> {
        exchange::exchange(self, store, request).await
    }

    /// A store was removed or changed: what was remembered of it is dropped.
    pub fn forget(&self, store: &StoreId) {
        self.stores.lock().remove(store);
    }

    /// The time, for those who build on the client.
    pub(crate) fn now(&self) -> Timestamp {
        (self.ambience.now)()
    }

    /// How long an earlier request can still be running at a store.
    pub(crate) fn request_can_run(&self) -> Duration {
        self.options.request_can_run
    }

    fn memory(&self, store: &StoreId) -> Arc<StoreMemory> {
        let mut stores = self.stores.lock();
        let fresh = || {
            let lane = Lane::new(&self.options);
            Arc::new(StoreMemory { lane, known: Mutex::default(), tally: Tally::default() })
        };
        Arc::clone(stores.entry(store.clone()).or_insert_with(fresh))
    }
}

/// More calls wait for a store than the engine keeps in memory.
fn busy(back_in: Duration) -> CallError {
    let millis = u64::try_from(back_in.as_millis()).unwrap_or(u64::MAX);
    let words = "many calls wait for this store; this one has its turn later, at the store's pace";
    CallError::deferred("busy", words, Some(millis))
}

/// A read of one page or object.
pub(crate) fn read(path: &str, query: Map<String, Json>) -> WooRequest {
    WooRequest { method: WooMethod::Get, path: path.to_owned(), store: None, query, body: None, all: false }
}

/// What a read, or a write that may be repeated, comes to. `again`: an earlier try may have arrived.
fn settle_harmless(request: &WooRequest, made: Result<Json, Failure>, again: bool) -> Result<Json, CallError> {
    let failure = match made {
        Ok(body) => return Ok(body),
        Err(failure) => failure,
    };
    let is_route = failure.error.code == "rest_no_route";
    let gone = matches!(failure.error.status, Some(404 | 410)) && failure.error.class == ErrorClass::Final && !is_route;
    if again && gone && request.method == WooMethod::Delete {
        // The earlier try removed it: that is what was wanted.
        return Ok(Json::Null);
    }
    if failure.may_have_happened && request.method == WooMethod::Delete {
        // In doubt, not merely to be repeated: the next try has to know that "not there" may be this one's doing.
        return Err(failure.error);
    }
    Err(repeatable(failure))
}

/// What a failure means for a request that may be repeated.
fn repeatable(failure: Failure) -> CallError {
    let class = if failure.may_have_happened { ErrorClass::Retryable } else { failure.error.class };
    CallError { class, ..failure.error }
}
