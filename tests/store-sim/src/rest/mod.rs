//! The REST API, from a request's bytes to an answer's: `route` finds who answers, `auth` finds who asks, `args`
//! refuses what WordPress refuses, the resource's handler does the work, `reply` dresses the answer.
//!
//! The order is WordPress's: authentication errors, then the route, then the body's JSON and the arguments, and only
//! then permissions: a request with a wrong argument is 400 even without a key.

pub mod args;
pub mod auth;
pub mod batch;
pub mod context;
pub mod coupons;
pub mod customers;
pub mod error;
mod forms;
pub mod gateways;
mod html;
pub mod index;
pub mod links;
pub mod meta;
pub mod money;
pub mod notes;
mod oauth;
pub mod orders;
pub mod paging;
pub mod params;
pub mod products;
pub mod reply;
pub mod resource;
pub mod route;
pub mod safe_url;
pub mod settings;
pub mod shipping;
pub mod slug;
pub mod status;
pub mod refunds;
pub mod taxes;
pub mod terms;
pub mod variations;
pub mod attributes;
pub mod reviews;
pub mod webhooks;

#[cfg(test)]
mod testing;

pub use context::Ctx;
pub use error::RestError;
pub use params::Params;
pub use reply::Reply;
pub use resource::{Endpoint, Guard, Handler, Resource, Route};

use serde_json::Value;

use crate::shop::ShopConfig;
use crate::state::State;
use crate::wire::{Request, Response};

/// How many requests `State::recent` keeps.
const RECENT_REQUESTS: usize = 1_000;

/// Answers one request.
pub(crate) fn answer(config: &ShopConfig, state: &mut State, request: &Request) -> Response {
    let target = params::Target::read(&request.target);
    let Some(path) = target.route(request) else {
        return reply::not_rest(&target);
    };
    let method = params::method(request, &target);
    let mut ctx = Ctx::new(config, state, request.https, &path, target.query);
    let (pattern, result) = dispatch(&mut ctx, request, &target, &method, &path);
    let dressed = reply::dress(&ctx, &target, &method, result);
    count(state, &method, pattern.unwrap_or("no route"), dressed.status);
    dressed
}

/// What one request came to, with all that its headers depend on.
pub(crate) struct Outcome {
    pub(crate) result: Result<Reply, RestError>,
    /// Methods this user may use on the route: the `Allow` header.
    pub(crate) allow: Option<String>,
}

fn dispatch(
    ctx: &mut Ctx<'_>,
    request: &Request,
    target: &params::Target<'_>,
    method: &str,
    path: &str,
) -> (Option<&'static str>, Outcome) {
    let lone = |error: RestError| Outcome { result: Err(error), allow: None };
    if let Err(error) = auth::authenticate(ctx, request, target, method) {
        return (None, lone(error));
    }
    let Some(found) = route::find(method, path) else {
        return (None, lone(RestError::no_route()));
    };
    let result = params::Params::read(request, target, &found).and_then(|params| run(ctx, found.endpoint, params));
    let mut allow = found.route.allow(ctx, &params::Params::of_route(&found, ""));
    if result.as_ref().is_err_and(|error| error.before_permission) || result.as_ref().is_ok_and(|reply| reply.gone) {
        allow.clear();
    }
    (Some(found.route.pattern), Outcome { result, allow: Some(allow) })
}

fn run(ctx: &mut Ctx<'_>, endpoint: &Endpoint, mut params: Params) -> Result<Reply, RestError> {
    args::check(endpoint.args, &mut params)?;
    endpoint.guard.admit(ctx, &params)?;
    (endpoint.handler)(ctx, &params)
}

/// GET of a route as this user, without key and count.
pub(crate) fn view(config: &ShopConfig, state: &mut State, user: u64, path: &str) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let Some(found) = route::find("GET", path) else {
        return RestError::no_route().into_parts();
    };
    let mut ctx = Ctx::new(config, state, config.url.starts_with("https:"), path, query);
    ctx.user = ctx.state.access.users.get(&user).cloned();
    let params = Params::of_route(&found, query);
    match run(&mut ctx, found.endpoint, params) {
        Ok(reply) => (reply.status, reply.body),
        Err(error) => error.into_parts(),
    }
}

fn count(state: &mut State, method: &str, pattern: &str, status: u16) {
    *state.requests.entry(format!("{method} {pattern}")).or_default() += 1;
    if state.recent.len() == RECENT_REQUESTS {
        state.recent.pop_front();
    }
    state.recent.push_back((method.to_owned(), pattern.to_owned(), status));
}
