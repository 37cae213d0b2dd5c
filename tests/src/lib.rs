//! Shared pieces of the tests: the engine as a process, the world around it, and made-up or recorded traffic.
//!
//! Everything here is synchronous and bounded in time; a wait that does not end fails the test with what it saw.

#![recursion_limit = "256"]

pub mod corpus;
pub mod engine;
pub mod entrances;
pub mod environment;
pub mod live;
pub mod orders;
pub mod random;
pub mod shops;
pub mod sign;
pub mod sink;
pub mod wire;
