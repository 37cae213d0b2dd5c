//! Exchanges with stores over the same pooled, address-checked client as every other call: takes the request that
//! `woo` built, gives the whole answer, or says exactly how far the request came.

use std::{error::Error, io};

use async_trait::async_trait;
use cartwright_core::woo::WooMethod;
use cartwright_woo::transport::{HttpAnswer, HttpRequest, Transport, TransportError, TransportFailure};
use reqwest::{
    Method, Response, Url,
    header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT},
};
use url::Host;

use super::{
    address::DeniedAddress,
    answer::{self, BodyError},
    resolve::Unresolved,
    send::HttpOutbound,
    tls,
};

/// Security plugins and hosts refuse requests that do not say who they are.
const AGENT: &str = concat!("Cartwright/", env!("CARGO_PKG_VERSION"));

#[async_trait]
impl Transport for HttpOutbound {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, TransportError> {
        let host = answer::host_of(&request.url);
        self.check_literal(&request.url)?;
        let timeout = request.timeout;
        match tokio::time::timeout(timeout, self.sent(request, &host)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let message = format!("{host} gave no complete answer within {} ms", timeout.as_millis());
                Err(arrived(TransportFailure::Timeout, message))
            }
        }
    }
}

/// For an engine that has nothing to say to stores: every exchange is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTransport;

#[async_trait]
impl Transport for NoTransport {
    async fn exchange(&self, _: HttpRequest) -> Result<HttpAnswer, TransportError> {
        Err(unsent(TransportFailure::Denied, "this process makes no calls to stores".to_owned()))
    }
}

impl HttpOutbound {
    /// Hosts that are addresses never reach the resolver, so they are checked here.
    fn check_literal(&self, url: &Url) -> Result<(), TransportError> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        let checked = self.policy().check_target(&answer::host_of(url), address);
        checked.map_err(|denied| unsent(TransportFailure::Denied, denied.to_string()))
    }

    async fn sent(&self, request: HttpRequest, host: &str) -> Result<HttpAnswer, TransportError> {
        let max_bytes = request.max_answer_bytes;
        let mut builder =
            self.client().request(method(request.method), request.url).headers(headers(&request.headers)?);
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let response = builder.send().await.map_err(|error| no_answer(&error, host))?;
        let (status, headers) = (response.status().as_u16(), text_headers(&response));
        let body = match answer::body(response, max_bytes).await {
            Ok(body) => body.into(),
            Err(BodyError::TooLarge) => {
                let message = format!("{host} answered {status} with more than {max_bytes} bytes");
                return Err(arrived(TransportFailure::TooLarge, message));
            }
            Err(BodyError::Cut(error)) => {
                let reason = reason(&error);
                let message =
                    format!("{host} answered {status}, but the connection was lost before the body's end ({reason})");
                return Err(arrived(TransportFailure::Lost, message));
            }
        };
        Ok(HttpAnswer { status, headers, body })
    }
}

fn method(method: WooMethod) -> Method {
    match method {
        WooMethod::Get => Method::GET,
        WooMethod::Post => Method::POST,
        WooMethod::Put => Method::PUT,
        WooMethod::Delete => Method::DELETE,
    }
}

fn headers(given: &[(&'static str, String)]) -> Result<HeaderMap, TransportError> {
    let mut headers = HeaderMap::with_capacity(given.len() + 1);
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    for (name, value) in given {
        let name = HeaderName::from_static(name);
        // The value may be a credential, so the message holds only the name.
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            unsent(TransportFailure::NotHttp, format!("the header `{name}` holds characters that HTTP does not allow"))
        })?;
        value.set_sensitive(name == reqwest::header::AUTHORIZATION);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn text_headers(response: &Response) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
    response.headers().iter().filter_map(text).collect()
}

/// A request that cannot have left this machine.
fn unsent(failure: TransportFailure, message: String) -> TransportError {
    TransportError { failure, may_have_arrived: false, message }
}

/// A request that may have been read, and carried out.
fn arrived(failure: TransportFailure, message: String) -> TransportError {
    TransportError { failure, may_have_arrived: true, message }
}

/// What a request without an answer means.
fn no_answer(error: &reqwest::Error, host: &str) -> TransportError {
    if let Some(denied) = find::<DeniedAddress>(error) {
        return unsent(TransportFailure::Denied, denied.to_string());
    }
    if let Some(unresolved) = find::<Unresolved>(error) {
        return unsent(TransportFailure::Dns, format!("the name {host} cannot be resolved: {}", unresolved.source));
    }
    // TCP or TLS never stood, so not a byte of the request was sent.
    if error.is_connect() {
        return match find::<rustls::Error>(error) {
            Some(error) => unsent(TransportFailure::Tls, tls::words(error, host)),
            None => unsent(TransportFailure::Connect, not_connected(error, host)),
        };
    }
    if error.is_builder() {
        let message = format!("the request to {host} cannot be made: {}", reason(error));
        return unsent(TransportFailure::NotHttp, message);
    }
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        return arrived(TransportFailure::NotHttp, format!("what {host} answered is not HTTP: {}", reason(error)));
    }
    let message = format!(
        "{host}: the connection was lost after the request was sent, before an answer came ({})",
        reason(error)
    );
    arrived(TransportFailure::Lost, message)
}

fn not_connected(error: &reqwest::Error, host: &str) -> String {
    if error.is_timeout() {
        return format!("{host} does not answer: no connection in time");
    }
    match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => format!("{host} refuses connections: no web server listens there"),
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
            format!("there is no way to {host} from this machine's network ({})", reason(error))
        }
        Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            format!("{host} ended the connection while it was being set up ({})", reason(error))
        }
        _ => format!("cannot connect to {host}: {}", reason(error)),
    }
}

/// An error and its causes. What an `io::Error` wraps is one of them, which its own `source` leaves out.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let next = |error: &&'a (dyn Error + 'static)| -> Option<&'a (dyn Error + 'static)> {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    };
    std::iter::successors(Some(error), next)
}

fn find<T: Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The innermost cause; the outer ones repeat the address, which may hold credentials.
fn reason(error: &reqwest::Error) -> String {
    causes(error).skip(1).last().map_or_else(|| "no reason given".to_owned(), ToString::to_string)
}
