//! `cartwright plugin`: beginning, building, checking, installing and removing plugins.

mod add;
mod build;
mod check;
mod component;
mod ls;
mod new;
mod rm;
mod sign;
mod template;

use super::Context;
use crate::{cli::Plugins, failure::Result};

pub(super) fn run(command: &Plugins, context: &Context) -> Result<()> {
    match command {
        Plugins::New(new) => new::run(new, &context.terminal),
        Plugins::Build(build) => build::run(build, context),
        Plugins::Check { path } => check::run(path, context),
        Plugins::Add(add) => add::run(add, context),
        Plugins::Keygen { file } => sign::keygen(file, &context.terminal),
        Plugins::Sign { file, key } => sign::sign(file, key, &context.terminal),
        Plugins::Ls => ls::run(context),
        Plugins::Rm { name, force } => rm::run(name, *force, context),
    }
}
