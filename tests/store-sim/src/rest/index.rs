//! `/wp-json/` and `/wp-json/wc/v3`: what is here.

use serde_json::{Map, Value, json};

use super::resource::READ;
use super::route::table;
use super::{Ctx, Endpoint, Guard, Params, Reply, RestError, Route};

/// Namespaces as a shop of this age names them.
const NAMESPACES: [&str; 8] =
    ["oembed/1.0", "wc/store", "wc/store/v1", "wc/v1", "wc/v2", "wc/v3", "wc-analytics", "wp/v2"];

/// Both indexes.
pub(super) fn routes() -> Vec<Route> {
    let open = |pattern, handler| Route {
        pattern,
        endpoints: vec![Endpoint { methods: READ, guard: Guard::Open, args: &[], handler }],
    };
    vec![open("/", index), open("/wc/v3", namespace)]
}

fn index(ctx: &mut Ctx<'_>, _: &Params) -> Result<Reply, RestError> {
    let offset = ctx.shop.utc_offset_minutes / 60;
    Ok(Reply::ok(json!({
        "name": ctx.shop.title, "description": "", "url": ctx.home(), "home": ctx.home(), "gmt_offset": offset.to_string(),
        "timezone_string": "", "page_for_posts": 0, "page_on_front": 0, "show_on_front": "posts",
        "namespaces": NAMESPACES,
        "authentication": if ctx.https {
            json!({"application-passwords": {"endpoints": {"authorization": format!("{}/wp-admin/authorize-application.php", ctx.home())}}})
        } else {
            json!([])
        },
        "routes": routes_under(ctx, ""),
        "_links": {"help": [{"href": "https://developer.wordpress.org/rest-api/"}]},
    })))
}

fn namespace(ctx: &mut Ctx<'_>, _: &Params) -> Result<Reply, RestError> {
    let up = json!([{"href": ctx.rest_url("/")}]);
    Ok(Reply::ok(json!({"namespace": "wc/v3", "routes": routes_under(ctx, "/wc/v3"), "_links": {"up": up}})))
}

fn routes_under(ctx: &Ctx<'_>, prefix: &str) -> Map<String, Value> {
    let known = table().iter().filter(|route| route.pattern.starts_with(prefix));
    known.map(|route| (as_regex(route.pattern), brief(ctx, route))).collect()
}

fn brief(ctx: &Ctx<'_>, route: &Route) -> Value {
    let namespace = if route.pattern.starts_with("/wc/v3") { "wc/v3" } else { "" };
    let endpoints: Vec<Value> = route.endpoints.iter().map(|endpoint| json!({"methods": endpoint.methods})).collect();
    let mut brief = json!({"namespace": namespace, "methods": route.methods(), "endpoints": endpoints});
    if !route.pattern.contains('<') {
        brief["_links"] = json!({"self": [{"href": ctx.rest_url(route.pattern)}]});
    }
    brief
}

/// `<id>` as WordPress names it: `(?P<id>[\d]+)`.
fn as_regex(pattern: &str) -> String {
    let part = |part: &str| match part.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
        Some(variable) => match variable.split_once(':') {
            Some((name, _)) => format!(r"(?P<{name}>[\w-]+)"),
            None => format!(r"(?P<{variable}>[\d]+)"),
        },
        None => part.to_owned(),
    };
    pattern.split('/').map(part).collect::<Vec<_>>().join("/")
}
