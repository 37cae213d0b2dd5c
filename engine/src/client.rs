//! How commands reach an engine: the running one over HTTP with the local token, or, where none runs, this process
//! opens the data folder and answers through the same API. A command never knows which.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{Method, Request},
};
use cartwright_core::Json;
use serde_json::Value;
use tower::ServiceExt as _;
use url::Url;

use crate::failure::{Failure, OrFail as _, Result, bug, environment, not_fine, usage};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const REMOTE_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Of one question: looking into what is wrong with a store takes the longest.
const TIMEOUT: Duration = Duration::from_secs(240);
/// For what goes over everything in storage.
const SLOW_TIMEOUT: Duration = Duration::from_secs(3600);
/// Of an answer, in bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;

/// One engine's API.
pub(crate) struct Client {
    token: String,
    way: Way,
}

enum Way {
    Running { http: reqwest::Client, base: String },
    Own(Router),
}

/// Why a stream could not be opened.
pub(crate) enum Unheard {
    /// Trying again may help.
    Away(Failure),
    /// Trying again is no use.
    Refused(Failure),
}

impl Client {
    /// An engine that runs on this machine.
    pub(crate) fn running(address: SocketAddr, token: String) -> Result<Self> {
        // It needs no certificates, and reading those of the system takes longer than most commands.
        let builder = reqwest::Client::builder().no_proxy().tls_certs_only([]).connect_timeout(CONNECT_TIMEOUT);
        Self::over(builder, format!("http://{address}"), token)
    }

    /// An engine that runs elsewhere.
    pub(crate) fn remote(server: &Url, token: String) -> Result<Self> {
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(REMOTE_CONNECT_TIMEOUT);
        Self::over(builder, server.as_str().trim_end_matches('/').to_owned(), token)
    }

    fn over(builder: reqwest::ClientBuilder, base: String, token: String) -> Result<Self> {
        let http = builder.build().or_environment("cannot make an HTTP client")?;
        Ok(Self { token, way: Way::Running { http, base } })
    }

    /// An engine in this process.
    pub(crate) fn own(api: Router, token: String) -> Self {
        Self { token, way: Way::Own(api) }
    }

    /// The engine's address, where it runs and is asked over HTTP.
    pub(crate) fn base(&self) -> Option<&str> {
        match &self.way {
            Way::Running { base, .. } => Some(base),
            Way::Own(_) => None,
        }
    }

    /// Whether an engine answers there (any answer of its own counts).
    pub(crate) async fn is_alive(&self) -> bool {
        match &self.way {
            Way::Own(_) => true,
            // Asked without the token: another program may have taken the address of an engine that crashed.
            Way::Running { http, base } => {
                let answer = http.get(format!("{base}/healthz")).send().await;
                answer.is_ok_and(|answer| answer.status().as_u16() == 200)
            }
        }
    }

    /// Opens an answer without an end; `last` is the id of the last item that was seen, where there is one.
    pub(crate) async fn listen(&self, target: &str, last: &str) -> Result<reqwest::Response, Unheard> {
        let Way::Running { http, base } = &self.way else {
            return Err(Unheard::Refused(bug("only a running engine tells what happens")));
        };
        let mut request = http.get(format!("{base}{target}")).header("authorization", format!("Bearer {}", self.token));
        if !last.is_empty() {
            request = request.header("last-event-id", last);
        }
        let sent = request.send().await.map_err(reqwest::Error::without_url);
        let answer = sent.or_environment(format!("the engine at {base} does not answer")).map_err(Unheard::Away)?;
        let status = answer.status().as_u16();
        if status == 200 {
            return Ok(answer);
        }
        let problem = answer.bytes().await.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let failure = refused(status, &problem.unwrap_or(Json::Null));
        Err(if matches!(status, 429 | 500..) { Unheard::Away(failure) } else { Unheard::Refused(failure) })
    }

    pub(crate) async fn get(&self, target: &str) -> Result<Json> {
        self.expect(Method::GET, target, None).await
    }

    pub(crate) async fn post(&self, target: &str, body: &Json) -> Result<Json> {
        self.expect(Method::POST, target, Some(body)).await
    }

    /// As [`Client::post`], for what takes its time.
    pub(crate) async fn post_slowly(&self, target: &str, body: &Json) -> Result<Json> {
        let (status, answer) = self.call(Method::POST, target, Some(body), SLOW_TIMEOUT).await?;
        if (200..300).contains(&status) { Ok(answer) } else { Err(refused(status, &answer)) }
    }

    pub(crate) async fn put(&self, target: &str, body: &Json) -> Result<Json> {
        self.expect(Method::PUT, target, Some(body)).await
    }

    pub(crate) async fn delete(&self, target: &str) -> Result<Json> {
        self.expect(Method::DELETE, target, None).await
    }

    /// A list, page by page, up to `limit` items.
    pub(crate) async fn list(&self, path: &str, query: &[(&str, String)], limit: usize) -> Result<Vec<Json>> {
        const PAGE: usize = 100;
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        while items.len() < limit {
            let mut pairs = url::form_urlencoded::Serializer::new(String::new());
            pairs.extend_pairs(query).append_pair("limit", &(limit - items.len()).min(PAGE).to_string());
            if let Some(cursor) = &cursor {
                pairs.append_pair("cursor", cursor);
            }
            let page = self.get(&format!("{path}?{}", pairs.finish())).await?;
            let Json::Object(mut page) = page else { return Err(bug("a list is a map with items")) };
            let Some(Json::Array(new)) = page.remove("items") else { return Err(bug("a list has items")) };
            items.extend(new);
            cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        items.truncate(limit);
        Ok(items)
    }

    /// A page of a list whose items are handed on as they are.
    pub(crate) async fn raw_page(&self, target: &str) -> Result<RawPage> {
        let (status, bytes) = self.send(Method::GET, target, None, TIMEOUT).await?;
        if (200..300).contains(&status) {
            serde_json::from_slice(&bytes).map_err(bug)
        } else {
            Err(refused(status, &parsed(&bytes)))
        }
    }

    async fn expect(&self, method: Method, target: &str, body: Option<&Json>) -> Result<Json> {
        let (status, answer) = self.call(method, target, body, TIMEOUT).await?;
        if (200..300).contains(&status) { Ok(answer) } else { Err(refused(status, &answer)) }
    }

    async fn call(&self, method: Method, target: &str, body: Option<&Json>, timeout: Duration) -> Result<(u16, Json)> {
        let (status, bytes) = self.send(method, target, body, timeout).await?;
        Ok((status, parsed(&bytes)))
    }

    async fn send(&self, method: Method, target: &str, body: Option<&Json>, timeout: Duration) -> Result<(u16, Bytes)> {
        let bytes = body.map(|body| serde_json::to_vec(body).map_err(bug)).transpose()?.unwrap_or_default();
        let authorization = format!("Bearer {}", self.token);
        match &self.way {
            Way::Running { http, base } => {
                let request = http
                    .request(method, format!("{base}{target}"))
                    .header("authorization", authorization)
                    .header("content-type", "application/json")
                    .timeout(timeout)
                    .body(bytes);
                let doing = || format!("the engine at {base} does not answer");
                let answer = request.send().await.map_err(reqwest::Error::without_url).or_environment(doing())?;
                let status = answer.status().as_u16();
                Ok((status, answer.bytes().await.map_err(reqwest::Error::without_url).or_environment(doing())?))
            }
            Way::Own(api) => {
                let request = Request::builder()
                    .method(method)
                    .uri(target)
                    .header("host", "127.0.0.1")
                    .header("authorization", authorization)
                    .header("content-type", "application/json")
                    .body(Body::from(bytes))
                    .map_err(bug)?;
                let Ok(answer) = api.clone().oneshot(request).await;
                let status = answer.status().as_u16();
                Ok((status, to_bytes(answer.into_body(), MAX_ANSWER_BYTES).await.map_err(bug)?))
            }
        }
    }
}

/// A page of a list, its items as text.
#[derive(serde::Deserialize)]
pub(crate) struct RawPage {
    pub(crate) items: Vec<Box<serde_json::value::RawValue>>,
    pub(crate) next: Option<String>,
}

fn parsed(bytes: &[u8]) -> Json {
    if bytes.is_empty() { Json::Null } else { serde_json::from_slice(bytes).unwrap_or(Json::Null) }
}

/// A problem document as a failure: what was asked is malformed, or not there, or the engine is to blame.
fn refused(status: u16, problem: &Json) -> Failure {
    let text = |key: &str| problem.get(key).and_then(Json::as_str);
    let said = text("detail").or_else(|| text("title")).unwrap_or("no reason given");
    let message = format!("{said} ({})", text("code").map_or_else(|| status.to_string(), str::to_owned));
    let failure = match status {
        401 => environment(format!("the engine does not accept the token: {message}")),
        403 => environment(message),
        400 | 422 => usage(message),
        402..=499 => not_fine(message),
        _ => environment(message),
    };
    Failure { help: text("help").map(str::to_owned), ..failure }
}

#[cfg(test)]
mod tests {
    use axum::{extract::RawQuery, http::StatusCode, routing::get};
    use serde_json::json;

    use super::*;
    use crate::failure::Exit;

    fn client() -> Client {
        let pages = |RawQuery(query): RawQuery| async move {
            let query = query.unwrap_or_default();
            let second = query.contains("cursor=c1");
            axum::Json(if second {
                json!({ "items": [3, 4], "next": null })
            } else {
                json!({ "items": [1, 2], "next": "c1" })
            })
        };
        let problem = |status: u16| async move {
            let body = json!({ "code": "x", "detail": "no", "help": "do this" });
            (StatusCode::from_u16(status).expect("a status"), axum::Json(body))
        };
        let api = Router::new()
            .route("/list", get(pages))
            .route("/problem/{status}", get(move |path: axum::extract::Path<u16>| problem(path.0)));
        Client::own(api, "t".into())
    }

    #[tokio::test]
    async fn lists_are_read_page_by_page_up_to_their_limit() {
        for (limit, expect) in [(1, json!([1])), (3, json!([1, 2, 3])), (9, json!([1, 2, 3, 4]))] {
            assert_eq!(json!(client().list("/list", &[], limit).await.expect("a list")), expect);
        }
    }

    #[tokio::test]
    async fn problems_become_exit_codes() {
        for (status, exit) in [
            (400, Exit::Usage),
            (422, Exit::Usage),
            (401, Exit::Environment),
            (403, Exit::Environment),
            (404, Exit::NotFine),
            (409, Exit::NotFine),
            (503, Exit::Environment),
        ] {
            let failure = client().get(&format!("/problem/{status}")).await.expect_err("a problem");
            assert_eq!((failure.exit, failure.help.as_deref()), (exit, Some("do this")), "{status}");
            assert!(failure.to_string().contains("no (x)"), "{failure}");
        }
    }
}
