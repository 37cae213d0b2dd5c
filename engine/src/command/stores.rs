//! `cartwright store`: whom the engine works for.

use cartwright_core::Json;
use serde_json::{Map, json};

use super::{Context, field, time_of};
use crate::{
    cli::{StoreAdd, Stores},
    failure::{Result, usage},
    terminal::{Table, Tone, ago},
};

const MAX_LISTED: usize = 100_000;

pub(super) async fn run(command: Stores, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    match command {
        Stores::Add(store) => {
            let (id, body) = (store.id.clone(), settings(store)?);
            let session = context.change().await?;
            let added = session.client.post("/api/v1/stores", &body).await;
            let added = session.end(added).await?;
            if terminal.json {
                return terminal.data(&added);
            }
            terminal.line(format_args!("store {id} is connected"));
            terminal.note(format_args!("its webhooks go to /webhooks/{id} at this engine's public address"));
        }
        Stores::Ls => {
            let session = context.look().await?;
            let stores = session.client.list("/api/v1/stores", &[], MAX_LISTED).await;
            return list(&session.end(stores).await?, context);
        }
        Stores::Rm { id } => {
            let session = context.look().await?;
            let removed = session.client.delete(&format!("/api/v1/stores/{id}")).await;
            session.end(removed).await?;
            if terminal.json {
                return terminal.data(&json!({ "id": id, "removed": true }));
            }
            terminal.line(format_args!("store {id} is removed; its events and runs stay"));
        }
    }
    Ok(())
}

fn settings(store: StoreAdd) -> Result<Json> {
    if store.key.is_some() != store.secret.is_some() {
        return Err(usage("a REST key and its secret belong together: give both --key and --secret"));
    }
    let mut body = Map::new();
    body.insert("id".into(), json!(store.id));
    let given = [("url", store.url), ("key", store.key), ("secret", store.secret)];
    body.extend(given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value?)))));
    body.insert("webhook_secrets".into(), json!(store.webhook_secret));
    body.insert("tags".into(), json!(store.tag));
    Ok(Json::Object(body))
}

fn list(stores: &[Json], context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    if terminal.json {
        return terminal.data(&stores);
    }
    if stores.is_empty() {
        terminal.note("no stores; add one with `cartwright store add ID --url URL --webhook-secret S`");
        return Ok(());
    }
    let mut table = Table::new(&["STORE", "URL~", "TAGS~", "WEBHOOK SECRETS", "ADDED"]);
    for store in stores {
        let tags = store.get("tags").and_then(Json::as_array).into_iter().flatten();
        let tags: Vec<&str> = tags.filter_map(Json::as_str).collect();
        let added = time_of(store, "created").map(|time| ago(time, context.now())).unwrap_or_default();
        let cells = [field(store, "id"), field(store, "url"), tags.join(", "), field(store, "webhook_secrets"), added];
        table.row(cells.map(|text| (Tone::Plain, text)).to_vec());
    }
    terminal.lines(table.lines(terminal));
    Ok(())
}
