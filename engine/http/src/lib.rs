//! The door: webhooks, HTTP triggers, the API and the status page.
//!
//! A webhook's way in: [`webhook`] reads the request, [`verify`] makes it trusted, and only then is it accepted.

pub mod hook;
pub mod json;
pub mod limits;
pub mod problem;
pub mod serve;
pub mod verify;
pub mod webhook;
