//! One exchange with a store: waits for the lane, says who asks, follows what may be followed, and makes an
//! [`Answer`] or a [`Failure`] of what comes back. What it tries a second time is only what surely did nothing.

use cartwright_core::{
    Json,
    call::CallError,
    time::Timestamp,
    woo::{WooMethod, WooRequest},
};
use url::Url;

use super::{
    Answer, Client, Connection, Failure, StoreMemory,
    auth::{self, Scheme},
    headers::Headers,
    parse::{self, Reading},
    request::{self, Pairs},
    taxonomy::{self, Asked},
};
use crate::transport::{HttpAnswer, HttpRequest};

/// Redirects followed within the store's own address, of reads only.
const REDIRECTS_MAX: u32 = 3;

/// See [`Client::exchange`].
pub(super) async fn exchange(client: &Client, store: &Connection, request: &WooRequest) -> Result<Answer, Failure> {
    let memory = client.memory(&store.id);
    let talk =
        Talk { client, store, request, memory: &memory, query: request::pairs(request).map_err(Failure::harmless)? };
    let (first, second) = memory.known.lock().schemes(&store.url, client.now());
    let mut answer = talk.answer(first).await?;
    let mut scheme = first;
    if taxonomy::is_ignored(&answer)
        && let Some(second) = second
    {
        let other = talk.answer(second).await?;
        if !taxonomy::is_ignored(&other) {
            (answer, scheme) = (other, second);
        }
    }
    if talk.learns_clock(scheme, &answer) {
        answer = talk.answer(scheme).await?;
    }
    if taxonomy::is_ignored(&answer) {
        // When only one way was tried, the time of the last full try stays.
        if second.is_some() {
            memory.known.lock().ignored(client.now());
        }
    } else if taxonomy::is_noticed(&answer) {
        memory.known.lock().noticed(scheme);
    }
    talk.conclude(answer)
}

/// One request to one store, tried in one or two ways.
struct Talk<'a> {
    client: &'a Client,
    store: &'a Connection,
    request: &'a WooRequest,
    memory: &'a StoreMemory,
    query: Pairs,
}

/// What came back, read.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) reading: Reading,
}

impl Talk<'_> {
    /// The store's answer to the request sent in one way, after redirects.
    async fn answer(&self, scheme: Scheme) -> Result<Reply, Failure> {
        let mut url = request::url(&self.store.url, &self.request.path);
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.send(scheme, &url).await?;
            let Some(target) = redirect(&url, &answer) else { return Ok(self.read(&answer)) };
            let own = target.origin() == url.origin();
            if self.request.method != WooMethod::Get || !own {
                return Err(taxonomy::moved(&self.asked(), &target));
            }
            // The target's query may repeat our credentials; ours is put on again.
            url = target;
        }
        Err(taxonomy::circle(&self.asked()))
    }

    async fn send(&self, scheme: Scheme, url: &Url) -> Result<HttpAnswer, Failure> {
        let request = self.request;
        let _turn = self.memory.lane.enter().await;
        let ahead = self.memory.known.lock().clock_ahead_millis;
        let signed = (request.method.as_str(), url, self.query.as_slice());
        let added = auth::credentials(scheme, self.store, signed, ahead, &self.client.ambience);
        let pairs: Pairs = self.query.iter().cloned().chain(added.pairs).collect();
        let mut url = url.clone();
        url.set_query((!pairs.is_empty()).then(|| request::encode_query(&pairs)).as_deref());
        let body = request::body(request);
        let mut headers = request::headers(body.is_some());
        headers.extend(added.header.map(|value| ("authorization", value)));
        let http = HttpRequest {
            method: request.method,
            url,
            headers,
            body,
            timeout: request::timeout(request, &self.client.options),
            max_answer_bytes: self.client.options.max_answer_bytes,
        };
        match self.client.transport.exchange(http).await {
            Ok(answer) => {
                self.memory.lane.answered(answer.status);
                Ok(answer)
            }
            Err(mut error) => {
                parse::hide(&mut error.message, &auth::forms(self.store));
                Err(taxonomy::unanswered(&self.asked(), &error))
            }
        }
    }

    fn read(&self, answer: &HttpAnswer) -> Reply {
        let mut reading = parse::read(&answer.body);
        reading.hide(&auth::forms(self.store));
        Reply { status: answer.status, headers: Headers::read(answer, self.client.now()), reading }
    }

    /// Whether the store may have refused our clock, and now we know its own.
    fn learns_clock(&self, scheme: Scheme, reply: &Reply) -> bool {
        let signs_time = scheme == Scheme::OAuth;
        let ahead = taxonomy::clock_ahead(reply, self.client.now()).filter(|_| signs_time);
        ahead.is_some_and(|ahead| self.memory.known.lock().learn_clock(ahead))
    }

    fn conclude(&self, reply: Reply) -> Result<Answer, Failure> {
        if !taxonomy::is_success(&reply) {
            return Err(taxonomy::classify(&self.asked(), &reply));
        }
        let answer = Answer::from(reply);
        if let Some(around) = &answer.repaired {
            self.report_repair(around);
        }
        Ok(answer)
    }

    /// Once for each store: it happens with every answer, and only the merchant can mend it.
    fn report_repair(&self, around: &str) {
        let mut known = self.memory.known.lock();
        if !known.reported_repair {
            known.reported_repair = true;
            tracing::warn!(
                store = %self.store.id, %around,
                "the store writes other text around its JSON; it was left out. Turn off WP_DEBUG_DISPLAY there"
            );
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked { method: self.request.method, path: &self.request.path, url: &self.store.url }
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        let (body, repaired) = reply.reading.into_body();
        Self { body, pages: reply.headers.pages, repaired }
    }
}

/// What an answer means, without asking anybody: for recorded answers and made-up ones. `store` is the store's address.
pub fn understand(store: &Url, request: &WooRequest, answer: &HttpAnswer, now: Timestamp) -> Result<Json, CallError> {
    let reading = parse::read(&answer.body);
    let reply = Reply { status: answer.status, headers: Headers::read(answer, now), reading };
    let asked = Asked { method: request.method, path: &request.path, url: store };
    if taxonomy::is_success(&reply) {
        return Ok(Answer::from(reply).body);
    }
    Err(taxonomy::classify(&asked, &reply).error)
}

/// Where an answer sends us, without the query.
fn redirect(from: &Url, answer: &HttpAnswer) -> Option<Url> {
    if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let mut target = from.join(answer.header("location")?).ok()?;
    target.set_query(None);
    target.set_fragment(None);
    Some(target)
}
