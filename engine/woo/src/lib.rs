//! Stores: who they are and the vault that seals what they trust us with.
//!
//! Read in this order: [`seal`] (how one value is sealed), [`vault`] (the master key on disk), [`store`] (a connected
//! store), [`secret`] (a named secret that workflows use), [`client`] (calls to a store over a [`transport`]). Nothing here touches storage: records go out as bytes and
//! come back as bytes, and whoever runs the engine keeps them.

pub mod seal;
pub mod secret;
pub mod store;
pub mod vault;
pub mod transport;
pub mod client;
mod check;

pub use client::{Ambience, Client, ClientOptions, Connection};
pub use seal::{DataKey, Scope, Sealed, Secret, WrappedKey};
pub use secret::{InvalidSecret, NamedSecret};
pub use store::{InvalidStore, Store, StoreSettings};
pub use vault::{Vault, VaultError};
