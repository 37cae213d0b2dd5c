//! `cartwright demo`: the engine with look-alike stores whose customers buy, pay, cancel and get refunds, and workflows
//! that act on these stores. Needs nothing and leaves nothing behind, unless a data folder is named.
//!
//! [`shops`] opens the stores, [`customers`] live in them, [`samples`] are the workflows, [`sink`] the services they call,
//! [`watch`] and [`summary`] tell what happens.

mod catalogue;
mod customers;
mod dice;
mod earlier;
mod maintenance;
mod news;
mod samples;
mod shops;
mod sink;
mod summary;
mod tally;
mod watch;

use std::time::Duration;

use cartwright_run::{Clock as _, SystemClock};
use tokio::net::TcpListener;

use crate::{
    cli::Demo,
    command::{Context, serve},
    config::{StorageChoice, parse_listen},
    data::DataFolder,
    failure::{OrFail as _, Result, environment},
    terminal::{Terminal, Tone},
};
use customers::Customers;
use news::Paper;
use shops::Shops;
use sink::Sink;
use summary::Summary;
use watch::Watch;

const FIRST_PORT: u16 = 8080;
/// Ports tried after the first.
const MORE_PORTS: u16 = 20;
const SUM_EVERY: Duration = Duration::from_secs(15);

/// Runs until Ctrl-C.
pub(crate) async fn run(demo: Demo, context: &Context) -> Result<()> {
    let terminal = &context.terminal;
    let temporary = if context.data_is_named { None } else { Some(temporary_folder()?) };
    let folder = temporary.as_ref().map_or(context.config.data.as_path(), |folder| folder.path());
    let data = DataFolder::create(folder)?;
    // Whatever may be in the way is found before the folder is changed.
    earlier::refuse_running(&data).await?;
    let listener = listen(demo.listen.as_deref()).await?;

    let services = TcpListener::bind("127.0.0.1:0").await.or_environment("cannot listen on this machine")?;
    let services_at = services.local_addr().or_environment("cannot listen on this machine")?;
    let sink = Sink::default();
    let (stop_services, services_stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async { drop(services_stopped.await) };
    let services = tokio::spawn(cartwright_http::serve::serve(services, sink.router(), stopped));

    let mut config = context.config.clone();
    config.data = data.path().to_owned();
    config.workflows = data.path().join("workflows");
    config.plugins.folder = data.path().join("plugins");
    config.storage = StorageChoice::Sled(data.path().join("storage"));
    config.allow_outbound = vec!["127.0.0.1".parse().map_err(environment)?];
    samples::write(&config.workflows, services_at)?;
    let shops = Shops::open(demo.stores).await?;
    let running = serve::start(&config, &data, listener, terminal).await?;
    let ended = earlier::end_runs(&running.engine).await?;
    shops.connect(&running.engine, running.address).await?;
    if !terminal.json {
        greet(&running, &data, &demo, ended, temporary.is_some(), terminal);
    }

    let paper = Paper::default();
    let seed = u64::try_from(SystemClock.now().as_millis()).unwrap_or(1);
    let customers = Customers::new(shops.stores.clone(), seed, paper.clone());
    let customers = tokio::spawn(customers.live(demo.orders_per_minute));
    let sight = Sight { running: &running, shops: &shops, sink: &sink, paper: &paper, terminal };
    sight.watch(demo.seconds).await;
    customers.abort();

    if !terminal.json {
        terminal.line("");
        terminal.line("stopping …");
        terminal.line("");
    }
    let summary = Summary::new(&shops, &running.engine, &sink).await.with_open(&running.client).await;
    running.stop().await?;
    let summary = summary.counted_again(&shops);
    shops.close().await;
    stop_services.send(()).ok();
    services.await.ok();
    if terminal.json {
        return terminal.data(&summary);
    }
    terminal.lines(summary.full(terminal));
    if temporary.is_none() {
        let folder = data.path().display();
        terminal.line("");
        terminal.line(format_args!("kept in {folder}; `cartwright --data {folder} runs ls` shows the runs"));
    }
    Ok(())
}

fn temporary_folder() -> Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("cartwright-demo-").tempdir().or_environment("cannot make a temporary folder")
}

/// The address asked for, or the first free port of the usual ones.
async fn listen(asked: Option<&str>) -> Result<TcpListener> {
    if let Some(asked) = asked {
        return serve::bind(parse_listen(asked)?).await;
    }
    for port in FIRST_PORT..=FIRST_PORT + MORE_PORTS {
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await {
            return Ok(listener);
        }
    }
    Err(environment(format!("no port from {FIRST_PORT} to {} is free", FIRST_PORT + MORE_PORTS))
        .help("Name one with --listen."))
}

fn greet(running: &serve::Running, data: &DataFolder, demo: &Demo, ended: usize, temporary: bool, terminal: &Terminal) {
    let (stores, rate) = (demo.stores, demo.orders_per_minute);
    let stores = if stores == 1 { "one look-alike store".to_owned() } else { format!("{stores} look-alike stores") };
    terminal.line("");
    terminal.line(terminal.paint(Tone::Strong, format_args!("Cartwright demo: {stores}, {rate} orders a minute")));
    terminal.line("");
    let folder = data.path().display();
    terminal.fact("status", &format!("http://{}/", running.address));
    terminal.fact("rules", &format!("{folder}/workflows  (reloaded when edited)"));
    terminal.fact("look", &format!("cartwright --data {folder} runs ls"));
    terminal.fact("stop", if temporary { "Ctrl-C; the folder is removed then" } else { "Ctrl-C" });
    if ended > 0 {
        let runs = if ended == 1 { "one run".to_owned() } else { format!("{ended} runs") };
        terminal.fact("before", &format!("cancelled {runs} of an earlier demo, whose stores are gone"));
    }
    terminal.line("");
}

/// What is looked at while the demo runs.
struct Sight<'a> {
    running: &'a serve::Running,
    shops: &'a Shops,
    sink: &'a Sink,
    paper: &'a Paper,
    terminal: &'a Terminal,
}

impl Sight<'_> {
    /// Shows what happens until Ctrl-C, SIGTERM, or the given time is over.
    async fn watch(&self, seconds: Option<u64>) {
        let (terminal, engine) = (self.terminal, &self.running.engine);
        let mut watch = Watch::default();
        let mut looks = tokio::time::interval(watch::LOOK_EVERY);
        let mut sums = tokio::time::interval_at(tokio::time::Instant::now() + SUM_EVERY, SUM_EVERY);
        let over = async {
            match seconds {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        let stop = serve::stop_signal();
        tokio::pin!(over, stop);
        loop {
            tokio::select! {
                _ = looks.tick(), if !terminal.json => watch.look(&self.running.client, self.paper, terminal).await,
                _ = sums.tick(), if !terminal.json => {
                    terminal.lines(Summary::new(self.shops, engine, self.sink).await.brief(terminal));
                }
                () = &mut over => return,
                () = &mut stop => return,
            }
        }
    }
}
