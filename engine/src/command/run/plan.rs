//! A dry run's way to the world outside: reads are made, everything else is kept as a plan and answered with an empty
//! success.

use std::sync::Arc;

use async_trait::async_trait;
use cartwright_core::{Json, call::CallError, woo::WooMethod};
use cartwright_run::outbound::{HttpOutbound, Outbound, OutboundRequest};
use cartwright_woo::transport::{HttpAnswer, HttpRequest, Transport, TransportError};
use parking_lot::Mutex;
use serde_json::{Map, json};

/// See above.
pub(super) struct Plan {
    real: Arc<HttpOutbound>,
    made: Mutex<Vec<Json>>,
}

impl Plan {
    pub(super) fn new(real: Arc<HttpOutbound>) -> Self {
        Self { real, made: Mutex::default() }
    }

    /// What would have been written, in order.
    pub(super) fn made(&self) -> Vec<Json> {
        self.made.lock().clone()
    }
}

#[async_trait]
impl Outbound for Plan {
    async fn send(&self, request: OutboundRequest) -> Result<Json, CallError> {
        let method = request.spec.get("method").and_then(Json::as_str).unwrap_or("GET").to_ascii_uppercase();
        if matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS") {
            return self.real.send(request).await;
        }
        let planned = request.plan()?;
        self.made.lock().push(planned);
        Ok(json!({ "status": 200, "headers": {}, "body": {} }))
    }
}

#[async_trait]
impl Transport for Plan {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, TransportError> {
        if request.method == WooMethod::Get {
            return Transport::exchange(self.real.as_ref(), request).await;
        }
        self.made.lock().push(planned(&request));
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Ok(HttpAnswer { status: 200, headers, body: "{}".into() })
    }
}

/// A write to a store as `{method, url, query?, body?}`, without what it is signed with.
fn planned(request: &HttpRequest) -> Json {
    let mut url = request.url.clone();
    let credential = |name: &str| name.starts_with("oauth_") || matches!(name, "consumer_key" | "consumer_secret");
    let pairs = request.url.query_pairs().filter(|(name, _)| !credential(name));
    let query: Map<String, Json> = pairs.map(|(name, value)| (name.into_owned(), json!(value))).collect();
    url.set_query(None);
    let mut plan = json!({ "method": request.method.as_str(), "url": url.as_str() });
    if !query.is_empty() {
        plan["query"] = Json::Object(query);
    }
    if let Some(body) = request.body.as_deref().and_then(|body| serde_json::from_slice(body).ok()) {
        plan["body"] = body;
    }
    plan
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_planned_write_shows_what_it_does_and_not_what_signs_it() {
        let url = "https://shop.example/wp-json/wc/v3/coupons/9?force=true&consumer_key=ck_1&consumer_secret=cs_1";
        let request = HttpRequest {
            method: WooMethod::Delete,
            url: format!("{url}&oauth_signature=x").parse().expect("an address"),
            headers: vec![("authorization", "Basic cs_1".into())],
            body: Some("{\"a\":1}".into()),
            timeout: Duration::from_secs(1),
            max_answer_bytes: 1,
        };
        let expect = json!({
            "method": "DELETE",
            "url": "https://shop.example/wp-json/wc/v3/coupons/9",
            "query": { "force": "true" },
            "body": { "a": 1 },
        });
        assert_eq!(planned(&request), expect);
    }
}
