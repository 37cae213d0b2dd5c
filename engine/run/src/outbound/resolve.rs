//! Names become addresses here, and only addresses that may be called come out. The connection is made to what this
//! returned, so a name that changes its mind between check and use (DNS rebinding) gains nothing.

use std::{io, net::SocketAddr, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::AddressPolicy;

/// A name that nobody knows, or that nobody could be asked about.
#[derive(Debug, thiserror::Error)]
#[error("the name cannot be resolved")]
pub(super) struct Unresolved {
    pub(super) source: io::Error,
}

/// The system's resolver behind the address policy.
pub(super) struct CheckedResolver {
    pub(super) policy: Arc<AddressPolicy>,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.policy);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|source| Unresolved { source })?;
            let mut denied = None;
            let mut open: Vec<SocketAddr> = Vec::new();
            for address in found {
                match policy.check_target(name.as_str(), address.ip()) {
                    Ok(()) => open.push(address),
                    Err(error) => denied = Some(error),
                }
            }
            match denied {
                Some(error) if open.is_empty() => Err(error.into()),
                _ => Ok(Box::new(open.into_iter()) as Addrs),
            }
        })
    }
}
