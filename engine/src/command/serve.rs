//! `cartwright serve`: the engine with its door, until it is told to stop.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use cartwright_core::workflow::render;
use cartwright_http::{FileFindings, Findings};
use cartwright_run::{Engine, Loaded};
use cartwright_woo::transport::Transport;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use super::Context;
use crate::{
    assembly::{self, Around, Foundation, Mode, PATIENCE},
    client::Client,
    config::{Config, Door, StorageChoice},
    data::{Announcement, DataFolder},
    failure::{Failure, OrFail as _, Result, environment},
    outside,
    plugins::Installed,
    reload::{self, Reloading, ToEngine},
    telemetry::{self, Exporter},
    terminal::Terminal,
    workflows::{Fingerprint, Folder, Reading},
};

pub(super) async fn run(context: &Context) -> Result<()> {
    let (config, terminal) = (&context.config, &context.terminal);
    crate::log::start(config, terminal)?;
    for name in &context.unknown_variables {
        terminal.note(format_args!("note: {name} is set but means nothing to cartwright"));
    }
    let listener = bind(config.listen).await?;
    let data = DataFolder::create(&config.data)?;
    let stop = stop_signal();
    let running = start(config, &data, listener, terminal).await?;
    welcome(&running, config, terminal).await?;
    tell_hold(&running.engine, terminal).await?;
    terminal.line(format_args!("listening on http://{}", running.address));
    stop.await;
    tracing::info!("stopping; calls under way may end");
    tokio::select! {
        stopped = running.stop() => stopped,
        () = stop_signal() => Err(environment("stopped at once; the next start settles what was under way")),
    }
}

/// A restored engine begins nothing until somebody says so; whoever starts it must know.
async fn tell_hold(engine: &Engine, terminal: &Terminal) -> Result<()> {
    if let Some(hold) = engine.hold().await.or_environment("cannot read the storage")? {
        let made = hold.backup;
        terminal.line(format_args!("restored from the backup of {made}: events are accepted, and nothing is begun or"));
        terminal.line("continued before `cartwright resume`; runs that were open then may have gone on since");
    }
    Ok(())
}

/// Where nobody can sign in yet, prints the link that makes whoever opens it the owner.
async fn welcome(running: &Running, config: &Config, terminal: &Terminal) -> Result<()> {
    let access = running.engine.access();
    if access.has_people() {
        return Ok(());
    }
    let link = access.invite_first_owner(running.engine.now()).await.or_environment("cannot keep an invitation")?;
    let base = base(running.address, &config.http);
    terminal.line(format_args!("nobody has joined yet; the owner's link, for a day and once: {base}/join/{link}"));
    if running.address.ip().is_unspecified() && config.http.hosts.is_empty() {
        terminal.note("it works on this machine; for others name the engine: `hosts` under [http] in cartwright.toml");
    }
    Ok(())
}

/// Where people find this engine: under the name they were told, else at its address, or at the loopback one where it
/// listens on all of them, because `0.0.0.0` is nothing that a browser opens.
fn base(address: SocketAddr, door: &Door) -> String {
    let port = address.port();
    match (door.hosts.first(), address.ip()) {
        // Whoever names a proxy has it end https.
        (Some(host), _) if !door.proxies.is_empty() => format!("https://{host}"),
        (Some(host), _) => format!("http://{host}:{port}"),
        (None, IpAddr::V4(ip)) if ip.is_unspecified() => format!("http://127.0.0.1:{port}"),
        (None, IpAddr::V6(ip)) if ip.is_unspecified() => format!("http://[::1]:{port}"),
        (None, _) => format!("http://{address}"),
    }
}

/// Listens, or says who may be in the way.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let failure = environment(format!("cannot listen on {address}: {error}"));
        match error.kind() {
            io::ErrorKind::AddrInUse => failure.help("Another program uses this port; name another one with --listen."),
            _ => failure,
        }
    })
}

/// An engine with its door open.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) client: Client,
    pub(crate) address: SocketAddr,
    announcement: Announcement,
    reloading: Reloading,
    exporter: Option<Exporter>,
    close: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

/// Opens everything and begins to work and to answer.
pub(crate) async fn start(
    config: &Config,
    data: &DataFolder,
    listener: TcpListener,
    terminal: &Terminal,
) -> Result<Running> {
    let address = listener.local_addr().or_environment("cannot listen")?;
    // Opening storage, reading files and loading root certificates wait for the disk; together they take as long as one.
    let (own, workflows) = (config.clone(), config.workflows.clone());
    let outbound = tokio::task::spawn_blocking(move || outside::outbound(&own));
    let installed = Installed::of(config);
    installed.make_own_folder()?;
    let plugins = installed.clone();
    let reading = tokio::task::spawn_blocking(move || read(Folder::new(workflows, plugins)));
    let storage = assembly::storage(config).await?;
    let outbound = outbound.await.or_environment("making the HTTP client was cut off")??;
    let (folder, seen, reading) = reading.await.or_environment("reading the workflows was cut off")??;
    let vault = assembly::vault(config, data, &storage).await?;
    let token = data.token()?;
    let findings = Findings::default();
    let loaded = tell(&folder, reading, &findings, terminal);
    let (stores, retention) = (Arc::clone(&outbound) as Arc<dyn Transport>, config.retention);
    let (limits, mode) = (config.stores.clone(), Mode::Work);
    let (telemetry, exporter) = config.telemetry.as_ref().map(telemetry::start).transpose()?.unzip();
    let public_url = config.http.public_url.clone();
    let plugins = Some(installed);
    let foundation =
        Foundation { storage, vault, outbound, stores, retention, limits, mode, public_url, telemetry, plugins };
    let engine = assembly::start(foundation, loaded).await?;
    let reloading = reload::watch(folder, seen, ToEngine { engine: engine.clone(), findings: findings.clone() });
    let volume = match &config.storage {
        StorageChoice::Sled(folder) => Some(folder.clone()),
        StorageChoice::Memory => None,
    };
    let around = Around { loopback: address.ip().is_loopback(), findings, volume };
    let router = assembly::router(&engine, &token, around, &config.http);
    let client = Client::own(router.clone(), token);
    let (close, closed) = oneshot::channel::<()>();
    let server = tokio::spawn(cartwright_http::serve::serve(listener, router, async { drop(closed.await) }));
    let announcement = data.announce(address)?;
    Ok(Running { engine, client, address, announcement, reloading, exporter, close, server })
}

/// Reads a folder; `None` where there is none.
fn read(mut folder: Folder) -> Result<(Folder, Fingerprint, Option<Reading>)> {
    // Taken first: what changes from here on is seen as a change.
    let seen = folder.fingerprint();
    let reading = if folder.root().is_dir() { Some(folder.read(None)?) } else { None };
    Ok((folder, seen, reading))
}

fn tell(folder: &Folder, reading: Option<Reading>, findings: &Findings, terminal: &Terminal) -> Vec<Loaded> {
    let root = folder.root().display();
    let Some(reading) = reading else {
        let missing = format!("note: there is no workflows folder {root}");
        terminal.note(format!("{missing}; nothing will run until it is there"));
        return Vec::new();
    };
    report(&reading.findings, terminal);
    let broken = reading.findings.iter().filter(|one| one.is_broken()).count();
    let broken = if broken == 0 { String::new() } else { format!(", {broken} with errors") };
    findings.set(reading.findings);
    terminal.note(format_args!("{} workflows from {root}{broken}", reading.loaded.len()));
    reading.loaded
}

fn report(findings: &[FileFindings], terminal: &Terminal) {
    for finding in findings {
        terminal.note(render(&finding.file, &finding.source, &finding.diagnostics));
    }
}

impl Running {
    /// Stops in the order that loses nothing: no new requests, no new work, storage closed, address withdrawn.
    pub(crate) async fn stop(self) -> Result<()> {
        drop(self.reloading);
        self.close.send(()).ok();
        let served: Result<(), Failure> = match self.server.await {
            Ok(outcome) => outcome.or_environment("the listener failed"),
            Err(error) => Err(crate::failure::bug(error)),
        };
        let stopped = self.engine.stop(PATIENCE).await.or_environment("cannot close the storage");
        drop(self.announcement);
        drop((self.engine, self.client));
        if let Some(exporter) = self.exporter {
            exporter.finish().await;
        }
        served.and(stopped)
    }
}

/// Resolves at SIGINT, SIGTERM or SIGHUP (the terminal was closed). Signals are caught from the call on, not from the first poll.
pub(crate) fn stop_signal() -> impl Future<Output = ()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        let hangup = signal(SignalKind::hangup());
        async move {
            let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = (interrupt, terminate, hangup) else {
                // Without signals the process can only be killed, which loses nothing either.
                return std::future::pending().await;
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        }
    }
    #[cfg(not(unix))]
    async {
        tokio::signal::ctrl_c().await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owners_link_names_an_address_that_a_browser_opens() {
        let proxied = Door {
            hosts: vec!["cart.example".into()],
            proxies: vec!["127.0.0.1/32".parse().expect("a range")],
            ..Door::default()
        };
        let named = Door { proxies: Vec::new(), ..proxied.clone() };
        for (address, door, expected) in [
            ("127.0.0.1:8080", &Door::default(), "http://127.0.0.1:8080"),
            ("192.0.2.7:8080", &Door::default(), "http://192.0.2.7:8080"),
            ("0.0.0.0:8080", &Door::default(), "http://127.0.0.1:8080"),
            ("[::]:8080", &Door::default(), "http://[::1]:8080"),
            ("0.0.0.0:8080", &named, "http://cart.example:8080"),
            ("127.0.0.1:8080", &proxied, "https://cart.example"),
        ] {
            assert_eq!(base(address.parse().expect("an address"), door), expected, "{address}");
        }
    }
}
