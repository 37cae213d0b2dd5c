//! From a [`WooRequest`] to what goes over the wire, without the credentials: the address, the query's pairs, the
//! headers, the body, the time it may take.

use bytes::Bytes;
use cartwright_core::{
    Json,
    call::CallError,
    woo::{WooMethod, WooRequest},
};
use url::Url;

use super::ClientOptions;

/// The API's path below a store's address. The other form (`?rest_route=`) does not take WooCommerce's keys.
const API: &str = "wp-json/wc/v3";
/// One list in a query: longer ones belong into several calls.
const LIST_ITEMS_MAX: usize = 1_000;

/// Names and values of a query, not encoded.
pub(super) type Pairs = Vec<(String, String)>;

/// Where a request goes, without its query.
pub(crate) fn url(store: &Url, path: &str) -> Url {
    let mut url = store.clone();
    url.set_query(None);
    url.set_fragment(None);
    let base = store.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{base}/{API}/{path}"));
    url
}

/// The query's pairs in the caller's order.
pub(super) fn pairs(request: &WooRequest) -> Result<Pairs, CallError> {
    let mut pairs = Pairs::new();
    for (name, value) in &request.query {
        if let Json::Array(items) = value {
            list(&mut pairs, name, items)?;
        } else if let Some(text) = scalar(name, value)? {
            pairs.push((name.clone(), text));
        }
    }
    Ok(pairs)
}

/// A list goes as `1,2,3`, which every list parameter takes and some (`sku`) take only. WordPress splits it at commas
/// and blanks, so items with one of these go as `name[0]=…`. The numbers in the brackets are what WooCommerce signs
/// `name[]` as.
fn list(pairs: &mut Pairs, name: &str, items: &[Json]) -> Result<(), CallError> {
    if items.len() > LIST_ITEMS_MAX {
        return Err(invalid(&format!("`{name}` in the query has more than {LIST_ITEMS_MAX} items")));
    }
    let mut texts = Vec::with_capacity(items.len());
    for item in items {
        texts.extend(scalar(name, item)?);
    }
    if texts.iter().any(|text| text.is_empty() || text.contains(|c: char| c == ',' || c.is_whitespace())) {
        pairs.extend(texts.into_iter().enumerate().map(|(at, text)| (format!("{name}[{at}]"), text)));
    } else {
        pairs.push((name.to_owned(), texts.join(",")));
    }
    Ok(())
}

fn scalar(name: &str, value: &Json) -> Result<Option<String>, CallError> {
    match value {
        Json::Null => Ok(None),
        Json::Bool(value) => Ok(Some(value.to_string())),
        Json::Number(number) => Ok(Some(number.to_string())),
        Json::String(text) => Ok(Some(text.clone())),
        Json::Array(_) | Json::Object(_) => {
            Err(invalid(&format!("`{name}` in the query must be a text, a number, true, false or a list of these")))
        }
    }
}

fn invalid(message: &str) -> CallError {
    CallError::r#final("invalid", message)
}

/// `a=1&b=x%20y`, in RFC 3986's encoding, which is also the one that OAuth signs.
pub(super) fn encode_query(pairs: &[(String, String)]) -> String {
    let pair = |(name, value): &(String, String)| format!("{}={}", encode(name), encode(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// Percent-encoding of everything but RFC 3986's unreserved characters.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Headers that every request carries. `Accept` makes WordPress answer its maintenance page as JSON; without
/// `Content-Type` WooCommerce ignores the body and creates an empty object.
pub(super) fn headers(has_body: bool) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("accept", "application/json".to_owned()),
        ("user-agent", concat!("Cartwright/", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    if has_body {
        headers.push(("content-type", "application/json".to_owned()));
    }
    headers
}

/// What is sent.
pub(super) fn body(request: &WooRequest) -> Option<Bytes> {
    request.body.as_ref().map(|body| Bytes::from(serde_json::to_vec(body).expect("JSON always becomes text")))
}

/// How long the whole exchange may take.
pub(super) fn timeout(request: &WooRequest, options: &ClientOptions) -> std::time::Duration {
    match request.method {
        WooMethod::Get => options.read_timeout,
        WooMethod::Post if request.path.ends_with("/batch") => options.batch_timeout,
        _ => options.write_timeout,
    }
}
