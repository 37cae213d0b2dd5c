//! The clock by which busy guests give way: a thread that raises the engine's epoch every few milliseconds while any
//! guest runs, and sleeps when none has run for a while.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use parking_lot::{Condvar, Mutex};
use wasmtime::Engine;

use super::limits::{IDLE_TICKS, TICK};

/// Raises an engine's epoch while there are guests inside.
pub(super) struct Ticker {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Guests that run now.
    inside: AtomicUsize,
    /// Stretches begun, ever: how the thread sees work that came and went between two ticks.
    begun: AtomicU64,
    asleep: AtomicBool,
    ended: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

/// A guest that runs.
pub(super) struct Inside<'a>(&'a Shared);

impl Ticker {
    pub(super) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (theirs, engine) = (Arc::clone(&shared), engine.weak());
        thread::Builder::new().name("plugin-clock".into()).stack_size(128 << 10).spawn(move || {
            let mut idle = 0;
            let mut seen = 0;
            while !theirs.ended.load(Ordering::Acquire) {
                let begun = theirs.begun.load(Ordering::Relaxed);
                let busy = begun != seen || theirs.inside.load(Ordering::SeqCst) > 0;
                seen = begun;
                idle = if busy { 0 } else { idle + 1 };
                if idle > IDLE_TICKS {
                    theirs.sleep();
                    idle = 0;
                    continue;
                }
                thread::sleep(TICK);
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        })?;
        Ok(Self { shared })
    }

    /// Says that a guest runs, until what this gives is dropped.
    pub(super) fn enter(&self) -> Inside<'_> {
        let shared = &*self.shared;
        shared.begun.fetch_add(1, Ordering::Relaxed);
        shared.inside.fetch_add(1, Ordering::SeqCst);
        if shared.asleep.load(Ordering::SeqCst) {
            let _lock = shared.lock.lock();
            shared.wake.notify_all();
        }
        Inside(shared)
    }
}

impl Shared {
    fn sleep(&self) {
        let mut lock = self.lock.lock();
        self.asleep.store(true, Ordering::SeqCst);
        // Looked at after saying so: a guest that enters now sees it, or is seen.
        while self.inside.load(Ordering::SeqCst) == 0 && !self.ended.load(Ordering::Acquire) {
            self.wake.wait(&mut lock);
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        let _lock = self.shared.lock.lock();
        self.shared.wake.notify_all();
    }
}
