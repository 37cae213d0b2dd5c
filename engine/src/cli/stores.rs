//! `store`, `secret` and `key` on the command line.

use cartwright_core::id::StoreId;
use clap::{Args, Subcommand};

use super::Outside;

#[derive(Debug, Subcommand)]
pub(crate) enum Stores {
    /// Add a store, or change the one of this id
    Add(StoreAdd),
    /// List stores
    Ls,
    /// Find out whether stores can be called with their keys, what is wrong and what to do; changes nothing there
    Test(StoreTest),
    /// Remove a store; its events and runs stay
    Rm {
        /// The store
        id: StoreId,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  cartwright store add my-shop --url https://shop.example --key - --secret -\n  cartwright store add my-shop --webhook-secret - (beside those it has)"
)]
pub(crate) struct StoreAdd {
    /// Its name here: a-z, 0-9, `-`, `_`
    pub(crate) id: StoreId,
    /// Its address
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// A REST key (`ck_…`); `-` asks for it, as for the two below [env: CARTWRIGHT_STORE_KEY]
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) key: Option<String>,
    /// The REST key's secret (`cs_…`) [env: CARTWRIGHT_STORE_SECRET]
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) secret: Option<String>,
    /// The secret its webhooks are signed with; may be repeated while one replaces another
    /// [env: CARTWRIGHT_STORE_WEBHOOK_SECRET]
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) webhook_secret: Vec<String>,
    /// A group it belongs to; may be repeated
    #[arg(long)]
    pub(crate) tag: Vec<String>,
    /// Do not call the store to see whether its keys work
    #[arg(long)]
    pub(crate) no_test: bool,
    #[command(flatten)]
    pub(crate) outside: Outside,
}

#[derive(Debug, Args)]
pub(crate) struct StoreTest {
    /// The stores
    #[arg(required_unless_present = "all", value_name = "ID")]
    pub(crate) ids: Vec<StoreId>,
    /// All stores
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) outside: Outside,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// Set a secret; its value is read from standard input
    Set {
        /// Its name, as in `secrets.NAME`
        name: String,
    },
    /// List names, never values
    Ls,
    /// Remove a secret
    Rm {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Replace the master key while everything goes on; safe to interrupt and to run again
    Rotate {
        /// Also replace the keys it wraps and seal every value anew
        #[arg(long)]
        data_keys: bool,
    },
    /// List master keys by id and what they seal, never the keys
    Ls,
}
