//! One exchange in one chosen way, without second tries: for `examine`, which has to see what the client hides.

use std::time::Duration;

use bytes::Bytes;
use cartwright_core::{Json, call::CallError, time::Timestamp, woo::WooMethod};
use url::Url;
use zeroize::Zeroizing;

use super::{
    Client, Connection,
    auth::{self, Credentials, Scheme},
    exchange::Reply,
    headers::Headers,
    parse::{self, Reading},
    request,
    taxonomy::{self, Asked},
};
use crate::transport::{HttpRequest, TransportError};

/// Of one exchange: a person waits for all of them.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How a probe says who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way<'a> {
    /// Not at all.
    Stranger,
    /// HTTP Basic.
    Basic(&'a Connection),
    /// Query parameters; over https only.
    Query(&'a Connection),
    /// A signature.
    OAuth(&'a Connection),
}

/// What a probe sends.
pub(crate) struct Probe<'a> {
    /// Where to, without a query.
    pub(crate) url: &'a Url,
    /// Its query.
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// Who asks.
    pub(crate) way: Way<'a>,
}

/// What came back.
pub(crate) struct Seen {
    pub(crate) status: u16,
    /// Where a redirect leads.
    pub(crate) location: Option<Url>,
    /// The store's clock.
    pub(crate) date: Option<Timestamp>,
    /// The body where it is JSON.
    pub(crate) json: Option<Json>,
    /// WooCommerce saw no credentials.
    pub(crate) ignored: bool,
    /// WordPress's own error object came back.
    pub(crate) by_wordpress: bool,
    /// What the client makes of it; `None`: it is a success.
    pub(crate) error: Option<CallError>,
}

impl Client {
    /// Reads one address of a store. Redirects are answers.
    pub(crate) async fn probe(&self, probe: &Probe<'_>) -> Result<Seen, TransportError> {
        let query: Vec<(String, String)> =
            probe.query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (added, secret_forms) = self.added(probe, &query);
        let pairs: Vec<_> = query.iter().cloned().chain(added.pairs).collect();
        let mut url = probe.url.clone();
        url.set_query((!pairs.is_empty()).then(|| request::encode_query(&pairs)).as_deref());
        let mut headers = request::headers(false);
        headers.extend(added.header.map(|value| ("authorization", value)));
        let http = HttpRequest {
            method: WooMethod::Get,
            url,
            headers,
            body: None::<Bytes>,
            timeout: TIMEOUT,
            max_answer_bytes: self.options.max_answer_bytes,
        };
        let answer = self.transport.exchange(http).await.map_err(|mut error| {
            parse::hide(&mut error.message, &secret_forms);
            error
        })?;
        let mut reading = parse::read(&answer.body);
        reading.hide(&secret_forms);
        let reply = Reply { status: answer.status, headers: Headers::read(&answer, self.now()), reading };
        let asked = Asked { method: WooMethod::Get, path: "products", url: probe.url };
        let error = (!taxonomy::is_success(&reply)).then(|| taxonomy::classify(&asked, &reply).error);
        let location = answer.header("location").and_then(|to| probe.url.join(to).ok());
        let json = match &reply.reading {
            Reading::Json { value, .. } => Some(value.clone()),
            Reading::Empty | Reading::Page(_) => None,
        };
        Ok(Seen {
            status: reply.status,
            location: location.filter(|_| (300..400).contains(&reply.status)),
            date: reply.headers.date,
            json,
            ignored: taxonomy::is_ignored(&reply),
            by_wordpress: reply.reading.rest_error().is_some(),
            error,
        })
    }

    /// What is added, and in which forms it may come back.
    fn added(&self, probe: &Probe<'_>, query: &[(String, String)]) -> (Credentials, Vec<Zeroizing<String>>) {
        let (scheme, store) = match probe.way {
            Way::Stranger => return (Credentials::default(), Vec::new()),
            Way::Basic(store) => (Scheme::Basic, store),
            Way::Query(store) => (Scheme::Query, store),
            Way::OAuth(store) => (Scheme::OAuth, store),
        };
        let signed = (WooMethod::Get.as_str(), probe.url, query);
        (auth::credentials(scheme, store, signed, 0, &self.ambience), auth::forms(store))
    }
}
