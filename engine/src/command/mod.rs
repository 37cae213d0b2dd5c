//! One file a command. [`Context`] is what they share, [`Session`] how they reach an engine.

mod anew;
mod approvals;
mod audit;
mod backup;
mod bulk;
mod check;
mod check_known;
mod check_watch;
mod explain;
mod doctor;
mod fmt;
mod health;
mod events;
mod export;
mod gates;
mod import;
mod diff;
mod keys;
mod manual;
mod operate;
mod plugin;
mod replay;
mod redact;
mod replay_check;
mod replay_events;
mod restore;
mod resume;
mod run;
mod runs;
mod schema;
mod secrets;
mod slots;
pub(crate) mod serve;
mod stores;
mod test;
mod tokens;
mod users;
mod watch;
mod workflows;

use std::path::PathBuf;

use cartwright_core::{Json, time::Timestamp};
use cartwright_run::{Clock as _, Engine, SystemClock};
use cartwright_woo::Secret;

use crate::{
    assembly,
    cli::{Cli, Command, Outside, Stores},
    client::Client,
    config::{Config, Environment, Flags},
    data::DataFolder,
    demo,
    failure::{Failure, OrFail as _, Result, bug, environment, usage},
    plugins,
    terminal::Terminal,
};

pub(crate) use check::print as print_findings;
pub(crate) use stores::StoreSecrets;

/// What every command is given.
pub(crate) struct Context {
    pub(crate) terminal: Terminal,
    pub(crate) config: Config,
    /// The data folder was named by a flag or the environment.
    pub(crate) data_is_named: bool,
    /// It was named by the flag.
    pub(crate) data_is_flag: bool,
    /// What the environment says backups are sealed under.
    pub(crate) passphrase: Option<Secret>,
    /// What the environment says about a store to add.
    pub(crate) store_secrets: StoreSecrets,
    /// A Rust compiler that builds plugins where the usual one cannot.
    pub(crate) guest_rustc: Option<PathBuf>,
    /// `CARTWRIGHT_*` variables that mean nothing.
    pub(crate) unknown_variables: Vec<String>,
}

/// Runs what the command line asks for.
pub(crate) fn run(cli: Cli, environment: &Environment, terminal: &Terminal) -> Result<()> {
    // These say how the program is used, whatever the configuration holds.
    match &cli.command {
        Command::Completions { shell } => {
            manual::completions(*shell, terminal);
            return Ok(());
        }
        Command::CompilePlugin { component, out } => return plugins::compile(component, out),
        Command::Man { output } => return manual::man(output.as_deref(), terminal),
        _ => {}
    }
    let flags = flags(&cli);
    let data_is_flag = flags.data.is_some();
    let data_is_named = flags.data.is_some() || environment.names_data();
    let config = Config::load(flags, environment)?;
    let context = Context {
        terminal: terminal.clone(),
        config,
        data_is_named,
        data_is_flag,
        passphrase: environment.passphrase.clone(),
        store_secrets: environment.store_secrets.clone(),
        guest_rustc: environment.guest_rustc.clone(),
        unknown_variables: environment.unknown.clone(),
    };
    let workers = match &cli.command {
        Command::Serve(_) | Command::Demo(_) => None,
        _ => Some(1),
    };
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = workers {
        builder.worker_threads(workers);
    }
    let runtime = builder.enable_all().build().or_environment("cannot start the runtime")?;
    runtime.block_on(Box::pin(dispatch(cli.command, &context)))
}

fn flags(cli: &Cli) -> Flags {
    let mut flags = Flags {
        config: cli.config.clone(),
        data: cli.data.clone(),
        plugins: cli.plugins.clone(),
        server: cli.server.clone(),
        token: cli.token.clone(),
        ..Flags::default()
    };
    match &cli.command {
        Command::Serve(serve) => {
            flags.workflows.clone_from(&serve.workflows);
            flags.listen.clone_from(&serve.listen);
            flags.storage.clone_from(&serve.storage);
            flags.log.clone_from(&serve.log);
            flags.log_format = serve.log_format;
            outside(&serve.outside, &mut flags);
        }
        Command::Test(test) => flags.workflows.clone_from(&test.workflows),
        Command::Run(run) => {
            flags.workflows.clone_from(&run.workflows);
            outside(&run.outside, &mut flags);
        }
        // An engine that runs already has its own.
        Command::Store(Stores::Add(store)) => outside(&store.outside, &mut flags),
        Command::Store(Stores::Test(test)) => outside(&test.outside, &mut flags),
        Command::Doctor { workflows } => flags.workflows.clone_from(workflows),
        _ => {}
    }
    flags
}

fn outside(outside: &Outside, flags: &mut Flags) {
    flags.allow_outbound.clone_from(&outside.allow_outbound);
    flags.extra_ca_certificates.clone_from(&outside.extra_ca_certificates);
}

async fn dispatch(command: Command, context: &Context) -> Result<()> {
    match command {
        Command::Demo(demo) => demo::run(demo, context).await,
        Command::Serve(_) => serve::run(context).await,
        Command::Health => health::run(context).await,
        Command::Check(check) if check.watch => check_watch::run(&check, context).await,
        Command::Check(check) => check::run(&check, context).await,
        Command::Explain { code } => explain::run(code.as_deref(), &context.terminal),
        Command::Fmt(fmt) => fmt::run(&fmt, context),
        Command::Test(test) => test::run(&test, context),
        Command::Schema(command) => schema::run(&command, context),
        Command::Diff(diff) => diff::run(&diff, context).await,
        Command::Workflows(workflows) => workflows::run(&workflows, context).await,
        Command::Run(run) => run::run(run, context).await,
        Command::Replay { run, with: None } => runs::replay(&run, context).await,
        Command::Replay { run, with: Some(folder) } => replay_check::one(&run, &folder, context).await,
        Command::ReplayCheck(check) => replay_check::many(check, context).await,
        Command::Runs(runs) => runs::run(runs, context).await,
        Command::Events(events) => events::run(events, context).await,
        Command::Plugin(plugins) => plugin::run(&plugins, context),
        Command::Store(stores) => stores::run(stores, context).await,
        Command::Key(keys) => keys::run(keys, context).await,
        Command::Backup(backup) => backup::run(backup, context).await,
        Command::Restore(restore) => restore::run(restore, context).await,
        Command::Export(export) => export::run(export, context).await,
        Command::Import(import) => import::run(import, context).await,
        Command::Resume => resume::run(context).await,
        Command::Slots(slots) => slots::run(slots, context).await,
        Command::Token(tokens) => tokens::run(tokens, context).await,
        Command::Gates(gates) => gates::run(gates, context).await,
        Command::Secret(secrets) => secrets::run(secrets, context).await,
        Command::User(users) => users::run(users, context).await,
        Command::Approvals(approvals) => approvals::run(approvals, context).await,
        Command::Audit(audit) => audit::run(audit, context).await,
        Command::Doctor { .. } => doctor::run(context).await,
        Command::Completions { .. } | Command::Man { .. } | Command::CompilePlugin { .. } => {
            Err(bug("this needs no engine"))
        }
    }
}

/// A way to an engine, for the length of one command.
pub(crate) struct Session {
    pub(crate) client: Client,
    own: Option<Engine>,
}

impl Session {
    /// Whether this process opened the data folder itself.
    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Where this process opened the data folder itself: puts the workflows in place that ran there last.
    pub(crate) async fn recall(&self) -> Result<()> {
        match &self.own {
            Some(engine) => engine.recall_workflows().await.or_environment("cannot read which workflows ran"),
            None => Ok(()),
        }
    }

    /// Closes what this process opened and hands the outcome on.
    pub(crate) async fn end<T>(self, outcome: Result<T>) -> Result<T> {
        if let Some(engine) = self.own {
            let closed = engine.stop(std::time::Duration::ZERO).await.or_environment("cannot close the storage");
            return outcome.and_then(|value| closed.map(|()| value));
        }
        outcome
    }
}

impl Context {
    pub(crate) fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    /// An engine to ask. Where there is no data folder yet there is nothing to find, and none is made.
    pub(crate) async fn look(&self) -> Result<Session> {
        if let Some(session) = self.elsewhere()? {
            return Ok(session);
        }
        if self.config.data.exists() {
            return self.session(&DataFolder::open(&self.config.data)?).await;
        }
        let (engine, client) = assembly::nothing().await?;
        Ok(Session { client, own: Some(engine) })
    }

    /// An engine to change something in; the data folder is made if there is none.
    pub(crate) async fn change(&self) -> Result<Session> {
        if let Some(session) = self.elsewhere()? {
            return Ok(session);
        }
        self.session(&DataFolder::create(&self.config.data)?).await
    }

    /// An engine that runs, for what only a running one can tell.
    pub(crate) async fn running(&self) -> Result<Client> {
        if let Some(session) = self.elsewhere()? {
            return Ok(session.client);
        }
        let data = &self.config.data;
        let found = if data.exists() { running(&DataFolder::open(data)?, self.token()).await? } else { None };
        found.ok_or_else(|| {
            environment(format!("no engine runs on {}", data.display()))
                .help("Start one with `cartwright serve`, or name one elsewhere with --server.")
        })
    }

    /// The engine that `--server` names.
    fn elsewhere(&self) -> Result<Option<Session>> {
        let Some(server) = &self.config.server else { return Ok(None) };
        let Some(token) = self.token() else {
            return Err(usage("an engine elsewhere takes an API token: set CARTWRIGHT_TOKEN")
                .help("`cartwright token create` on its machine makes one."));
        };
        Ok(Some(Session { client: Client::remote(server, token)?, own: None }))
    }

    fn token(&self) -> Option<String> {
        let token = self.config.token.as_ref()?;
        Some(String::from_utf8_lossy(token.expose()).into_owned())
    }

    async fn session(&self, data: &DataFolder) -> Result<Session> {
        if let Some(running) = running(data, self.token()).await? {
            return Ok(Session { client: running, own: None });
        }
        let (engine, client) = assembly::open(&self.config, data).await.map_err(|failure| explain(failure, data))?;
        Ok(Session { client, own: Some(engine) })
    }
}

/// The engine that runs on a data folder, if one answers; `token` in place of the folder's own.
pub(crate) async fn running(data: &DataFolder, token: Option<String>) -> Result<Option<Client>> {
    let Some(engine) = data.engine().filter(crate::data::RunningEngine::may_live) else { return Ok(None) };
    let token = token.map_or_else(|| data.token(), Ok)?;
    let client = Client::running(engine.address, token)?;
    Ok(if client.is_alive().await { Some(client) } else { None })
}

fn explain(failure: Failure, data: &DataFolder) -> Failure {
    match data.engine() {
        Some(engine) => environment(format!(
            "{failure}; engine.json names process {} at {}, which does not answer",
            engine.pid, engine.address
        )),
        None => failure,
    }
}

/// A text or a number of an answer; empty where there is none.
pub(crate) fn field(value: &Json, key: &str) -> String {
    match value.get(key) {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A name as a part of an address.
pub(crate) fn segment(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

/// A time of an answer.
pub(crate) fn time_of(value: &Json, key: &str) -> Option<Timestamp> {
    Timestamp::parse(value.get(key)?.as_str()?)
}
