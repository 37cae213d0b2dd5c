//! How long a guest has been on the processor: in this stretch, and since its start.

use std::time::Duration;

/// Time on the processor.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Of this stretch, without the poll that is under way.
    stretch: Duration,
    /// Of all stretches that have ended.
    before: Duration,
    /// The thread's time when the poll that is under way began.
    from: Option<Duration>,
}

impl Meter {
    /// A new stretch begins.
    pub(super) fn stretch(&mut self) {
        self.before += self.stretch;
        self.stretch = Duration::ZERO;
    }

    /// The guest is entered on this thread.
    pub(super) fn enter(&mut self) {
        self.from = Some(thread_time());
    }

    /// The guest is left, on the same thread.
    pub(super) fn leave(&mut self) {
        self.stretch = self.of_stretch();
        self.from = None;
    }

    /// Of this stretch, now; asked on the thread that the guest is on.
    pub(super) fn of_stretch(&self) -> Duration {
        self.stretch + self.from.map_or(Duration::ZERO, |from| thread_time().saturating_sub(from))
    }

    /// Of everything.
    pub(super) fn total(&self) -> Duration {
        self.before + self.of_stretch()
    }
}

/// Time that this thread has been on a processor.
fn thread_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}
