//! The sandbox from outside: expressions, scripts, hostile input.

mod exact;
mod expressions;
mod hostile;
mod scripts;
mod golden;
mod plugins;
mod support;
mod templates;
mod woo;
