//! What people do in the stores, on its way to the terminal.

use std::{collections::VecDeque, sync::Arc};

use cartwright_core::time::Timestamp;
use cartwright_run::{Clock as _, SystemClock};
use parking_lot::Mutex;

/// Not yet shown; the oldest go first. Nobody reads more at once.
const MAX_NEWS: usize = 500;

/// One thing that happened in a store.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) time: Timestamp,
    pub(super) store: String,
    /// `customer`, `staff`, `store`
    pub(super) who: &'static str,
    /// `buys`, `pays`
    pub(super) does: &'static str,
    pub(super) what: String,
}

/// Written by the customers, read by the terminal.
#[derive(Debug, Clone, Default)]
pub(super) struct Paper(Arc<Mutex<VecDeque<News>>>);

impl Paper {
    pub(super) fn print(&self, store: &str, who: &'static str, does: &'static str, what: String) {
        let mut all = self.0.lock();
        if all.len() == MAX_NEWS {
            all.pop_front();
        }
        all.push_back(News { time: SystemClock.now(), store: store.to_owned(), who, does, what });
    }

    /// Everything since the last look.
    pub(super) fn take(&self) -> Vec<News> {
        self.0.lock().drain(..).collect()
    }
}
