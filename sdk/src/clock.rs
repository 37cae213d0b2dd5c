//! Time as the engine knows it, and waiting that costs nothing. Needs no grant.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use cartwright_plugin::clock;
//!
//! let started = clock::now();
//! clock::sleep(Duration::from_secs(2 * 24 * 3600));
//! assert!(clock::now() >= started + Duration::from_secs(2 * 24 * 3600));
//! ```

use std::time::Duration;

use crate::host;
pub use crate::moment::{Moment, NoMoment};

/// The time now. It stands still until the next call that has to wait, and is the same when the call is executed again.
pub fn now() -> Moment {
    Moment::from_millis(host::now())
}

/// Waits, for days if need be: nothing of the plugin stays in memory, and it is executed again from its start
/// afterwards, with every host call answered as before.
pub fn sleep(duration: Duration) {
    host::sleep(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
}

/// Waits until a moment; a moment that has passed is no wait.
pub fn sleep_until(moment: Moment) {
    host::sleep_until(moment.millis());
}
