//! `cartwright user`: who signs in. A link is shown once; a password is typed or piped in, never an argument.

use cartwright_core::Json;
use serde_json::{Map, json};

use super::{Context, field, segment, time_of};
use crate::{
    cli::{RoleArgs, Users},
    failure::Result,
    passphrase,
    terminal::{Table, Tone, ago},
};

const MAX_LISTED: usize = 100_000;

pub(super) async fn run(command: Users, context: &Context) -> Result<()> {
    match command {
        Users::Ls => list(context).await,
        Users::Invite(role) => invite(&role, context).await,
        Users::Role { name, role } => {
            let done = change(&name, &json!({ "roles": [role_of(&role)] }), context).await?;
            tell(context, &done, format_args!("{name} is {} now", words(&done)))
        }
        Users::Password { name } => {
            let password = passphrase::new_password(&name, &context.terminal)?;
            let done = change(&name, &json!({ "password": password }), context).await?;
            tell(context, &done, format_args!("{name} has another password; their sessions are over"))
        }
        Users::Rm { name } => {
            let session = context.look().await?;
            let removed = session.client.delete(&target(&name)).await;
            session.end(removed).await?;
            let done = json!({ "name": name, "removed": true });
            tell(context, &done, format_args!("{name} is removed; their sessions are over"))
        }
    }
}

fn tell(context: &Context, done: &Json, said: std::fmt::Arguments<'_>) -> Result<()> {
    if context.terminal.json {
        return context.terminal.data(done);
    }
    context.terminal.line(said);
    Ok(())
}

fn target(name: &str) -> String {
    format!("/api/v1/users/{}", segment(name))
}

/// A role as the API takes it.
fn role_of(wanted: &RoleArgs) -> Json {
    let mut role = Map::from_iter([("role".to_owned(), json!(wanted.role))]);
    if !wanted.store.is_empty() {
        role.insert("stores".into(), json!(wanted.store));
    }
    Json::Object(role)
}

async fn change(name: &str, body: &Json, context: &Context) -> Result<Json> {
    let session = context.look().await?;
    let changed = session.client.put(&target(name), body).await;
    session.end(changed).await
}

async fn invite(role: &RoleArgs, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let session = context.change().await?;
    let made = session.client.post("/api/v1/users/invitations", &json!({ "roles": [role_of(role)] })).await;
    let base = session.client.base().map(str::to_owned);
    let mut made = session.end(made).await?;
    let link = base.as_ref().map(|base| format!("{base}{}", field(&made, "path")));
    if terminal.json {
        if let Json::Object(made) = &mut made {
            made.insert("url".into(), json!(link));
        }
        return terminal.data(&made);
    }
    let expires = time_of(&made, "expires").map(|time| ago(time, context.now())).unwrap_or_default();
    terminal
        .note(format_args!("a link for one person, {}; it works once and ends {expires}:", words_of(&role_of(role))));
    match link {
        Some(link) => terminal.line(link),
        None => {
            terminal.line(field(&made, "path"));
            terminal.note("no engine runs on this data folder: put the engine's address in front once it does");
        }
    }
    Ok(())
}

async fn list(context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let session = context.look().await?;
    let people = session.client.list("/api/v1/users", &[], MAX_LISTED).await;
    let people = session.end(people).await?;
    if terminal.json {
        return terminal.data(&people);
    }
    if people.is_empty() {
        terminal.note("nobody has joined yet; `cartwright user invite --role owner` makes a link");
        return Ok(());
    }
    let mut table = Table::new(&["NAME~", "ROLE~", "SINCE"]);
    for person in &people {
        let since = time_of(person, "created").map(|time| ago(time, context.now())).unwrap_or_default();
        table.row([field(person, "name"), words(person), since].map(|text| (Tone::Plain, text)).to_vec());
    }
    terminal.lines(table.lines(terminal));
    Ok(())
}

/// A person's roles: `viewer, operator at tag:eu`.
fn words(person: &Json) -> String {
    let roles = person.get("roles").and_then(Json::as_array).into_iter().flatten();
    roles.map(words_of).collect::<Vec<_>>().join(", ")
}

fn words_of(role: &Json) -> String {
    let stores: Vec<&str> =
        role.get("stores").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
    let name = field(role, "role");
    if stores.is_empty() { name } else { format!("{name} at {}", stores.join(", ")) }
}
