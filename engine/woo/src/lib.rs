//! woo
