//! run

pub mod outbound;
