//! The tables of WooCommerce's objects against objects that a real store sent: every field is in its table and holds
//! what the table says, and what the tables name was seen. The recordings are not part of the repository;
//! `CARTWRIGHT_CORPUS` names their folder.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use cartwright_core::{
    Json,
    workflow::shapes::{self, Holds, Table},
};

fn read(folder: &Path) -> impl Iterator<Item = Json> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap())
}

/// Fields that were seen, as `table.field`.
type Seen = BTreeSet<String>;

fn check(tables: &[&'static Table], object: &Json, seen: &mut Seen, wrong: &mut BTreeSet<String>) {
    let Some(map) = object.as_object().filter(|map| !map.contains_key("code") || map.contains_key("amount")) else {
        return;
    };
    let varies = map.get("type").and_then(Json::as_str) == Some("variation");
    let tables: Vec<&'static Table> = match varies {
        true => tables.iter().copied().filter(|table| table.name == "variation").collect(),
        false => tables.to_vec(),
    };
    for (field, value) in map {
        let held: Vec<(&Table, Holds)> =
            tables.iter().filter_map(|table| Some((*table, table.field(field)?))).collect();
        if held.is_empty() {
            wrong.insert(format!("{}.{field} is not in the table", tables[0].name));
        }
        let fitting = held.iter().find(|(_, holds)| fits(*holds, value));
        match fitting {
            None if held.is_empty() => {}
            None => drop(wrong.insert(format!("{}.{field} holds {value}", tables[0].name))),
            Some((table, holds)) => {
                seen.insert(format!("{}.{field}", table.name));
                match (holds, value) {
                    (Holds::Map(table), value) => check(&[*table], value, seen, wrong),
                    (Holds::Items(table), Json::Array(items)) => {
                        items.iter().for_each(|item| check(&[*table], item, seen, wrong));
                    }
                    _ => {}
                }
            }
        }
    }
}

fn fits(holds: Holds, value: &Json) -> bool {
    if value.is_null() {
        return true;
    }
    let amount = |text: &str| text.is_empty() || text.parse::<f64>().is_ok();
    match holds {
        Holds::Any => true,
        Holds::Number => value.is_number(),
        Holds::Amount => value.as_str().is_some_and(amount),
        Holds::Text => value.is_string(),
        Holds::Bool => value.is_boolean(),
        Holds::Date => value.as_str().is_some_and(|text| text.len() == 19 && text.contains('T')),
        Holds::Numbers => value.as_array().is_some_and(|items| items.iter().all(Json::is_number)),
        Holds::Texts => value.as_array().is_some_and(|items| items.iter().all(Json::is_string)),
        Holds::Map(_) => value.is_object(),
        Holds::Items(_) => value.is_array(),
    }
}

#[test]
fn tables_agree_with_what_a_real_store_sent() {
    let Some(corpus) = std::env::var_os("CARTWRIGHT_CORPUS").filter(|path| !path.is_empty()).map(PathBuf::from) else {
        eprintln!("SKIPPED: CARTWRIGHT_CORPUS names no folder with recordings; this test held nothing");
        return;
    };
    let (mut seen, mut wrong, mut objects) = (Seen::new(), BTreeSet::new(), 0);
    for exchange in read(&corpus.join("exchanges")) {
        let status = exchange["response"]["status"].as_u64().unwrap_or_default();
        let target = exchange["request"]["target"].as_str().unwrap_or_default();
        let body = exchange["response"]["body"].as_str().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        // `_envelope` and `_fields` answer otherwise.
        let (Some(path), Ok(body), true, false) = (
            path.strip_prefix("/wp-json/wc/v3/"),
            serde_json::from_str::<Json>(body),
            status < 300,
            target.contains("_envelope"),
        ) else {
            continue;
        };
        let Some((tables, _)) = shapes::of_path(path) else { continue };
        for object in body.as_array().map_or(std::slice::from_ref(&body), Vec::as_slice) {
            objects += 1;
            check(&tables, object, &mut seen, &mut wrong);
        }
    }
    for delivery in read(&corpus.join("deliveries")) {
        let headers = delivery["headers"].as_array().cloned().unwrap_or_default();
        let topic = headers.iter().find(|header| header[0] == "X-WC-Webhook-Topic").map(|header| header[1].clone());
        let topic = topic.as_ref().and_then(Json::as_str).unwrap_or_default();
        let body = serde_json::from_str::<Json>(delivery["body_text"].as_str().unwrap_or_default());
        if let (Some(tables), Ok(body)) = (shapes::of_topic(topic), body) {
            objects += 1;
            check(&tables, &body, &mut seen, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(objects > 200, "only {objects} objects were found");
    let main = [
        &shapes::ORDER,
        &shapes::PRODUCT,
        &shapes::VARIATION,
        &shapes::CUSTOMER,
        &shapes::COUPON,
        &shapes::NOTE,
        &shapes::REFUND,
    ];
    let unseen: Vec<String> = main
        .iter()
        .flat_map(|table| table.fields.iter().map(|(field, _)| format!("{}.{field}", table.name)))
        .filter(|field| !seen.contains(field))
        .collect();
    assert!(unseen.is_empty(), "the recordings hold no {unseen:?}");
}
