//! The evaluation that runs on this thread: what its paths lead to, what it may still use, and, for scripts, its host
//! calls. Rhai hands native functions no state of ours that is per evaluation, and the code between start and end of
//! one is synchronous, so the state lives in a thread-local that the evaluation sets and takes back.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use rhai::Dynamic;

use crate::{functions::HostSession, limits::OPERATIONS_PER_CLOCK_LOOK, source::path::Resolved};

/// One evaluation.
pub(crate) struct Session {
    /// What `cw_value(n)` gives.
    pub(crate) values: Vec<Slot>,
    /// Operations that may still be made.
    operations_left: u64,
    /// When it must end.
    deadline: Instant,
    /// Which budget ran out.
    pub(crate) exhausted: Option<Exhausted>,
    /// The last path that was asked for and leads nowhere.
    pub(crate) failed_path: Option<usize>,
    /// The script's host calls; `None` for expressions.
    pub(crate) host: Option<HostSession>,
}

/// The value of a path.
pub(crate) struct Slot {
    pub(crate) value: Resolved,
    /// It is asked for at most once, so it can be given away.
    pub(crate) once: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exhausted {
    Operations,
    Time,
}

impl Session {
    pub(crate) fn new(values: Vec<Slot>, operations: u64, wall: Duration, host: Option<HostSession>) -> Self {
        Self {
            values,
            operations_left: operations,
            deadline: Instant::now() + wall,
            exhausted: None,
            failed_path: None,
            host,
        }
    }

    /// The same with less time.
    pub(crate) fn within(self, wall: Duration) -> Self {
        Self { deadline: self.deadline.min(Instant::now() + wall), ..self }
    }

    fn spend(&mut self) -> Option<Dynamic> {
        if self.exhausted.is_none() {
            match self.operations_left.checked_sub(1) {
                None => self.exhausted = Some(Exhausted::Operations),
                Some(left) => {
                    self.operations_left = left;
                    if left % OPERATIONS_PER_CLOCK_LOOK == 0 && Instant::now() >= self.deadline {
                        self.exhausted = Some(Exhausted::Time);
                    }
                }
            }
        }
        // Once it has to stop, every further operation says so again, whatever caught the first.
        let stopped = self.host.as_ref().is_some_and(|host| host.stop.is_some());
        (self.exhausted.is_some() || stopped).then_some(Dynamic::UNIT)
    }
}

thread_local! {
    /// Evaluations on this thread, the running one last.
    static SESSIONS: RefCell<Vec<Session>> = const { RefCell::new(Vec::new()) };
}

/// Runs `evaluate` as the session of this thread and gives the session back with what came of it; `None` is a panic.
pub(crate) fn run<T>(session: Session, evaluate: impl FnOnce() -> T) -> (Option<T>, Option<Session>) {
    SESSIONS.with_borrow_mut(|all| all.push(session));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(evaluate)).ok();
    let session = SESSIONS.with_borrow_mut(Vec::pop);
    (result, session)
}

/// The running session, for native functions.
pub(crate) fn with<T>(use_it: impl FnOnce(&mut Session) -> T) -> Option<T> {
    SESSIONS.with_borrow_mut(|all| all.last_mut().map(use_it))
}

/// Rhai asks this at every operation.
pub(crate) fn progress(_operations: u64) -> Option<Dynamic> {
    with(Session::spend).flatten()
}
