//! The `cartwright` binary: the composition root. It reads the command line and the configuration, puts the crates
//! together, and says what happened.
//!
//! Read in this order: [`cli`] (what can be asked), [`config`] (file, environment, flags), [`data`] (the data folder),
//! [`assembly`] (crates become an engine), [`workflows`] and [`reload`] (files become workflows), [`client`] (how commands
//! reach an engine), [`command`] (one file a command), [`terminal`] (how answers look).

mod cli;
mod config;
mod stores_config;
mod vault_config;
mod plugins;
mod plugins_config;
mod when;
mod passphrase;
mod data;
mod assembly;
mod outside;
mod workflows;
mod reload;
mod client;
mod listen;
mod command;
mod demo;
mod failure;
mod log;
mod telemetry;
mod telemetry_config;
mod panic;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::read();
    let environment = config::Environment::read();
    let terminal = terminal::Terminal::new(cli.json, &environment);
    // One provider for everything that speaks TLS; a second installation is refused and changes nothing.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return terminal.fail(&failure::bug("a TLS provider was installed before start"));
    }
    match panic::guarded(|| command::run(cli, &environment, &terminal)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => terminal.fail(&failure),
    }
}
