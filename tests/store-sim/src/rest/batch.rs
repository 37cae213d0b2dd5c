//! `POST …/batch`: create, update and delete lists, one item after another, each on its own. Items are not checked
//! against the schema; that is the original's doing.

use serde_json::{Map, Value, json};

use super::args::{Arg, Default, Is};
use super::{Ctx, Handler, Params, Reply, RestError};

/// Items of all three lists together that one request may hold.
const MAX_ITEMS: usize = 100;

/// What DELETE takes.
pub const DELETE_ARGS: &[Arg] = &[Arg::new("force", Is::Flag).or(Default::Flag(false))];

/// Who does what for one item.
pub struct Verbs {
    /// Creates one.
    pub create: Handler,
    /// Updates one.
    pub update: Handler,
    /// Deletes one; always with `force`.
    pub delete: Handler,
    /// A variable of the route that every item gets: `product_id`.
    pub parent: Option<&'static str>,
}

/// Runs a batch.
pub fn run(ctx: &mut Ctx<'_>, params: &Params, verbs: &Verbs) -> Result<Reply, RestError> {
    let lists = ["create", "update", "delete"].map(|name| items(params.get(name)));
    if lists.iter().map(Vec::len).sum::<usize>() > MAX_ITEMS {
        let message = "Unable to accept more than 100 items for this request.";
        return Err(RestError::new("woocommerce_rest_request_entity_too_large", message, 413));
    }
    let [create, update, delete] = lists;
    let parent = verbs.parent.and_then(|name| Some((name, params.get(name)?.clone())));
    let with_parent = |mut item: Map<String, Value>| {
        if let Some((name, value)) = &parent {
            item.insert((*name).to_owned(), value.clone());
        }
        item
    };
    let mut answer = Map::new();
    let mut note = |list: &str, item: Value| match answer.entry(list).or_insert_with(|| json!([])) {
        Value::Array(items) => items.push(item),
        _ => unreachable!("only lists are entered"),
    };
    for item in create {
        note("create", outcome((verbs.create)(ctx, &Params::of(with_parent(fields(item)))), &json!(0)));
    }
    for item in update {
        let item = fields(item);
        let id = item.get("id").cloned().unwrap_or_default();
        note("update", outcome((verbs.update)(ctx, &Params::of(with_parent(item))), &id));
    }
    for item in delete {
        let id = item.get("id").cloned().unwrap_or(item);
        let Some(number) = super::params::to_int(&id).filter(|id| *id != 0) else {
            continue;
        };
        let item = with_parent(fields(json!({"id": number, "force": true})));
        let named = if parent.is_some() { delete_name(&item, number) } else { json!(number) };
        note("delete", outcome((verbs.delete)(ctx, &Params::of(item)), &named));
    }
    Ok(Reply::ok(if answer.is_empty() { json!([]) } else { Value::Object(answer) }))
}

/// How a failed delete below a parent names its item: by all it was asked with.
fn delete_name(item: &Map<String, Value>, id: i64) -> Value {
    let numbered = |(name, value): (&String, &Value)| {
        (
            name.clone(),
            super::params::to_int(value).filter(|_| name != "force").map_or(value.clone(), |number| json!(number)),
        )
    };
    let mut named: Map<String, Value> = item.iter().map(numbered).collect();
    named.insert("id".to_owned(), json!(id));
    Value::Object(named)
}

fn items(list: Option<&Value>) -> Vec<Value> {
    match list {
        Some(Value::Array(items)) => items.clone(),
        Some(Value::Object(items)) => items.values().cloned().collect(),
        _ => Vec::new(),
    }
}

fn fields(item: Value) -> Map<String, Value> {
    match item {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn outcome(result: Result<Reply, RestError>, id: &Value) -> Value {
    match result {
        Ok(reply) => reply.body,
        Err(error) => json!({"id": id, "error": error.body()}),
    }
}
