//! `cartwright store`: whom the engine works for.

mod report;

use cartwright_core::Json;
use cartwright_woo::Secret;
use serde_json::{Map, json};

use super::{Context, field, time_of};
use crate::{
    cli::{StoreAdd, Stores},
    failure::{Result, usage},
    passphrase,
    terminal::{Table, Tone, ago},
};

const MAX_LISTED: usize = 100_000;

/// What the environment says about a store that is added.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoreSecrets {
    key: Option<Secret>,
    secret: Option<Secret>,
    webhook_secret: Option<Secret>,
}

impl StoreSecrets {
    /// Keeps a variable if it is one of these.
    pub(crate) fn take(&mut self, variable: &str, value: &str) -> bool {
        let kept = match variable {
            "CARTWRIGHT_STORE_KEY" => &mut self.key,
            "CARTWRIGHT_STORE_SECRET" => &mut self.secret,
            "CARTWRIGHT_STORE_WEBHOOK_SECRET" => &mut self.webhook_secret,
            _ => return false,
        };
        *kept = Some(Secret::new(value));
        true
    }
}

pub(super) async fn run(command: Stores, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    match command {
        Stores::Add(store) => return add(store, context).await,
        Stores::Test(test) => return report::test(&test, context).await,
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

/// Adds a store and, where its keys are given, looks whether they work. The store is kept whatever comes of that.
async fn add(store: StoreAdd, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let store = with_secrets(store, context)?;
    let (id, tests, body) = (store.id.clone(), store.key.is_some() && !store.no_test, settings(store)?);
    let session = context.change().await?;
    let done = async {
        let added = session.client.post("/api/v1/stores", &body).await?;
        let tested = if tests { Some(report::ask(&session.client, id.as_str()).await?) } else { None };
        Ok((added, tested))
    };
    let done = done.await;
    let (mut added, tested) = session.end(done).await?;
    if terminal.json {
        if let (Json::Object(added), Some(report)) = (&mut added, tested) {
            added.insert("test".into(), report);
        }
        return terminal.data(&added);
    }
    terminal.line(format_args!("store {id} is connected"));
    terminal.note(format_args!("its webhooks go to /webhooks/{id} at this engine's public address"));
    if added.get("rest_keys") == Some(&json!(false)) {
        terminal.note("warning: no REST key was given: workflows cannot call this store (--key ck_… --secret cs_…)");
    }
    if let Some(report) = &tested {
        report::print(report, terminal);
    }
    Ok(())
}

/// What arguments leave out comes from the environment; `-` is asked for, so that it is in no process list.
fn with_secrets(mut store: StoreAdd, context: &Context) -> Result<StoreAdd> {
    let (known, terminal) = (&context.store_secrets, &context.terminal);
    let text = |secret: &Option<Secret>| Some(String::from_utf8_lossy(secret.as_ref()?.expose()).into_owned());
    store.key = store.key.or_else(|| text(&known.key));
    store.secret = store.secret.or_else(|| text(&known.secret));
    if store.webhook_secret.is_empty() {
        store.webhook_secret.extend(text(&known.webhook_secret));
    }
    let asked = [("the REST key", store.key.as_mut()), ("the REST key's secret", store.secret.as_mut())];
    let given = asked.into_iter().filter_map(|(what, value)| Some((what, value?)));
    let given = given.chain(store.webhook_secret.iter_mut().map(|value| ("the webhooks' secret", value)));
    for (what, value) in given.filter(|(_, value)| *value == "-") {
        *value = passphrase::secret(what, terminal)?;
    }
    Ok(store)
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
    let mut table = Table::new(&["STORE", "URL~", "TAGS~", "KEYS", "WEBHOOK SECRETS", "ADDED"]);
    for store in stores {
        let tags = store.get("tags").and_then(Json::as_array).into_iter().flatten();
        let tags: Vec<&str> = tags.filter_map(Json::as_str).collect();
        let added = time_of(store, "created").map(|time| ago(time, context.now())).unwrap_or_default();
        let keys = if store.get("rest_keys") == Some(&json!(true)) { "yes" } else { "no" }.to_owned();
        let secrets = field(store, "webhook_secrets");
        let cells = [field(store, "id"), field(store, "url"), tags.join(", "), keys, secrets, added];
        table.row(cells.map(|text| (Tone::Plain, text)).to_vec());
    }
    terminal.lines(table.lines(terminal));
    Ok(())
}
