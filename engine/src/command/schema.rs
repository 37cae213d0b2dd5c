//! `cartwright schema`: the JSON Schema of workflow files and of their tests, for editors.

use super::Context;
use crate::{cli::Schema, failure::Result};

pub(super) fn run(command: &Schema, context: &Context) -> Result<()> {
    let schema = match command.tests {
        false => cartwright_core::workflow::json_schema(),
        true => cartwright_core::testing::json_schema(),
    };
    context.terminal.data(&schema)
}
