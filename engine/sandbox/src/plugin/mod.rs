//! Plugins: WebAssembly components of the world in `sdk/wit`, run as durable functions like scripts, behind the same
//! host functions, grants and records.
//!
//! [`inspect`] reads a component without running it; [`Plugins`] loads it ([`compile`], [`cache`], [`code`]), and an
//! [`Execution`] runs one call of it: [`guest`] is the instance, [`link`] its imports, [`session`] what it has asked.
//! [`signature`] says who made a file.

mod limits;
mod error;
mod inspect;
mod signature;
mod config;
mod compile;
mod cache;
mod code;
mod bindings;
mod plugins;
mod execution;
mod guest;
mod link;
mod session;
mod values;
mod failure;
mod secrets;
mod limiter;
mod meter;
mod ticker;
mod trap;

pub use cache::CodeCache;
pub use compile::{Compile, InProcess, compile_file};
pub use error::PluginError;
pub use execution::{Execution, PluginCall};
pub use inspect::{CURRENT, Inspection, Version, hash_of, inspect};
pub use limits::PluginLimits;
pub use plugins::{LoadedPlugin, Plugins};
pub use secrets::PluginSecret;
pub use session::Usage;
pub use signature::{Keypair, PublicKey, Signature, SignatureError};
