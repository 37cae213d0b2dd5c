//! `/orders/<order_id>/notes`. Lists come whole, newest first, without page headers; deleting needs `force`.

use std::cmp::Reverse;

use serde_json::{Value, json};

use super::args::{Arg, Default, Is};
use super::batch::DELETE_ARGS;
use super::resource::{CREATE, DELETE, READ, always};
use super::{Ctx, Endpoint, Guard, Params, Reply, RestError, Route};
use crate::orders::notes::{self, Author, Reader};
use crate::state::{Kind, Object};

const LIST: &[Arg] = &[Arg::new("type", Is::OneOf(&["any", "customer", "internal"])).or(Default::Text("any"))];
const ARGS: &[Arg] = &[
    Arg::new("note", Is::Text).required(),
    Arg::new("customer_note", Is::Flag).or(Default::Flag(false)),
    Arg::new("added_by_user", Is::Flag).or(Default::Flag(false)),
];

/// The routes of order notes.
pub(super) fn routes() -> Vec<Route> {
    let end = |methods, guard, args, handler| Endpoint { methods, guard, args, handler };
    vec![
        Route {
            pattern: "/wc/v3/orders/<order_id>/notes",
            endpoints: vec![end(READ, Guard::List, LIST, list), end(CREATE, Guard::Create, ARGS, create)],
        },
        Route {
            pattern: "/wc/v3/orders/<order_id>/notes/<id>",
            endpoints: vec![
                end(READ, Guard::View(always), &[], get),
                end(DELETE, Guard::Delete(always), DELETE_ARGS, delete),
            ],
        },
    ]
}

fn list(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let order = order_of(ctx, params)?;
    let wanted = match params.text("type") {
        Some("customer") => Some(true),
        Some("internal") => Some(false),
        _ => None,
    };
    let takes =
        |note: &&Object| note.parent == order && wanted.is_none_or(|customer| note.flag("customer_note") == customer);
    let mut notes: Vec<&Object> = ctx.state.table(Kind::Note).values().filter(takes).collect();
    notes.sort_by_key(|note| Reverse((note.created, note.id)));
    Ok(Reply::ok(notes.into_iter().map(|note| show(ctx, note)).collect()))
}

fn get(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    Ok(Reply::ok(show(ctx, find(ctx, params)?)))
}

fn create(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    let order = order_of(ctx, params)?;
    let login = ctx.user.as_ref().filter(|_| params.flag("added_by_user")).map(|user| user.login.clone());
    let author = login.map_or(Author::Shop, Author::Person);
    let reader = if params.flag("customer_note") { Reader::Customer } else { Reader::Private };
    let id = notes::add(ctx, order, params.text("note").unwrap_or_default(), author, reader);
    let note = ctx.state.get(Kind::Note, id).ok_or_else(invalid)?;
    let location = ctx.rest_url(&format!("/wc/v3/orders/{order}/notes/{id}"));
    Ok(Reply::created(show(ctx, note), location))
}

/// The original says "Webhooks" here.
fn delete(ctx: &mut Ctx<'_>, params: &Params) -> Result<Reply, RestError> {
    if !params.flag("force") {
        let message = "Webhooks do not support trashing.";
        return Err(RestError::new("woocommerce_rest_trash_not_supported", message, 501));
    }
    let note = find(ctx, params)?;
    let (id, body) = (note.id, show(ctx, note));
    ctx.state.table_mut(Kind::Note).remove(&id);
    Ok(Reply::ok(body))
}

fn order_of(ctx: &Ctx<'_>, params: &Params) -> Result<u64, RestError> {
    let order = params.id("order_id");
    let missing = || RestError::new("woocommerce_rest_order_invalid_id", "Invalid order ID.", 404);
    ctx.state.get(Kind::Order, order).map(|order| order.id).ok_or_else(missing)
}

fn find<'a>(ctx: &'a Ctx<'_>, params: &Params) -> Result<&'a Object, RestError> {
    let order = order_of(ctx, params)?;
    ctx.state.get(Kind::Note, params.id("id")).filter(|note| note.parent == order).ok_or_else(invalid)
}

fn show(ctx: &Ctx<'_>, note: &Object) -> Value {
    let order = ctx.rest_url(&format!("/wc/v3/orders/{}", note.parent));
    let all = format!("{order}/notes");
    json!({
        "id": note.id,
        "author": note.text("author"),
        "date_created": ctx.local(note.created),
        "date_created_gmt": crate::date::gmt(note.created),
        "note": note.text("note"),
        "customer_note": note.flag("customer_note"),
        "_links": {
            "self": [{"href": format!("{all}/{}", note.id), "targetHints": {"allow": ["GET", "DELETE"]}}],
            "collection": [{"href": all}],
            "up": [{"href": order}],
        },
    })
}

fn invalid() -> RestError {
    RestError::new("woocommerce_rest_invalid_id", "Invalid resource ID.", 404)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Trial;

    #[test]
    fn a_note_neither_moves_the_order_nor_is_told() {
        let trial = Trial::new();
        let order = trial.made("/orders", json!({}));
        trial.told();
        trial.wait(60);
        let note = trial
            .made("/orders/200/notes", json!({"note": "On its way", "customer_note": true, "added_by_user": true}));
        assert_eq!(note["author"], "admin");
        assert_eq!(trial.told(), Vec::<String>::new());
        assert_eq!(trial.get("/orders/200")["date_modified"], order["date_modified"]);
    }

    #[test]
    fn notes_are_listed_by_reader_and_deleted_only_with_force() {
        let trial = Trial::new();
        trial.made("/orders", json!({}));
        let inner = trial.made("/orders/200/notes", json!({"note": "a"}));
        let outer = trial.made("/orders/200/notes", json!({"note": "b", "customer_note": true}));
        let listed = |kind: &str| trial.get(&format!("/orders/200/notes?type={kind}"));
        assert_eq!(listed("internal"), json!([inner]));
        assert_eq!(listed("customer"), json!([outer]));
        assert_eq!(listed("any"), json!([outer, inner]), "newest first");
        let route = format!("/orders/200/notes/{}", inner["id"]);
        assert_eq!(trial.ask("DELETE", &route, Value::Null).0, 501);
        assert_eq!(trial.ask("DELETE", &format!("{route}?force=true"), Value::Null).0, 200);
        assert_eq!(trial.ask("GET", &route, Value::Null).0, 404);
    }
}
