//! Lines for people, kept with the run. Needs no grant.
//!
//! ```no_run
//! use cartwright_plugin::log;
//!
//! # let (found, asked) = (3, 4);
//! log::info(format_args!("{found} of {asked} addresses are known"));
//! ```

use std::fmt::Display;

use crate::host;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Shown only when asked for.
    Debug,
    /// Ordinary.
    Info,
    /// Something to look at.
    Warn,
    /// Something went wrong; the plugin goes on.
    Error,
}

/// Writes a line that is shown only when asked for. What is longer than 4,000 characters is cut.
pub fn debug(message: impl Display) {
    host::log(Level::Debug, &message.to_string());
}

/// Writes a line.
pub fn info(message: impl Display) {
    host::log(Level::Info, &message.to_string());
}

/// Writes a warning.
pub fn warn(message: impl Display) {
    host::log(Level::Warn, &message.to_string());
}

/// Writes an error; the plugin goes on.
pub fn error(message: impl Display) {
    host::log(Level::Error, &message.to_string());
}
