//! Outbound HTTP: takes a call's canonical map (see `core/call`) with every secret already opened by the runner, makes
//! the request, and gives back `{status, headers, body}` or a [`CallError`] that says what the engine may do next.
//!
//! Read in this order: [`spec`] (the map becomes a request), [`address`] (where requests may go), [`resolve`] (the check
//! after DNS), [`send`] (the exchange with its redirects), [`answer`] (what an answer or a lost connection means),
//! [`redact`] (secrets leave nothing behind). [`transport`] is the second entrance: exchanges with stores, which the
//! `woo` crate builds and reads itself; [`tls`] is about certificates.

mod address;
mod answer;
mod redact;
mod rehearse;
mod resolve;
mod send;
mod spec;
mod tls;
mod transport;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use cartwright_core::{Json, call::CallError};

pub use address::{AddressPolicy, Cidr, InvalidCidr};
pub use send::{HttpOutbound, OutboundUnavailable};
pub use tls::{ExtraRoots, InvalidRoots};
pub use transport::NoTransport;

/// Says whether a call with this method to this host and port was granted; the text names the missing grant.
pub type Allow = Arc<dyn Fn(&str, &str, u16) -> Result<(), String> + Send + Sync>;

/// Makes calls to the world outside.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Makes one call and gives `{status, headers, body}`: header names in lower case, the body as JSON or text.
    /// Never fails in a way that hides whether the request may have arrived (see [`CallError::class`]).
    async fn send(&self, request: OutboundRequest) -> Result<Json, CallError>;
}

/// One call to make.
#[derive(Clone)]
pub struct OutboundRequest {
    /// `{method, url, headers?, query?, body?, form?, timeout_ms?, expect?, parse?}`, secrets opened.
    pub spec: Json,
    /// Sent as `Idempotency-Key` unless the map's headers have one.
    pub idempotency_key: String,
    /// Whether the call may be made again when nobody can say whether it arrived.
    pub repeatable: bool,
    /// Name and value of every secret that was opened for this call: never shown in what comes back.
    pub secrets: Vec<(String, String)>,
    /// Asked before the first request and before each redirect.
    pub allow: Allow,
}

impl fmt::Debug for OutboundRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.secrets.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("OutboundRequest")
            .field("idempotency_key", &self.idempotency_key)
            .field("repeatable", &self.repeatable)
            .field("secrets", &names)
            .finish_non_exhaustive()
    }
}

impl OutboundRequest {
    /// What would be sent, checked as a real call is and with secrets replaced by their names: for dry runs.
    pub fn plan(&self) -> Result<Json, CallError> {
        let prepared = spec::prepare(self, OutboundOptions::default().max_request_bytes)?;
        spec::granted(&prepared, self)?;
        let mut plan = self.spec.clone();
        redact::Redactor::new(&self.secrets).json(&mut plan);
        Ok(plan)
    }
}

/// How outbound calls are made.
#[derive(Debug, Clone)]
pub struct OutboundOptions {
    /// Address ranges opened on top of the public internet.
    pub allowed: Vec<Cidr>,
    /// Trusted besides the system's authorities.
    pub extra_roots: ExtraRoots,
    /// Until TCP and TLS stand.
    pub connect_timeout: Duration,
    /// The largest answer that is read, in bytes.
    pub max_response_bytes: usize,
    /// The largest body that is sent, in bytes.
    pub max_request_bytes: usize,
}

impl Default for OutboundOptions {
    fn default() -> Self {
        Self {
            allowed: Vec::new(),
            extra_roots: ExtraRoots::default(),
            connect_timeout: Duration::from_secs(10),
            max_response_bytes: 1024 * 1024,
            max_request_bytes: 8 * 1024 * 1024,
        }
    }
}

/// Of a whole call with its redirects, where the call says nothing.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest a call may ask for.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(600);
/// Redirects followed in one call.
pub const MAX_REDIRECTS: usize = 5;
/// Headers in a request, and in an answer.
pub const MAX_HEADERS: usize = 100;
/// Names and values of a request's headers together, in bytes.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;
