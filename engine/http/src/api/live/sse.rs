//! A feed as server-sent events (WHATWG HTML, section 9.2): `id`, `event` (the kind) and `data` (the item) of each, and a
//! comment as sign of life, which carries the position, so that coming back over long silence leaves no gap.

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use cartwright_run::live::Gap;
use futures_util::stream;
use serde_json::json;

use super::feed::{End, Feed, Next};

/// Browsers come back after so many milliseconds.
const RETRY_MILLIS: u32 = 2_000;

/// The endless answer. What the connection does not take waits in the ring, not here.
pub(super) fn answer(feed: Feed) -> Response {
    let begins = begin(&feed);
    let events = stream::unfold((Some(begins), Some(feed)), |(begins, feed)| async move {
        let mut feed = feed?;
        if let Some(begins) = begins {
            return Some((Ok::<_, std::convert::Infallible>(begins), (None, Some(feed))));
        }
        let next = feed.next().await;
        let goes_on = !matches!(next, Next::End(_));
        let text = write(&next, &feed);
        Some((Ok(text), (None, goes_on.then_some(feed))))
    });
    let mut response = Body::from_stream(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Sent at once, so that whoever waits for the head of the answer has it.
fn begin(feed: &Feed) -> Bytes {
    let mut text = format!("retry: {RETRY_MILLIS}\n");
    if !feed.resumes() {
        text += &format!("id: {}\n", feed.position());
    }
    text.push('\n');
    Bytes::from(text)
}

fn write(next: &Next, feed: &Feed) -> Bytes {
    let mut text = String::new();
    match next {
        Next::Batch(gap, items) => {
            if let Some(gap) = gap {
                event(&mut text, &gap.to, "gap", &gap_json(gap));
            }
            for item in items {
                event(&mut text, &item.id(), item.kind.as_str(), item.json());
            }
        }
        Next::Heartbeat => text = format!(": nothing new\nid: {}\n\n", feed.position()),
        Next::End(End::Stopping) => text.push_str(": the engine stops; come back in a moment\n\n"),
        Next::End(End::Over) => text.push_str(": the token or session is over\n\n"),
    }
    Bytes::from(text)
}

fn event(text: &mut String, id: &str, kind: &str, data: &str) {
    for part in ["id: ", id, "\nevent: ", kind, "\ndata: ", data, "\n\n"] {
        text.push_str(part);
    }
}

/// A gap as an item.
pub(super) fn gap_json(gap: &Gap) -> String {
    json!({ "id": gap.to, "kind": "gap", "data": gap }).to_string()
}
