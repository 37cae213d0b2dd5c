//! `GET /api/v1/live`: what happens, as server-sent events, or over a WebSocket where the request asks for one.
//!
//! A request becomes a [`filter`] and a place among the [`places`]; a [`feed`] then takes items out of the engine's ring as
//! fast as the client reads them, and [`sse`] or [`socket`] puts them on the wire. A client that reads slowly lags in the
//! ring; nothing is buffered for it beyond one batch.

mod feed;
mod filter;
mod places;
mod socket;
mod sse;

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State, ws::WebSocketUpgrade},
    http::{HeaderMap, header},
};

use cartwright_core::id::RunId;

pub(crate) use self::places::Places;
use self::{feed::Feed, filter::Filter};
use super::Answer;
use crate::{
    caller::Caller,
    describe::about::{ABOUT as PLAIN, About, Gives, a, param, text},
    door::Door,
    origin::from_our_pages,
    problem::Problem,
    serve::Stopping,
};

/// `GET /live?kind=&store=&workflow=&status=&run=&topic=&last_id=`
pub(super) async fn open(State(door): State<Arc<Door>>, caller: Caller, request: Request) -> Answer {
    let (mut parts, _) = request.into_parts();
    let filter = Filter::read(parts.uri.query(), &parts.headers, &caller)?;
    let stopping = parts.extensions.get::<Stopping>().cloned();
    if !asks_for_socket(&parts.headers) {
        let place = door.places.take(caller.name())?;
        return Ok(sse::answer(Feed::new(door, caller, filter, stopping, place)));
    }
    // A browser sends the cookie with any page's WebSocket, and no rule about origins keeps that page from reading.
    if caller.session.is_some() {
        from_our_pages(&door, &parts.headers, parts.uri.authority())?;
    }
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &door).await;
    let upgrade = upgrade.map_err(|error| Problem::bad_request("upgrade_invalid", error.to_string()))?;
    let place = door.places.take(caller.name())?;
    Ok(socket::answer(upgrade, Feed::new(door, caller, filter, stopping, place)))
}

fn asks_for_socket(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// What the document says about this address.
pub(super) const ABOUT: &[About] = &[About {
    path: "/live",
    id: "watch",
    summary: "What happens, as it happens",
    text: "Server-sent events, or a WebSocket where the request asks for one. Each filter may be repeated or hold several values \
           with commas between them.",
    query: &[
        param("kind", "`event`, `run`, `step`, `store`.", text),
        param("store", "About these stores only.", text),
        param("workflow", "About these workflows only.", text),
        param("status", "In these states only.", text),
        param("run", "About these runs only.", a::<RunId>),
        param("topic", "Events of these topics only.", text),
        param("last_id", "Goes on after this id; `Last-Event-ID` does the same.", text),
    ],
    gives: &[
        Gives { status: 101, says: "A WebSocket: one JSON text for each fact.", kind: "", shape: None },
        Gives {
            status: 200,
            says: "Server-sent events: one JSON text for each fact.",
            kind: "text/event-stream",
            shape: Some(text),
        },
    ],
    refuses: &[(400, "topic_invalid"), (400, "upgrade_invalid"), (403, "origin_wrong"), (429, "too_many_streams")],
    ..PLAIN
}];
