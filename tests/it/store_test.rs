//! `cartwright store test` against look-alike stores in trouble, with the real binary over real sockets: which check
//! fails, what the merchant is told (golden texts in `tests/golden/store_test`), and what the command ends with.

use std::{fs, path::PathBuf};

use cartwright_store_sim::{
    faults::Fault,
    server::{ShopSpec, Tls},
    state::{Permissions, Role},
};
use cartwright_tests::{
    engine::{Engine, text},
    environment,
    shops::Shops,
};
use serde_json::{Value, json};

/// How a store is connected.
struct Link {
    url: String,
    key: String,
    secret: String,
}

struct Case {
    id: &'static str,
    tls: Tls,
    /// Checks that fail; none: the command ends with 0.
    failed: &'static [&'static str],
    /// Checks that warn.
    warned: &'static [&'static str],
    trouble: fn(&Shops, &str, &mut Link),
}

const fn failing(
    id: &'static str,
    tls: Tls,
    failed: &'static [&'static str],
    trouble: fn(&Shops, &str, &mut Link),
) -> Case {
    Case { id, tls, failed, warned: &[], trouble }
}

const fn warning(
    id: &'static str,
    tls: Tls,
    warned: &'static [&'static str],
    trouble: fn(&Shops, &str, &mut Link),
) -> Case {
    Case { id, tls, failed: &[], warned, trouble }
}

fn none(_: &Shops, _: &str, _: &mut Link) {}

fn always(shops: &Shops, id: &str, fault: Fault) {
    shops.faults(id).always(fault);
}

fn another_key(shops: &Shops, id: &str, link: &mut Link, permissions: Permissions, user: u64) {
    (link.key, link.secret) = shops.shop(id).add_key(permissions, user);
}

/// A webhook that leads to the engine keeps the last check quiet; its address is closed.
fn with_webhook(shops: &Shops, id: &str) {
    let url = format!("http://127.0.0.1:9/webhooks/{id}");
    let hook = json!({"name": "ours", "topic": "coupon.deleted", "delivery_url": url, "secret": "s"});
    shops.rest(id, "POST", "webhooks", &hook);
}

const CASES: [Case; 21] = [
    warning("fine", Tls::Good, &[], none),
    warning("fine-http", Tls::None, &[], none),
    failing("self-signed", Tls::Unknown, &["address"], none),
    failing("expired", Tls::Expired, &["address"], none),
    failing("wrong-name", Tls::WrongName, &["address"], none),
    failing("http-for-https", Tls::Good, &["address"], |_, _, link| link.url = link.url.replace("https:", "http:")),
    failing("https-for-http", Tls::None, &["address"], |_, _, link| link.url = link.url.replace("http:", "https:")),
    failing("plain-permalinks", Tls::Good, &["wordpress"], |shops, id, _| always(shops, id, Fault::PlainPermalinks)),
    failing("woocommerce-off", Tls::Good, &["woocommerce", "key"], |shops, id, _| {
        always(shops, id, Fault::Deactivated);
    }),
    failing("maintenance", Tls::Good, &["wordpress"], |shops, id, _| {
        always(shops, id, Fault::Maintenance { retry_after_secs: 600 });
    }),
    failing("firewall", Tls::Good, &["wordpress"], |shops, id, _| always(shops, id, Fault::Firewall(403))),
    warning("header-stripped", Tls::Good, &["key"], |shops, id, _| always(shops, id, Fault::AuthorizationStripped)),
    failing("https-unseen", Tls::Good, &["key"], |shops, id, _| always(shops, id, Fault::HttpsUnseen)),
    failing("wrong-secret", Tls::Good, &["key"], |_, _, link| link.secret = format!("cs_{}", "0".repeat(40))),
    failing("unknown-key", Tls::Good, &["key"], |_, _, link| link.key = format!("ck_{}", "0".repeat(40))),
    warning("read-only", Tls::Good, &["writing"], |shops, id, link| another_key(shops, id, link, Permissions::Read, 1)),
    failing("no-rights", Tls::Good, &["key"], |shops, id, link| {
        let user = shops.shop(id).add_user("ada", Role::Subscriber);
        another_key(shops, id, link, Permissions::ReadWrite, user);
    }),
    warning("clock-off", Tls::Good, &["clock"], |shops, id, _| shops.faults(id).set_clock_ahead_ms(3 * 3_600_000)),
    failing("unknown-host", Tls::None, &["address"], |_, _, link| link.url = "https://no-such-shop.invalid".to_owned()),
    failing("nobody-listens", Tls::None, &["address"], |shops, id, _| always(shops, id, Fault::Down)),
    failing("to-www", Tls::Good, &["address"], |shops, id, _| {
        always(shops, id, Fault::Redirect("https://www.example.test".to_owned()));
    }),
];

fn open() -> (Shops, Vec<Link>) {
    let specs = CASES.iter().map(|case| ShopSpec { tls: case.tls, ..ShopSpec::http(case.id) }).collect();
    let shops = Shops::open(specs);
    let links = CASES.iter().map(|case| {
        let (url, key, secret) = shops.connection(case.id);
        with_webhook(&shops, case.id);
        let mut link = Link { url, key, secret };
        (case.trouble)(&shops, case.id, &mut link);
        link
    });
    let links = links.collect();
    (shops, links)
}

/// An engine that trusts the shops' authority by its configuration.
fn trusting(shops: &Shops) -> Engine {
    let engine = Engine::new(&[]);
    fs::write(engine.folder().join("ca.pem"), shops.server().ca_pem().expect("an authority")).expect("a file");
    let config = "[http]\nextra_ca_certificates = \"ca.pem\"\n";
    fs::write(engine.folder().join("cartwright.toml"), config).expect("a configuration");
    engine
}

fn add(engine: &Engine, id: &str, link: &Link) {
    let store = json!({"id": id, "url": link.url, "key": link.key, "secret": link.secret});
    let answer = engine.api("POST", "/api/v1/stores", Some(&store));
    assert_eq!(answer.status, 201, "{id}: {}", answer.text());
}

/// Ports change from run to run, and so may a minute.
fn normalised(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("127.0.0.1:") {
        let (before, after) = rest.split_at(at + "127.0.0.1:".len());
        out.push_str(before);
        out.push_str("PORT");
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out.push_str(rest);
    // What the system's resolver says is the system's.
    if let (Some(from), Some(to)) = (out.find("cannot be resolved: "), out.find('→')) {
        out.replace_range(from + "cannot be resolved".len()..to, "\n               ");
    }
    out.replace("179 minutes", "180 minutes")
}

/// Compares with `tests/golden/store_test/NAME.txt`, or writes it.
fn golden(name: &str, text: &str, wrong: &mut Vec<String>) {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/golden/store_test"));
    let file = folder.join(format!("{name}.txt"));
    let text = normalised(text);
    if environment::updates_golden() {
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(&file, &text).expect("a golden file");
    }
    let known = fs::read_to_string(&file).unwrap_or_default();
    if known != text {
        wrong.push(format!("{name}.txt\n--- is\n{text}--- should be\n{known}"));
    }
}

fn named(report: &Value, outcome: &str) -> Vec<String> {
    let checks = report["checks"].as_array().expect("checks");
    let of = |check: &&Value| check["outcome"] == outcome;
    checks.iter().filter(of).map(|check| check["name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_trouble_is_named_with_its_remedy() {
    let (shops, links) = open();
    let mut engine = trusting(&shops);
    engine.start();
    let mut wrong = Vec::new();
    for (case, link) in CASES.iter().zip(&links) {
        add(&engine, case.id, link);
        let shown = engine.command(&["store", "test", case.id]);
        golden(case.id, &text(&shown), &mut wrong);
        let exit = i32::from(!case.failed.is_empty());
        if shown.status.code() != Some(exit) {
            wrong.push(format!("{} ended with {} instead of {exit}", case.id, shown.status));
        }
        let json = engine.command(&["store", "test", case.id, "--json"]);
        let report: Value = serde_json::from_slice(&json.stdout).expect("JSON");
        for (outcome, expect) in [("failed", case.failed), ("warning", case.warned)] {
            let found = named(&report, outcome);
            if found != expect {
                wrong.push(format!("{}: {outcome} are {found:?} instead of {expect:?}", case.id));
            }
        }
        // The remedy stands in `help`, or is the second sentence where the words are the client's own.
        let unhelpful = |check: &&Value| {
            let (help, message) = (check["help"].as_str(), check["message"].as_str().unwrap_or_default());
            check["outcome"] == "failed" && help.is_none_or(str::is_empty) && !message.contains(". ")
        };
        if let Some(check) = report["checks"].as_array().expect("checks").iter().find(unhelpful) {
            wrong.push(format!("{}: no help: {check}", case.id));
        }
        for secret in [&link.key, &link.secret] {
            assert!(!text(&shown).contains(secret.as_str()) && !text(&json).contains(secret.as_str()), "{}", case.id);
        }
    }
    assert!(wrong.is_empty(), "{}\nrun with UPDATE_GOLDEN=1 if this is wanted", wrong.join("\n"));
}

#[test]
fn an_authority_that_nobody_named_is_not_trusted() {
    let shops = Shops::open(vec![ShopSpec::https("private")]);
    let engine = Engine::new(&[]);
    let (url, key, secret) = shops.connection("private");
    let open = ["--allow-outbound", "127.0.0.0/8"];
    let add = ["store", "add", "private", "--url", &url, "--key", &key, "--secret", &secret, "--no-test"];
    engine.command_ok(&add);
    let mut wrong = Vec::new();
    let shown = engine.command(&[&["store", "test", "private"], &open[..]].concat());
    golden("untrusted", &text(&shown), &mut wrong);
    assert_eq!(shown.status.code(), Some(1), "{}", text(&shown));
    let ca = engine.folder().join("authority.pem");
    fs::write(&ca, shops.server().ca_pem().expect("an authority")).expect("a file");
    let named = ["--extra-ca-certificates", ca.to_str().expect("a path")];
    let shown = engine.command(&[&["store", "test", "private"], &open[..], &named[..]].concat());
    assert!(text(&shown).contains("the key opens the store"), "{}", text(&shown));
    assert!(wrong.is_empty(), "{}\nrun with UPDATE_GOLDEN=1 if this is wanted", wrong.join("\n"));
}

const COUNT: &str = r#"
on: { event: [count] }
grants: { woo: [products.read, orders.write], stores: [self] }
steps:
  - id: products
    woo: products
    all: true
  - id: order
    woo: orders
    method: POST
    with: { line_items: [{ product_id: "${{ steps.products.output[0].id }}", quantity: 2 }] }
"#;

#[test]
fn a_store_is_added_used_over_tls_listed_and_removed() {
    let shops = Shops::open(vec![ShopSpec::https("shop")]);
    shops.shop("shop").seed_products(3);
    let mut engine = trusting(&shops);
    engine.write_workflow("count.yaml", COUNT);
    let (url, key, secret) = shops.connection("shop");
    let added = engine.command(&[
        "store",
        "add",
        "shop",
        "--url",
        &url,
        "--key",
        &key,
        "--secret",
        &secret,
        "--tag",
        "eu",
        "--allow-outbound",
        "127.0.0.0/8",
    ]);
    assert!(added.status.success(), "{}", text(&added));
    assert!(text(&added).contains("store shop is connected"), "{}", text(&added));
    assert!(text(&added).contains("the key opens the store"), "a store with keys is tested: {}", text(&added));

    engine.start();
    let event = engine.api("POST", "/api/v1/events", Some(&json!({"topic": "count", "store": "shop"})));
    let run = engine.run_of(event.json()["id"].as_str().expect("an event"), "succeeded");
    assert_eq!(run["steps"][0]["output"].as_array().map(Vec::len), Some(3), "{run:#}");
    let order = run["steps"][1]["output"]["id"].as_u64().expect("an order");
    assert_eq!(shops.rest("shop", "GET", &format!("orders/{order}"), &Value::Null)["line_items"][0]["quantity"], 2);

    let listed = engine.command_ok(&["store", "ls"]);
    assert!(listed.contains("shop") && listed.contains(&url) && listed.contains("eu"), "{listed}");
    let json: Value = serde_json::from_str(&engine.command_ok(&["store", "ls", "--json"])).expect("JSON");
    assert_eq!((&json[0]["id"], &json[0]["rest_keys"]), (&json!("shop"), &json!(true)));
    for shown in [&listed, &json.to_string(), &text(&added)] {
        assert!(!shown.contains(&key) && !shown.contains(&secret), "keys are never shown: {shown}");
    }

    engine.command_ok(&["store", "rm", "shop"]);
    assert_eq!(engine.command_ok(&["store", "ls", "--json"]).trim(), "[]");
    let event = engine.api("POST", "/api/v1/events", Some(&json!({"topic": "count", "store": "shop"})));
    assert_eq!((event.status, &event.json()["code"]), (400, &json!("store_unknown")), "{}", event.text());
    let gone = engine.command(&["store", "rm", "shop"]);
    assert!(!gone.status.success() && text(&gone).contains("no store `shop`"), "{}", text(&gone));
}
