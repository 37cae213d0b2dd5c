//! The sockets: one task for each listener, one for each connection. A shop that is down on a port of its own has no
//! listener, so that connections are refused; it takes the same port again when it is back.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{Host, Hosts, http::Connection};
use crate::{
    Request, Response,
    faults::{Handled, Outcome},
};

/// How long a listener waits before it asks again for a port that is not free yet.
const BIND_AGAIN: Duration = Duration::from_millis(10);

/// How a listener wraps its connections.
#[derive(Clone)]
pub(super) enum Wrap {
    Plain,
    #[cfg(feature = "tls")]
    Tls(tokio_rustls::TlsAcceptor),
}

/// Serves until the task is stopped.
pub(super) async fn serve(listener: TcpListener, hosts: Arc<Hosts>, wrap: Wrap) -> io::Result<()> {
    let address = listener.local_addr()?;
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        if hosts.only().is_some_and(|host| host.faults.is_down()) {
            // Nobody listens, and whoever is connected is cut off.
            drop(listener.take());
            connections.abort_all();
            changed(&hosts).await;
            continue;
        }
        let open = match listener.take() {
            Some(open) => open,
            None => again(address).await,
        };
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::downgrade(&hosts), wrap.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
            () = changed(&hosts) => {}
        }
        listener = Some(open);
    }
}

/// Until the faults of the shop that has this listener for itself change.
async fn changed(hosts: &Hosts) {
    match hosts.only() {
        Some(host) => host.faults.changed().await,
        None => std::future::pending().await,
    }
}

/// The same port again; it may take a moment until the system gives it back.
async fn again(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(BIND_AGAIN).await,
        }
    }
}

async fn connection(stream: TcpStream, hosts: Weak<Hosts>, wrap: Wrap) {
    let _ = stream.set_nodelay(true);
    match wrap {
        Wrap::Plain => speak(Connection::new(stream, false), hosts).await,
        #[cfg(feature = "tls")]
        Wrap::Tls(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                speak(Connection::new(stream, true), hosts).await;
            }
        }
    }
}

/// Answers requests until one side has enough. What the peer does wrong ends its connection and nothing else.
async fn speak<S: AsyncRead + AsyncWrite + Unpin>(mut connection: Connection<S>, hosts: Weak<Hosts>) {
    while let Ok(Some(request)) = connection.request().await {
        let Some(hosts) = hosts.upgrade() else { return };
        let keep = !request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let head_only = request.method == "HEAD";
        let Some(host) = hosts.find(&request) else {
            let nobody = Response { status: 404, headers: Vec::new(), body: b"No such shop.".to_vec() };
            if connection.answer(&nobody, head_only, keep).await.is_err() {
                return;
            }
            continue;
        };
        let Handled { delay, outcome } = answer(&host, request).await;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let sent = match outcome {
            Outcome::Answer(response) => connection.answer(&response, head_only, keep).await,
            Outcome::Half(response) => return drop(connection.half(&response).await),
            Outcome::Cut => return,
            Outcome::Hang => return connection.until_gone().await,
        };
        if sent.is_err() || !keep {
            return;
        }
    }
}

async fn answer(host: &Host, request: Request) -> Handled {
    let path = request.target.split('?').next().unwrap_or_default();
    if path.ends_with("/wp-cron.php") {
        host.hooks.start((host.shop.config().clock)());
    }
    let mut handled = host.faults.handle(&host.shop, request);
    if let Outcome::Answer(response) | Outcome::Half(response) = &mut handled.outcome {
        let now = (host.shop.config().clock)().div_euclid(1_000);
        response.headers.push(("Date".to_owned(), crate::date::http(now)));
    }
    host.driver.after_request().await;
    handled
}
