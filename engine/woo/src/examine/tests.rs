//! Stores in trouble: for each a transport that answers as that store would, and the report it must lead to.

mod troubles;

use std::sync::Arc;

use async_trait::async_trait;
use cartwright_core::{Json, time::Timestamp, woo::WooMethod};
use parking_lot::Mutex;
use serde_json::json;

use super::*;
use crate::{
    client::{Ambience, ClientOptions},
    seal::Secret,
    transport::{HttpAnswer, HttpRequest, Transport, TransportError, TransportFailure},
};

/// 2026-11-21T12:00:00Z
const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);
const DATE: &str = "Sat, 21 Nov 2026 12:00:00 GMT";
const KEY: &str = "ck_0123456789";
const SECRET: &str = "cs_9876543210";

type Reply = Result<HttpAnswer, TransportError>;

/// How a request says who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Nobody,
    Basic,
    Query,
    Signature,
}

struct Asked {
    method: WooMethod,
    url: Url,
    /// Path below the host.
    path: String,
    by: By,
}

/// A store; what it leaves open is answered as a healthy one would.
struct Fake {
    answer: fn(&Asked) -> Option<Reply>,
    asked: Mutex<Vec<(WooMethod, Option<String>)>>,
}

#[async_trait]
impl Transport for Fake {
    async fn exchange(&self, request: HttpRequest) -> Reply {
        let has = |name: &str| request.url.query_pairs().any(|(known, _)| known == name);
        let by = match () {
            () if request.headers.iter().any(|(name, _)| *name == "authorization") => By::Basic,
            () if has("consumer_secret") => By::Query,
            () if has("oauth_signature") => By::Signature,
            () => By::Nobody,
        };
        let body = request.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
        self.asked.lock().push((request.method, body));
        let asked = Asked { method: request.method, path: request.url.path().to_owned(), url: request.url, by };
        (self.answer)(&asked).unwrap_or_else(|| healthy(&asked))
    }
}

fn answer(status: u16, body: &Json) -> Reply {
    with(status, &[("content-type", "application/json")], &body.to_string())
}

fn with(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut all = vec![("date".to_owned(), DATE.to_owned())];
    all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Ok(HttpAnswer { status, headers: all, body: body.to_owned().into() })
}

fn refused(status: u16, code: &str, message: &str) -> Reply {
    answer(status, &json!({ "code": code, "message": message, "data": { "status": status } }))
}

fn stranger() -> Reply {
    refused(401, "woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")
}

fn broken(failure: TransportFailure, message: &str) -> Reply {
    Err(TransportError { failure, may_have_arrived: false, message: message.to_owned() })
}

fn page(status: u16, text: &str) -> Reply {
    with(status, &[("content-type", "text/html")], &format!("<!DOCTYPE html><html><body>{text}</body></html>"))
}

fn index(home: &str, namespaces: &[&str]) -> Reply {
    answer(200, &json!({ "name": "Tea & Co", "url": home, "home": home, "namespaces": namespaces }))
}

fn status(version: &str, cron: bool) -> Reply {
    let environment = json!({ "version": version, "wp_version": "7.1", "php_version": "8.2.1", "wp_cron": cron });
    answer(200, &json!({ "environment": environment, "settings": { "HPOS_enabled": true } }))
}

fn hooks(status: &str) -> Reply {
    let hook = json!({ "id": 1, "topic": "order.created", "status": status, "delivery_url": "https://cart.example/webhooks/shop" });
    let other =
        json!({ "id": 2, "topic": "order.created", "status": "disabled", "delivery_url": "https://other.example/x" });
    answer(200, &json!([hook, other]))
}

fn healthy(asked: &Asked) -> Reply {
    match asked.path.as_str() {
        "/wp-json/" => index("https://shop.example", &["wp/v2", "wc/v3"]),
        _ if asked.by == By::Nobody => stranger(),
        "/wp-json/wc/v3/system_status" => status("11.0.1", true),
        "/wp-json/wc/v3/webhooks" => hooks("active"),
        _ => answer(200, &json!([])),
    }
}

async fn report_of(url: &str, keys: bool, answer: fn(&Asked) -> Option<Reply>) -> (Report, Arc<Fake>) {
    let fake = Arc::new(Fake { answer, asked: Mutex::default() });
    let ambience = Ambience { now: Box::new(|| NOW), random: Box::new(|bytes| bytes.fill(7)) };
    let client = Client::new(Arc::clone(&fake) as Arc<dyn Transport>, ambience, ClientOptions::default());
    let id: StoreId = "shop".parse().expect("a store id");
    let connection = Connection {
        id: id.clone(),
        url: url.parse().expect("an address"),
        key: Secret::new(KEY),
        secret: Secret::new(SECRET),
    };
    let target = Target { id: &id, url: Some(url), connection: keys.then_some(&connection) };
    (examine(&client, target).await, fake)
}

/// Name, outcome, message and help, a line each, as a golden text.
fn text(report: &Report) -> String {
    let mut text = String::new();
    for check in &report.checks {
        let sign = match check.outcome {
            Outcome::Ok => "ok",
            Outcome::Warning => "WARN",
            Outcome::Failed => "FAIL",
            Outcome::Skipped => continue,
        };
        text.push_str(&format!("{sign} {}: {}", check.name, check.message));
        text.push_str(&check.help.as_ref().map(|help| format!(" > {help}")).unwrap_or_default());
        text.push('\n');
    }
    text
}

#[tokio::test(start_paused = true)]
async fn a_healthy_store_is_fine_in_every_respect() {
    let (report, fake) = report_of("https://shop.example", true, |_| None).await;
    let expect = "\
ok address: shop.example answers
ok https: the certificate is good
ok wordpress: WordPress answers as \"Tea & Co\"
ok woocommerce: WooCommerce's API (wc/v3) is there
ok clock: the store's clock and ours agree
ok key: the key opens the store
ok rights: the key reads orders, products, customers, coupons
ok writing: the key may write
ok versions: WooCommerce 11.0.1, WordPress 7.1, PHP 8.2.1, orders in their own tables (HPOS)
ok webhooks: active: order.created
";
    assert_eq!(text(&report), expect);
    assert!(report.fine);
    let writes: Vec<_> = fake.asked.lock().iter().filter(|(method, _)| *method != WooMethod::Get).cloned().collect();
    assert_eq!(writes, [(WooMethod::Post, Some("{}".to_owned()))], "an empty batch and nothing else");
}

/// The one check that is not fine, and words that must be in its message or help.
struct Trouble {
    name: &'static str,
    url: &'static str,
    answer: fn(&Asked) -> Option<Reply>,
    check: &'static str,
    outcome: Outcome,
    words: &'static [&'static str],
}

#[tokio::test(start_paused = true)]
async fn each_trouble_is_named_with_what_to_do() {
    for trouble in troubles::TROUBLES {
        let (report, _) = report_of(trouble.url, true, trouble.answer).await;
        let shown = text(&report);
        let bad: Vec<_> = report.checks.iter().filter(|check| check.outcome > Outcome::Ok).collect();
        let names: Vec<_> = bad.iter().map(|check| (check.name, check.outcome)).collect();
        assert_eq!(names, [(trouble.check, trouble.outcome)], "{}:\n{shown}", trouble.name);
        for word in trouble.words {
            assert!(shown.contains(word), "{}: no {word:?} in\n{shown}", trouble.name);
        }
        assert_eq!(report.fine, trouble.outcome != Outcome::Failed, "{}", trouble.name);
        let json = serde_json::to_string(&report).expect("JSON");
        assert!(!json.contains(KEY) && !json.contains(SECRET), "{}: {json}", trouble.name);
    }
}

#[tokio::test(start_paused = true)]
async fn without_keys_or_address_the_report_says_how_to_give_them() {
    let (report, fake) = report_of("https://shop.example", false, |_| None).await;
    assert!(!report.fine);
    assert!(text(&report).contains("--key ck_… --secret cs_…"), "{}", text(&report));
    assert!(fake.asked.lock().iter().all(|(method, _)| *method == WooMethod::Get));

    let ambience = Ambience { now: Box::new(|| NOW), random: Box::new(|_| ()) };
    let fake = Arc::new(Fake { answer: |_| None, asked: Mutex::default() });
    let client = Client::new(Arc::clone(&fake) as Arc<dyn Transport>, ambience, ClientOptions::default());
    let id = "shop".parse().expect("a store id");
    let report = examine(&client, Target { id: &id, url: None, connection: None }).await;
    assert!(!report.fine && report.checks[0].help.as_deref().is_some_and(|help| help.contains("--url")));
    assert!(fake.asked.lock().is_empty());
}
