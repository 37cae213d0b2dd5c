//! The one integration binary. First what holds the repository's shape, then what drives the real `cartwright`.

mod arrows;
mod dependencies;
mod files;
