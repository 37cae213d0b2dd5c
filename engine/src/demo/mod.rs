//! `cartwright demo`: the engine with made-up stores that send orders, and made-up services that workflows call. Needs
//! nothing and leaves nothing behind, unless a data folder is named.

mod orders;
mod sink;
mod traffic;
mod watch;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use cartwright_run::Engine;
use cartwright_woo::{Secret, StoreSettings};
use tokio::net::TcpListener;

use crate::{
    cli::Demo,
    client::Client,
    command::{Context, serve},
    config::{StorageChoice, parse_listen},
    data::DataFolder,
    failure::{OrFail as _, Result, environment},
    terminal::{Terminal, Tone},
};
use sink::Sink;
use traffic::{Sent, Traffic};
use watch::Watch;

/// The sample workflows, as they lie in the repository.
const WORKFLOWS: [(&str, &str); 5] = [
    ("thank-big-spenders.yaml", include_str!("workflows/thank-big-spenders.yaml")),
    ("tell-warehouse.yaml", include_str!("workflows/tell-warehouse.yaml")),
    ("ask-for-review.yaml", include_str!("workflows/ask-for-review.yaml")),
    ("bookkeeping.yaml", include_str!("workflows/bookkeeping.yaml")),
    ("check-order.yaml", include_str!("workflows/check-order.yaml")),
];
/// Where the samples expect the made-up services; replaced by where they are.
const SAMPLE_SINK: &str = "127.0.0.1:9090";
const TOWNS: [&str; 12] =
    ["kiel", "porto", "lyon", "graz", "turku", "ghent", "cork", "split", "malmo", "brno", "varna", "gdansk"];
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

    let services = TcpListener::bind("127.0.0.1:0").await.or_environment("cannot listen on this machine")?;
    let services_at = services.local_addr().or_environment("cannot listen on this machine")?;
    let sink = Sink::default();
    let (stop_services, services_stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async { drop(services_stopped.await) };
    let services = tokio::spawn(cartwright_http::serve::serve(services, sink.router(), stopped));

    let workflows = data.path().join("workflows");
    write_workflows(&workflows, services_at)?;
    let listener = listen(demo.listen.as_deref()).await?;
    let mut config = context.config.clone();
    config.data = data.path().to_owned();
    config.workflows = workflows;
    config.storage = StorageChoice::Sled(data.path().join("storage"));
    config.allow_outbound = vec!["127.0.0.1".parse().map_err(environment)?];
    let running = serve::start(&config, &data, listener, terminal).await?;
    let stores = connect_stores(&running.engine, demo.stores).await?;
    greet(&running, &data, stores.len(), &demo, temporary.is_some(), terminal);

    let sent = Arc::new(Sent::default());
    let traffic =
        Traffic { engine: running.address, stores, orders_per_minute: demo.orders_per_minute, sent: Arc::clone(&sent) };
    let http = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .or_environment("cannot make an HTTP client")?;
    let flow = tokio::spawn(traffic.flow(http));
    watch(&running.client, &running.engine, &sent, demo.seconds, terminal).await;
    flow.abort();

    terminal.line("");
    terminal.line("stopping …");
    let summary = summary(&running.engine, &sent, &sink).await;
    running.stop().await?;
    stop_services.send(()).ok();
    services.await.ok();
    terminal.lines(summary);
    if temporary.is_none() {
        terminal.line(format_args!(
            "kept in {}; `cartwright --data {} runs ls` shows the runs",
            data.path().display(),
            data.path().display()
        ));
    }
    Ok(())
}

fn temporary_folder() -> Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("cartwright-demo-").tempdir().or_environment("cannot make a temporary folder")
}

fn write_workflows(folder: &Path, services: SocketAddr) -> Result<()> {
    fs::create_dir_all(folder).or_environment(format_args!("cannot make {}", folder.display()))?;
    for (name, text) in WORKFLOWS {
        let path: PathBuf = folder.join(name);
        fs::write(&path, text.replace(SAMPLE_SINK, &services.to_string()))
            .or_environment(format_args!("cannot write {}", path.display()))?;
    }
    Ok(())
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

/// Stores with fresh webhook secrets.
async fn connect_stores(engine: &Engine, count: u32) -> Result<Vec<(String, String)>> {
    let mut stores = Vec::new();
    for at in 0..count as usize {
        let town = TOWNS[at % TOWNS.len()];
        let name = if at < TOWNS.len() { town.to_owned() } else { format!("{town}-{}", at / TOWNS.len() + 1) };
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|error| environment(format!("the system's random source failed: {error}")))?;
        let secret = hex::encode(random);
        let settings = StoreSettings {
            url: Some(format!("https://{name}.example")),
            tags: vec!["demo".to_owned()],
            webhook_secrets: vec![Secret::new(secret.clone())],
            ..StoreSettings::default()
        };
        let id = name.parse().map_err(environment)?;
        // A kept data folder has the store with a secret nobody knows any more.
        engine.stores().remove(&id).await.or_environment("cannot connect a store")?;
        engine.stores().add(id, &settings, engine.now()).await.or_environment("cannot connect a store")?;
        stores.push((name, secret));
    }
    Ok(stores)
}

fn greet(
    running: &serve::Running,
    data: &DataFolder,
    stores: usize,
    demo: &Demo,
    temporary: bool,
    terminal: &Terminal,
) {
    terminal.line("");
    terminal.line(terminal.paint(
        Tone::Strong,
        format_args!("Cartwright demo: {stores} stores send {} orders a minute", demo.orders_per_minute),
    ));
    terminal.line("");
    terminal.fact("status", &format!("http://{}/", running.address));
    terminal.fact("rules", &format!("{}  (reloaded when edited)", data.path().join("workflows").display()));
    terminal.fact("look", &format!("cartwright --data {} runs ls", data.path().display()));
    terminal.fact("stop", if temporary { "Ctrl-C; the folder is removed then" } else { "Ctrl-C" });
    terminal.line("");
}

/// Shows what happens until Ctrl-C, SIGTERM, or the given time is over.
async fn watch(client: &Client, engine: &Engine, sent: &Sent, seconds: Option<u64>, terminal: &Terminal) {
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
            _ = looks.tick() => watch.look(client, terminal).await,
            _ = sums.tick() => terminal.line(terminal.paint(Tone::Strong, sum(engine, sent).await)),
            () = &mut over => return,
            () = &mut stop => return,
        }
    }
}

/// `── 42 webhooks accepted · runs: 61 succeeded, 4 waiting, 2 parked`
async fn sum(engine: &Engine, sent: &Sent) -> String {
    format!("── {} webhooks accepted · runs: {}", sent.accepted.load(Relaxed), by_status(engine).await)
}

async fn by_status(engine: &Engine) -> String {
    let Ok(counts) = engine.counts().await else { return "unknown".into() };
    let all = cartwright_core::run::row::RunStatus::ALL.iter().zip(counts.runs).filter(|(_, count)| *count > 0);
    let parts: Vec<String> = all.map(|(status, count)| format!("{count} {}", status.as_str())).collect();
    if parts.is_empty() { "none yet".into() } else { parts.join(", ") }
}

async fn summary(engine: &Engine, sent: &Sent, sink: &Sink) -> Vec<String> {
    let (accepted, refused) = (sent.accepted.load(Relaxed), sent.refused.load(Relaxed));
    let mut lines = vec![String::new(), format!("webhooks  {accepted} accepted, {refused} refused")];
    lines.push(format!("runs      {}", by_status(engine).await));
    for (service, tally) in sink.tallies() {
        let repeats =
            if tally.repeats == 0 { String::new() } else { format!(", {} repeats recognised", tally.repeats) };
        lines.push(format!(
            "{service:12} {} requests, {} refused, {} done once{repeats}",
            tally.requests, tally.refused, tally.effects
        ));
    }
    lines.push(String::new());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_fine_wherever_the_services_listen() {
        let folder = tempfile::tempdir().expect("a folder");
        write_workflows(folder.path(), "127.0.0.1:45678".parse().expect("an address")).expect("written");
        let reading = crate::workflows::Folder::new(folder.path().to_owned()).read(Some(&crate::assembly::sandbox()));
        let reading = reading.expect("read");
        assert_eq!(reading.findings, []);
        assert_eq!(reading.loaded.len(), WORKFLOWS.len());
        assert!(reading.loaded.iter().all(|one| !one.definition.source.contains(SAMPLE_SINK)));
    }
}
