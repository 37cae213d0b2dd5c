//! Everything that is secret, looked for in everything that the engine writes, says and answers, in every form it may
//! take on the way.

use std::{fs, path::Path, sync::Arc};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use cartwright_storage::{Options, RunFilter, SledStorage, Storage, Table};
use cartwright_tests::{
    engine::{Engine, text},
    orders,
    random::Random,
    sign,
    sink::{Answer, Keys, Sink},
    wire::{Request, once},
};
use serde_json::{Value, json};

use crate::straight_path::with_sink;

/// With signs that JSON, addresses and forms write in another way.
const NAMED: &str = "made-up/9f3b+7c51=d2&\"q\"";
const WEBHOOK: &str = "hook made-up/77aa+1b=c&d";
const NEW_WEBHOOK: &str = "second-made-up-hook-4711";
const REST_KEY: &str = "ck_made0up0aa31f0c9d2b7e64518f0a3c2b1d9e8f7a";
const REST_SECRET: &str = "cs_made0up0bb42e1d8c3a6f75409e1b4d3c2a8f7e6b";
const PASSPHRASE: &str = "nobody puts these made-up words together";
/// Not secret: the search finds it, so it would find the others.
const MARKER: &str = "visible-marker-20391";

const WORKFLOW: &str = r#"
on: { woo: [order.created] }
grants: { http: ["127.0.0.1", "10.0.0.1"], secrets: [api_key], woo: [orders.read], stores: [self] }
retry: { attempts: 1 }
steps:
  - { id: told, http: "POST http://SINK/told", headers: { X-Link: "${{ links.ask }}" }, body: { link: "${{ links.ask }}" } }
  - { id: fine, http: "POST http://SINK/fine/${{ secrets.api_key }}", headers: { X-Key: "${{ secrets.api_key }}" }, body: { key: "${{ secrets.api_key }}" } }
  - { id: refused, http: "POST http://SINK/refused?key=${{ secrets.api_key }}", on_error: continue }
  - { id: echo, http: "POST http://SINK/echo", body: { key: "${{ secrets.api_key }}" } }
  - { id: echo_refused, http: "POST http://SINK/echo_refused", body: { key: "${{ secrets.api_key }}" }, on_error: continue }
  - { id: echo_long, http: "POST http://SINK/echo_long", body: { key: "${{ secrets.api_key }}" }, on_error: continue }
  - { id: html, http: "GET http://SINK/html", headers: { Authorization: "Bearer ${{ secrets.api_key }}" }, on_error: continue }
  - { id: cut, http: "GET http://SINK/cut", headers: { Authorization: "Bearer ${{ secrets.api_key }}" }, on_error: continue }
  - { id: half, http: "GET http://SINK/half", headers: { Authorization: "Bearer ${{ secrets.api_key }}" }, on_error: continue }
  - { id: unreachable, http: "POST http://127.0.0.1:9/${{ secrets.api_key }}", on_error: continue }
  - { id: forbidden, http: "POST http://10.0.0.1/${{ secrets.api_key }}", on_error: continue }
  - id: header
    script: |
      let key = secrets::get("api_key");
      log::info("about to call " + event.data.customer_note);
      try { http::get("http://SINK/fine", #{ headers: #{ "X-Key": key + "\n" } }); } catch (error) { log::warn(error.message); }
      try { http::get(key); } catch (error) { log::warn(error.message); }
      try { throw key; } catch (error) { log::warn("thrown"); }
      `${key}`.len() > 0
    on_error: continue
  - { id: woo_read, woo: "orders/1", on_error: continue }
  - { id: woo_html, woo: "orders/3", on_error: continue }
  - { id: last, script: "event.data.customer_note" }
  - { id: woo_denied, woo: "orders/2" }
  - { id: ask, approve: "Well?" }
"#;

/// Signed by schemes that have names, with secrets of their own.
const STRIPE: &str = "on: { http: { path: /stripe, auth: { stripe: { secrets: [stripe_secret, stripe_next] } } } }\nsteps: [{ id: see, script: event.data.note }]\n";
const GITHUB: &str = "on: { http: { path: /github, auth: github } }\nsteps: [{ id: see, script: event.data.note }]\n";
const STRIPE_SECRET: &str = "whsec_made0up0stripe0Jk3l0Qz9";
const STRIPE_NEXT: &str = "whsec_made0up0stripe0next0Vb7m";
const GITHUB_SECRET: &str = "made-up github secret 5d&e\"1c";

/// A secret in every form it may take, each long enough to mean something.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec(), hex::encode(secret).into(), hex::encode_upper(secret).into()];
    // Inside a longer text base64 depends on what stands before; the letters at both ends on the neighbours.
    for before in 0..3 {
        let padded = [vec![0; before], secret.to_vec()].concat();
        let first = (before * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        for text in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            forms.push(text[first..last].into());
        }
    }
    let percent: String = secret.iter().map(|byte| format!("%{byte:02X}")).collect();
    forms.push(percent.to_lowercase().into());
    forms.push(percent.into());
    let form: String = url::form_urlencoded::byte_serialize(secret).collect();
    forms.push(form.replace('+', "%20").into());
    forms.push(form.into());
    if let Ok(text) = std::str::from_utf8(secret) {
        let quoted = serde_json::to_string(text).expect("JSON");
        forms.push(quoted.trim_matches('"').into());
        forms.push(serde_json::to_string(&quoted).expect("JSON").trim_matches(['"', '\\']).into());
        forms.push(text.replace('&', "&amp;").replace('"', "&quot;").into());
        // In a path these signs stay as they are.
        forms.push(text.replace('"', "%22").into());
        forms.push(text.replace(' ', "%20").into());
    }
    forms.push(secret.iter().rev().copied().collect());
    forms.sort();
    forms.dedup();
    forms
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn the_search_finds_a_secret_in_whatever_it_is_wrapped() {
    let secret = NAMED;
    let basic = format!("user:{secret}");
    for wrapped in [
        format!("…{secret}…"),
        json!({ "a": secret }).to_string(),
        json!({ "a": json!({ "b": secret }).to_string() }).to_string(),
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(&basic)),
        base64::engine::general_purpose::URL_SAFE.encode(format!("x{basic}y")),
        hex::encode(&basic),
        url::form_urlencoded::Serializer::new(String::new()).append_pair("k", secret).finish(),
        url::Url::parse(&format!("http://x/{secret}")).expect("an address").to_string(),
    ] {
        assert!(forms(secret.as_bytes()).iter().any(|form| contains(wrapped.as_bytes(), form)), "{wrapped}");
    }
    assert!(!forms(secret.as_bytes()).iter().any(|form| contains(MARKER.as_bytes(), form)));
}

/// Everything that was seen, with where.
#[derive(Default)]
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// Every file below a folder but those that are there to hold a secret.
    fn files(&mut self, folder: &Path, but: &[&str]) {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            let name = entry.file_name().into_string().expect("text");
            if entry.path().is_dir() {
                self.files(&entry.path(), but);
            } else if !but.contains(&name.as_str()) {
                self.add(format!("file {}", entry.path().display()), fs::read(entry.path()).expect("read"));
            }
        }
    }

    /// Whatever storage gives, unpacked.
    fn storage(&mut self, folder: &Path) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let storage: Arc<dyn Storage> = SledStorage::open(folder, Options::default()).expect("opens");
            for table in [Table::State, Table::Stores, Table::Secrets, Table::Definitions, Table::Meta] {
                for record in storage.records(table, "", None, 100_000).await.expect("read") {
                    self.add(format!("{table:?} {}", record.key), [record.key.into_bytes(), record.value].concat());
                }
            }
            for row in storage.query_runs(&RunFilter::default(), None, 500).await.expect("read").items {
                let journal = storage.journal(&row.id).await.expect("read");
                self.add(format!("journal {}", row.id), serde_json::to_vec(&journal).expect("JSON"));
                self.add(format!("row {}", row.id), format!("{row:?}"));
            }
            for event in storage.query_events(&<_>::default(), None, 500).await.expect("read").items {
                self.add("event", format!("{event:?}"));
            }
            storage.close().await.expect("closed");
        });
    }

    /// What stands around a find.
    fn around(&self, place: &str, needle: &[u8]) -> String {
        let (_, bytes) = self.0.iter().find(|(at, bytes)| at == place && contains(bytes, needle)).expect("found there");
        let at = bytes.windows(needle.len()).position(|window| window == needle).expect("found");
        String::from_utf8_lossy(&bytes[at.saturating_sub(300)..(at + 200).min(bytes.len())]).into_owned()
    }

    fn places(&self, needle: &[u8]) -> Vec<&str> {
        self.0.iter().filter(|(_, bytes)| contains(bytes, needle)).map(|(place, _)| place.as_str()).collect()
    }
}

fn webhook(body: &[u8], secret: &str) -> Request {
    Request::new("POST", "/webhooks/shop")
        .header("Content-Type", "application/json")
        .header("X-WC-Webhook-Source", "https://shop.example.com/")
        .header("X-WC-Webhook-Topic", "order.created")
        .header("X-WC-Webhook-Resource", "order")
        .header("X-WC-Webhook-Event", "created")
        .header("X-WC-Webhook-Signature", &sign::woo(body, secret))
        .header("X-WC-Webhook-ID", "4")
        .header("X-WC-Webhook-Delivery-ID", &sign::digest(body)[..32])
        .body(body)
}

fn order(number: u64) -> Vec<u8> {
    let mut order = orders::order(number, &mut Random::new(number));
    order["customer_note"] = MARKER.into();
    order["status"] = "processing".into();
    serde_json::to_vec(&order).expect("JSON")
}

/// A receiver and a shop that say back what they were given, as careless ones do.
fn sink() -> Sink {
    let sink = Sink::start(Keys::Ignored);
    let html =
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html\r\nContent-Length: 16\r\n\r\n<html>Oh</html>\n";
    for path in ["/html", "/wp-json/wc/v3/orders/3"] {
        sink.answer_always(path, Answer::Raw(html.to_vec()));
    }
    sink.answer_always("/refused", Answer::Json(400, json!({ "error": "no" })));
    sink.answer_always("/echo", Answer::Json(200, json!({ "key": NAMED, "text": format!("the key {NAMED} is good") })));
    sink.answer_always("/echo_refused", Answer::Json(400, json!({ "error": format!("the key {NAMED} is bad") })));
    let long = json!({ "error": format!("{} {NAMED} is bad {}", "a".repeat(175), "b".repeat(900)) });
    sink.answer_always("/echo_long", Answer::Json(400, long));
    sink.answer_always("/cut", Answer::CutBeforeEffect);
    sink.answer_always("/half", Answer::HalfBody);
    sink.answer_always("/wp-json/wc/v3/orders/1", Answer::Json(200, json!({ "id": 1, "status": "processing" })));
    let denied = json!({ "code": "woocommerce_rest_cannot_view", "message": format!("Sorry, {REST_KEY}"), "data": { "status": 401 } });
    sink.answer_always("/wp-json/wc/v3/orders/2", Answer::Json(401, denied));
    sink
}

/// Webhooks good and bad, bodies that do not parse, tokens that are wrong, and every answer kept.
fn knock(engine: &Engine, seen: &mut Seen, first: u64) -> String {
    let mut send = |request: Request| {
        let answer = once(engine.address(), &request).expect("an answer");
        seen.add("answer", format!("{} {:?} {}", answer.status, answer.headers, answer.text()));
        answer
    };
    let good = send(webhook(&order(first), WEBHOOK));
    assert_eq!(good.status, 200, "{}", good.text());
    assert_eq!(send(webhook(&order(first + 1), "wrong")).status, 401);
    assert_eq!(send(webhook(b"{broken", WEBHOOK)).status, 400);
    assert_eq!(send(Request::new("GET", &format!("/api/v1/stores?key={NAMED}").replace(['"', ' '], ""))).status, 401);
    let bearer = format!("Bearer {}", engine.token());
    for (target, body) in [
        ("/api/v1/stores", format!(r#"{{"id":"x","webhook_secrets":"{WEBHOOK}"}}"#)),
        ("/api/v1/stores", format!(r#"{{"id":"x","key":"{REST_KEY}","url":"https://a.example"}}"#)),
        ("/api/v1/stores", format!(r#"{{"id":"x","secret":"{REST_SECRET}""#)),
        (
            "/api/v1/stores",
            format!(r#"{{"id":"shop","key":"{REST_KEY}","secret":"{REST_SECRET}","url":"https://a.example"}}"#),
        ),
        ("/api/v1/keys/rotate", format!(r#"{{"{REST_KEY}":1}}"#).replace(REST_KEY, "data_key")),
    ] {
        let request = Request::new("POST", target).header("Authorization", &bearer).body(body);
        assert!((400..500).contains(&send(request).status));
    }
    let put = Request::new("PUT", "/api/v1/secrets/other").header("Authorization", &bearer);
    assert_eq!(send(put.body(json!({ "valu": NAMED }).to_string())).status, 400);
    good.json()["event"].as_str().expect("an event").to_owned()
}

/// Requests signed by Stripe's and GitHub's schemes: well, with the next secret, wrongly, and not at all.
fn knock_signed(engine: &Engine, seen: &mut Seen) {
    let body = json!({ "id": "evt_1", "note": MARKER }).to_string();
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let stripe = |secret: &str| format!("t={now},v1={}", sign::hex(format!("{now}.{body}").as_bytes(), secret));
    let github = |secret: &str| format!("sha256={}", sign::hex(body.as_bytes(), secret));
    let cases = [
        ("/hooks/stripe", "Stripe-Signature", stripe(STRIPE_SECRET), 202),
        ("/hooks/stripe", "Stripe-Signature", stripe(STRIPE_NEXT), 202),
        ("/hooks/stripe", "Stripe-Signature", stripe("other"), 401),
        ("/hooks/stripe", "Stripe-Signature", format!("t={now},v1=zz"), 401),
        ("/hooks/github", "X-Hub-Signature-256", github(GITHUB_SECRET), 202),
        ("/hooks/github", "X-Hub-Signature-256", github("other"), 401),
    ];
    for (path, header, signature, status) in cases {
        let request = Request::new("POST", path).header("Content-Type", "application/json").header(header, &signature);
        let answer = once(engine.address(), &request.body(body.clone())).expect("an answer");
        assert_eq!(answer.status, status, "{path} {signature}: {}", answer.text());
        seen.add("signed", format!("{} {:?} {}", answer.status, answer.headers, answer.text()));
    }
}

/// What links to approvals end in, of all messages that were sent.
fn links(sink: &Sink) -> Vec<String> {
    let told = sink.received().into_iter().filter(|request| request.path == "/told");
    told.map(|request| {
        let link = request.json()["link"].as_str().expect("a link").to_owned();
        assert_eq!(request.header("x-link"), Some(link.as_str()));
        link.strip_prefix("https://engine.example/approve/").expect("our address").to_owned()
    })
    .collect()
}

/// Opens a link and answers by it, both too early.
fn open_link(engine: &Engine, seen: &mut Seen, link: &str) {
    let target = format!("/approve/{link}");
    for request in [Request::new("GET", &target), Request::new("POST", &target).body("decision=approve")] {
        let answer = once(engine.address(), &request).expect("an answer");
        assert!(answer.status == 404 && answer.text().contains("Not asked yet"), "{}", answer.text());
        seen.add("link", format!("{} {:?} {}", answer.status, answer.headers, answer.text()));
    }
}

fn look(engine: &Engine, seen: &mut Seen, run: &Value, event: &str) {
    let id = run["id"].as_str().expect("an id");
    let (run, event) = (format!("/api/v1/runs/{id}"), format!("/api/v1/events/{event}"));
    for path in ["/", "/metrics", "/healthz", "/readyz", "/api/v1/runs", "/api/v1/events", "/api/v1/stores"] {
        seen.add(path, engine.api("GET", path, None).text());
    }
    for path in ["/api/v1/secrets", "/api/v1/workflows", "/api/v1/keys", "/api/v1/backup/records", &run, &event] {
        seen.add(path, engine.api("GET", path, None).text());
    }
    for command in [
        &["runs", "show", id][..],
        &["runs", "show", id, "--json"],
        &["runs", "ls"],
        &["events", "ls"],
        &["secret", "ls"],
        &["store", "ls", "--json"],
        &["store", "test", "shop"],
        &["replay", id],
        &["key", "ls"],
        &["key", "rotate"],
        &["doctor"],
        &["doctor", "--json"],
    ] {
        seen.add(command.join(" "), text(&engine.command(command)));
    }
}

#[test]
fn no_secret_is_in_anything_that_is_written_said_or_answered() {
    let sink = sink();
    let workflow = with_sink(WORKFLOW, &sink);
    let mut engine = Engine::new(&[("secret.yaml", &workflow), ("stripe.yaml", STRIPE), ("github.yaml", GITHUB)]);
    engine.variable("CARTWRIGHT_LOG", "trace");
    engine.variable("RUST_LOG", "trace");
    engine.variable("CARTWRIGHT_BACKUP_PASSPHRASE", PASSPHRASE);
    let file = engine.folder().join("cartwright.toml");
    fs::write(file, "[http]\npublic_url = \"https://engine.example\"\n").expect("written");
    let mut seen = Seen::default();
    let add = ["store", "add", "shop", "--url", &sink.url(""), "--key", REST_KEY, "--secret", REST_SECRET];
    seen.add("store add", text(&engine.command(&[&add[..], &["--webhook-secret", WEBHOOK]].concat())));
    seen.add("store add again", text(&engine.command(&add)));
    seen.add("secret set", text(&engine.command_with_input(&["secret", "set", "api_key"], NAMED)));
    for (name, value) in
        [("stripe_secret", STRIPE_SECRET), ("stripe_next", STRIPE_NEXT), ("github_secret", GITHUB_SECRET)]
    {
        seen.add("secret set", text(&engine.command_with_input(&["secret", "set", name], value)));
    }
    let first_master = fs::read_to_string(engine.data().join("master.key")).expect("a key");

    engine.start();
    let event = knock(&engine, &mut seen, 1);
    let run = engine.run_of(&event, "parked");
    assert_eq!(run["error"]["code"], "key_unnoticed", "it got to the last step: {run:#}");
    let received = sink.received();
    assert!(received.iter().any(|request| request.header("x-key") == Some(NAMED)), "it arrives where it is sent");
    assert!(received.iter().any(|request| request.path.starts_with("/wp-json")), "the shop was asked");
    open_link(&engine, &mut seen, &links(&sink)[0]);
    knock_signed(&engine, &mut seen);
    look(&engine, &mut seen, &run, &event);
    seen.add("store add", text(&engine.command(&["store", "add", "shop", "--webhook-secret", NEW_WEBHOOK])));

    // Killed with a run under way, started again.
    knock(&engine, &mut seen, 10);
    engine.kill();
    // What is written from here on is written in the other form.
    engine.variable("CARTWRIGHT_LOG_FORMAT", "json");
    seen.files(&engine.data(), &["master.key", "admin.token"]);
    engine.start();
    let event = knock(&engine, &mut seen, 20);
    let run = engine.run_of(&event, "parked");
    seen.add("rotate", text(&engine.command(&["key", "rotate", "--data-keys"])));
    let backup = engine.folder().join("vault.backup").to_str().expect("text").to_owned();
    let made = engine.command(&["backup", &backup]);
    assert!(made.status.success(), "{}", text(&made));
    seen.add("backup", text(&made));
    let other = engine.folder().join("other").to_str().expect("text").to_owned();
    let restored = engine.command(&["restore", &backup, "--data", &other]);
    assert!(restored.status.success(), "{}", text(&restored));
    seen.add("restore", text(&restored));
    look(&engine, &mut seen, &run, &event);
    let token = engine.token();
    engine.stop();
    seen.add("log", engine.log());
    seen.files(engine.folder(), &["master.key", "admin.token"]);
    seen.storage(&engine.data().join("storage"));

    for place in ["/api/v1/events", "journal", "event", "log", "Stores shop"] {
        let needle = if place == "Stores shop" { "127.0.0.1" } else { MARKER };
        let found = seen.places(needle.as_bytes());
        assert!(found.iter().any(|found| found.starts_with(place)), "the search does not see {place}: {found:?}");
    }
    let file = seen.places(b"webhook_secrets");
    assert!(file.iter().any(|found| found.starts_with("file")), "the search does not see into files: {file:?}");

    // The receiver's careless answer was cut in the middle of the secret, and not even its beginning is there.
    assert!(!seen.places("a".repeat(100).as_bytes()).is_empty());
    assert_eq!(seen.places(&NAMED.as_bytes()[..8]), Vec::<&str>::new());

    let last_master = fs::read_to_string(engine.data().join("master.key")).expect("a key");
    let basic = format!("{REST_KEY}:{REST_SECRET}");
    let raw = |hex: &str| hex::decode(hex.trim()).expect("hex");
    let mut secrets: Vec<Vec<u8>> =
        [NAMED, WEBHOOK, NEW_WEBHOOK, REST_KEY, REST_SECRET, PASSPHRASE, &token, &basic].map(Into::into).into();
    secrets.extend([STRIPE_SECRET, STRIPE_NEXT, GITHUB_SECRET].map(|secret| secret.as_bytes().to_vec()));
    for master in [&first_master, &last_master] {
        secrets.extend([master.trim().as_bytes().to_vec(), raw(master)]);
    }
    assert_ne!(first_master, last_master);
    let links = links(&sink);
    assert!(links.len() >= 2, "{links:?}");
    secrets.extend(links.into_iter().map(String::into_bytes));
    for secret in secrets {
        for form in forms(&secret) {
            let found = seen.places(&form);
            let around = |place: &&str| seen.around(place, &form);
            assert!(
                found.is_empty(),
                "`{}` is in {found:?}:\n{:?}",
                String::from_utf8_lossy(&form),
                found.iter().map(around).next()
            );
        }
    }
}
