//! Connections: a listener comes in, requests go to the router, and a stop lets those that are under way finish.
//!
//! axum's own `serve` has no time limit for a request's head, so connections are driven here with hyper directly.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    BoxError, Router,
    body::{Body, Bytes, HttpBody},
    http::Request,
};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};
use tower::{Service, ServiceExt};

use crate::stalled::Impatient;

/// Connections at once; more wait in the listener's backlog.
pub const MAX_CONNECTIONS: usize = 4096;
/// For a request's head to arrive, in seconds.
const HEAD_TIMEOUT_SECONDS: u64 = 15;
/// Of a request's head, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// For requests under way when the engine stops, in seconds.
const DRAIN_SECONDS: u64 = 10;
/// A connection whose other side takes nothing of an answer for so long is closed, in seconds.
const STALLED_SECONDS: u64 = 60;
/// Pause after the system refuses a connection (no file descriptors left), in milliseconds.
const ACCEPT_PAUSE_MILLIS: u64 = 50;

/// Who is at the other end of the connection; in the extensions of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Tells answers without an end that the engine stops; in the extensions of every request.
#[derive(Debug, Clone)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Resolves when the engine stops.
    pub(crate) async fn wait(mut self) {
        // Without a sender nobody listens any more.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Serves `router` until `shutdown` resolves, then until requests under way are answered (at most 10 seconds).
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let stop = watch::Sender::new(false);
    // HTTP/1.1 alone: that is what WooCommerce and proxies speak, and telling HTTP/2 apart would mean to wait for a
    // connection's first bytes without a time limit.
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEAD_TIMEOUT_SECONDS))
        .max_buf_size(MAX_HEAD_BYTES);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, peer, place) = tokio::select! {
            () = &mut shutdown => break,
            next = next(&listener, &places) => next,
        };
        // A delivery's answer is one small packet: it must not wait for more.
        let _ = stream.set_nodelay(true);
        let service = hyper_util::service::TowerToHyperService::new(WithPeer {
            router: router.clone(),
            peer,
            stopping: Stopping(stop.subscribe()),
        });
        let stream = Impatient::new(stream, Duration::from_secs(STALLED_SECONDS));
        let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let stopping = Stopping(stop.subscribe());
        tokio::spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stopping.wait() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            // A connection that breaks is the peer's affair; requests on it have answered for themselves.
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    stop.send_replace(true);
    // Each connection, also one that became a WebSocket, holds a receiver until it ends.
    if tokio::time::timeout(Duration::from_secs(DRAIN_SECONDS), stop.closed()).await.is_err() {
        tracing::warn!(seconds = DRAIN_SECONDS, "stopped with requests still under way");
    }
    Ok(())
}

/// The next connection with its place among [`MAX_CONNECTIONS`].
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit) {
    let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MILLIS)).await;
            }
        }
    }
}

/// The router with the connection's other end noted in each request.
#[derive(Clone)]
struct WithPeer {
    router: Router,
    peer: SocketAddr,
    stopping: Stopping,
}

impl<B> Service<Request<B>> for WithPeer
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = axum::response::Response;
    type Error = Infallible;
    type Future = tower::util::Oneshot<Router, Request<Body>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(self.peer));
        request.extensions_mut().insert(self.stopping.clone());
        self.router.clone().oneshot(request)
    }
}

#[cfg(test)]
mod tests {
    use axum::{extract::Extension, routing::get};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::{Notify, oneshot},
    };

    use super::*;

    /// A server with these routes, its address, and what stops it.
    async fn start(router: Router) -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, router, async move { drop(stopped.await) }));
        (address, stop, served)
    }

    async fn send(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(text.as_bytes()).await.expect("written");
        stream
    }

    async fn read(mut stream: TcpStream) -> String {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("read");
        answer
    }

    #[tokio::test]
    async fn a_stop_lets_requests_under_way_finish_and_takes_no_new_ones() {
        let (entered, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (entered, go) = (Arc::clone(&entered), Arc::clone(&go));
            async move || {
                entered.notify_one();
                go.notified().await;
                "finished"
            }
        };
        let (address, stop, served) = start(Router::new().route("/", get(handler))).await;
        let request = send(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let idle = TcpStream::connect(address).await.expect("connected");
        entered.notified().await;
        stop.send(()).expect("still serving");
        assert_eq!(read(idle).await, "", "an idle connection is closed");
        assert!(!served.is_finished());
        go.notify_one();
        let answer = read(request).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("finished"), "{answer}");
        served.await.expect("no panic").expect("served");
        assert!(TcpStream::connect(address).await.is_err(), "the port is free again");
    }

    #[tokio::test]
    async fn handlers_know_who_asks_and_garbage_stops_nothing() {
        let handler = async |Extension(Peer(peer)): Extension<Peer>| peer.to_string();
        let (address, stop, served) = start(Router::new().route("/", get(handler))).await;
        for garbage in
            ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\u{16}\u{3}\u{1}\r\n\r\n"]
        {
            let mut stream = send(address, garbage).await;
            stream.shutdown().await.expect("shut");
            let answer = read(stream).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{garbage:?}: {answer}");
        }
        let request = send(address, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        let me = request.local_addr().expect("an address").to_string();
        assert!(read(request).await.ends_with(&me));
        drop(stop);
        served.await.expect("no panic").expect("served");
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_of_an_endless_answer_is_cut_off() {
        struct Gone(Arc<Notify>);
        impl Drop for Gone {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }
        let gone = Arc::new(Notify::new());
        let handler = {
            let gone = Arc::clone(&gone);
            async move || {
                let held = Gone(gone);
                let more = move || {
                    let _ = &held;
                    Ok::<_, Infallible>(Bytes::from_static(&[7; 64 * 1024]))
                };
                Body::from_stream(futures_util::stream::iter(std::iter::repeat_with(more)))
            }
        };
        let (address, _stop, _served) = start(Router::new().route("/", get(handler))).await;
        let _client = send(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let began = tokio::time::Instant::now();
        gone.notified().await;
        assert!(began.elapsed() >= Duration::from_secs(STALLED_SECONDS), "{:?}", began.elapsed());
    }
}
