//! What becomes of a bug. A panic of the command itself ends it with exit code 70 and one line that says so; one elsewhere
//! (in a task of the engine) ends that task only and is in the log. Nobody gets a backtrace who did not ask for one.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, Write as _},
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::OnceLock,
    thread::{self, ThreadId},
};

use parking_lot::Mutex;

use crate::failure::{Failure, Result, bug};

static MAIN: OnceLock<ThreadId> = OnceLock::new();
/// What the command's own thread panicked with.
static LAST: Mutex<Option<String>> = Mutex::new(None);

/// Runs what the command line asked for. A panic becomes a failure.
pub(crate) fn guarded(run: impl FnOnce() -> Result<()>) -> Result<()> {
    MAIN.get_or_init(|| thread::current().id());
    panic::set_hook(Box::new(note));
    match panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(outcome) => outcome,
        Err(_) => Err(failure(LAST.lock().take().as_deref().unwrap_or("no reason given"))),
    }
}

fn failure(said: &str) -> Failure {
    bug(format!("cartwright stopped because of a mistake in it: {said}")).help(
        "This is a bug; please report it with the command you ran and the log, which `serve` writes to standard error \
         (under systemd: journalctl -u cartwright). RUST_BACKTRACE=1 adds where it happened.",
    )
}

fn note(info: &PanicHookInfo<'_>) {
    let said = said(info);
    if MAIN.get() == Some(&thread::current().id()) {
        *LAST.lock() = Some(said);
    } else if tracing::dispatcher::has_been_set() {
        tracing::error!("a part of the engine stopped because of a bug: {said}");
    } else {
        writeln!(io::stderr().lock(), "error: a part stopped because of a bug: {said}").ok();
    }
}

fn said(info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("no reason given");
    let place = info.location().map(|place| format!(" ({place})")).unwrap_or_default();
    // Made only where RUST_BACKTRACE asks for it.
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => format!("{message}{place}\n{backtrace}"),
        _ => format!("{message}{place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Exit, usage};

    #[test]
    fn a_panic_is_a_bug_and_says_what_to_do() {
        let failure = guarded(|| panic!("seven is not {}", 8)).expect_err("it failed");
        assert_eq!(failure.exit, Exit::Bug);
        let said = failure.to_string();
        assert!(said.contains("seven is not 8") && said.contains("panic.rs:"), "{said}");
        assert!(failure.help.is_some_and(|help| help.contains("report it") && help.contains("log")));
        assert!(guarded(|| Ok(())).is_ok());
        assert_eq!(guarded(|| Err(usage("x"))).expect_err("as it was").exit, Exit::Usage);
    }
}
