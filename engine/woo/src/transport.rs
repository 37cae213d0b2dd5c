//! How bytes get to a store and back: one exchange, no redirects followed, no opinion about what it means. The runner
//! implements it over its pooled, address-checked HTTP client; tests implement it over recorded exchanges.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use cartwright_core::woo::WooMethod;
use url::Url;

/// Makes exchanges with stores.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one request and reads the whole answer, whatever its status. Redirects are answers like any other.
    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, TransportError>;
}

/// One request to a store. Its URL and headers may hold credentials: `Debug` shows neither.
#[derive(Clone)]
pub struct HttpRequest {
    /// What it does.
    pub method: WooMethod,
    /// Where to, with its query.
    pub url: Url,
    /// Names in lower case with their values; the body's length and the host are the transport's matter.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent.
    pub body: Option<Bytes>,
    /// Of the whole exchange.
    pub timeout: Duration,
    /// A longer answer is [`TransportFailure::TooLarge`].
    pub max_answer_bytes: usize,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = (self.method.as_str(), self.url.host_str().unwrap_or_default(), self.url.path());
        f.debug_tuple("HttpRequest").field(&shown).finish()
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// Its status.
    pub status: u16,
    /// Names in lower case with their values, as far as they are text.
    pub headers: Vec<(String, String)>,
    /// Decompressed.
    pub body: Bytes,
}

impl HttpAnswer {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// What went wrong.
    pub failure: TransportFailure,
    /// Whether the store may have seen the request.
    pub may_have_arrived: bool,
    /// For people; holds no credentials.
    pub message: String,
}

/// Ways in which an exchange ends without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportFailure {
    /// The host's name does not resolve.
    Dns,
    /// The address is closed by policy (see `--allow-outbound`).
    Denied,
    /// Nobody answers at the address: refused, unreachable, or no connection in time.
    Connect,
    /// TLS cannot be established: the certificate, its name or date, the protocol.
    Tls,
    /// No whole answer in time.
    Timeout,
    /// The connection ended in the middle.
    Lost,
    /// The answer is longer than asked for.
    TooLarge,
    /// What came back is not HTTP.
    NotHttp,
}
