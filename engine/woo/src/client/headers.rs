//! What the client reads from an answer's headers.

use cartwright_core::time::Timestamp;
use chrono::DateTime;

use crate::transport::HttpAnswer;

/// The longest wait that a store may ask for, in milliseconds: more is a mistake of its clock.
pub(super) const RETRY_AFTER_MILLIS_MAX: u64 = 24 * 60 * 60 * 1000;

/// The headers that matter. `Link` is not among them: it may hold our credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Headers {
    /// `X-WP-TotalPages`.
    pub(super) pages: Option<u32>,
    /// `Retry-After`, in milliseconds from now.
    pub(super) retry_after_ms: Option<u64>,
    /// The store's clock.
    pub(super) date: Option<Timestamp>,
    /// A password dialog of the web server in front of WordPress: `WWW-Authenticate: Basic`.
    pub(super) asks_for_password: bool,
    /// Cloudflare's own word that this is its page.
    pub(super) is_challenge: bool,
}

impl Headers {
    /// Reads them; what makes no sense is as if it were missing.
    pub(super) fn read(answer: &HttpAnswer, now: Timestamp) -> Self {
        let date = answer.header("date").and_then(http_date);
        let password = |value: &str| value.trim_start().get(..5).is_some_and(|word| word.eq_ignore_ascii_case("basic"));
        Self {
            pages: number(answer, "x-wp-totalpages"),
            // A date is meant on the store's clock, which may not be ours.
            retry_after_ms: answer.header("retry-after").and_then(|text| retry_after(text, date.unwrap_or(now))),
            date,
            asks_for_password: answer.header("www-authenticate").is_some_and(password),
            is_challenge: answer.header("cf-mitigated").is_some(),
        }
    }
}

fn number<T: std::str::FromStr>(answer: &HttpAnswer, name: &str) -> Option<T> {
    answer.header(name)?.trim().parse().ok()
}

/// `Sat, 21 Nov 2026 01:40:07 GMT` (RFC 9110 §5.6.7, the form in use).
fn http_date(text: &str) -> Option<Timestamp> {
    Some(Timestamp::from_millis(DateTime::parse_from_rfc2822(text.trim()).ok()?.timestamp_millis()))
}

/// Seconds or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<u64> {
    let millis = match text.trim().parse::<u64>() {
        Ok(seconds) => seconds.saturating_mul(1000),
        Err(_) => u64::try_from(http_date(text)?.since(now).as_millis()).unwrap_or(RETRY_AFTER_MILLIS_MAX),
    };
    Some(millis.min(RETRY_AFTER_MILLIS_MAX))
}
