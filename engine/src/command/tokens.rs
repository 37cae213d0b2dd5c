//! `cartwright token`: who may use the API. A token is shown once, when it is made.

use cartwright_core::Json;
use serde_json::json;

use super::{Context, field, segment, time_of};
use crate::{
    cli::{TokenCreate, Tokens},
    failure::Result,
    terminal::{Table, Tone, ago},
};

const MAX_LISTED: usize = 100_000;

pub(super) async fn run(command: Tokens, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    match command {
        Tokens::Create(wanted) => return create(wanted, context).await,
        Tokens::Ls => {
            let session = context.look().await?;
            let tokens = session.client.list("/api/v1/tokens", &[], MAX_LISTED).await;
            return list(&session.end(tokens).await?, context);
        }
        Tokens::Revoke { id } => {
            let session = context.look().await?;
            let revoked = session.client.delete(&format!("/api/v1/tokens/{}", segment(&id))).await;
            session.end(revoked).await?;
            if terminal.json {
                return terminal.data(&json!({ "id": id, "revoked": true }));
            }
            terminal.line(format_args!("token {id} is revoked"));
        }
    }
    Ok(())
}

async fn create(wanted: TokenCreate, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let body = json!({
        "name": wanted.name,
        "scopes": wanted.scope,
        "stores": if wanted.store.is_empty() { Json::Null } else { json!(wanted.store) },
        "expires": wanted.expires.map(|span| context.now().plus(span)),
        "requests_per_second": wanted.rate,
    });
    let session = context.change().await?;
    let made = session.client.post("/api/v1/tokens", &body).await;
    let made = session.end(made).await?;
    if terminal.json {
        return terminal.data(&made);
    }
    terminal.note(format_args!("token {} ({}); it is shown this once:", field(&made, "name"), field(&made, "id")));
    terminal.line(field(&made, "token"));
    Ok(())
}

fn list(tokens: &[Json], context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    if terminal.json {
        return terminal.data(&tokens);
    }
    if tokens.is_empty() {
        terminal.note("no tokens; make one with `cartwright token create --name N --scope runs:read`");
        return Ok(());
    }
    let mut table = Table::new(&["TOKEN", "NAME~", "SCOPES~", "STORES~", "EXPIRES", "REQUESTS", "LAST USED"]);
    for token in tokens {
        let words = |key: &str| {
            let all = token.get(key).and_then(Json::as_array).into_iter().flatten();
            all.filter_map(Json::as_str).collect::<Vec<_>>().join(", ")
        };
        let day = |key: &str| field(token, key).chars().take(10).collect::<String>();
        let used = time_of(token, "last_used").map(|time| ago(time, context.now())).unwrap_or_else(|| "never".into());
        let stores = if token.get("stores").is_none_or(Json::is_null) { "all".to_owned() } else { words("stores") };
        let cells = [
            field(token, "id"),
            field(token, "name"),
            words("scopes"),
            stores,
            day("expires"),
            field(token, "requests"),
            used,
        ];
        table.row(cells.map(|text| (Tone::Plain, text)).to_vec());
    }
    terminal.lines(table.lines(terminal));
    Ok(())
}
