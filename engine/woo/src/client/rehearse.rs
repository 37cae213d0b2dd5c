//! What a call comes to when somebody else answers in a store's place: tests of workflows, and replays of recorded runs.
//! Values are checked and answers understood as in a real call; nothing is sent, and an earlier try is not looked for.

use cartwright_core::{
    Json,
    call::CallError,
    time::Timestamp,
    woo::{Repetition, WooRequest},
};
use url::Url;

use super::{
    Answer, Failure,
    exchange::Reply,
    headers::Headers,
    parse, settle_harmless,
    taxonomy::{self, Asked},
};
use crate::transport::{HttpAnswer, TransportError};

/// The request as it would be sent, or why it would not be.
pub fn checked(request: WooRequest) -> Result<WooRequest, CallError> {
    crate::check::check(request)
}

/// What a request comes to that was answered with `given`. `again`: an earlier try may have arrived.
pub fn rehearse(
    store: &Url,
    request: &WooRequest,
    given: Result<HttpAnswer, TransportError>,
    again: bool,
    now: Timestamp,
) -> Result<Json, CallError> {
    let asked = Asked { method: request.method, path: &request.path, url: store };
    let made: Result<Json, Failure> = match given {
        Err(error) => Err(taxonomy::unanswered(&asked, &error)),
        Ok(answer) => {
            let reading = parse::read(&answer.body);
            let reply = Reply { status: answer.status, headers: Headers::read(&answer, now), reading };
            match taxonomy::is_success(&reply) {
                true => Ok(Answer::from(reply).body),
                false => Err(taxonomy::classify(&asked, &reply)),
            }
        }
    };
    match request.repetition() {
        Repetition::Harmless => settle_harmless(request, made, again),
        Repetition::Settled(_) | Repetition::Never => made.map_err(|failure| failure.error),
    }
}
