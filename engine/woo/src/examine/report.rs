//! What an examination found, in the order in which it looked. Holds no credentials.

use cartwright_core::id::StoreId;
use serde::Serialize;

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It could not be looked at, because of something before it.
    Skipped,
    /// As it should be.
    Ok,
    /// Calls work, but a person should look at it.
    Warning,
    /// Calls do not work, or not all of them.
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Check {
    /// A stable word: `address`, `https`, `wordpress`, `woocommerce`, `clock`, `key`, `rights`, `writing`, `versions`,
    /// `cron`, `webhooks`.
    pub name: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What was seen, a sentence.
    pub message: String,
    /// What to do, where there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// All checks of one store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Report {
    /// Which store.
    pub store: StoreId,
    /// Its address.
    pub url: Option<String>,
    /// Whether no check failed.
    pub fine: bool,
    /// In the order they were made.
    pub checks: Vec<Check>,
}

impl Report {
    pub(super) fn new(store: StoreId, url: Option<String>) -> Self {
        Self { store, url, fine: true, checks: Vec::new() }
    }

    pub(super) fn ok(&mut self, name: &'static str, message: impl Into<String>) {
        self.add(name, Outcome::Ok, message.into(), None);
    }

    pub(super) fn warn(&mut self, name: &'static str, message: impl Into<String>, help: impl Into<String>) {
        self.add(name, Outcome::Warning, message.into(), Some(help.into()));
    }

    pub(super) fn fail(&mut self, name: &'static str, message: impl Into<String>, help: impl Into<String>) {
        self.fine = false;
        self.add(name, Outcome::Failed, message.into(), Some(help.into()));
    }

    /// A failure whose message says what to do.
    pub(super) fn fail_with(&mut self, name: &'static str, message: impl Into<String>) {
        self.fine = false;
        self.add(name, Outcome::Failed, message.into(), None);
    }

    pub(super) fn skip(&mut self, names: &[&'static str], why: &str) {
        for name in names {
            self.add(name, Outcome::Skipped, why.to_owned(), None);
        }
    }

    fn add(&mut self, name: &'static str, outcome: Outcome, message: String, help: Option<String>) {
        self.checks.push(Check { name, outcome, message, help });
    }
}
