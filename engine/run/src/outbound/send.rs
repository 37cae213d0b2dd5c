//! The exchange itself: one pooled client for everything, redirects followed by hand so that each hop passes the
//! address check, the grant check and the rules about credentials.
//!
//! Redirects: GET and HEAD follow 301, 302, 303, 307 and 308. Other methods follow 303 as GET; PUT, DELETE and OPTIONS
//! also follow 307 and 308 within one origin. Everything else is an answer like any other (final, unless expected).
//! Across origins only `Accept`, `Accept-Language` and `User-Agent` travel on, never a body; from https to http nothing does.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use cartwright_core::{Json, call::CallError};
use reqwest::{
    Client, Method, Response, StatusCode, Url,
    header::{
        ACCEPT, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, LOCATION, USER_AGENT,
    },
    redirect::Policy,
};
use url::Host;

use super::{
    MAX_HEADERS, MAX_REDIRECTS, Outbound, OutboundOptions, OutboundRequest,
    address::AddressPolicy,
    answer,
    redact::Redactor,
    resolve::CheckedResolver,
    spec::{self, Prepared},
    tls,
};

/// An idle connection is closed after this, before common servers close it (5 s): a request that meets a closing
/// connection has an unknown outcome.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(4);
const MAX_IDLE_CONNECTIONS_PER_HOST: usize = 256;

/// Outbound calls over real connections: HTTP/1.1 and 2, TLS with the system's roots.
#[derive(Clone)]
pub struct HttpOutbound {
    client: Client,
    policy: Arc<AddressPolicy>,
    max_response_bytes: usize,
    max_request_bytes: usize,
}

/// The HTTP client could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for outbound calls cannot start: {0}")]
pub struct OutboundUnavailable(#[source] reqwest::Error);

impl HttpOutbound {
    /// Makes the client; connections are opened when calls need them. Without root certificates on this machine it
    /// starts all the same, and https calls fail with a message that says so.
    pub fn new(options: OutboundOptions) -> Result<Self, OutboundUnavailable> {
        tls::provide();
        let policy = Arc::new(AddressPolicy::new(options.allowed));
        let builder = || {
            Client::builder()
                .redirect(Policy::none())
                .referer(false)
                .no_proxy()
                .tcp_nodelay(true)
                .http1_max_headers(MAX_HEADERS)
                .connect_timeout(options.connect_timeout)
                .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
                .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS_PER_HOST)
                .dns_resolver(Arc::new(CheckedResolver { policy: Arc::clone(&policy) }))
        };
        let roots = options.extra_roots.0;
        let client = match builder().tls_certs_merge(roots.clone()).build() {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!(%error, "no usable root certificates: https calls will fail; install ca-certificates");
                builder().tls_certs_only(roots).build().map_err(OutboundUnavailable)?
            }
        };
        let (max_response_bytes, max_request_bytes) = (options.max_response_bytes, options.max_request_bytes);
        Ok(Self { client, policy, max_response_bytes, max_request_bytes })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn policy(&self) -> &AddressPolicy {
        &self.policy
    }

    async fn exchange(&self, mut prepared: Prepared, request: &OutboundRequest) -> Result<Json, CallError> {
        let mut redirects = 0;
        loop {
            self.check(&prepared, request)?;
            let response = self
                .once(&prepared)
                .await
                .map_err(|error| answer::failed(&error, &answer::host_of(&prepared.url), request.repeatable))?;
            let status = response.status();
            if prepared.expects(status.as_u16()) || !status.is_redirection() {
                return answer::read(response, &prepared, request.repeatable, self.max_response_bytes).await;
            }
            let Some(next) = next_hop(&prepared, &response)? else {
                return answer::read(response, &prepared, request.repeatable, self.max_response_bytes).await;
            };
            redirects += 1;
            if redirects > MAX_REDIRECTS {
                let message = format!("{} redirects more than {MAX_REDIRECTS} times", answer::host_of(&prepared.url));
                return Err(CallError { status: Some(status.as_u16()), ..CallError::r#final("redirect", message) });
            }
            follow(&mut prepared, next);
        }
    }

    /// Whether this hop was granted and, where the host is an address, may be called. Names are checked as they resolve.
    fn check(&self, prepared: &Prepared, request: &OutboundRequest) -> Result<(), CallError> {
        spec::granted(prepared, request)?;
        let url = &prepared.url;
        let address = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        self.policy
            .check_target(&answer::host_of(url), address)
            .map_err(|denied| CallError::r#final("denied", denied.to_string()))
    }

    async fn once(&self, prepared: &Prepared) -> Result<Response, reqwest::Error> {
        // The builder turns a `user:password@` of the URL into an Authorization header.
        let mut request =
            self.client.request(prepared.method.clone(), prepared.url.clone()).headers(prepared.headers.clone());
        if let Some(body) = &prepared.body {
            request = request.body(Bytes::clone(body));
        }
        request.send().await
    }
}

#[async_trait]
impl Outbound for HttpOutbound {
    async fn send(&self, request: OutboundRequest) -> Result<Json, CallError> {
        let redactor = Redactor::new(&request.secrets);
        let outcome = match spec::prepare(&request, self.max_request_bytes) {
            Ok(prepared) => {
                let (host, timeout) = (answer::host_of(&prepared.url), prepared.timeout);
                match tokio::time::timeout(timeout, self.exchange(prepared, &request)).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err(answer::timed_out(&host, timeout, request.repeatable)),
                }
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(mut answer) => {
                redactor.json(&mut answer);
                Ok(answer)
            }
            Err(error) => Err(CallError { message: redactor.excerpt(error.message), ..error }),
        }
    }
}

struct Hop {
    method: Method,
    url: Url,
}

/// Where a redirect leads; `None`: it is not one to follow.
fn next_hop(prepared: &Prepared, response: &Response) -> Result<Option<Hop>, CallError> {
    let status = response.status();
    let method = match (status, &prepared.method) {
        (
            StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT,
            method @ (&Method::GET | &Method::HEAD),
        ) => method.clone(),
        (StatusCode::SEE_OTHER, _) => Method::GET,
        (
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT,
            method @ (&Method::PUT | &Method::DELETE | &Method::OPTIONS),
        ) => method.clone(),
        _ => return Ok(None),
    };
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    let refuse = |why: &str| {
        let message = format!("{} redirects {why}", answer::host_of(&prepared.url));
        CallError { status: Some(status.as_u16()), ..CallError::r#final("redirect", message) }
    };
    let url = location.to_str().ok().and_then(|text| prepared.url.join(text).ok());
    let Some(mut url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return Err(refuse("to something that is not a web address"));
    };
    if prepared.url.scheme() == "https" && url.scheme() == "http" {
        return Err(refuse("from https to http; that would expose the call"));
    }
    let crosses = url.origin() != prepared.url.origin();
    if crosses && !matches!(method, Method::GET | Method::HEAD) {
        return Ok(None);
    }
    // Credentials in a Location are the redirecting side's, not ours to use.
    if url.set_username("").and(url.set_password(None)).is_err() {
        return Err(refuse("to an address without a host"));
    }
    url.set_fragment(None);
    Ok(Some(Hop { method, url }))
}

fn follow(prepared: &mut Prepared, next: Hop) {
    if next.method != prepared.method {
        prepared.body = None;
        for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE] {
            prepared.headers.remove(name);
        }
    }
    if next.url.origin() != prepared.url.origin() {
        prepared.body = None;
        let mut kept = HeaderMap::new();
        for name in [ACCEPT, ACCEPT_LANGUAGE, USER_AGENT] {
            if let Some(value) = prepared.headers.remove(&name) {
                kept.insert(name, value);
            }
        }
        prepared.headers = kept;
    }
    prepared.method = next.method;
    prepared.url = next.url;
}
