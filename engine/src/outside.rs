//! Ways to the world outside, as the configuration opens them: for an engine at work, and for a paused one, which makes
//! no calls for workflows but can still be asked whether a store answers.

use std::{fs, path::Path, sync::Arc};

use async_trait::async_trait;
use cartwright_core::{Json, call::CallError};
use cartwright_run::outbound::{ExtraRoots, HttpOutbound, Outbound, OutboundOptions, OutboundRequest};
use cartwright_woo::transport::{HttpAnswer, HttpRequest, Transport, TransportError, TransportFailure};
use tokio::sync::OnceCell;

use crate::{
    config::Config,
    failure::{OrFail as _, Result, usage},
};

/// The client for every call to the world outside. Loading root certificates waits for the disk.
pub(crate) fn outbound(config: &Config) -> Result<Arc<HttpOutbound>> {
    let extra_roots = config.http.extra_ca_certificates.as_deref().map(roots).transpose()?.unwrap_or_default();
    let options = OutboundOptions { allowed: config.allow_outbound.clone(), extra_roots, ..OutboundOptions::default() };
    Ok(Arc::new(HttpOutbound::new(options).or_environment("cannot make the HTTP client")?))
}

fn roots(path: &Path) -> Result<ExtraRoots> {
    let wrong =
        |why: &dyn std::fmt::Display| usage(format!("cannot use {} as additional certificates: {why}", path.display()));
    let pem = fs::read(path).map_err(|error| wrong(&error))?;
    ExtraRoots::from_pem(&pem).map_err(|error| wrong(&error))
}

/// A way to stores that is made when it is first used: most commands never call one.
pub(crate) struct LazyTransport {
    config: Config,
    made: OnceCell<Arc<HttpOutbound>>,
}

impl LazyTransport {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, made: OnceCell::new() }
    }

    async fn make(&self) -> Result<Arc<HttpOutbound>> {
        let config = self.config.clone();
        let making = tokio::task::spawn_blocking(move || outbound(&config));
        making.await.or_environment("making the HTTP client was cut off")?
    }
}

#[async_trait]
impl Transport for LazyTransport {
    async fn exchange(&self, request: HttpRequest) -> std::result::Result<HttpAnswer, TransportError> {
        let made = self.made.get_or_try_init(|| self.make()).await.map_err(|failure| TransportError {
            failure: TransportFailure::Denied,
            may_have_arrived: false,
            message: failure.to_string(),
        })?;
        Transport::exchange(made.as_ref(), request).await
    }
}

/// A paused engine makes no calls for workflows.
pub(crate) struct NoOutbound;

#[async_trait]
impl Outbound for NoOutbound {
    async fn send(&self, _: OutboundRequest) -> std::result::Result<Json, CallError> {
        Err(CallError::retryable("connection", "this process makes no calls"))
    }
}
