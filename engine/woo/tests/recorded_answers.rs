//! What a real WooCommerce answered, read by the client: every recorded body is understood, every recorded error means
//! something, and every recorded OAuth signature is the one that we would make.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::Arc,
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use cartwright_core::{
    Json,
    call::ErrorClass,
    time::Timestamp,
    woo::{WooMethod, WooRequest},
};
use cartwright_woo::{
    Ambience, Client, ClientOptions, Connection, Secret,
    client::understand,
    transport::{HttpAnswer, HttpRequest, Transport, TransportError},
};
use parking_lot::Mutex;
use url::Url;

const API: &str = "/wp-json/wc/v3/";

/// One recorded exchange.
struct Exchange {
    name: String,
    method: Option<WooMethod>,
    url: Url,
    request_headers: BTreeMap<String, String>,
    answer: HttpAnswer,
}

fn headers(value: &Json) -> Vec<(String, String)> {
    let pair = |pair: &Json| Some((pair[0].as_str()?.to_lowercase(), pair[1].as_str()?.to_owned()));
    value.as_array().into_iter().flatten().map(|header| pair(header).expect("a name and a value")).collect()
}

/// The folder with recorded WooCommerce traffic, where it is at hand.
#[expect(clippy::disallowed_methods, reason = "the variable that all tests with recordings read")]
fn corpus() -> Option<PathBuf> {
    std::env::var("CARTWRIGHT_CORPUS").ok().filter(|text| !text.is_empty()).map(PathBuf::from)
}

#[expect(clippy::print_stderr, reason = "a test that holds nothing says so")]
/// Every recorded exchange; `None` where no corpus is named.
fn exchanges() -> Option<Vec<Exchange>> {
    let Some(folder) = corpus() else {
        eprintln!("SKIPPED: CARTWRIGHT_CORPUS names no folder with recorded exchanges; this test held nothing");
        return None;
    };
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let text = fs::read(entry.expect("a folder entry").path()).expect("a recorded exchange");
        let found: Json = serde_json::from_slice(&text).expect("a recorded exchange is JSON");
        let (request, response) = (&found["request"], &found["response"]);
        let target = request["target"].as_str().expect("a target");
        Exchange {
            name: found["name"].as_str().expect("a name").to_owned(),
            method: WooMethod::parse(request["method"].as_str().expect("a method")),
            url: format!("http://127.0.0.1:8081{target}").parse().expect("a URL"),
            request_headers: headers(&request["headers"]).into_iter().collect(),
            answer: HttpAnswer {
                status: response["status"].as_u64().and_then(|status| status.try_into().ok()).expect("a status"),
                headers: headers(&response["headers"]),
                body: Bytes::from(response["body"].as_str().unwrap_or_default().to_owned()),
            },
        }
    };
    let found: Vec<Exchange> = fs::read_dir(folder.join("exchanges")).expect("exchanges").map(read).collect();
    assert!(found.len() > 300, "{} exchanges: the corpus is not whole", found.len());
    Some(found)
}

fn request(exchange: &Exchange, path: &str) -> WooRequest {
    let spec = serde_json::json!({ "path": path });
    WooRequest { method: exchange.method.expect("a method"), ..WooRequest::parse(&spec).expect("a path") }
}

#[test]
fn every_recorded_answer_is_understood() {
    let Some(exchanges) = exchanges() else { return };
    let store = "http://127.0.0.1:8081".parse().expect("a URL");
    let (mut read, mut refused, mut surprises) = (0, BTreeSet::new(), Vec::new());
    for exchange in &exchanges {
        // HEAD and the like are not made by the client; other APIs are read all the same.
        if exchange.method.is_none() {
            continue;
        }
        let path = exchange.url.path().strip_prefix(API).filter(|path| !path.is_empty()).unwrap_or("other");
        let Exchange { name, answer, .. } = exchange;
        let is_json = serde_json::from_slice::<Json>(&answer.body).ok();
        match understand(&store, &request(exchange, path), answer, Timestamp::default()) {
            Ok(body) => {
                read += 1;
                let same = (200..300).contains(&answer.status) && Some(body) == is_json;
                if !same {
                    surprises.push(format!("{name}: {} was taken for a success", answer.status));
                }
            }
            Err(error) => {
                refused.insert((answer.status, error.code.clone(), format!("{:?}", error.class)));
                let code = is_json.as_ref().and_then(|body| body["code"].as_str()).unwrap_or_default();
                let expected = expected(answer.status, code, name);
                let is_write = exchange.method != Some(WooMethod::Get);
                let expected = match expected {
                    ErrorClass::Retryable if is_write => ErrorClass::Unknown,
                    other => other,
                };
                // Pages of WooCommerce's own (wc-auth, wp-cron) are no answers of the API.
                let is_api = exchange.url.path().starts_with("/wp-json/wc/");
                if is_api && error.class != expected {
                    surprises.push(format!("{name}: {} {code} is {:?}, not {expected:?}", answer.status, error.class));
                }
                if error.message.contains(['<', '>']) || error.message.contains("&quot;") {
                    surprises.push(format!("{name}: {}", error.message));
                }
            }
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    assert!(read > 200 && refused.len() > 40, "{read} read, {} kinds of errors", refused.len());
}

/// As the facts say it, in other words than the client's table.
fn expected(status: u16, code: &str, name: &str) -> ErrorClass {
    match (status, code) {
        // Something in between repeated a request: the first one may have done it.
        (401, _) if name.ends_with("nonce_reused") => ErrorClass::Retryable,
        (401 | 403, _) => ErrorClass::Park,
        (404, "rest_no_route") if name.starts_with("outage_") => ErrorClass::Deferred,
        (503, _) => ErrorClass::Deferred,
        (500, _) if code.ends_with("_order_refund") => ErrorClass::Final,
        (500.., _) if status != 501 => ErrorClass::Retryable,
        _ => ErrorClass::Final,
    }
}

/// Keeps what is sent.
#[derive(Default)]
struct Wire(Mutex<Vec<HttpRequest>>);

#[async_trait]
impl Transport for Wire {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, TransportError> {
        self.0.lock().push(request);
        Ok(HttpAnswer { status: 200, headers: Vec::new(), body: Bytes::from_static(b"[]") })
    }
}

/// Keys with their secrets, from the exchanges that sent both.
fn secrets(exchanges: &[Exchange]) -> BTreeMap<String, String> {
    let basic = exchanges.iter().filter_map(|exchange| {
        let pair = STANDARD.decode(exchange.request_headers.get("authorization")?.strip_prefix("Basic ")?).ok()?;
        let (key, secret) = String::from_utf8(pair).ok()?.split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned()))?;
        (key.starts_with("ck_") && secret.starts_with("cs_") && exchange.answer.status < 400).then_some((key, secret))
    });
    basic.collect()
}

/// What was signed, and the signature: from the query or the `Authorization` header.
fn oauth(exchange: &Exchange) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = exchange.url.query_pairs().into_owned().collect();
    let header = exchange.request_headers.get("authorization").and_then(|header| header.strip_prefix("OAuth "));
    for part in header.into_iter().flat_map(|header| header.split(", ")) {
        let query = format!("http://a/?{}", part.replace('"', ""));
        found.extend(query.parse::<Url>().expect("a URL").query_pairs().into_owned());
    }
    found
}

#[tokio::test]
async fn recorded_signatures_are_those_that_we_make() {
    let Some(exchanges) = exchanges() else { return };
    let secrets = secrets(&exchanges);
    let mut checked = 0;
    for exchange in &exchanges {
        let mut signed = oauth(exchange);
        let Some(signature) = signed.remove("oauth_signature") else { continue };
        let (Some(nonce), "HMAC-SHA256") = (signed.remove("oauth_nonce"), signed["oauth_signature_method"].as_str())
        else {
            continue;
        };
        // WooCommerce took these; the others were made to be refused.
        let taken = exchange.answer.status < 300 && !exchange.name.contains("https");
        let (Ok(nonce), true) = (hex::decode(&nonce), taken) else { continue };
        let seconds: i64 = signed["oauth_timestamp"].parse().expect("seconds");
        let key = signed["oauth_consumer_key"].clone();
        let random = move |buffer: &mut [u8]| buffer.copy_from_slice(&nonce);
        let now = move || Timestamp::from_millis(seconds * 1000);
        let ambience = Ambience { now: Box::new(now), random: Box::new(random) };
        let wire = Arc::new(Wire::default());
        let client = Client::new(Arc::clone(&wire) as _, ambience, ClientOptions::default());
        let store = Connection {
            id: "shop".parse().expect("an id"),
            url: "http://127.0.0.1:8081".parse().expect("a URL"),
            secret: Secret::new(secrets[&key].as_bytes()),
            key: Secret::new(key.as_bytes()),
        };
        let mut call = request(exchange, exchange.url.path().strip_prefix(API).expect("the API"));
        call.query =
            signed.into_iter().filter(|(name, _)| !name.starts_with("oauth_")).map(|(n, v)| (n, v.into())).collect();
        if call.method != WooMethod::Get {
            call.body = Some(serde_json::json!({ "name": "x" }));
        }
        client.call(&store, &call, "k", None).await.unwrap_or_else(|error| panic!("{}: {error:?}", exchange.name));
        let sent = wire.0.lock();
        let ours = sent.last().expect("sent").url.query_pairs().find(|(name, _)| name == "oauth_signature");
        assert_eq!(ours.map(|(_, value)| value.into_owned()), Some(signature), "{}", exchange.name);
        checked += 1;
    }
    assert!(checked >= 3, "{checked} signatures were compared");
}
