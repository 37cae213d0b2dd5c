//! `token`, `user` and `audit` on the command line: who may do what, and who did.

use std::time::Duration;

use cartwright_core::{
    access::{Role, Scope},
    id::StoreId,
    workflow::StoreSelector,
};
use clap::{Args, Subcommand};

use super::parse_span;
use crate::when::When;

#[derive(Debug, Subcommand)]
pub(crate) enum Tokens {
    /// Make a token; it is shown this once
    Create(TokenCreate),
    /// List tokens with how they were used, never the tokens
    Ls,
    /// End a token
    Revoke {
        /// Its id, from `token ls`
        id: String,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cartwright token create --name ci --scope runs:read --expires 90d\n  cartwright token create --name eu --scope events:write --store tag:eu"
)]
pub(crate) struct TokenCreate {
    /// What people call it; unique
    #[arg(long)]
    pub(crate) name: String,
    /// What it may do: `admin`, or an area and a right such as `runs:read`; may be repeated
    #[arg(long, required = true, value_delimiter = ',', value_name = "SCOPE")]
    pub(crate) scope: Vec<Scope>,
    /// Only at this store, or `tag:T` for a group; may be repeated [default: everywhere]
    #[arg(long, value_name = "ID")]
    pub(crate) store: Vec<StoreSelector>,
    /// How long it works: `90d`, `12h` [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub(crate) expires: Option<Duration>,
    /// Requests a second that it may make [default: no limit of its own]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    /// List people and their roles
    Ls,
    /// Make a link, for a day and once, with which somebody chooses a name and a password
    Invite(RoleArgs),
    /// Give a person another role
    Role {
        /// Who
        name: String,
        #[command(flatten)]
        role: RoleArgs,
    },
    /// Give a person another password, which is asked for or read from standard input; their sessions end
    Password {
        /// Who
        name: String,
    },
    /// Remove a person; their sessions end
    Rm {
        /// Who
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RoleArgs {
    /// `viewer` looks, `operator` also moves runs, `owner` may do everything
    #[arg(long, value_parser = parse_role)]
    pub(crate) role: Role,
    /// Only at this store, or `tag:T` for a group; may be repeated [default: everywhere]
    #[arg(long, value_name = "ID")]
    pub(crate) store: Vec<StoreSelector>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List changes, newest first
    Ls(AuditLs),
}

#[derive(Debug, Args)]
pub(crate) struct AuditLs {
    /// Made by one: `admin`, `token:NAME`, `user:NAME`
    #[arg(long)]
    pub(crate) who: Option<String>,
    /// Of one kind: `store.add`, `run.retry`, `token.revoke`, …
    #[arg(long)]
    pub(crate) what: Option<String>,
    /// About one store
    #[arg(long, value_name = "ID")]
    pub(crate) store: Option<StoreId>,
    /// Made since then: `2h` ago, a day, or a time
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<When>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
}

fn parse_role(text: &str) -> Result<Role, String> {
    match text {
        "viewer" => Ok(Role::Viewer),
        "operator" => Ok(Role::Operator),
        "owner" => Ok(Role::Owner),
        _ => Err("use viewer, operator or owner".into()),
    }
}
