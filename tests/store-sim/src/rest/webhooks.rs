//! `/wc/v3/webhooks`: what is to be told to whom. The secret goes in and never comes out; so does the count of
//! failures. A new address is due a ping, which whoever serves the shop sends (`webhooks/driver.rs`).

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::args::{Arg, Is};
use super::batch::{self, Verbs};
use super::{Ctx, Params, Reply, Resource, RestError, Route, links, paging};
use crate::{
    state::{Kind, Object, Sequence},
    webhooks::topic,
};

const BASE: &str = "/wc/v3/webhooks";
/// Letters and digits of a secret that nobody chose.
const SECRET_LENGTH: usize = 50;

const LIST: &[Arg] = &[
    Arg::new("orderby", Is::OneOf(&["date", "id", "title"])),
    Arg::new("status", Is::OneOf(&["all", "active", "paused", "disabled"])),
];
const ARGS: &[Arg] = &[
    Arg::new("name", Is::Text),
    Arg::new("status", Is::OneOf(&["active", "paused", "disabled"])),
    Arg::new("topic", Is::Text),
    Arg::new("secret", Is::Text),
    Arg::new("delivery_url", Is::Uri).required(),
];

/// The routes.
pub(super) fn routes() -> Vec<Route> {
    const VERBS: Verbs = Verbs { create, update, delete, parent: None };
    let resource = Resource {
        base: BASE,
        item: "/wc/v3/webhooks/<id>",
        batch: Some(("/wc/v3/webhooks/batch", |ctx, params| batch::run(ctx, params, &VERBS))),
        list_args: &[LIST],
        args: ARGS,
        exists: |state, params| state.get(Kind::Webhook, params.id("id")).is_some(),
        list,
        create,
        get,
        update,
        delete,
    };
    resource.routes()
}

fn list(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let (include, exclude) = (params.ids("include"), params.ids("exclude"));
    let status = params.text("status").filter(|status| *status != "all");
    let search = params.text("search").unwrap_or_default().to_lowercase();
    let mut rows: Vec<&Object> = ctx
        .state
        .table(Kind::Webhook)
        .values()
        .filter(|hook| {
            (include.is_empty() || include.contains(&hook.id))
                && !exclude.contains(&hook.id)
                && status.is_none_or(|status| hook.text("status") == status)
                && hook.text("name").to_lowercase().contains(&search)
        })
        .collect();
    let descending = params.text("order").unwrap_or("desc") == "desc";
    match (params.text("orderby").unwrap_or("date"), descending) {
        ("id", false) => {}
        ("id", true) => rows.reverse(),
        ("title", false) => rows.sort_by_cached_key(|hook| hook.text("name").to_lowercase()),
        ("title", true) => rows.sort_by_cached_key(|hook| Reverse(hook.text("name").to_lowercase())),
        (_, false) => rows.sort_by_key(|hook| hook.created),
        // Of two made in one second the older one stays in front.
        (_, true) => rows.sort_by_key(|hook| Reverse(hook.created)),
    }
    Ok(paging::page(ctx, params, &rows, |hook| show(ctx, hook)))
}

fn get(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let webhook = ctx.state.get(Kind::Webhook, params.id("id")).ok_or_else(|| unknown(404))?;
    Ok(Reply::ok(show(ctx, webhook)))
}

fn create(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let topic = checked_topic(params.text("topic").unwrap_or_default())?;
    let url = checked_url(params.text("delivery_url").unwrap_or_default())?;
    let id = ctx.state.next_id(Sequence::Webhook);
    let mut webhook = Object { id, created: ctx.now, modified: ctx.now, ..Object::default() };
    let unnamed = format!("Webhook created on {}", ctx.local(ctx.now));
    webhook.set("name", params.text("name").filter(|name| !name.is_empty()).unwrap_or(&unnamed));
    // Whatever `status` was sent: a new webhook is active.
    webhook.set("status", "active");
    webhook.set("topic", topic);
    webhook.set("delivery_url", url);
    let secret = params.text("secret").filter(|secret| !secret.is_empty()).map_or_else(random_secret, str::to_owned);
    webhook.hidden.insert("secret".to_owned(), json!(secret));
    webhook.hidden.insert("user".to_owned(), json!(ctx.user.as_ref().map_or(0, |user| user.id)));
    webhook.hidden.insert("pending_delivery".to_owned(), json!(true));
    webhook.hidden.insert("ping_due".to_owned(), json!(true));
    let body = show(ctx, &webhook);
    ctx.state.put(Kind::Webhook, webhook);
    Ok(Reply::created(body, ctx.rest_url(&format!("{BASE}/{id}"))))
}

fn update(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let mut webhook = ctx.state.get(Kind::Webhook, params.id("id")).ok_or_else(|| unknown(400))?.clone();
    if let Some(topic) = params.text("topic").filter(|topic| !topic.is_empty()) {
        webhook.set("topic", checked_topic(topic)?);
    }
    if let Some(url) = params.text("delivery_url").filter(|url| !url.is_empty()) {
        let url = checked_url(url)?;
        if url != webhook.text("delivery_url") {
            webhook.hidden.insert("pending_delivery".to_owned(), json!(true));
            webhook.set("delivery_url", url);
        }
    }
    for field in ["name", "status"] {
        if let Some(value) = params.text(field).filter(|value| !value.is_empty()) {
            webhook.set(field, value);
        }
    }
    if let Some(secret) = params.text("secret").filter(|secret| !secret.is_empty()) {
        webhook.hidden.insert("secret".to_owned(), json!(secret));
    }
    // Switching it on again does not forget the failures.
    let pending = webhook.hidden.get("pending_delivery").cloned().unwrap_or_default();
    webhook.hidden.insert("ping_due".to_owned(), pending);
    webhook.hidden.insert("saved".to_owned(), json!(true));
    webhook.modified = ctx.now;
    let body = show(ctx, &webhook);
    ctx.state.put(Kind::Webhook, webhook);
    Ok(Reply::ok(body))
}

fn delete(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let id = params.id("id");
    let webhook = ctx.state.get(Kind::Webhook, id).ok_or_else(|| unknown(404))?;
    if !params.flag("force") {
        let message = "Webhooks do not support trashing.";
        return Err(RestError::new("woocommerce_rest_trash_not_supported", message, 501));
    }
    let body = show(ctx, webhook);
    ctx.state.table_mut(Kind::Webhook).remove(&id);
    Ok(Reply::ok(body))
}

fn show(ctx: &Ctx<'_>, webhook: &Object) -> Value {
    let topic = webhook.text("topic");
    let (resource, event) = topic.split_once('.').unwrap_or((topic, ""));
    let saved = webhook.hidden.get("saved") == Some(&json!(true));
    let modified = saved.then_some(webhook.modified);
    json!({
        "id": webhook.id,
        "name": webhook.text("name"),
        "status": webhook.text("status"),
        "topic": topic,
        "resource": resource,
        "event": event,
        "hooks": topic::hooks(topic),
        "delivery_url": webhook.text("delivery_url"),
        "date_created": ctx.local(webhook.created),
        "date_created_gmt": crate::date::local(webhook.created, 0),
        "date_modified": modified.map(|modified| ctx.local(modified)),
        "date_modified_gmt": modified.map(|modified| crate::date::local(modified, 0)),
        "_links": links::item(ctx, BASE, webhook.id),
    })
}

fn checked_topic(sent: &str) -> Result<String, RestError> {
    let topic = sent.to_lowercase();
    if topic::parse(&topic).is_none() {
        let message = "Webhook topic is required and must be valid.";
        return Err(RestError::new("woocommerce_rest_shop_webhook_invalid_topic", message, 400));
    }
    Ok(topic)
}

/// Syntax only: whether anybody listens there is found out by the ping, and told to nobody.
fn checked_url(sent: &str) -> Result<&str, RestError> {
    let valid = url::Url::parse(sent).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !valid {
        let message = "Webhook delivery URL must be a valid URL starting with http:// or https://.";
        return Err(RestError::new("woocommerce_rest_shop_webhook_invalid_delivery_url", message, 400));
    }
    Ok(sent)
}

fn random_secret() -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut bytes = [0_u8; SECRET_LENGTH];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

fn unknown(status: u16) -> RestError {
    RestError::new("woocommerce_rest_shop_webhook_invalid_id", "ID is invalid.", status)
}
