//! Lists: which objects, in what order, which page of them, and the headers that say how many there are.

use serde_json::{Value, json};

use super::args::{Arg, Default, Is};
use super::{Ctx, Params, Reply};
use crate::state::Object;

/// What every list takes. `orderby` and `status` differ from resource to resource.
pub const ARGS: &[Arg] = &[
    Arg::new("context", Is::OneOf(&["view", "edit"])).or(Default::Text("view")),
    Arg::new("page", Is::IntFrom(1)).or(Default::Int(1)),
    Arg::new("per_page", Is::IntBetween(1, 100)).or(Default::Int(10)),
    Arg::new("search", Is::Text),
    Arg::new("after", Is::Moment),
    Arg::new("before", Is::Moment),
    Arg::new("modified_after", Is::Moment),
    Arg::new("modified_before", Is::Moment),
    Arg::new("dates_are_gmt", Is::Flag).or(Default::Flag(false)),
    Arg::new("exclude", Is::List(&Is::Int)),
    Arg::new("include", Is::List(&Is::Int)),
    Arg::new("offset", Is::Int),
    Arg::new("order", Is::OneOf(&["asc", "desc"])),
];

/// How one kind of list differs from the others.
pub struct Rules {
    /// Fields `search` looks into.
    pub search: &'static [&'static str],
    /// `orderby` and `order` when nothing is asked for: `("date", "desc")`.
    pub order: (&'static str, &'static str),
}

/// A page of `rows`, each as `show` shows it.
pub fn list<'a>(
    ctx: &Ctx<'_>,
    params: &Params,
    rows: impl Iterator<Item = &'a Object>,
    rules: &Rules,
    show: impl Fn(&Ctx<'_>, &Object) -> Value,
) -> Reply {
    let wanted = Wanted::read(ctx, params);
    let mut rows: Vec<&Object> = rows.filter(|object| wanted.takes(object, rules.search)).collect();
    sort(&mut rows, params, rules.order);
    page(ctx, params, &rows, |object| show(ctx, object))
}

/// A page of `rows` as they stand.
pub fn page<T>(ctx: &Ctx<'_>, params: &Params, rows: &[T], show: impl Fn(&T) -> Value) -> Reply {
    let per_page = params.int("per_page").unwrap_or(10).clamp(1, 100).unsigned_abs();
    let page = params.int("page").unwrap_or(1).max(1).unsigned_abs();
    let skipped =
        params.int("offset").map_or((page - 1).saturating_mul(per_page), |offset| offset.max(0).unsigned_abs());
    let total = rows.len() as u64;
    let pages = total.div_ceil(per_page);
    let start = usize::try_from(skipped).unwrap_or(usize::MAX).min(rows.len());
    let count = usize::try_from(per_page).unwrap_or(usize::MAX);
    let body: Vec<Value> = rows[start..].iter().take(count).map(show).collect();
    let mut reply = Reply::ok(json!(body));
    reply.headers.push(("X-WP-Total", total.to_string()));
    reply.headers.push(("X-WP-TotalPages", pages.to_string()));
    if let Some(link) = link(ctx, page, pages) {
        reply.headers.push(("Link", link));
    }
    reply
}

/// A list that has no pages, with the headers all the same.
pub fn whole(rows: Vec<Value>) -> Reply {
    let total = rows.len();
    let mut reply = Reply::ok(Value::Array(rows));
    reply.headers.push(("X-WP-Total", total.to_string()));
    reply.headers.push(("X-WP-TotalPages", "1".to_owned()));
    reply
}

/// `<…page=1>; rel="prev", <…page=3>; rel="next"`. Keeps the whole query, credentials included, as the original does.
fn link(ctx: &Ctx<'_>, page: u64, pages: u64) -> Option<String> {
    let mut links = Vec::new();
    if page > 1 && pages > 0 {
        links.push(format!("<{}>; rel=\"prev\"", page_url(ctx, (page - 1).min(pages))));
    }
    if page < pages {
        links.push(format!("<{}>; rel=\"next\"", page_url(ctx, page + 1)));
    }
    (!links.is_empty()).then(|| links.join(", "))
}

fn page_url(ctx: &Ctx<'_>, page: u64) -> String {
    let mut seen = false;
    let mut parts: Vec<String> = Vec::new();
    for part in ctx.query.split('&').filter(|part| !part.is_empty() && !part.starts_with("rest_route=")) {
        if part.starts_with("page=") {
            seen = true;
            parts.push(format!("page={page}"));
        } else if part == "dates_are_gmt=true" {
            // The original writes parameters as it understood them.
            parts.push("dates_are_gmt=1".to_owned());
        } else {
            // An equals sign at the end of a value, as signatures have it, gets lost.
            parts.push(part.trim_end_matches("%3D").trim_end_matches("%3d").to_owned());
        }
    }
    if !seen {
        parts.push(format!("page={page}"));
    }
    format!("{}?{}", ctx.rest_url(ctx.path), parts.join("&"))
}

/// The filters every list has. Bounds are exclusive and whole seconds.
struct Wanted {
    include: Vec<u64>,
    exclude: Vec<u64>,
    search: Option<String>,
    after: Option<i64>,
    before: Option<i64>,
    modified_after: Option<i64>,
    modified_before: Option<i64>,
}

impl Wanted {
    fn read(ctx: &Ctx<'_>, params: &Params) -> Self {
        let offset = if params.flag("dates_are_gmt") { 0 } else { ctx.shop.utc_offset_minutes };
        let moment = |name: &str| params.text(name).and_then(|text| crate::date::parse(text, offset));
        Self {
            include: params.ids("include"),
            exclude: params.ids("exclude"),
            search: params.text("search").filter(|text| !text.is_empty()).map(str::to_lowercase),
            after: moment("after"),
            before: moment("before"),
            modified_after: moment("modified_after"),
            modified_before: moment("modified_before"),
        }
    }

    fn takes(&self, object: &Object, searched: &[&str]) -> bool {
        let found = |text: &String| searched.iter().any(|field| object.text(field).to_lowercase().contains(text));
        (self.include.is_empty() || self.include.contains(&object.id))
            && !self.exclude.contains(&object.id)
            && self.after.is_none_or(|bound| object.created > bound)
            && self.before.is_none_or(|bound| object.created < bound)
            && self.modified_after.is_none_or(|bound| object.modified > bound)
            && self.modified_before.is_none_or(|bound| object.modified < bound)
            && self.search.as_ref().is_none_or(found)
    }
}

fn sort(rows: &mut [&Object], params: &Params, default: (&str, &str)) {
    let orderby = params.text("orderby").unwrap_or(default.0);
    let descending = params.text("order").unwrap_or(default.1) == "desc";
    let number = |object: &Object, field: &str| object.text(field).parse().unwrap_or(object.int(field) as f64);
    match orderby {
        "include" => {
            let include = params.ids("include");
            rows.sort_by_key(|object| include.iter().position(|id| *id == object.id));
            return;
        }
        "id" => rows.sort_by_key(|object| object.id),
        "modified" => rows.sort_by_key(|object| (object.modified, object.id)),
        "title" | "name" => rows.sort_by_cached_key(|object| (object.text("name").to_lowercase(), object.id)),
        "slug" => rows.sort_by_cached_key(|object| (object.text("slug").to_owned(), object.id)),
        "menu_order" => rows.sort_by_key(|object| (object.int("menu_order"), object.id)),
        "price" => rows.sort_by(|a, b| number(a, "price").total_cmp(&number(b, "price")).then(a.id.cmp(&b.id))),
        "popularity" | "sales" => rows.sort_by_key(|object| (object.int("total_sales"), object.id)),
        "rating" => rows
            .sort_by(|a, b| number(a, "average_rating").total_cmp(&number(b, "average_rating")).then(a.id.cmp(&b.id))),
        "count" => rows.sort_by_key(|object| (object.int("count"), object.id)),
        _ => rows.sort_by_key(|object| (object.created, object.id)),
    }
    if descending {
        rows.reverse();
    }
}
