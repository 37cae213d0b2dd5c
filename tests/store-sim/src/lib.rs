//! A look-alike of a WooCommerce store: its REST API and webhooks as measured on WooCommerce 11.0.1, over state in
//! memory. Hundreds of them fit into one process. It depends on nothing else of ours, so that it can be wrong only on
//! its own.
//!
//! `Shop::handle` is the whole REST API as a function from request to answer; the server around it adds faults, and
//! the queue beside it sends webhooks.
//!
//! To add a resource: one file under `rest/` with a `Resource` (or plain `Route`s) and its handlers, one line in
//! `rest/route.rs`. `rest/terms.rs` is the shortest example.

pub mod date;
pub mod orders;
pub mod faults;
pub mod rest;
pub mod server;
pub mod shop;
pub mod state;
pub mod storefront;
pub mod webhooks;
#[cfg(test)]
mod testing;
pub mod wire;

pub use shop::{Happened, Listener, Shop, ShopConfig, TaxSettings};
pub use storefront::Basket;
pub use wire::{Request, Response};
