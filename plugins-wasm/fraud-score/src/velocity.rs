//! How often a mail address or an IP address ordered lately: kept in the workflow's state, shared by all its runs.
//!
//! Neither address is kept, only a part of its SHA-256, and only for the window. That keeps them from being read in passing;
//! whoever has the state and a guess can still check the guess.

use std::time::Duration;

use cartwright_plugin::{Failure, clock, clock::Moment, state};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::order::Order;

/// Orders that are remembered of one address; enough for every threshold, far below the largest value of the state.
const MAX_REMEMBERED: usize = 200;

/// What was seen within the window, this order included.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Orders of the same mail address.
    pub(crate) orders_of_mail: u32,
    /// Mail addresses that ordered from the same IP address.
    pub(crate) mails_of_ip: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    order: u64,
    at: u64,
    mail: String,
}

impl Seen {
    /// Remembers the order and counts. The same order counts once, however often it is scored.
    pub(crate) fn with(order: &Order, window: Duration) -> Result<Self, Failure> {
        let (mail, ip) = (order.mail(), order.customer_ip_address.trim());
        let now = clock::now();
        let mail = if mail.is_empty() { String::new() } else { hash(&mail) };
        let entry = Entry { order: order.id, at: now.millis(), mail };
        let mut seen = Self::default();
        if !entry.mail.is_empty() {
            let entries = remember(&format!("fraud-score/mail/{}", entry.mail), &entry, now, window)?;
            seen.orders_of_mail = count(entries.len());
        }
        if !ip.is_empty() {
            let entries = remember(&format!("fraud-score/ip/{}", hash(ip)), &entry, now, window)?;
            let mut mails: Vec<&str> = entries.iter().map(|entry| entry.mail.as_str()).collect();
            mails.sort_unstable();
            mails.dedup();
            seen.mails_of_ip = count(mails.len());
        }
        Ok(seen)
    }
}

fn remember(key: &str, entry: &Entry, now: Moment, window: Duration) -> Result<Vec<Entry>, Failure> {
    state::change(key, |entries: Option<Vec<Entry>>| {
        let mut entries = entries.unwrap_or_default();
        entries.retain(|old| old.order != entry.order && now.since(Moment::from_millis(old.at)) < window);
        entries.push(entry.clone());
        let surplus = entries.len().saturating_sub(MAX_REMEMBERED);
        entries.drain(..surplus);
        entries
    })
}

fn hash(text: &str) -> String {
    const BYTES: usize = 8;
    Sha256::digest(text).iter().take(BYTES).map(|byte| format!("{byte:02x}")).collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
