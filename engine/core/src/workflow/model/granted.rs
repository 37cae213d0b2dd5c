//! What a workflow asks to be allowed.

use super::{Span, StoreSelector};

/// What a workflow asks to be allowed. Empty means nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Hosts outbound calls may reach.
    pub http: Vec<HttpGrant>,
    /// Names of secrets it may use.
    pub secrets: Vec<String>,
    /// Topics it may emit, patterns allowed.
    pub emit: Vec<String>,
    /// Stores it may call.
    pub stores: Vec<GrantedStores>,
    /// `orders.read`, `products.write`: first path segment and direction.
    pub woo: Vec<String>,
}

/// `hooks.slack.com`, `*.example.com`, `POST hooks.slack.com`, each with an optional `:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpGrant {
    /// Upper case; any method when absent.
    pub method: Option<String>,
    /// Lower case; `*.example.com` covers every name below `example.com`, not itself.
    pub host: String,
    /// Any port when absent.
    pub port: Option<u16>,
}

/// Stores named in `grants`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantedStores {
    /// The event's own store.
    Own,
    /// As in triggers.
    Selected(StoreSelector),
}

/// Where one grant stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantPlace {
    /// The key of its list: `http`.
    pub list: &'static str,
    /// Its place in that list of [`Grants`].
    pub at: usize,
    /// As written.
    pub text: String,
    /// Its bytes.
    pub span: Span,
}
