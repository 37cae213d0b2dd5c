//! Shops behind real sockets, asked with a real client.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::*;
use crate::{
    faults::{Fault, When},
    state::Kind,
    webhooks::{self, Received, delivery},
};

async fn one(tls: Tls) -> Server {
    Server::start(vec![ShopSpec { tls, ..ShopSpec::http("one") }], Options::default()).await.expect("a server")
}

fn client(server: &Server) -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let builder = match server.ca_pem() {
        Some(pem) => {
            let ca = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
            builder.tls_certs_only([ca])
        }
        None => builder,
    };
    builder.build().expect("a client")
}

fn index(server: &Server, id: &str) -> String {
    format!("{}/wp-json/", server.base_url(id))
}

#[tokio::test]
async fn hundreds_of_shops_share_one_port() {
    let shops = (0..200).map(|number| ShopSpec::http(&format!("shop-{number}"))).collect();
    let address = Address::Shared("127.0.0.1:0".parse().expect("an address"));
    let server = Server::start(shops, Options { address, ..Options::default() }).await.expect("a server");
    let client = client(&server);
    for id in ["shop-0", "shop-7", "shop-199"] {
        let body = client.get(index(&server, id)).send().await.expect("an answer").bytes().await.expect("a body");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["url"], server.base_url(id), "{id}");
    }
    let nobody = format!("{}0/wp-json/", server.base_url("shop-199"));
    assert_eq!(client.get(nobody).send().await.expect("an answer").status(), 404);
    server.stop().await;
}

#[tokio::test]
async fn a_shop_that_is_down_refuses_and_comes_back_on_the_same_port() {
    let server = one(Tls::None).await;
    let client = client(&server);
    assert!(client.get(index(&server, "one")).send().await.expect("an answer").status().is_success());
    server.faults("one").always(Fault::Down);
    loop {
        match client.get(index(&server, "one")).send().await {
            Err(error) if error.is_connect() => break,
            _ => tokio::task::yield_now().await,
        }
    }
    server.faults("one").clear();
    while client.get(index(&server, "one")).send().await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn connections_are_cut_before_and_after_the_work() {
    let server = one(Tls::None).await;
    let client = client(&server);
    let (key, secret) = server.key("one");
    let url = format!("{}/wp-json/wc/v3/products/tags", server.base_url("one"));
    for (fault, done) in [(Fault::CutBefore, 0), (Fault::CutAfter, 1), (Fault::HalfBody, 2)] {
        server.faults("one").add(When::of("POST", "/tags").times(1), fault.clone());
        // Over plain http a key counts only when it signs, so the shop is told that this is https.
        let shop = server.shop("one");
        let faults = server.faults("one");
        let request = Request {
            method: "POST".to_owned(),
            target: "/wp-json/wc/v3/products/tags".to_owned(),
            headers: vec![
                ("authorization".to_owned(), format!("Basic {}", STANDARD.encode(format!("{key}:{secret}")))),
                ("content-type".to_owned(), "application/json".to_owned()),
            ],
            body: json!({ "name": format!("tag {done}") }).to_string().into_bytes(),
            https: true,
        };
        faults.handle(&shop, request);
        assert_eq!(shop.count(Kind::Tag), done, "{fault:?}");
        // And the same fault over the wire ends without an answer that could be read.
        server.faults("one").add(When::of("POST", "/tags").times(1), fault.clone());
        let answer = client.post(&url).send().await;
        let readable = match answer {
            Ok(answer) => answer.bytes().await.is_ok(),
            Err(_) => false,
        };
        assert!(!readable, "{fault:?}");
        assert!(client.post(&url).send().await.is_ok(), "{fault:?}: only once");
    }
}

#[tokio::test]
async fn https_needs_the_servers_ca_and_a_certificate_in_order() {
    let server = one(Tls::Good).await;
    assert!(client(&server).get(index(&server, "one")).send().await.expect("an answer").status().is_success());
    let stranger = reqwest::Client::builder().no_proxy().build().expect("a client");
    assert!(stranger.get(index(&server, "one")).send().await.is_err(), "an unknown CA");
    for tls in [Tls::Expired, Tls::WrongName, Tls::Unknown] {
        let server = one(tls).await;
        assert!(client(&server).get(index(&server, "one")).send().await.is_err(), "{tls:?}");
    }
}

#[tokio::test]
async fn maintenance_speaks_json_only_to_those_who_ask_for_it() {
    let server = one(Tls::None).await;
    server.faults("one").always(Fault::Maintenance { retry_after_secs: 600 });
    for (accept, kind) in [("application/json", "application/json"), ("*/*", "text/html")] {
        let answer =
            client(&server).get(index(&server, "one")).header("Accept", accept).send().await.expect("an answer");
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (503, &"600".parse().expect("a value"))
        );
        assert!(answer.headers()["content-type"].to_str().expect("text").starts_with(kind), "{accept}");
    }
}

#[tokio::test]
async fn a_fault_meets_only_what_it_is_for_and_only_so_often() {
    let server = one(Tls::None).await;
    let client = client(&server);
    let faults = server.faults("one");
    faults.add(When::of("GET", "/wp-json/").skip(1).times(2), Fault::TooMany { retry_after_secs: Some(7) });
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(client.get(index(&server, "one")).send().await.expect("an answer").status().as_u16());
    }
    assert_eq!(seen, [200, 429, 429, 200]);
    faults.add(When::default().and(|request| request.body == b"x"), Fault::Firewall(403));
    let post = |body: &'static str| client.post(index(&server, "one")).body(body).send();
    assert_eq!(post("x").await.expect("an answer").status(), 403);
    assert_ne!(post("y").await.expect("an answer").status(), 403);
}

#[tokio::test]
async fn the_clock_of_a_shop_may_be_wrong() {
    let now = Arc::new(AtomicI64::new(1_000));
    let reading = Arc::clone(&now);
    let clock: Clock = Arc::new(move || reading.load(Ordering::Relaxed));
    let options = Options { clock: Some(clock), ..Options::default() };
    let server = Server::start(vec![ShopSpec::http("one")], options).await.expect("a server");
    server.faults("one").set_clock_ahead_ms(-500);
    assert_eq!((server.shop("one").config().clock)(), 500);
    let answer = client(&server).get(index(&server, "one")).send().await.expect("an answer");
    assert_eq!(answer.headers()["date"], "Thu, 01 Jan 1970 00:00:00 GMT");
}

#[tokio::test]
async fn tls_on_a_plain_port_is_a_bad_request() {
    let server = one(Tls::None).await;
    let url = index(&server, "one").replace("http:", "https:");
    assert!(client(&server).get(url).send().await.is_err_and(|error| !error.is_timeout()));
}

#[tokio::test]
async fn the_seventh_failure_in_a_row_switches_a_webhook_off() {
    let server = one(Tls::None).await;
    let shop = server.shop("one");
    let webhook = webhooks::add(&shop, "order.updated", "http://127.0.0.1:9/x", "s");
    let status =
        || shop.with_state(|state| state.get(Kind::Webhook, webhook).map(|hook| hook.text("status").to_owned()));
    for failed in 1..=6 {
        delivery::settle(&shop, webhook, Received::Nothing);
        assert_eq!((webhooks::failures(&shop, webhook), status().as_deref()), (failed, Some("active")));
    }
    delivery::settle(&shop, webhook, Received::Status(500));
    assert_eq!(status().as_deref(), Some("disabled"));
    // Switched on again it is one failure away from going off again, until something is received.
    shop.with_state(|state| state.get_mut(Kind::Webhook, webhook).expect("there").set("status", "active"));
    delivery::settle(&shop, webhook, Received::Status(303));
    assert_eq!(status().as_deref(), Some("disabled"));
    delivery::settle(&shop, webhook, Received::Status(200));
    assert_eq!(webhooks::failures(&shop, webhook), 0);
}

/// A receiver that takes whatever comes: what it got, and its address.
async fn receiver() -> (tokio::sync::mpsc::UnboundedReceiver<Request>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/in", listener.local_addr().expect("an address"));
    let (send, got) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut connection = http::Connection::new(stream, false);
            if let Ok(Some(request)) = connection.request().await {
                let fine = crate::Response { status: 200, headers: Vec::new(), body: Vec::new() };
                let _ = connection.answer(&fine, false, false).await;
                let _ = send.send(request);
            }
        }
    });
    (got, url)
}

#[tokio::test]
async fn deliveries_are_signed_and_show_an_object_that_is_gone_as_an_error() {
    let server = one(Tls::None).await;
    let shop = server.shop("one");
    let (mut got, url) = receiver().await;
    let webhook = webhooks::add(&shop, "order.updated", &url, "a&amp;b");
    server.hooks("one").enqueue(&shop, &crate::Happened::new("order", "updated", 999));
    server.driver("one").after_request().await;
    let request =
        tokio::time::timeout(Duration::from_secs(20), got.recv()).await.expect("in time").expect("a delivery");
    let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
    assert_eq!(header("x-wc-webhook-topic"), "order.updated");
    assert_eq!(header("x-wc-webhook-id"), webhook.to_string());
    assert_eq!(header("x-wc-webhook-source"), format!("{}/", server.base_url("one")));
    assert_eq!(header("x-wc-webhook-signature"), delivery::sign(&request.body, "a&b"));
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    assert_eq!(body["data"]["status"], 404, "{body}");
}

#[tokio::test]
async fn what_happens_without_a_request_is_delivered_too_and_once() {
    let server = one(Tls::None).await;
    let shop = server.shop("one");
    let (mut got, url) = receiver().await;
    webhooks::add(&shop, "product.deleted", &url, "s");
    for id in [7, 7, 8] {
        shop.with_state(|state| state.happened(crate::Happened::new("product", "deleted", id)));
    }
    let mut told = Vec::new();
    for _ in 0..2 {
        told.push(String::from_utf8(got.recv().await.expect("a delivery").body).expect("text"));
    }
    assert_eq!(told, [r#"{"id":7}"#, r#"{"id":8}"#]);
    assert_eq!(server.hooks("one").waiting(), 0, "the second 7 was the first one's");
}

#[tokio::test]
async fn a_new_address_is_pinged_without_a_signature() {
    let server = one(Tls::None).await;
    let shop = server.shop("one");
    let (mut got, url) = receiver().await;
    let (key, secret) = server.key("one");
    let answer = shop.handle(Request {
        method: "POST".to_owned(),
        target: format!("/wp-json/wc/v3/webhooks?consumer_key={key}&consumer_secret={secret}"),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: json!({ "topic": "order.created", "delivery_url": url, "secret": "s3cr3t" }).to_string().into_bytes(),
        https: true,
    });
    assert_eq!(answer.status, 201);
    assert!(!String::from_utf8_lossy(&answer.body).contains("s3cr3t"));
    server.driver("one").after_request().await;
    let ping = got.recv().await.expect("a ping");
    assert_eq!(ping.body, b"webhook_id=1");
    assert_eq!(ping.header("x-wc-webhook-signature"), None);
    assert!(delivery::pings_due(&shop).is_empty(), "200 is what a ping wants");
}
