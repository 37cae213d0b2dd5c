//! Stores: who they are and the vault that seals what they trust us with.
//!
//! Read in this order: [`seal`] (how one value is sealed), [`vault`] (the master key on disk), [`store`] (a connected
//! store), [`secret`] (a named secret that workflows use). Nothing here touches storage: records go out as bytes and
//! come back as bytes, and whoever runs the engine keeps them.

pub mod seal;
pub mod secret;
pub mod store;
pub mod vault;
pub mod transport;

#[cfg_attr(not(test), expect(dead_code, reason = "the client calls it before it sends"))]
mod check;

pub use seal::{DataKey, Scope, Sealed, Secret, WrappedKey};
pub use secret::{InvalidSecret, NamedSecret};
pub use store::{InvalidStore, Store, StoreSettings};
pub use vault::{Vault, VaultError};
