//! Stores: who they are and the vault that seals what they trust us with.
//!
//! Read in this order: [`seal`] (how one value is sealed), [`master`] and [`key_source`] (the keys that wrap the keys, and
//! where they come from), [`vault`] (those keys in memory, and how they are replaced), [`store`] (a connected store),
//! [`secret`] (a named secret that workflows use), [`backup`] (all of that in one sealed file), [`client`] (calls to a store over a [`transport`]). Nothing here
//! touches storage: records go out as bytes and come back as bytes, and whoever runs the engine
//! keeps them.

pub mod seal;
mod sign;
pub mod master;
mod key_file;
pub mod key_source;
pub mod secret;
pub mod store;
pub mod vault;
pub mod backup;
pub mod transport;
pub mod client;
mod check;
mod once;
pub mod examine;

pub use client::{Ambience, Client, ClientOptions, Connection};
pub use key_file::MASTER_KEY_FILE;
pub use key_source::{KeyCommand, KeySource};
pub use master::MasterKey;
pub use seal::{DataKey, Scope, Sealed, Secret, WrappedKey};
pub use secret::{InvalidSecret, NamedSecret};
pub use sign::PROOF_BYTES;
pub use store::{InvalidStore, Store, StoreSettings};
pub use vault::{Rotation, Vault, VaultError};
