//! Tests beside workflows: what a file `NAME.test.yaml` says, what a case's runs came to, and what of it is not as
//! expected. `engine/docs/testing.md` describes the form for people; the runner is in the `run` crate.
//!
//! The way of a case: [`parse()`] (file → [`TestFile`]) → [`check()`] (against its workflow) → `run` plays it and makes an
//! [`Outcome`] → [`judge()`] (differences) and [`Coverage`].

mod fields;
mod model;
mod pattern;
mod parse;
mod parse_start;
mod parse_stub;
mod parse_expect;
mod check;
mod outcome;
mod response;
mod value;
mod judge;
mod judge_calls;
mod same;
mod coverage;
mod schema;

pub use check::check;
pub use coverage::{Coverage, Way};
pub use judge::{Difference, How, judge};
pub use model::*;
pub use outcome::*;
pub use parse::{Parsed, parse};
pub use pattern::{Glob, Pattern};
pub use response::{AnsweredBy, Response};
pub use same::changes;
pub use schema::json_schema;
pub use value::{canonical, fits};
