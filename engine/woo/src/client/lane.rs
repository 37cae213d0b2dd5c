//! When a request may go to a store: a token bucket, a cap on how many are on their way and one on how many calls wait for
//! them, all of one store. Time is tokio's, so that tests and the simulator can advance it.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use parking_lot::Mutex;
use tokio::{
    sync::{Mutex as AsyncMutex, Semaphore, SemaphorePermit},
    time::{Instant, sleep},
};

use super::ClientOptions;

/// Each step down halves the rate.
const STEPS_MAX: u32 = 16;
/// The slowest, as a span between two requests: 0.2 a second.
const LONGEST_SPAN: Duration = Duration::from_secs(5);
/// So many good answers in a row take one step up again.
const ANSWERS_PER_STEP: u32 = 10;
/// Calls that wait in memory, in seconds of the full rate: about as long as the first pause of a call that is put off, so
/// that the lane does not run dry before those come back.
const WAITING_SECONDS: u32 = 6;
/// The least of them, in requests on their way.
const WAITING_PER_RUNNING: u32 = 4;
/// The most of them.
const PLACES_MAX: u32 = 10_000;

type Bucket = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// One store's lane.
pub(super) struct Lane {
    /// Calls that may be here at a time. A run whose call waits holds memory that runs of other stores need.
    places: Semaphore,
    /// How many these are.
    capacity: u32,
    /// Up to when the store's time is promised to calls that were sent away.
    promised: Mutex<Instant>,
    running: Semaphore,
    /// Held while waiting for a token, so that requests go in the order in which they came.
    turn: AsyncMutex<()>,
    pace: Mutex<Pace>,
    full: Quota,
    clock: TokioClock,
    waiting: AtomicUsize,
    on_their_way: AtomicUsize,
}

/// Leave to send one request; it is on its way until this is dropped.
pub(super) struct Turn<'a> {
    _counted: Counted<'a>,
    _permit: SemaphorePermit<'a>,
}

/// Counts somebody as long as it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// A lane at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    pub(super) waiting: usize,
    pub(super) on_their_way: usize,
    pub(super) rate_per_second: f64,
    pub(super) full_rate_per_second: f64,
}

/// How fast it goes now.
struct Pace {
    bucket: Bucket,
    /// Steps below the full rate.
    steps: u32,
    /// Good answers since the last step.
    good: u32,
}

impl Lane {
    /// At full rate.
    pub(super) fn new(options: &ClientOptions) -> Self {
        let clock = TokioClock { start: Instant::now() };
        let full = Quota::per_second(options.requests_per_second).allow_burst(options.burst);
        let pace = Pace { bucket: RateLimiter::direct_with_clock(full, clock.clone()), steps: 0, good: 0 };
        let running = Semaphore::new(options.requests_at_once.max(1));
        let capacity = places(options);
        let places = Semaphore::new(capacity as usize);
        let promised = Mutex::new(clock.start);
        Self {
            places,
            capacity,
            promised,
            running,
            turn: AsyncMutex::default(),
            pace: Mutex::new(pace),
            full,
            clock,
            waiting: AtomicUsize::new(0),
            on_their_way: AtomicUsize::new(0),
        }
    }

    /// A place for one call with all its requests, or after how long there may be one: those who are sent away get
    /// times one after another, at the store's pace, so that they come back in order and the lane stays busy.
    pub(super) fn place(&self) -> Result<SemaphorePermit<'_>, Duration> {
        self.places.try_acquire().map_err(|_| {
            let (now, span) = (Instant::now(), self.span(self.pace.lock().steps));
            let mut promised = self.promised.lock();
            *promised = (*promised).max(now + span.saturating_mul(self.capacity)) + span;
            *promised - now
        })
    }

    /// How it is now.
    pub(super) fn look(&self) -> Look {
        let per_second = |span: Duration| 1.0 / span.as_secs_f64();
        Look {
            waiting: self.waiting.load(Relaxed),
            on_their_way: self.on_their_way.load(Relaxed),
            rate_per_second: per_second(self.span(self.pace.lock().steps)),
            full_rate_per_second: per_second(self.full.replenish_interval()),
        }
    }

    /// Waits until a request may go.
    pub(super) async fn enter(&self) -> Turn<'_> {
        let _waiting = Counted::new(&self.waiting);
        let permit = self.running.acquire().await.expect("it is never closed");
        let _turn = self.turn.lock().await;
        // The rate may change while we wait, so each wait is followed by a new look.
        while let Err(wait) = self.token() {
            sleep(wait).await;
        }
        Turn { _counted: Counted::new(&self.on_their_way), _permit: permit }
    }

    fn token(&self) -> Result<(), Duration> {
        let now = self.clock.now();
        self.pace.lock().bucket.check().map_err(|refused| refused.wait_time_from(now).max(Duration::from_millis(1)))
    }

    /// Learns from an answer: the store's host asks for fewer requests, or it is content.
    pub(super) fn answered(&self, status: u16) {
        let mut pace = self.pace.lock();
        if matches!(status, 429 | 503 | 508) {
            pace.good = 0;
            if pace.steps < STEPS_MAX && self.span(pace.steps) < LONGEST_SPAN {
                self.change(&mut pace, |steps| steps + 1);
            }
        } else if status < 500 && pace.steps > 0 {
            pace.good += 1;
            if pace.good >= ANSWERS_PER_STEP {
                self.change(&mut pace, |steps| steps - 1);
            }
        }
    }

    fn change(&self, pace: &mut Pace, step: fn(u32) -> u32) {
        let steps = step(pace.steps);
        let slow = |span| Quota::with_period(span).expect("not zero").allow_burst(NonZeroU32::MIN);
        let quota = if steps == 0 { self.full } else { slow(self.span(steps)) };
        let bucket = RateLimiter::direct_with_clock(quota, self.clock.clone());
        if steps > 0 {
            // A new bucket is full; the store just asked for patience.
            let _ = bucket.check();
        }
        *pace = Pace { bucket, steps, good: 0 };
    }

    /// Between two requests.
    fn span(&self, steps: u32) -> Duration {
        self.full.replenish_interval().saturating_mul(2_u32.saturating_pow(steps)).min(LONGEST_SPAN)
    }
}

/// How many calls may be in a lane.
fn places(options: &ClientOptions) -> u32 {
    let at_once = u32::try_from(options.requests_at_once.max(1)).unwrap_or(u32::MAX);
    let pace = WAITING_SECONDS.saturating_mul(options.requests_per_second.get());
    pace.max(WAITING_PER_RUNNING.saturating_mul(at_once)).min(PLACES_MAX)
}

/// tokio's clock for governor, as the span since the lane was made.
#[derive(Debug, Clone)]
struct TokioClock {
    start: Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}
