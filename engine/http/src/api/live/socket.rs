//! A feed over a WebSocket (RFC 6455): one text message for each item, pings as signs of life, and a close code that says
//! why it ended.

use std::time::Duration;

use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    response::Response,
};
use futures_util::SinkExt;
use tokio::time::{Instant, timeout};

use super::{
    feed::{End, Feed, Next},
    sse::gap_json,
};

/// Of what a client says; nothing is expected of it.
const CLIENT_MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// For a batch to be taken by the connection. [`crate::serve`] cuts off sooner who reads nothing at all.
const SEND_PATIENCE: Duration = Duration::from_secs(120);
/// A client that answers no ping for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// For the client to say goodbye too.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// RFC 6455: the server goes away.
const GOING_AWAY: u16 = 1001;
/// Ours, as 401: the token or session is over.
const OVER: u16 = 4401;
/// Ours, as 408: no ping was answered.
const SILENT: u16 = 4408;

/// Accepts the upgrade; the feed follows once the connection is a WebSocket.
pub(super) fn answer(upgrade: WebSocketUpgrade, feed: Feed) -> Response {
    let upgrade = upgrade.max_message_size(CLIENT_MESSAGE_BYTES_MAX).max_frame_size(CLIENT_MESSAGE_BYTES_MAX);
    upgrade.on_upgrade(|socket| run(socket, feed))
}

async fn run(mut socket: WebSocket, mut feed: Feed) {
    let stopped = feed.stopped();
    tokio::select! {
        closing = pass_on(&mut socket, &mut feed) => {
            if let Some((code, reason)) = closing {
                close(&mut socket, code, reason).await;
            }
        }
        // Whatever hangs: a client that does not read would keep the engine from stopping.
        () = async { stopped.await; tokio::time::sleep(CLOSE_PATIENCE).await } => {}
    }
}

/// Sends what the feed gives until one side ends it; `None`: the client did.
async fn pass_on(socket: &mut WebSocket, feed: &mut Feed) -> Option<(u16, &'static str)> {
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            said = socket.recv() => match said? {
                Ok(Message::Close(_)) | Err(_) => return None,
                // Pings are answered below us; other words are not for us. All of them are signs of life.
                Ok(_) => heard = Instant::now(),
            },
            next = feed.next() => match next {
                Next::Batch(gap, items) => {
                    let gap = gap.iter().map(gap_json);
                    let texts = gap.chain(items.iter().map(|item| item.json().to_owned()));
                    let messages = texts.map(|text| Message::Text(text.into()));
                    timeout(SEND_PATIENCE, send(socket, messages)).await.ok()?.ok()?;
                }
                Next::Heartbeat if heard.elapsed() >= SILENCE_MAX => return Some((SILENT, "no ping was answered")),
                Next::Heartbeat => {
                    let ping = std::iter::once(Message::Ping(axum::body::Bytes::new()));
                    timeout(SEND_PATIENCE, send(socket, ping)).await.ok()?.ok()?;
                }
                Next::End(End::Stopping) => return Some((GOING_AWAY, "the engine stops; come back in a moment")),
                Next::End(End::Over) => return Some((OVER, "the token or session is over")),
            },
        }
    }
}

/// All messages, then one flush.
async fn send(socket: &mut WebSocket, messages: impl Iterator<Item = Message>) -> Result<(), axum::Error> {
    for message in messages {
        socket.feed(message).await?;
    }
    socket.flush().await
}

async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    let goodbye = async {
        socket.send(Message::Close(Some(frame))).await?;
        while let Some(Ok(_)) = socket.recv().await {}
        Ok::<_, axum::Error>(())
    };
    // Whether the client heard it changes nothing.
    drop(timeout(CLOSE_PATIENCE, goodbye).await);
}
