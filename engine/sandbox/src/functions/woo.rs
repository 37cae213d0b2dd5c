//! `woo::*`: calls to a store's REST API. Each gives the one canonical map of [`cartwright_core::woo`], which also says
//! what the engine may do with the call; the map's own reader is the only parser.

use cartwright_core::{Json, woo::WooRequest};
use serde_json::{Map, json};

use super::{Answer, FunctionSpec, Prepared, take};

/// Scripts have no use for secrets here: the engine signs these calls itself.
const ANSWER: Answer = Answer::Engine { secrets: false };

pub(super) const FUNCTIONS: &[FunctionSpec] = &[
    FunctionSpec {
        name: "woo::get",
        signature: "woo::get(path, [query], [options])",
        doc: "Reads from the store: an object (`orders/61`) or one page of a list (`orders`). Options: store, query.",
        arguments: 1..=3,
        answer: ANSWER,
        prepare: |_, args| request("GET", false, Second::Query, args),
    },
    FunctionSpec {
        name: "woo::all",
        signature: "woo::all(path, [query], [options])",
        doc: "Reads every page of a list and gives one list. Options: store, query.",
        arguments: 1..=3,
        answer: ANSWER,
        prepare: |_, args| request("GET", true, Second::Query, args),
    },
    FunctionSpec {
        name: "woo::post",
        signature: "woo::post(path, [body], [options])",
        doc: "Creates something in the store, once; gives what was created. Options: store, query.",
        arguments: 1..=3,
        answer: ANSWER,
        prepare: |_, args| request("POST", false, Second::Body, args),
    },
    FunctionSpec {
        name: "woo::put",
        signature: "woo::put(path, [body], [options])",
        doc: "Changes something in the store; gives it as it is then. Options: store, query.",
        arguments: 1..=3,
        answer: ANSWER,
        prepare: |_, args| request("PUT", false, Second::Body, args),
    },
    FunctionSpec {
        name: "woo::delete",
        signature: "woo::delete(path, [query], [options])",
        doc: "Removes something from the store; #{ force: true } where it has no trash. Options: store, query, body.",
        arguments: 1..=3,
        answer: ANSWER,
        prepare: |_, args| request("DELETE", false, Second::Query, args),
    },
];

/// What a function's second argument is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Second {
    Query,
    Body,
}

fn request(method: &str, all: bool, second: Second, mut args: Vec<Json>) -> Result<Prepared, String> {
    let mut spec = Map::new();
    spec.insert("method".into(), json!(method));
    spec.insert("path".into(), take(&mut args, 0));
    let (key, known): (&str, &[&str]) = match (second, method) {
        (Second::Body, _) => ("body", &["store", "query"]),
        (Second::Query, "DELETE") => ("query", &["store", "query", "body"]),
        (Second::Query, _) => ("query", &["store", "query"]),
    };
    let given = take(&mut args, 1);
    if !given.is_null() {
        spec.insert(key.into(), given);
    }
    for (option, value) in options(take(&mut args, 2))? {
        if !known.contains(&option.as_str()) {
            let hint = crate::source::path::suggest(&option, known.iter().copied());
            return Err(format!("there is no option `{option}`{hint}"));
        }
        if spec.contains_key(&option) {
            return Err(format!("give the {option} once: as the second argument or as an option"));
        }
        spec.insert(option, value);
    }
    if all {
        spec.insert("all".into(), json!(true));
    }
    let request = WooRequest::parse(&Json::Object(spec))?;
    Ok(Prepared { kind: request.kind(), args: vec![request.spec()], summary: request.summary() })
}

/// Options without those that are `()`.
fn options(options: Json) -> Result<impl Iterator<Item = (String, Json)>, String> {
    let map = match options {
        Json::Null => Map::new(),
        Json::Object(map) => map,
        _ => return Err("options must be a map: #{ store: \"other-shop\" }".into()),
    };
    Ok(map.into_iter().filter(|(_, value)| !value.is_null()))
}
