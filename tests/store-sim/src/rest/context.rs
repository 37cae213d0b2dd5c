//! What a handler works with: the shop's settings, its state, who asks and when.

use crate::shop::{Happened, ShopConfig};
use crate::state::{State, User};

/// One request's surroundings.
pub struct Ctx<'a> {
    /// The shop's settings.
    pub shop: &'a ShopConfig,
    /// What it remembers.
    pub state: &'a mut State,
    /// Who asks; nobody without valid credentials.
    pub user: Option<User>,
    /// What `is_ssl()` says.
    pub https: bool,
    /// Seconds since 1970.
    pub now: i64,
    /// The route asked for: `/wc/v3/products`.
    pub path: &'a str,
    /// The query as sent.
    pub query: &'a str,
}

impl<'a> Ctx<'a> {
    pub(crate) fn new(shop: &'a ShopConfig, state: &'a mut State, https: bool, path: &'a str, query: &'a str) -> Self {
        let now = (shop.clock)().div_euclid(1_000);
        Self { shop, state, user: None, https, now, path, query }
    }

    /// The shop's address with the scheme of this request: `https://127.0.0.1:8081`.
    pub fn home(&self) -> String {
        let bare = self.shop.url.split_once("://").map_or(self.shop.url.as_str(), |(_, rest)| rest);
        format!("{}://{bare}", if self.https { "https" } else { "http" })
    }

    /// The address of a route: `https://127.0.0.1:8081/wp-json/wc/v3/products/12`.
    pub fn rest_url(&self, route: &str) -> String {
        format!("{}/wp-json{route}", self.home())
    }

    /// Whether the asking user may use the shop's API.
    pub fn manages(&self) -> bool {
        self.user.as_ref().is_some_and(User::manages)
    }

    /// Notes an event: `ctx.happened("order", "updated", 12)`.
    pub fn happened(&mut self, resource: &'static str, event: &str, id: u64) {
        self.state.happened(Happened::new(resource, event, id));
    }

    /// A moment in site time, as `date_created`.
    pub fn local(&self, seconds: i64) -> String {
        crate::date::local(seconds, self.shop.utc_offset_minutes)
    }
}
