//! The page of metrics: whether it is what Prometheus reads, and whether documents and alerts speak of what is on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::*;

/// A metric as the page has it.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    /// Name, labels as written, value.
    samples: Vec<(String, String, f64)>,
}

fn is_name(text: &str) -> bool {
    let start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b':';
    text.bytes().next().is_some_and(start) && text.bytes().all(|byte| start(byte) || byte.is_ascii_digit())
}

/// What stands between braces: names, `="`, a value with its escapes, `"`, commas between.
fn check_labels(mut rest: &str, line: &str) {
    loop {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("a label: {line}"));
        assert!(is_name(name) && !name.contains(':'), "{line}");
        let mut escaped = false;
        let end = after.find(|char| {
            let ends = char == '"' && !escaped;
            assert!(!escaped || matches!(char, '\\' | '"' | 'n'), "an escape: {line}");
            escaped = char == '\\' && !escaped;
            ends
        });
        let end = end.unwrap_or_else(|| panic!("a label's end: {line}"));
        rest = &after[end + 1..];
        if rest.is_empty() {
            return;
        }
        rest = rest.strip_prefix(',').unwrap_or_else(|| panic!("a comma: {line}"));
    }
}

/// Reads the text format as its description has it, strictly: HELP, then TYPE, then all samples of a metric, nothing
/// twice, no sample of another metric between.
fn parse(page: &str) -> BTreeMap<String, Family> {
    assert!(page.ends_with('\n') && !page.contains('\r'));
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("a help text");
            assert!(is_name(name) && help.ends_with('.'), "{line}");
            let kind =
                lines.next().and_then(|line| line.strip_prefix("# TYPE ")?.strip_prefix(name)?.strip_prefix(' '));
            let kind = kind.unwrap_or_else(|| panic!("a type follows: {line}")).to_owned();
            assert!(["counter", "gauge", "histogram"].contains(&kind.as_str()), "{kind}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            let before = families.insert(name.to_owned(), Family { kind, samples: Vec::new() });
            assert!(before.is_none(), "twice: {name}");
            name.clone_into(&mut current);
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("a value: {line}"));
        let value: f64 = if value == "+Inf" { f64::INFINITY } else { value.parse().expect("a number") };
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        if series.contains('{') {
            check_labels(labels.strip_suffix('}').expect("an end"), line);
        }
        let family = families.get_mut(&current).expect("a type before");
        let suffix = name.strip_prefix(current.as_str()).unwrap_or_else(|| panic!("{line} under {current}"));
        let suffixes: &[&str] = if family.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.contains(&suffix), "{line}");
        assert!(value >= 0.0, "{line}");
        let sample = (name.to_owned(), labels.to_owned(), value);
        assert!(
            !family.samples.iter().any(|(other, with, _)| (other, with) == (&sample.0, &sample.1)),
            "twice: {line}"
        );
        family.samples.push(sample);
    }
    families
}

fn check_histogram(name: &str, family: &Family) {
    let bucket = format!("{name}_bucket");
    let buckets: Vec<f64> = family.samples.iter().filter(|(of, ..)| *of == bucket).map(|(.., value)| *value).collect();
    assert!(buckets.len() > 3 && buckets.is_sorted(), "{name}: cumulative: {buckets:?}");
    let last = &family.samples[buckets.len() - 1];
    assert_eq!(last.1, "le=\"+Inf\"}", "{name}");
    let count = family.samples.iter().find(|(of, ..)| *of == format!("{name}_count")).expect("a count");
    assert!(last.2.total_cmp(&count.2).is_eq(), "{name}");
}

async fn page(house: &House) -> BTreeMap<String, Family> {
    let answer = house.call("GET", "/metrics", &[], "").await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4");
    parse(&answer.body)
}

fn value(families: &BTreeMap<String, Family>, name: &str, labels: &str) -> f64 {
    let labels = if labels.is_empty() { String::new() } else { format!("{labels}}}") };
    let family = families.values().flat_map(|family| &family.samples);
    let found = family.clone().find(|(of, with, _)| of == name && *with == labels);
    found.unwrap_or_else(|| panic!("{name}{{{labels} is missing")).2
}

async fn scraped() -> (House, BTreeMap<String, Family>) {
    let house = House::with(&[], |config| config.volume = Some("/".into())).await;
    let families = page(&house).await;
    (house, families)
}

#[tokio::test]
async fn the_page_is_what_prometheus_reads() {
    let (_, families) = scraped().await;
    assert!(families.len() > 40, "{families:?}");
    for (name, family) in &families {
        if family.kind == "histogram" {
            check_histogram(name, family);
        }
    }
    assert!(value(&families, "cartwright_volume_free_bytes", "") > 0.0);
}

#[tokio::test]
async fn what_happened_at_the_door_is_counted() {
    let (house, _) = scraped().await;
    house.deliver("a.b", "{}").await;
    house.deliver("a.b", "{}").await;
    let forged = [
        ("x-wc-webhook-topic", "a.b"),
        ("x-wc-webhook-id", "1"),
        ("x-wc-webhook-delivery-id", "1"),
        ("x-wc-webhook-signature", "AAAA"),
    ];
    assert_eq!(house.call("POST", "/webhooks/shop", &forged, "{}").await.status, 401);
    assert_eq!(house.call("POST", "/webhooks/nobody", &forged, "{}").await.status, 404);
    house.connect("gone", &[]).await;
    assert_eq!(house.call("POST", "/webhooks/gone", &forged, "{}").await.status, 401);
    house.engine.stores().remove(&"gone".parse().expect("an id"), |_| None).await.expect("removed");
    let families = page(&house).await;
    for (name, labels, expected) in [
        ("cartwright_events_accepted_total", "", 1.0),
        ("cartwright_events_duplicate_total", "", 1.0),
        ("cartwright_accept_duration_seconds_count", "", 2.0),
        ("cartwright_requests_refused_total", "reason=\"signature_wrong\"", 2.0),
        ("cartwright_webhooks_unverified_total", "store=\"shop\"", 1.0),
        ("cartwright_http_requests_total", "route=\"webhook\",status=\"2xx\"", 2.0),
        ("cartwright_http_requests_total", "route=\"webhook\",status=\"4xx\"", 3.0),
        ("cartwright_http_requests_total", "route=\"operations\",status=\"2xx\"", 1.0),
        ("cartwright_store_requests_waiting", "store=\"shop\"", 0.0),
        ("cartwright_store_full_rate_per_second", "store=\"shop\"", 5.0),
    ] {
        assert!(value(&families, name, labels).total_cmp(&expected).is_eq(), "{name}: {:?}", families.get(name));
    }
    let unverified = &families["cartwright_webhooks_unverified_total"].samples;
    assert_eq!(unverified.len(), 1, "only stores that exist: {unverified:?}");
}

fn engine_file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Words of a text that are names of metrics.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    let ours = words.filter(|word| word.starts_with("cartwright_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

#[tokio::test]
async fn the_document_explains_every_metric_and_no_other() {
    let (_, families) = scraped().await;
    let page = engine_file("docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let explained: BTreeSet<String> =
        rows.clone().flat_map(|row| names_in(row.split('`').next().unwrap_or_default())).collect();
    assert_eq!(explained, families.keys().cloned().collect());
    for row in rows {
        let cells: Vec<&str> = row.split('|').collect();
        assert!(cells.len() == 4 && cells[1..3].iter().all(|cell| cell.trim().len() > 1), "three cells: {row}");
    }
}

#[tokio::test]
async fn alerts_speak_of_metrics_that_exist() {
    let (_, families) = scraped().await;
    let rules = engine_file("packaging/prometheus-rules.yml");
    let text: String = rules.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let used = names_in(&text);
    assert!(used.len() > 10, "{used:?}");
    for name in used {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| {
            let family = name.strip_suffix(suffix)?;
            families.get(family).filter(|family| family.kind == "histogram")
        });
        assert!(families.contains_key(&name) || family.is_some(), "{name} is not on the page");
    }
}
