//! The sandbox from outside: expressions, scripts, hostile input.

mod expressions;
mod scripts;
mod support;
